/* linear.c - dense layer on the GPU: checks, then the launchers of kernels/linear.cu. */
#include "cuda/cuda.h"

static size_t linear_workspace(const cug_device *dev, const cug_linear_shape *s, cug_pass pass) {
    const cug_precision precision = cuda_precision(dev);
    return pass == CUG_FWD ? cug_cuda_linear_fwd_workspace(s, precision) : cug_cuda_linear_bwd_workspace(s, precision);
}

static cug_status linear_fwd(const cug_tensor *y, const cug_tensor *x, const cug_tensor *w, const cug_tensor *b,
                             const cug_linear_shape *s, const cug_exec *ex) {
    const char *op = "linear fwd";
    CUG_TRY(cug_check_linear_fwd(CUDA_REAL, y, x, w, b, s));
    CUG_TRY(cuda_ready(op, ex, cug_cuda_linear_fwd_workspace(s, cuda_precision(ex->device))));
    cudaError_t err = cug_cuda_linear_fwd(cuda_f32(y), cuda_f32(x), cuda_f32(w), cuda_f32(b), s, ex->device->precision,
                                          ex->workspace, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

static cug_status linear_bwd(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                             const cug_tensor *x, const cug_tensor *w, const cug_linear_shape *s, unsigned accumulate,
                             const cug_exec *ex) {
    const char *op = "linear bwd";
    CUG_TRY(cug_check_linear_bwd(CUDA_REAL, dx, dw, db, dy, x, w, s, accumulate));
    CUG_TRY(cuda_ready(op, ex, cug_cuda_linear_bwd_workspace(s, cuda_precision(ex->device))));
    if (!dx && !dw && !db) return CUG_OK;
    cudaError_t err =
        cug_cuda_linear_bwd(cuda_f32(dx), cuda_f32(dw), cuda_f32(db), cuda_f32(dy), cuda_f32(x), cuda_f32(w), s,
                            ex->device->precision, accumulate, ex->workspace, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

const cug_linear_ops cug_cuda_linear = {.workspace = linear_workspace, .fwd = linear_fwd, .bwd = linear_bwd};
