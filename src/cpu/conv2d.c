/* conv2d.c - the plain convolution's door to conv_fwd.c and conv_bwd.c. */
#include "cpu/conv.h"

static size_t conv2d_workspace(const cug_device *dev, const cug_conv2d_shape *s, cug_pass pass) {
    cug_cpu_conv g = cug_cpu_conv_plain(s);
    return pass == CUG_FWD ? cug_cpu_conv_fwd_workspace(dev, &g) : cug_cpu_conv_bwd_workspace(dev, &g);
}

static cug_status conv2d_fwd(const cug_tensor *y, const cug_tensor *x, const cug_tensor *w, const cug_tensor *b,
                             const cug_conv2d_shape *s, const cug_exec *ex) {
    CUG_TRY(cug_check_conv2d_fwd(CPU_REAL, y, x, w, b, s));
    CUG_TRY(cpu_ready("conv2d fwd", ex, 0));
    CUG_TRY(cpu_ready("conv2d fwd", ex, conv2d_workspace(ex->device, s, CUG_FWD)));
    cug_cpu_conv g = cug_cpu_conv_plain(s);
    cug_cpu_conv_fwd(ex->device, ex->workspace, &g, cpu_f32(y), NULL, cpu_f32(x), cpu_f32(w), cpu_f32(b));
    return CUG_OK;
}

static cug_status conv2d_bwd(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                             const cug_tensor *x, const cug_tensor *w, const cug_conv2d_shape *s, unsigned accumulate,
                             const cug_exec *ex) {
    CUG_TRY(cug_check_conv2d_bwd(CPU_REAL, dx, dw, db, dy, x, w, s, accumulate));
    CUG_TRY(cpu_ready("conv2d bwd", ex, 0));
    CUG_TRY(cpu_ready("conv2d bwd", ex, conv2d_workspace(ex->device, s, CUG_BWD)));
    cug_cpu_conv g = cug_cpu_conv_plain(s);
    cug_cpu_conv_grads t = {.dx = cpu_f32(dx),
                            .dw = cpu_f32(dw),
                            .db = cpu_f32(db),
                            .dy = cpu_f32(dy),
                            .x = cpu_f32(x),
                            .w = cpu_f32(w),
                            .accumulate = accumulate};
    if (dx || dw || db) cug_cpu_conv_bwd(ex->device, ex->workspace, &g, &t);
    return CUG_OK;
}

const cug_conv2d_ops cug_cpu_conv2d = {.workspace = conv2d_workspace, .fwd = conv2d_fwd, .bwd = conv2d_bwd};
