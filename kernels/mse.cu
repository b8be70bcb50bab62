// mse.cu - mean squared error against the one-hot target: loss, gradient and prediction in one pass.
#include "loss.cuh"

static __global__ void __launch_bounds__(kBlock)
    mse_fwd_bwd_kernel(float *loss, float *dz, int32_t *pred, const float *z, const int32_t *labels, cug_loss_shape s) {
    const int n = (int)(blockIdx.x * kLossRows + threadIdx.x / 32), lane = (int)threadIdx.x % 32;
    if (n >= s.N) return; // whole warps
    const float *row = z + (size_t)n * (size_t)s.K;
    const int label = labels[n];
    const bool valid = label_valid(s, label);
    float sum = 0.0f;
    for (int k = lane; k < s.K; k += 32) {
        const float d = row[k] - target(s, label, k);
        sum += d * d;
    }
    sum = cug_warp_sum(sum);
    const int guess = pred ? predict(row, s.K, 0.5f, lane) : 0;
    if (lane == 0) {
        loss[n] = valid ? sum / (float)s.K : NAN;
        if (pred) pred[n] = guess;
    }
    __syncwarp(); // dz may be z: predict has read the row
    for (int k = lane; k < s.K && dz; k += 32)
        dz[(size_t)n * (size_t)s.K + (size_t)k] =
            valid ? 2 * (row[k] - target(s, label, k)) / (float)s.N / (float)s.K : 0.0f;
}

extern "C" cudaError_t cug_cuda_mse_fwd_bwd(float *loss, float *dz, int32_t *pred, const float *z,
                                            const int32_t *labels, const cug_loss_shape *s, cudaStream_t stream) {
    return loss_launch("mse_fwd_bwd_kernel", mse_fwd_bwd_kernel, loss, dz, pred, z, labels, s, stream);
}
