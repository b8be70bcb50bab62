/* conv2d.c - convolution on the GPU: checks, then the launchers of kernels/conv2d.cu. */
#include "cuda/cuda.h"

static size_t conv2d_workspace(const cug_device *dev, const cug_conv2d_shape *s, cug_pass pass) {
    const cug_precision precision = cuda_precision(dev);
    return pass == CUG_FWD ? cug_cuda_conv2d_fwd_workspace(s, precision) : cug_cuda_conv2d_bwd_workspace(s, precision);
}

static cug_status conv2d_fwd(const cug_tensor *y, const cug_tensor *x, const cug_tensor *w, const cug_tensor *b,
                             const cug_conv2d_shape *s, const cug_exec *ex) {
    const char *op = "conv2d fwd";
    CUG_TRY(cug_check_conv2d_fwd(CUDA_REAL, y, x, w, b, s));
    CUG_TRY(cuda_ready(op, ex, cug_cuda_conv2d_fwd_workspace(s, cuda_precision(ex->device))));
    cudaError_t err = cug_cuda_conv2d_fwd(cuda_f32(y), cuda_f32(x), cuda_f32(w), cuda_f32(b), s, ex->device->precision,
                                          ex->workspace, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

static cug_status conv2d_bwd(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                             const cug_tensor *x, const cug_tensor *w, const cug_conv2d_shape *s, unsigned accumulate,
                             const cug_exec *ex) {
    CUG_TRY(cug_check_conv2d_bwd(CUDA_REAL, dx, dw, db, dy, x, w, s, accumulate));
    CUG_TRY(cuda_ready("conv2d bwd", ex, cug_cuda_conv2d_bwd_workspace(s, cuda_precision(ex->device))));
    if (dx) {
        cudaError_t err = cug_cuda_conv2d_dgrad(cuda_f32(dx), cuda_f32(dy), cuda_f32(w), s, ex->device->precision,
                                                accumulate & CUG_ACC_DX, ex->workspace, cuda_stream(ex));
        CUG_TRY(cug_cuda_launched(ex->device, err, "conv2d dgrad"));
    }
    if (!dw && !db) return CUG_OK;
    cudaError_t err =
        cug_cuda_conv2d_wgrad(cuda_f32(dw), cuda_f32(db), cuda_f32(dy), cuda_f32(x), s, ex->device->precision,
                              accumulate & CUG_ACC_DW, ex->workspace, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, "conv2d wgrad");
}

const cug_conv2d_ops cug_cuda_conv2d = {.workspace = conv2d_workspace, .fwd = conv2d_fwd, .bwd = conv2d_bwd};
