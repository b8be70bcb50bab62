/* timing.c - the most this processor can do: multiply-adds in registers, and copying. Its clock is the host's. */
#include "cpu/cpu.h"
#include <string.h>
#include <unistd.h>

typedef struct fma_job {
    const cug_simd *simd;
    float *sink; /* a cache line for each of its first 64 parts */
    int rounds;
} fma_job;

static void fma_part(void *ctx, size_t lo, size_t hi, int part) {
    const fma_job *j = ctx;
    for (size_t i = lo; i < hi; i++) j->sink[part % 64 * 16] = j->simd->fma(j->rounds);
}

static size_t cores_of(const cug_device *dev, int parts) {
    return parts > 0 && parts < dev->threads ? (size_t)parts : (size_t)dev->threads;
}

static cug_status fma_peak(void *sink, int rounds, int parts, cug_precision precision, double *flop,
                           const cug_exec *ex) {
    if (precision != CUG_PREC_FP32) return cug_fail(CUG_ENOTSUP, "cpu: products are float32");
    CUG_TRY(cpu_ready("fma peak", ex, 0));
    const cug_simd *simd = ex->device->simd;
    fma_job j = {simd, sink, rounds};
    const size_t cores = cores_of(ex->device, parts);
    cug_cpu_run(ex->device, cores, 1, fma_part, &j);
    *flop = 2.0 * simd->lanes * simd->fma_chains * (double)rounds * (double)cores;
    return CUG_OK;
}

typedef struct copy_job {
    char *dst;
    const char *src;
    size_t bytes, piece;
} copy_job;

static void copy_part(void *ctx, size_t lo, size_t hi, int part) {
    const copy_job *j = ctx;
    (void)part;
    for (size_t at = lo * j->piece; at < hi * j->piece && at < j->bytes; at += j->piece)
        memcpy(j->dst + at, j->src + at, j->bytes - at < j->piece ? j->bytes - at : j->piece);
}

static cug_status copy_peak(void *dst, const void *src, size_t bytes, int parts, const cug_exec *ex) {
    CUG_TRY(cpu_ready("copy peak", ex, 0));
    const size_t cores = cores_of(ex->device, parts);
    copy_job j = {dst, src, bytes, cpu_round_up((bytes + cores - 1) / cores, 256)};
    cug_cpu_run(ex->device, cores, 1, copy_part, &j);
    return CUG_OK;
}

static size_t cache_bytes(const cug_device *dev) {
    (void)dev;
    long l3 = sysconf(_SC_LEVEL3_CACHE_SIZE), l2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
    return l3 > 0 ? (size_t)l3 : l2 > 0 ? (size_t)l2 : 0;
}

const cug_timing cug_cpu_timing = {.fma = fma_peak, .copy = copy_peak, .cache_bytes = cache_bytes};
