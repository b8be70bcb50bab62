/* conv_block.c - convolution, bias, activation and pooling in one pass. `saved` holds each window's winner, a byte. */
#include "cpu/conv.h"

static int conv_block_supports(const cug_conv_block_shape *s) {
    if (s->act != CUG_ACT_NONE && s->act != CUG_ACT_RELU && s->act != CUG_ACT_LEAKY_RELU) return 0;
    if (!s->has_pool) return 1;
    const cug_pool2d_shape *p = &s->pool;
    return s->conv.stride_h == 1 && s->conv.stride_w == 1 && p->kind == CUG_POOL_MAX && p->R == 2 && p->S == 2 &&
           p->stride_h == 2 && p->stride_w == 2 && !p->pad_top && !p->pad_bottom && !p->pad_left && !p->pad_right;
}

static size_t conv_block_workspace(const cug_device *dev, const cug_conv_block_shape *s, cug_pass pass) {
    cug_cpu_conv g = cug_cpu_conv_of_block(s);
    return pass == CUG_FWD ? cug_cpu_conv_fwd_workspace(dev, &g) : cug_cpu_conv_bwd_workspace(dev, &g);
}

static size_t conv_block_saved(const cug_conv_block_shape *s) {
    return s->has_pool ? (size_t)s->conv.N * (size_t)s->pool.P * (size_t)s->pool.Q * (size_t)s->conv.K : 0;
}

static cug_status check_supported(const cug_conv_block_shape *s) {
    return conv_block_supports(s)
               ? CUG_OK
               : cug_fail(CUG_ENOTSUP, "conv_block: the cpu has relu, leaky_relu or none, and 2x2 max "
                                       "pooling with stride 2 after a stride of 1; run the ops apart");
}

static cug_status conv_block_fwd(const cug_tensor *y, void *saved, const cug_tensor *x, const cug_tensor *w,
                                 const cug_tensor *b, const cug_conv_block_shape *s, const cug_exec *ex) {
    CUG_TRY(cug_check_conv_block_fwd(CPU_REAL, y, x, w, b, s));
    CUG_TRY(check_supported(s));
    CUG_TRY(cpu_ready("conv_block fwd", ex, 0));
    CUG_TRY(cpu_ready("conv_block fwd", ex, conv_block_workspace(ex->device, s, CUG_FWD)));
    cug_cpu_conv g = cug_cpu_conv_of_block(s);
    cug_cpu_conv_fwd(ex->device, ex->workspace, &g, cpu_f32(y), s->has_pool ? saved : NULL, cpu_f32(x), cpu_f32(w),
                     cpu_f32(b));
    return CUG_OK;
}

static cug_status conv_block_bwd(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                                 const cug_tensor *y, const void *saved, const cug_tensor *x, const cug_tensor *w,
                                 const cug_conv_block_shape *s, unsigned accumulate, const cug_exec *ex) {
    CUG_TRY(cug_check_conv_block_shape(s));
    CUG_TRY(check_supported(s));
    CUG_TRY(cug_check_conv_block_bwd(CPU_REAL, dx, dw, db, dy, y, saved, conv_block_saved(s), x, w, s, accumulate));
    CUG_TRY(cpu_ready("conv_block bwd", ex, 0));
    CUG_TRY(cpu_ready("conv_block bwd", ex, conv_block_workspace(ex->device, s, CUG_BWD)));
    cug_cpu_conv g = cug_cpu_conv_of_block(s);
    cug_cpu_conv_grads t = {.dx = cpu_f32(dx),
                            .dw = cpu_f32(dw),
                            .db = cpu_f32(db),
                            .dy = cpu_f32(dy),
                            .y = cpu_f32(y),
                            .x = cpu_f32(x),
                            .w = cpu_f32(w),
                            .arg = s->has_pool ? saved : NULL,
                            .accumulate = accumulate};
    if (dx || dw || db) cug_cpu_conv_bwd(ex->device, ex->workspace, &g, &t);
    return CUG_OK;
}

const cug_conv_block_ops cug_cpu_conv_block = {
    .supports = conv_block_supports,
    .workspace = conv_block_workspace,
    .saved_bytes = conv_block_saved,
    .fwd = conv_block_fwd,
    .bwd = conv_block_bwd,
};
