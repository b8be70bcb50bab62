/* bias.c - a constant per channel on the GPU. Partial sums of db lie in the device's scratch block. */
#include "cuda/cuda.h"

static cug_status bias_fwd(const cug_tensor *y, const cug_tensor *x, const cug_tensor *b, const cug_bias_shape *s,
                           const cug_exec *ex) {
    const char *op = "bias fwd";
    CUG_TRY(cug_check_bias_fwd(CUDA_REAL, y, x, b, s));
    CUG_TRY(cuda_ready(op, ex, 0));
    cudaError_t err = cug_cuda_bias_fwd(cuda_f32(y), cuda_f32(x), cuda_f32(b), s, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

static cug_status bias_bwd(const cug_tensor *dx, const cug_tensor *db, const cug_tensor *dy, const cug_bias_shape *s,
                           unsigned accumulate, const cug_exec *ex) {
    const char *op = "bias bwd";
    CUG_TRY(cug_check_bias_bwd(CUDA_REAL, dx, db, dy, s, accumulate));
    CUG_TRY(cuda_ready(op, ex, 0));
    if (!dx && !db) return CUG_OK;
    if (cug_cuda_bias_bwd_workspace(s) > CUG_CUDA_SCRATCH_BYTES)
        return cug_fail(CUG_ENOTSUP, "%s: %d x %d needs more than the device's scratch block", op, s->rows, s->C);
    cudaError_t err = cug_cuda_bias_bwd(cuda_f32(dx), cuda_f32(db), cuda_f32(dy), s, accumulate, ex->device->scratch,
                                        cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

const cug_bias_ops cug_cuda_bias = {.fwd = bias_fwd, .bwd = bias_bwd};
