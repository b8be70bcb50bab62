/* add.c - sums of tensors of one shape. */
#include "cpu/cpu.h"
#include <string.h>

typedef struct add_job {
    const cug_device *dev;
    float *out;
    const cug_tensor *const *x;
    const float *dy;
    int inputs, add;
} add_job;

static void fwd_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    add_job *j = ctx;
    float *y = j->out + lo;
    if (j->inputs == 1)
        memcpy(y, cpu_f32(j->x[0]) + lo, (hi - lo) * sizeof *y);
    else
        j->dev->simd->sum(y, cpu_f32(j->x[0]) + lo, cpu_f32(j->x[1]) + lo, hi - lo);
    for (int i = 2; i < j->inputs; i++) j->dev->simd->axpy1(y, cpu_f32(j->x[i]) + lo, hi - lo);
}

static cug_status add_fwd(const cug_tensor *y, const cug_tensor *const *x, const cug_add_shape *s, const cug_exec *ex) {
    CUG_TRY(cug_check_add_fwd(CPU_REAL, y, x, s));
    CUG_TRY(cpu_ready("add fwd", ex, 0));
    add_job j = {.dev = ex->device, .out = cpu_f32(y), .x = x, .inputs = s->inputs};
    cug_cpu_run(ex->device, s->count, CUG_CPU_GRAIN, fwd_part, &j);
    return CUG_OK;
}

static void bwd_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    add_job *j = ctx;
    if (j->add)
        j->dev->simd->axpy1(j->out + lo, j->dy + lo, hi - lo);
    else
        memcpy(j->out + lo, j->dy + lo, (hi - lo) * sizeof *j->out);
}

static cug_status add_bwd(const cug_tensor *dx, const cug_tensor *dy, const cug_add_shape *s, unsigned accumulate,
                          const cug_exec *ex) {
    CUG_TRY(cug_check_add_bwd(CPU_REAL, dx, dy, s, accumulate));
    CUG_TRY(cpu_ready("add bwd", ex, 0));
    add_job j = {.dev = ex->device, .out = cpu_f32(dx), .dy = cpu_f32(dy), .add = (accumulate & CUG_ACC_DX) != 0};
    cug_cpu_run(ex->device, s->count, CUG_CPU_GRAIN, bwd_part, &j);
    return CUG_OK;
}

const cug_add_ops cug_cpu_add = {.fwd = add_fwd, .bwd = add_bwd};
