/* bias.c - a constant per channel; its gradient is a sum over rows. */
#include "cpu/gemm.h"
#include <string.h>

typedef struct bias_job {
    const cug_device *dev;
    float *y, *db, *dx;
    const float *x, *b, *dy;
    size_t rows, C;
    int add_dx;
} bias_job;

static void fwd_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    bias_job *j = ctx;
    j->dev->simd->add_row(j->y + lo * j->C, j->x + lo * j->C, j->b, hi - lo, j->C);
}

static cug_status bias_fwd(const cug_tensor *y, const cug_tensor *x, const cug_tensor *b, const cug_bias_shape *s,
                           const cug_exec *ex) {
    CUG_TRY(cug_check_bias_fwd(CPU_REAL, y, x, b, s));
    CUG_TRY(cpu_ready("bias fwd", ex, 0));
    bias_job j = {.dev = ex->device, .y = cpu_f32(y), .x = cpu_f32(x), .b = cpu_f32(b), .C = (size_t)s->C};
    cug_cpu_run(ex->device, (size_t)s->rows, CUG_CPU_GRAIN / j.C + 1, fwd_part, &j);
    return CUG_OK;
}

static void dx_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    bias_job *j = ctx;
    if (j->add_dx)
        j->dev->simd->axpy1(j->dx + lo, j->dy + lo, hi - lo);
    else
        memcpy(j->dx + lo, j->dy + lo, (hi - lo) * sizeof *j->dx);
}

static cug_status bias_bwd(const cug_tensor *dx, const cug_tensor *db, const cug_tensor *dy, const cug_bias_shape *s,
                           unsigned accumulate, const cug_exec *ex) {
    CUG_TRY(cug_check_bias_bwd(CPU_REAL, dx, db, dy, s, accumulate));
    CUG_TRY(cpu_ready("bias bwd", ex, 0));
    bias_job j = {.dev = ex->device,
                  .dx = cpu_f32(dx),
                  .db = cpu_f32(db),
                  .dy = cpu_f32(dy),
                  .rows = (size_t)s->rows,
                  .C = (size_t)s->C,
                  .add_dx = (accumulate & CUG_ACC_DX) != 0};
    if (db) cug_cpu_column_sums(ex->device, j.db, j.dy, j.rows, j.C, (accumulate & CUG_ACC_DW) != 0);
    if (dx && j.dx != j.dy) cug_cpu_run(ex->device, j.rows * j.C, CUG_CPU_GRAIN, dx_part, &j);
    return CUG_OK;
}

const cug_bias_ops cug_cpu_bias = {.fwd = bias_fwd, .bwd = bias_bwd};
