/* metrics.h - running sums of loss, hits and the confusion matrix, kept where the batch is. */
#ifndef CUGLYPH_METRICS_H
#define CUGLYPH_METRICS_H

#include <cuglyph/exec.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cug_metrics { /* in backend memory */
    double loss_sum;         /* of the samples' own losses */
    int64_t correct, count;
} cug_metrics;

typedef struct cug_metrics_shape {
    int N, classes;
} cug_metrics_shape;

typedef struct cug_metrics_ops {
    /* m->loss_sum += sum_n loss[n] (double, in order); m->correct += #{pred == label}; m->count += N;
     * confusion (classes, classes) int64, or NULL: [label][pred] += 1. A label or prediction outside [0, classes)
     * counts as wrong and stays out of the matrix. */
    cug_status (*add)(cug_metrics *m, const cug_tensor *confusion, const cug_tensor *loss, const cug_tensor *pred,
                      const cug_tensor *labels, const cug_metrics_shape *s, const cug_exec *ex);
} cug_metrics_ops;

#ifdef __cplusplus
}
#endif
#endif
