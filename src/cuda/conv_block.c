/* conv_block.c - convolution, bias, activation and pooling in one pass. `saved` holds two bits a window and channel. */
#include "cuda/cuda.h"

static size_t conv_block_workspace(const cug_device *dev, const cug_conv_block_shape *s, cug_pass pass) {
    return pass == CUG_FWD ? 0 : cug_cuda_conv_block_bwd_workspace(s, cuda_precision(dev));
}

static cug_status check_supported(const cug_conv_block_shape *s) {
    return cug_cuda_conv_block_supports(s)
               ? CUG_OK
               : cug_fail(CUG_ENOTSUP,
                          "conv_block: cuda pools 2x2 maxima with stride 2 and no padding, and has no silu or "
                          "gelu; run the ops apart");
}

static cug_status conv_block_fwd(const cug_tensor *y, void *saved, const cug_tensor *x, const cug_tensor *w,
                                 const cug_tensor *b, const cug_conv_block_shape *s, const cug_exec *ex) {
    const char *op = "conv_block fwd";
    CUG_TRY(cug_check_conv_block_fwd(CUDA_REAL, y, x, w, b, s));
    CUG_TRY(check_supported(s));
    CUG_TRY(cuda_ready(op, ex, 0));
    cudaError_t err = cug_cuda_conv_block_fwd(cuda_f32(y), saved, cuda_f32(x), cuda_f32(w), cuda_f32(b), s,
                                              ex->device->precision, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

static cug_status conv_block_bwd(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                                 const cug_tensor *y, const void *saved, const cug_tensor *x, const cug_tensor *w,
                                 const cug_conv_block_shape *s, unsigned accumulate, const cug_exec *ex) {
    const char *op = "conv_block bwd";
    CUG_TRY(cug_check_conv_block_shape(s));
    CUG_TRY(check_supported(s));
    CUG_TRY(cug_check_conv_block_bwd(CUDA_REAL, dx, dw, db, dy, y, saved, cug_cuda_conv_block_saved_bytes(s), x, w, s,
                                     accumulate));
    CUG_TRY(cuda_ready(op, ex, cug_cuda_conv_block_bwd_workspace(s, cuda_precision(ex->device))));
    if (!dx && !dw && !db) return CUG_OK;
    cudaError_t err =
        cug_cuda_conv_block_bwd(cuda_f32(dx), cuda_f32(dw), cuda_f32(db), cuda_f32(dy), cuda_f32(y), saved, cuda_f32(x),
                                cuda_f32(w), s, ex->device->precision, accumulate, ex->workspace, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

const cug_conv_block_ops cug_cuda_conv_block = {
    .supports = cug_cuda_conv_block_supports,
    .wanted = cug_choose_block,
    .workspace = conv_block_workspace,
    .saved_bytes = cug_cuda_conv_block_saved_bytes,
    .fwd = conv_block_fwd,
    .bwd = conv_block_bwd,
};
