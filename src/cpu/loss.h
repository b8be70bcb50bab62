/* loss.h - what the losses share: targets, valid labels, predictions, samples over threads. A batch has few logits, so
 * each sample is worked out in double and rounded once. */
#ifndef CUG_CPU_LOSS_H
#define CUG_CPU_LOSS_H

#include "cpu/cpu.h"

typedef struct cpu_loss_job {
    const cug_simd *simd;
    float *loss, *dz;
    int32_t *pred;
    const float *z;
    const int32_t *labels;
    const cug_loss_shape *s;
} cpu_loss_job;

static inline int cpu_label_valid(const cug_loss_shape *s, int32_t label) {
    return label >= 0 && label < (s->K > 2 ? s->K : 2);
}

static inline double cpu_target(const cug_loss_shape *s, int32_t label, int k) {
    double e = (double)s->smoothing;
    return s->K == 1 ? (1 - e) * label + e / 2 : (1 - e) * (k == label) + e / s->K;
}

static inline int32_t cpu_predict(const float *z, int K, float threshold) {
    if (K == 1) return z[0] > threshold;
    int32_t best = 0;
    for (int k = 1; k < K; k++)
        if (z[k] > z[best]) best = k;
    return best;
}

/* Checks, then runs `part` over the samples. */
static inline cug_status cpu_loss_run(const char *op, int min_k, const cug_tensor *loss, const cug_tensor *dz,
                                      const cug_tensor *pred, const cug_tensor *z, const cug_tensor *labels,
                                      const cug_loss_shape *s, const cug_exec *ex, cug_cpu_fn *part) {
    CUG_TRY(cug_check_loss(op, min_k, CPU_REAL, loss, dz, pred, z, labels, s));
    CUG_TRY(cpu_ready(op, ex, 0));
    cpu_loss_job j = {ex->device->simd, cpu_f32(loss), cpu_f32(dz), cpu_i32(pred), cpu_f32(z), cpu_i32(labels), s};
    cug_cpu_run(ex->device, (size_t)s->N, CUG_CPU_GRAIN / 32 / (size_t)s->K + 1, part, &j);
    return CUG_OK;
}

#endif
