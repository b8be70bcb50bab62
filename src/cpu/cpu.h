/* cpu.h - the cpu backend's device, its way of going parallel, and its tables. float32, all cores; every sum has an
 * order that depends on shapes and thread count alone, so equal runs give equal bits. */
#ifndef CUG_CPU_H
#define CUG_CPU_H

#include "cpu/simd.h"
#include "op_check.h"

#define CPU_REAL CUG_F32

#define CUG_CPU_THREADS_MAX 1024
typedef struct cug_cpu_pool cug_cpu_pool;
/* `threads` with the caller's own. free(NULL) is safe. */
cug_status cug_cpu_pool_new(cug_cpu_pool **out, int threads);
void cug_cpu_pool_free(cug_cpu_pool *pool);

/* To be used by one thread at a time. */
struct cug_device {
    int threads;
    cug_cpu_pool *pool;
    const cug_simd *simd;
    char text[64];
};

extern const cug_conv2d_ops cug_cpu_conv2d;
extern const cug_conv_block_ops cug_cpu_conv_block;
extern const cug_pool2d_ops cug_cpu_pool2d;
extern const cug_linear_ops cug_cpu_linear;
extern const cug_bias_ops cug_cpu_bias;
extern const cug_batch_norm_ops cug_cpu_batch_norm;
extern const cug_activation_ops cug_cpu_activation;
extern const cug_dropout_ops cug_cpu_dropout;
extern const cug_add_ops cug_cpu_add;
extern const cug_concat_ops cug_cpu_concat;
extern const cug_loss_ops cug_cpu_softmax_xent;
extern const cug_loss_ops cug_cpu_bce_logits;
extern const cug_loss_ops cug_cpu_mse;
extern const cug_normalize_ops cug_cpu_normalize;
extern const cug_optimizer_ops cug_cpu_optimizer;
extern const cug_metrics_ops cug_cpu_metrics;
extern const cug_timing cug_cpu_timing;

/* Part `part` of the work: items [lo, hi). */
typedef void cug_cpu_fn(void *ctx, size_t lo, size_t hi, int part);

/* Into how many parts cug_cpu_run cuts `items` when less than `grain` of them is not worth a thread; 1 to dev->threads.
 */
int cug_cpu_parts(const cug_device *dev, size_t items, size_t grain);
/* Cuts items into that many equal contiguous parts and runs them all, at the same time where threads are free. */
void cug_cpu_run(const cug_device *dev, size_t items, size_t grain, cug_cpu_fn *fn, void *ctx);

/* optimizer.c: in double, the order of the terms independent of the number of threads. */
double cug_cpu_sum_squares(const cug_device *dev, const float *g, size_t count);

/* muon.c: one matrix's step, and the scratch it takes. u: the kind is MUON, lr the matrix's. */
size_t cug_cpu_muon_workspace(const cug_device *dev, const cug_param_run *r);
void cug_cpu_muon(const cug_device *dev, float *w, float *m, const float *g, const cug_param_run *r,
                  const cug_update *u, void *workspace);

/* What an op asks of ex before it writes: a device, and `need` bytes of workspace. */
static inline cug_status cpu_ready(const char *op, const cug_exec *ex, size_t need) {
    CUG_TRY(cug_check_workspace(op, ex, need));
    return ex->device ? CUG_OK : cug_fail(CUG_EINVAL, "%s: exec has no device", op);
}

/* Elements of simple elementwise work that pay for waking the other threads. */
#define CUG_CPU_GRAIN 16384

/* The numbers of a checked tensor; NULL for one that was not given. */
static inline float *cpu_f32(const cug_tensor *t) { return t ? (float *)t->ptr : NULL; }
static inline int32_t *cpu_i32(const cug_tensor *t) { return t ? (int32_t *)t->ptr : NULL; }
static inline uint8_t *cpu_u8(const cug_tensor *t) { return t ? (uint8_t *)t->ptr : NULL; }

static inline size_t cpu_round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* Hands out 256-byte aligned stretches of a workspace; with base NULL it only counts them. */
typedef struct cug_cpu_scratch {
    char *base;
    size_t used;
} cug_cpu_scratch;

static inline void *cpu_take(cug_cpu_scratch *s, size_t count, size_t elem) {
    size_t at = s->used;
    s->used += cpu_round_up(count * elem, 256);
    return s->base ? s->base + at : NULL;
}

#endif
