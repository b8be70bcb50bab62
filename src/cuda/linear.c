/* linear.c - dense layer on the GPU: checks, then the launchers of kernels/linear.cu, or cuBLASLt where it is chosen.
 */
#include "cuda/cuda.h"

static size_t most(size_t a, size_t b) { return a > b ? a : b; }

static size_t linear_workspace(const cug_device *dev, const cug_linear_shape *s, cug_pass pass) {
    const cug_precision precision = cuda_precision(dev);
    const cug_product y = cug_product_linear(s, CUG_ROLE_FWD, precision),
                      dx = cug_product_linear(s, CUG_ROLE_DGRAD, precision),
                      dw = cug_product_linear(s, CUG_ROLE_WGRAD, precision);
    if (pass == CUG_FWD) return most(cug_cuda_linear_fwd_workspace(s, precision), cug_choose_workspace(dev, &y));
    return most(cug_cuda_linear_bwd_workspace(s, precision),
                most(cug_choose_workspace(dev, &dx), cug_choose_workspace(dev, &dw)));
}

static cug_status linear_fwd(const cug_tensor *y, const cug_tensor *x, const cug_tensor *w, const cug_tensor *b,
                             const cug_linear_shape *s, const cug_exec *ex) {
    const char *op = "linear fwd";
    int ran = 0;
    CUG_TRY(cug_check_linear_fwd(CUDA_REAL, y, x, w, b, s));
    CUG_TRY(cuda_ready(op, ex, linear_workspace(ex ? ex->device : NULL, s, CUG_FWD)));
    const cug_product p = cug_product_linear(s, CUG_ROLE_FWD, ex->device->precision);
    const cug_product_args args = cuda_product_args(cuda_f32(y), cuda_f32(x), cuda_f32(w), cuda_f32(b), 0, ex);
    CUG_TRY(cug_choose_run(ex->device, &p, &args, &ran));
    if (ran) return CUG_OK;
    cudaError_t err = cug_cuda_linear_fwd(cuda_f32(y), cuda_f32(x), cuda_f32(w), cuda_f32(b), s, ex->device->precision,
                                          ex->workspace, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

static cug_status linear_bwd(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                             const cug_tensor *x, const cug_tensor *w, const cug_linear_shape *s, unsigned accumulate,
                             const cug_exec *ex) {
    const char *op = "linear bwd";
    int dx_ran = 0, dw_ran = 0;
    CUG_TRY(cug_check_linear_bwd(CUDA_REAL, dx, dw, db, dy, x, w, s, accumulate));
    CUG_TRY(cuda_ready(op, ex, linear_workspace(ex ? ex->device : NULL, s, CUG_BWD)));
    if (dx) {
        const cug_product p = cug_product_linear(s, CUG_ROLE_DGRAD, ex->device->precision);
        const cug_product_args args =
            cuda_product_args(cuda_f32(dx), cuda_f32(dy), cuda_f32(w), NULL, (accumulate & CUG_ACC_DX) != 0, ex);
        CUG_TRY(cug_choose_run(ex->device, &p, &args, &dx_ran));
    }
    if (dw) {
        const cug_product p = cug_product_linear(s, CUG_ROLE_WGRAD, ex->device->precision);
        const cug_product_args args =
            cuda_product_args(cuda_f32(dw), cuda_f32(dy), cuda_f32(x), NULL, (accumulate & CUG_ACC_DW) != 0, ex);
        CUG_TRY(cug_choose_run(ex->device, &p, &args, &dw_ran));
    }
    if (dx_ran) dx = NULL;
    if (dw_ran) dw = NULL;
    if (!dx && !dw && !db) return CUG_OK;
    cudaError_t err =
        cug_cuda_linear_bwd(cuda_f32(dx), cuda_f32(dw), cuda_f32(db), cuda_f32(dy), cuda_f32(x), cuda_f32(w), s,
                            ex->device->precision, accumulate, ex->workspace, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

const cug_linear_ops cug_cuda_linear = {.workspace = linear_workspace, .fwd = linear_fwd, .bwd = linear_bwd};
