/* mse.c - mean squared error on the GPU: loss, gradient and prediction in one launch. */
#include "cuda/cuda.h"

static cug_status mse(const cug_tensor *loss, const cug_tensor *dz, const cug_tensor *pred, const cug_tensor *z,
                      const cug_tensor *labels, const cug_loss_shape *s, const cug_exec *ex) {
    const char *op = "mse";
    CUG_TRY(cug_check_loss(op, 1, CUDA_REAL, loss, dz, pred, z, labels, s));
    CUG_TRY(cuda_ready(op, ex, 0));
    cudaError_t err = cug_cuda_mse_fwd_bwd(cuda_f32(loss), cuda_f32(dz), cuda_i32(pred), cuda_f32(z), cuda_i32(labels),
                                           s, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

const cug_loss_ops cug_cuda_mse = {.fwd_bwd = mse};
