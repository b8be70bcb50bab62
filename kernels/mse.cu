// mse.cu - mean squared error against the one-hot target: loss, gradient and prediction in one pass.
#include "loss.cuh"

struct SquaredError {
    __device__ static float threshold() { return 0.5f; }
    __device__ static float term(float z, float t) { return (z - t) * (z - t); }
    __device__ static float slope(float z, float t) { return 2 * (z - t); }
};

extern "C" cudaError_t cug_cuda_mse_fwd_bwd(float *loss, float *dz, int32_t *pred, const float *z,
                                            const int32_t *labels, const cug_loss_shape *s, cudaStream_t stream) {
    return loss_launch("mse", mean_loss_kernel<SquaredError>, loss, dz, pred, z, labels, s, stream);
}
