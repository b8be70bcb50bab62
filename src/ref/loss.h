/* loss.h - what the reference losses share: targets, valid labels, predictions. */
#ifndef CUG_REF_LOSS_H
#define CUG_REF_LOSS_H

#include "ref.h"

static inline int ref_label_valid(const cug_loss_shape *s, int32_t label) {
    return label >= 0 && label < (s->K > 2 ? s->K : 2);
}

/* Target of output k. */
static inline double ref_target(const cug_loss_shape *s, int32_t label, int k) {
    double e = (double)s->smoothing;
    if (s->K == 1) return (1 - e) * label + e / 2;
    return (1 - e) * (k == label) + e / s->K;
}

/* First maximum of z, or for one output whether it lies above `threshold`. */
static inline int32_t ref_predict(const double *z, int K, double threshold) {
    if (K == 1) return z[0] > threshold;
    int32_t best = 0;
    for (int k = 1; k < K; k++)
        if (z[k] > z[best]) best = k;
    return best;
}

#endif
