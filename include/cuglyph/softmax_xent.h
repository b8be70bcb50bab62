/* softmax_xent.h - cross-entropy of a softmax over logits: loss, gradient and prediction in one pass. */
#ifndef CUGLYPH_SOFTMAX_XENT_H
#define CUGLYPH_SOFTMAX_XENT_H

#include <cuglyph/exec.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cug_loss_shape {
    int N, K;        /* samples, outputs a sample */
    float smoothing; /* label smoothing e in [0,1): target t[k] = (1-e) * [k == label] + e/K */
} cug_loss_shape;

/* All losses share this contract.
 *   z (N,K) logits (outputs, for mse); labels (N) int32; loss (N) real: each sample's own loss, not divided by N;
 *   dz (N,K): gradient of the batch's mean loss, or NULL; pred (N) int32: the predicted class, or NULL:
 *   first maximum of z (K > 1), or z > 0 (softmax_xent, bce_logits) / z > 0.5 (mse) for K = 1.
 * Targets: t[n,k] as under `smoothing`; with K = 1 the label itself (0 or 1), smoothed to (1-e)*label + e/2.
 * NaN in z gives a NaN loss. Labels outside [0, max(K,2)) give a NaN loss and a zero gradient row.
 * dz may be z itself. Losses with K = 1: bce_logits and mse only. */
typedef struct cug_loss_ops {
    cug_status (*fwd_bwd)(const cug_tensor *loss, const cug_tensor *dz, const cug_tensor *pred, const cug_tensor *z,
                          const cug_tensor *labels, const cug_loss_shape *s, const cug_exec *ex);
} cug_loss_ops;

/* softmax_xent: m = max_k z[k], lse = m + log sum_k exp(z[k]-m);  loss = lse - sum_k t[k] z[k];
 * dz[k] = (exp(z[k]-lse) - t[k]) / N. */

#ifdef __cplusplus
}
#endif
#endif
