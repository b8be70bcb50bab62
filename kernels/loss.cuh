// loss.cuh - what the losses share: one warp a sample, targets, valid labels, predictions (softmax_xent.h).
#ifndef CUG_KERNELS_LOSS_CUH
#define CUG_KERNELS_LOSS_CUH

#include "common.cuh"

constexpr int kLossRows = kBlock / 32; // samples of a block

__device__ __forceinline__ bool label_valid(const cug_loss_shape &s, int label) {
    return label >= 0 && label < (s.K > 2 ? s.K : 2);
}

__device__ __forceinline__ float target(const cug_loss_shape &s, int label, int k) {
    const float e = s.smoothing;
    if (s.K == 1) return (1 - e) * (float)label + e / 2;
    return (k == label ? 1 - e : 0.0f) + e / (float)s.K;
}

// First maximum of z, the whole warp calling; a NaN is never larger, and nothing is larger than a NaN at the front.
__device__ __forceinline__ int predict(const float *z, int K, float threshold, int lane) {
    if (K == 1) return z[0] > threshold;
    float best = -INFINITY;
    int at = K;
    for (int k = lane; k < K; k += 32)
        if (z[k] > best || (z[k] == best && k < at)) best = z[k], at = k;
    for (int o = 16; o; o >>= 1) {
        const float v = __shfl_xor_sync(0xffffffffu, best, o);
        const int k = __shfl_xor_sync(0xffffffffu, at, o);
        if (v > best || (v == best && k < at)) best = v, at = k;
    }
    return z[0] != z[0] ? 0 : at;
}

// Losses that are a mean over the row's elements. Loss has: threshold(), of the prediction where K = 1; term(z, t), an
// element's loss for target t; slope(z, t), its derivative by z.
template <class Loss>
__global__ void __launch_bounds__(kBlock)
    mean_loss_kernel(float *loss, float *dz, int32_t *pred, const float *z, const int32_t *labels, cug_loss_shape s) {
    const int n = (int)(blockIdx.x * kLossRows + threadIdx.x / 32), lane = (int)threadIdx.x % 32;
    if (n >= s.N) return; // whole warps
    const float *row = z + (size_t)n * (size_t)s.K;
    const int label = labels[n];
    const bool valid = label_valid(s, label);
    float sum = 0.0f;
    for (int k = lane; k < s.K; k += 32) sum += Loss::term(row[k], target(s, label, k));
    sum = cug_warp_sum(sum);
    const int guess = pred ? predict(row, s.K, Loss::threshold(), lane) : 0;
    if (lane == 0) {
        loss[n] = valid ? sum / (float)s.K : NAN;
        if (pred) pred[n] = guess;
    }
    __syncwarp(); // dz may be z: predict has read the row
    for (int k = lane; k < s.K && dz; k += 32)
        dz[(size_t)n * (size_t)s.K + (size_t)k] =
            valid ? Loss::slope(row[k], target(s, label, k)) / (float)s.N / (float)s.K : 0.0f;
}

template <class Kernel>
static inline cudaError_t loss_launch(const char *name, Kernel *kernel, float *loss, float *dz, int32_t *pred,
                                      const float *z, const int32_t *labels, const cug_loss_shape *s,
                                      cudaStream_t stream) {
    return cug_launch(name, kernel, dim3(blocks_for((size_t)s->N, kLossRows)), dim3(kBlock), 0, stream, loss, dz, pred,
                      z, labels, *s);
}

#endif
