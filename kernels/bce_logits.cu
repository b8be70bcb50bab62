// bce_logits.cu - binary cross-entropy on logits: loss, gradient and prediction in one pass.
#include "loss.cuh"

struct BceLogits {
    __device__ static float threshold() { return 0.0f; }
    __device__ static float term(float z, float t) { return (z > 0 ? z : 0.0f) - z * t + log1pf(expf(-fabsf(z))); }
    __device__ static float slope(float z, float t) { return activate(CUG_ACT_SIGMOID, 0.0f, z) - t; }
};

extern "C" cudaError_t cug_cuda_bce_logits_fwd_bwd(float *loss, float *dz, int32_t *pred, const float *z,
                                                   const int32_t *labels, const cug_loss_shape *s,
                                                   cudaStream_t stream) {
    return loss_launch("bce_logits", mean_loss_kernel<BceLogits>, loss, dz, pred, z, labels, s, stream);
}
