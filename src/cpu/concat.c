/* concat.c - channels side by side, a row at a time. */
#include "cpu/cpu.h"
#include <string.h>

typedef struct concat_job {
    const cug_device *dev;
    const cug_concat_shape *s;
    float *y, *dx;
    const cug_tensor *const *x;
    const float *dy;
    int input, add;
} concat_job;

static size_t first_channel(const cug_concat_shape *s, int j) {
    size_t c = 0;
    for (int i = 0; i < j; i++) c += (size_t)s->C[i];
    return c;
}

static void fwd_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    concat_job *j = ctx;
    size_t total = (size_t)j->s->total;
    for (int i = 0; i < j->s->inputs; i++) {
        size_t C = (size_t)j->s->C[i];
        float *y = j->y + first_channel(j->s, i);
        for (size_t m = lo; m < hi; m++) memcpy(y + m * total, cpu_f32(j->x[i]) + m * C, C * sizeof *y);
    }
}

static size_t grain(const cug_concat_shape *s) { return CUG_CPU_GRAIN / (size_t)s->total + 1; }

static cug_status concat_fwd(const cug_tensor *y, const cug_tensor *const *x, const cug_concat_shape *s,
                             const cug_exec *ex) {
    CUG_TRY(cug_check_concat_fwd(CPU_REAL, y, x, s));
    CUG_TRY(cpu_ready("concat fwd", ex, 0));
    concat_job j = {.dev = ex->device, .s = s, .y = cpu_f32(y), .x = x};
    cug_cpu_run(ex->device, (size_t)s->rows, grain(s), fwd_part, &j);
    return CUG_OK;
}

static void bwd_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    concat_job *j = ctx;
    size_t total = (size_t)j->s->total, C = (size_t)j->s->C[j->input];
    const float *dy = j->dy + first_channel(j->s, j->input);
    for (size_t m = lo; m < hi; m++) {
        if (j->add)
            j->dev->simd->axpy1(j->dx + m * C, dy + m * total, C);
        else
            memcpy(j->dx + m * C, dy + m * total, C * sizeof *dy);
    }
}

static cug_status concat_bwd(const cug_tensor *dx, const cug_tensor *dy, int input, const cug_concat_shape *s,
                             unsigned accumulate, const cug_exec *ex) {
    CUG_TRY(cug_check_concat_bwd(CPU_REAL, dx, dy, input, s, accumulate));
    CUG_TRY(cpu_ready("concat bwd", ex, 0));
    concat_job j = {.dev = ex->device,
                    .s = s,
                    .dx = cpu_f32(dx),
                    .dy = cpu_f32(dy),
                    .input = input,
                    .add = (accumulate & CUG_ACC_DX) != 0};
    cug_cpu_run(ex->device, (size_t)s->rows, grain(s), bwd_part, &j);
    return CUG_OK;
}

const cug_concat_ops cug_cpu_concat = {.fwd = concat_fwd, .bwd = concat_bwd};
