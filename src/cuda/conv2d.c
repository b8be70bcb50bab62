/* conv2d.c - convolution on the GPU: checks, then the launchers of kernels/conv2d.cu, or cuDNN where it is chosen. */
#include "cuda/cuda.h"

static size_t most(size_t a, size_t b) { return a > b ? a : b; }

static size_t conv2d_workspace(const cug_device *dev, const cug_conv2d_shape *s, cug_pass pass) {
    const cug_precision precision = cuda_precision(dev);
    const cug_product y = cug_product_conv(s, CUG_ROLE_FWD, precision),
                      dx = cug_product_conv(s, CUG_ROLE_DGRAD, precision),
                      dw = cug_product_conv(s, CUG_ROLE_WGRAD, precision);
    if (pass == CUG_FWD) return most(cug_cuda_conv2d_fwd_workspace(s, precision), cug_choose_workspace(dev, &y));
    return most(cug_cuda_conv2d_bwd_workspace(s, precision),
                most(cug_choose_workspace(dev, &dx), cug_choose_workspace(dev, &dw)));
}

static cug_status conv2d_fwd(const cug_tensor *y, const cug_tensor *x, const cug_tensor *w, const cug_tensor *b,
                             const cug_conv2d_shape *s, const cug_exec *ex) {
    const char *op = "conv2d fwd";
    int ran = 0;
    CUG_TRY(cug_check_conv2d_fwd(CUDA_REAL, y, x, w, b, s));
    CUG_TRY(cuda_ready(op, ex, conv2d_workspace(ex ? ex->device : NULL, s, CUG_FWD)));
    const cug_product p = cug_product_conv(s, CUG_ROLE_FWD, ex->device->precision);
    const cug_product_args args = cuda_product_args(cuda_f32(y), cuda_f32(x), cuda_f32(w), cuda_f32(b), 0, ex);
    CUG_TRY(cug_choose_run(ex->device, &p, &args, &ran));
    if (ran) return CUG_OK;
    cudaError_t err = cug_cuda_conv2d_fwd(cuda_f32(y), cuda_f32(x), cuda_f32(w), cuda_f32(b), s, ex->device->precision,
                                          ex->workspace, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

static cug_status dgrad(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *w, const cug_conv2d_shape *s,
                        unsigned accumulate, const cug_exec *ex) {
    const cug_product p = cug_product_conv(s, CUG_ROLE_DGRAD, ex->device->precision);
    const cug_product_args args =
        cuda_product_args(cuda_f32(dx), cuda_f32(dy), cuda_f32(w), NULL, (accumulate & CUG_ACC_DX) != 0, ex);
    int ran = 0;
    CUG_TRY(cug_choose_run(ex->device, &p, &args, &ran));
    if (ran) return CUG_OK;
    cudaError_t err = cug_cuda_conv2d_dgrad(cuda_f32(dx), cuda_f32(dy), cuda_f32(w), s, ex->device->precision,
                                            accumulate & CUG_ACC_DX, ex->workspace, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, "conv2d dgrad");
}

static cug_status conv2d_bwd(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                             const cug_tensor *x, const cug_tensor *w, const cug_conv2d_shape *s, unsigned accumulate,
                             const cug_exec *ex) {
    int ran = 0;
    CUG_TRY(cug_check_conv2d_bwd(CUDA_REAL, dx, dw, db, dy, x, w, s, accumulate));
    CUG_TRY(cuda_ready("conv2d bwd", ex, conv2d_workspace(ex ? ex->device : NULL, s, CUG_BWD)));
    if (dx) CUG_TRY(dgrad(dx, dy, w, s, accumulate, ex));
    if (dw) {
        const cug_product p = cug_product_conv(s, CUG_ROLE_WGRAD, ex->device->precision);
        const cug_product_args args =
            cuda_product_args(cuda_f32(dw), cuda_f32(dy), cuda_f32(x), NULL, (accumulate & CUG_ACC_DW) != 0, ex);
        CUG_TRY(cug_choose_run(ex->device, &p, &args, &ran));
    }
    if (ran) dw = NULL;
    if (!dw && !db) return CUG_OK;
    cudaError_t err =
        cug_cuda_conv2d_wgrad(cuda_f32(dw), cuda_f32(db), cuda_f32(dy), cuda_f32(x), s, ex->device->precision,
                              accumulate & CUG_ACC_DW, ex->workspace, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, "conv2d wgrad");
}

const cug_conv2d_ops cug_cuda_conv2d = {.workspace = conv2d_workspace, .fwd = conv2d_fwd, .bwd = conv2d_bwd};
