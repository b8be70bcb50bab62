/* softmax_xent.c - reference cross-entropy of a softmax. */
#include "loss.h"
#include <math.h>

/* log sum_k exp(z[k]), without overflow. */
static double log_sum_exp(const double *z, int K) {
    double max = z[0], sum = 0;
    for (int k = 1; k < K; k++)
        if (z[k] > max) max = z[k];
    for (int k = 0; k < K; k++) sum += exp(z[k] - max);
    return max + log(sum);
}

static cug_status softmax_xent(const cug_tensor *loss, const cug_tensor *dz, const cug_tensor *pred,
                               const cug_tensor *z, const cug_tensor *labels, const cug_loss_shape *s,
                               const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_loss("softmax_xent", 2, REF_REAL, loss, dz, pred, z, labels, s));
    for (int n = 0; n < s->N; n++) {
        const double *row = ref_f64(z) + (size_t)n * (size_t)s->K;
        int32_t label = ref_i32(labels)[n];
        int valid = ref_label_valid(s, label);
        double lse = log_sum_exp(row, s->K), sum = lse;
        for (int k = 0; k < s->K; k++) {
            double t = ref_target(s, label, k);
            if (t != 0) sum -= t * row[k]; /* a logit of -Inf with no weight costs nothing */
        }
        ref_f64(loss)[n] = valid ? sum : NAN;
        if (pred) ref_i32(pred)[n] = ref_predict(row, s->K, 0);
        for (int k = 0; k < s->K && dz; k++)
            ref_f64(dz)[(size_t)n * (size_t)s->K + (size_t)k] =
                valid ? (exp(row[k] - lse) - ref_target(s, label, k)) / s->N : 0;
    }
    return CUG_OK;
}

const cug_loss_ops cug_ref_softmax_xent = {.fwd_bwd = softmax_xent};
