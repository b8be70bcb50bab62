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

typedef struct gather_job {
    const cug_device *dev;
    float *y;
    const uint8_t *images;
    const int32_t *ids;
    size_t F;
    const cug_normalize_shape *s;
} gather_job;

static void part_gather(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    gather_job *j = ctx;
    j->dev->simd->normalize_images(j->y + lo * j->F, j->images, j->ids + lo, j->s->scale, j->s->shift, hi - lo, j->F);
}

static cug_status normalize_gather(const cug_tensor *y, const cug_tensor *images, const cug_tensor *ids,
                                   const cug_normalize_shape *s, const cug_exec *ex) {
    CUG_TRY(cug_check_normalize_gather(CPU_REAL, y, images, ids, s));
    CUG_TRY(cpu_ready("normalize gather", ex, 0));
    size_t N = cug_tensor_count(ids);
    gather_job j = {ex->device, cpu_f32(y), cpu_u8(images), cpu_i32(ids), s->count / N, s};
    cug_cpu_run(ex->device, N, CUG_CPU_GRAIN / j.F + 1, part_gather, &j);
    return CUG_OK;
}

const cug_normalize_ops cug_cpu_normalize = {.fwd = normalize_fwd, .gather = normalize_gather};
