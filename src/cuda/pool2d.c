/* pool2d.c - pooling on the GPU: checks, then the launchers of kernels/pool2d.cu. */
#include "cuda/cuda.h"

static cug_status pool2d_fwd(const cug_tensor *y, const cug_tensor *argmax, const cug_tensor *x,
                             const cug_pool2d_shape *s, const cug_exec *ex) {
    const char *op = "pool2d fwd";
    CUG_TRY(cug_check_pool2d_fwd(CUDA_REAL, y, argmax, x, s));
    CUG_TRY(cuda_ready(op, ex, 0));
    cudaError_t err = cug_cuda_pool2d_fwd(cuda_f32(y), cuda_u8(argmax), cuda_f32(x), s, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

static cug_status pool2d_bwd(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *argmax,
                             const cug_pool2d_shape *s, unsigned accumulate, const cug_exec *ex) {
    const char *op = "pool2d bwd";
    CUG_TRY(cug_check_pool2d_bwd(CUDA_REAL, dx, dy, argmax, s, accumulate));
    CUG_TRY(cuda_ready(op, ex, 0));
    cudaError_t err = cug_cuda_pool2d_bwd(cuda_f32(dx), cuda_f32(dy), cuda_u8(argmax), s, accumulate, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

const cug_pool2d_ops cug_cuda_pool2d = {.fwd = pool2d_fwd, .bwd = pool2d_bwd};
