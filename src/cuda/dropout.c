/* dropout.c - inverted dropout on the GPU: checks, then the launchers of kernels/dropout.cu. */
#include "cuda/cuda.h"

static cug_status dropout_fwd(const cug_tensor *y, const cug_tensor *x, const cug_tensor *ids, const cug_step *step,
                              const cug_dropout_shape *s, const cug_exec *ex) {
    const char *op = "dropout fwd";
    CUG_TRY(cug_check_dropout(CUDA_REAL, y, x, ids, step, s, 0));
    CUG_TRY(cuda_ready(op, ex, 0));
    cudaError_t err = cug_cuda_dropout_fwd(cuda_f32(y), cuda_f32(x), cuda_i32(ids), step, s, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

static cug_status dropout_bwd(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *ids, const cug_step *step,
                              const cug_dropout_shape *s, unsigned accumulate, const cug_exec *ex) {
    const char *op = "dropout bwd";
    CUG_TRY(cug_check_dropout(CUDA_REAL, dx, dy, ids, step, s, accumulate));
    CUG_TRY(cuda_ready(op, ex, 0));
    cudaError_t err =
        cug_cuda_dropout_bwd(cuda_f32(dx), cuda_f32(dy), cuda_i32(ids), step, s, accumulate, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

const cug_dropout_ops cug_cuda_dropout = {.fwd = dropout_fwd, .bwd = dropout_bwd};
