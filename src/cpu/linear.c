/* linear.c - dense layer: three matrix products. Threads share no sum. */
#include "cpu/gemm.h"

static size_t linear_workspace(const cug_device *dev, const cug_linear_shape *s, cug_pass pass) {
    (void)dev, (void)s, (void)pass;
    return 0;
}

static cug_status linear_fwd(const cug_tensor *y, const cug_tensor *x, const cug_tensor *w, const cug_tensor *b,
                             const cug_linear_shape *s, const cug_exec *ex) {
    CUG_TRY(cug_check_linear_fwd(CPU_REAL, y, x, w, b, s));
    CUG_TRY(cpu_ready("linear fwd", ex, 0));
    size_t N = (size_t)s->N, I = (size_t)s->I, O = (size_t)s->O;
    cug_cpu_gemm g = {.c = cpu_f32(y),
                      .a = cpu_f32(x),
                      .am = I,
                      .al = 1,
                      .b = cpu_f32(w),
                      .bl = 1,
                      .bn = I,
                      .bias = cpu_f32(b),
                      .M = N,
                      .N = O,
                      .L = I,
                      .still = ex->frozen};
    cug_cpu_gemm_run(ex->device, &g);
    return CUG_OK;
}

static cug_status linear_bwd(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                             const cug_tensor *x, const cug_tensor *w, const cug_linear_shape *s, unsigned accumulate,
                             const cug_exec *ex) {
    CUG_TRY(cug_check_linear_bwd(CPU_REAL, dx, dw, db, dy, x, w, s, accumulate));
    CUG_TRY(cpu_ready("linear bwd", ex, 0));
    size_t N = (size_t)s->N, I = (size_t)s->I, O = (size_t)s->O;
    int add_dx = (accumulate & CUG_ACC_DX) != 0, add_dw = (accumulate & CUG_ACC_DW) != 0;
    if (dx) {
        cug_cpu_gemm g = {.c = cpu_f32(dx),
                          .a = cpu_f32(dy),
                          .am = O,
                          .al = 1,
                          .b = cpu_f32(w),
                          .bl = I,
                          .bn = 1,
                          .M = N,
                          .N = I,
                          .L = O,
                          .add = add_dx};
        cug_cpu_gemm_run(ex->device, &g);
    }
    if (dw) {
        cug_cpu_gemm g = {.c = cpu_f32(dw),
                          .a = cpu_f32(dy),
                          .am = 1,
                          .al = O,
                          .b = cpu_f32(x),
                          .bl = I,
                          .bn = 1,
                          .M = O,
                          .N = I,
                          .L = N,
                          .add = add_dw};
        cug_cpu_gemm_run(ex->device, &g);
    }
    if (db) cug_cpu_column_sums(ex->device, cpu_f32(db), cpu_f32(dy), N, O, add_dw);
    return CUG_OK;
}

const cug_linear_ops cug_cpu_linear = {.workspace = linear_workspace, .fwd = linear_fwd, .bwd = linear_bwd};
