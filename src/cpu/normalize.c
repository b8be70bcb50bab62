/* normalize.c - pixels to numbers. */
#include "cpu/cpu.h"

typedef struct normalize_job {
    const cug_device *dev;
    float *y;
    const uint8_t *u;
    const cug_normalize_shape *s;
} normalize_job;

static void part_fwd(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    normalize_job *j = ctx;
    j->dev->simd->normalize(j->y + lo, j->u + lo, j->s->scale, j->s->shift, hi - lo);
}

static cug_status normalize_fwd(const cug_tensor *y, const cug_tensor *u, const cug_normalize_shape *s,
                                const cug_exec *ex) {
    CUG_TRY(cug_check_normalize(CPU_REAL, y, u, s));
    CUG_TRY(cpu_ready("normalize", ex, 0));
    normalize_job j = {.dev = ex->device, .y = cpu_f32(y), .u = cpu_u8(u), .s = s};
    cug_cpu_run(ex->device, s->count, CUG_CPU_GRAIN, part_fwd, &j);
    return CUG_OK;
}

const cug_normalize_ops cug_cpu_normalize = {.fwd = normalize_fwd};
