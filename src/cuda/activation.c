/* activation.c - elementwise non-linearities on the GPU: checks, then the launchers of kernels/activation.cu. */
#include "cuda/cuda.h"

static cug_status activation_fwd(const cug_tensor *y, const cug_tensor *x, const cug_activation_shape *s,
                                 const cug_exec *ex) {
    const char *op = "activation fwd";
    CUG_TRY(cug_check_activation_fwd(CUDA_REAL, y, x, s));
    CUG_TRY(cuda_ready(op, ex, 0));
    return cug_cuda_launched(ex->device, cug_cuda_activation_fwd(cuda_f32(y), cuda_f32(x), s, cuda_stream(ex)), op);
}

static cug_status activation_bwd(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *of,
                                 const cug_activation_shape *s, unsigned accumulate, const cug_exec *ex) {
    const char *op = "activation bwd";
    CUG_TRY(cug_check_activation_bwd(CUDA_REAL, dx, dy, of, s, accumulate));
    CUG_TRY(cuda_ready(op, ex, 0));
    cudaError_t err = cug_cuda_activation_bwd(cuda_f32(dx), cuda_f32(dy), cuda_f32(of), s, accumulate, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

const cug_activation_ops cug_cuda_activation = {.fwd = activation_fwd, .bwd = activation_bwd};
