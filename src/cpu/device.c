/* device.c - the cpu backend: opening it, choosing the instruction set, memory, and the table of its ops. */
#include "cpu/cpu.h"
#include "host_step.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Instruction sets, best first; `here` asks the processor. */
#if defined __x86_64__
static int has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
}
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#endif
static int has_base(void) { return 1; }

static const struct {
    const char *word;
    const cug_simd *simd;
    int (*here)(void);
} isas[] = {
#if defined __x86_64__
    {"avx512", &cug_simd_avx512, has_avx512},
    {"avx2", &cug_simd_avx2, has_avx2},
#endif
    {"base", &cug_simd_base, has_base},
};

static cug_status choose_isa(const cug_simd **out) {
    const char *want = getenv("CUGLYPH_CPU_ISA");
    if (want && !*want) want = NULL;
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        if (want && strcmp(want, isas[i].word)) continue;
        if (isas[i].here()) {
            *out = isas[i].simd;
            return CUG_OK;
        }
        if (want)
            return cug_fail(CUG_ENOTSUP, "cpu: CUGLYPH_CPU_ISA=%s, but this processor has no %s; unset it", want, want);
    }
    return cug_fail(CUG_EINVAL, "cpu: CUGLYPH_CPU_ISA=%.40s is not one of avx512, avx2, base known to this build",
                    want);
}

/* Processors that this process may run on. */
static int cores(void) {
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
    return n < 1 ? 1 : n > CUG_CPU_THREADS_MAX ? CUG_CPU_THREADS_MAX : n;
}

static cug_status cpu_open(cug_device **out, const cug_device_options *opt) {
    if (!out) return cug_fail(CUG_EINVAL, "cpu: no place for the device");
    *out = NULL;
    int threads = opt ? opt->threads : 0;
    if (threads < 0 || threads > CUG_CPU_THREADS_MAX)
        return cug_fail(CUG_EINVAL, "cpu: threads must be 0 (one a core) to %d, got %d", CUG_CPU_THREADS_MAX, threads);
    if (opt && opt->precision != CUG_PREC_FP32)
        return cug_fail(CUG_ENOTSUP, "device cpu computes in float32: --precision %s needs a GPU; use --precision fp32",
                        cug_precision_name(opt->precision));
    if (!threads) threads = cores();
    const cug_simd *simd = NULL;
    CUG_TRY(choose_isa(&simd));
    cug_device *dev = malloc(sizeof *dev);
    if (!dev) return cug_fail(CUG_ENOMEM, "cpu: no memory for the device");
    cug_status st = cug_cpu_pool_new(&dev->pool, threads);
    if (st != CUG_OK) {
        free(dev);
        return st;
    }
    dev->threads = threads;
    dev->simd = simd;
    snprintf(dev->text, sizeof dev->text, "cpu, %d thread%s, %s", threads, threads == 1 ? "" : "s", simd->name);
    *out = dev;
    return CUG_OK;
}

static void cpu_close(cug_device *dev) {
    if (dev) cug_cpu_pool_free(dev->pool);
    free(dev);
}
static const char *cpu_describe(const cug_device *dev) { return dev->text; }

static cug_status cpu_alloc(cug_device *dev, void **out, size_t bytes) {
    (void)dev;
    if (!out) return cug_fail(CUG_EINVAL, "cpu: no place for the pointer");
    *out = NULL;
    size_t rounded = cpu_round_up(bytes ? bytes : 1, 256);
    if (rounded < bytes) return cug_fail(CUG_ENOMEM, "cpu: %zu bytes are more than there can be", bytes);
    *out = aligned_alloc(256, rounded);
    return *out ? CUG_OK : cug_fail(CUG_ENOMEM, "cpu: no memory for %zu bytes", bytes);
}

static void cpu_free(cug_device *dev, void *ptr) {
    (void)dev;
    free(ptr);
}

static cug_status cpu_move(cug_device *dev, void *dst, const void *src, size_t bytes, void *stream) {
    (void)dev, (void)stream;
    if (bytes && (!dst || !src)) return cug_fail(CUG_EINVAL, "cpu: copy of %zu bytes from or to NULL", bytes);
    if (bytes) memmove(dst, src, bytes);
    return CUG_OK;
}

static cug_status cpu_fill(cug_device *dev, void *dst, int byte, size_t bytes, void *stream) {
    (void)dev, (void)stream;
    if (bytes && !dst) return cug_fail(CUG_EINVAL, "cpu: fill of %zu bytes at NULL", bytes);
    if (bytes) memset(dst, byte, bytes);
    return CUG_OK;
}

static cug_status cpu_sync(cug_device *dev, void *stream) {
    (void)dev, (void)stream;
    return CUG_OK;
}

const cug_backend cug_backend_cpu = {
    .name = "cpu",
    .real = CPU_REAL,
    .open = cpu_open,
    .close = cpu_close,
    .describe = cpu_describe,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .upload = cpu_move,
    .download = cpu_move,
    .copy = cpu_move,
    .fill = cpu_fill,
    .sync = cpu_sync,
    .timing = &cug_cpu_timing,
    .conv2d = &cug_cpu_conv2d,
    .conv_block = &cug_cpu_conv_block,
    .pool2d = &cug_cpu_pool2d,
    .linear = &cug_cpu_linear,
    .bias = &cug_cpu_bias,
    .batch_norm = &cug_cpu_batch_norm,
    .activation = &cug_cpu_activation,
    .dropout = &cug_cpu_dropout,
    .add = &cug_cpu_add,
    .concat = &cug_cpu_concat,
    .softmax_xent = &cug_cpu_softmax_xent,
    .bce_logits = &cug_cpu_bce_logits,
    .mse = &cug_cpu_mse,
    .normalize = &cug_cpu_normalize,
    .optimizer = &cug_cpu_optimizer,
    .metrics = &cug_cpu_metrics,
    .step = &cug_host_step,
};
