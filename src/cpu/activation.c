/* activation.c - elementwise non-linearities, cut into equal stretches. */
#include "cpu/cpu.h"
#include <math.h>

typedef struct act_job {
    const cug_device *dev;
    float *y, *dx;
    const float *x, *dy, *of;
    const cug_activation_shape *s;
    int add;
} act_job;

/* No overflow at either end: the exponential's argument is never positive. */
static float sigmoid(float x) {
    float e = expf(-fabsf(x));
    return (x >= 0 ? 1 : e) / (1 + e);
}

static void fwd_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    act_job *j = ctx;
    if (j->s->kind == CUG_ACT_SIGMOID)
        for (size_t i = lo; i < hi; i++) j->y[i] = sigmoid(j->x[i]);
    else if (j->s->kind == CUG_ACT_TANH)
        for (size_t i = lo; i < hi; i++) j->y[i] = tanhf(j->x[i]);
    else
        j->dev->simd->act_fwd(j->y + lo, j->x + lo, j->s->kind, j->s->slope, hi - lo);
}

/* Elements that pay for a thread: an exponential of the library's or of our own costs many multiplications. */
static size_t grain(cug_act_kind kind) {
    if (cug_act_reads_x(kind)) return CUG_CPU_GRAIN / 8;
    return kind == CUG_ACT_SIGMOID || kind == CUG_ACT_TANH ? CUG_CPU_GRAIN / 16 : CUG_CPU_GRAIN;
}

static cug_status activation_fwd(const cug_tensor *y, const cug_tensor *x, const cug_activation_shape *s,
                                 const cug_exec *ex) {
    CUG_TRY(cug_check_activation_fwd(CPU_REAL, y, x, s));
    CUG_TRY(cpu_ready("activation fwd", ex, 0));
    act_job j = {.dev = ex->device, .y = cpu_f32(y), .x = cpu_f32(x), .s = s};
    cug_cpu_run(ex->device, s->count, grain(s->kind), fwd_part, &j);
    return CUG_OK;
}

static void bwd_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    act_job *j = ctx;
    j->dev->simd->act_bwd(j->dx + lo, j->dy + lo, j->of + lo, j->s->kind, j->s->slope, j->add, hi - lo);
}

static cug_status activation_bwd(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *of,
                                 const cug_activation_shape *s, unsigned accumulate, const cug_exec *ex) {
    CUG_TRY(cug_check_activation_bwd(CPU_REAL, dx, dy, of, s, accumulate));
    CUG_TRY(cpu_ready("activation bwd", ex, 0));
    act_job j = {.dev = ex->device,
                 .dx = cpu_f32(dx),
                 .dy = cpu_f32(dy),
                 .of = cpu_f32(of),
                 .s = s,
                 .add = (accumulate & CUG_ACC_DX) != 0};
    cug_cpu_run(ex->device, s->count, cug_act_reads_x(s->kind) ? grain(s->kind) : CUG_CPU_GRAIN, bwd_part, &j);
    return CUG_OK;
}

const cug_activation_ops cug_cpu_activation = {.fwd = activation_fwd, .bwd = activation_bwd};
