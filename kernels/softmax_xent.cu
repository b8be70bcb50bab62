// softmax_xent.cu - cross-entropy of a softmax: loss, gradient and prediction in one pass over a sample's logits.
#include "loss.cuh"

static __global__ void __launch_bounds__(kBlock)
    softmax_xent_fwd_bwd_kernel(float *loss, float *dz, int32_t *pred, const float *z, const int32_t *labels,
                                cug_loss_shape s) {
    const int n = (int)(blockIdx.x * kLossRows + threadIdx.x / 32), lane = (int)threadIdx.x % 32;
    if (n >= s.N) return; // whole warps
    const float *row = z + (size_t)n * (size_t)s.K;
    const int label = labels[n];
    const bool valid = label_valid(s, label);
    float max = -INFINITY;
    for (int k = lane; k < s.K; k += 32) max = cug_max_nan(row[k], max);
    max = cug_warp_max(max);
    // the terms of log sum exp and of sum t z, the latter relative to max so that it does not cancel
    float sum = 0.0f, pull = 0.0f;
    for (int k = lane; k < s.K; k += 32) {
        sum += expf(row[k] - max);
        const float t = target(s, label, k);
        if (t != 0) pull += t * (row[k] - max); // a logit of -Inf with no weight costs nothing
    }
    const float log_sum = logf(cug_warp_sum(sum));
    pull = cug_warp_sum(pull);
    const int guess = pred ? predict(row, s.K, 0.0f, lane) : 0;
    if (lane == 0) {
        loss[n] = valid ? log_sum - pull : NAN;
        if (pred) pred[n] = guess;
    }
    __syncwarp(); // dz may be z: predict has read the row
    for (int k = lane; k < s.K && dz; k += 32)
        dz[(size_t)n * (size_t)s.K + (size_t)k] =
            valid ? (expf((row[k] - max) - log_sum) - target(s, label, k)) / (float)s.N : 0.0f;
}

extern "C" cudaError_t cug_cuda_softmax_xent_fwd_bwd(float *loss, float *dz, int32_t *pred, const float *z,
                                                     const int32_t *labels, const cug_loss_shape *s,
                                                     cudaStream_t stream) {
    return loss_launch("softmax_xent_fwd_bwd_kernel", softmax_xent_fwd_bwd_kernel, loss, dz, pred, z, labels, s,
                       stream);
}
