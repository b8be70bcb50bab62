/* concat.c - channels side by side on the GPU. */
#include "cuda/cuda.h"

static cug_status concat_fwd(const cug_tensor *y, const cug_tensor *const *x, const cug_concat_shape *s,
                             const cug_exec *ex) {
    const char *op = "concat fwd";
    const float *in[CUG_MAX_INPUTS];
    CUG_TRY(cug_check_concat_fwd(CUDA_REAL, y, x, s));
    CUG_TRY(cuda_ready(op, ex, 0));
    for (int j = 0; j < s->inputs; j++) in[j] = cuda_f32(x[j]);
    return cug_cuda_launched(ex->device, cug_cuda_concat_fwd(cuda_f32(y), in, s, cuda_stream(ex)), op);
}

static cug_status concat_bwd(const cug_tensor *dx, const cug_tensor *dy, int j, const cug_concat_shape *s,
                             unsigned accumulate, const cug_exec *ex) {
    const char *op = "concat bwd";
    CUG_TRY(cug_check_concat_bwd(CUDA_REAL, dx, dy, j, s, accumulate));
    CUG_TRY(cuda_ready(op, ex, 0));
    cudaError_t err = cug_cuda_concat_bwd(cuda_f32(dx), cuda_f32(dy), j, s, accumulate, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

const cug_concat_ops cug_cuda_concat = {.fwd = concat_fwd, .bwd = concat_bwd};
