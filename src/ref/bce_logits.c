/* bce_logits.c - reference binary cross-entropy on logits. */
#include "loss.h"
#include <math.h>

static double sigmoid(double z) { return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z)); }

static cug_status bce_logits(const cug_tensor *loss, const cug_tensor *dz, const cug_tensor *pred, const cug_tensor *z,
                             const cug_tensor *labels, const cug_loss_shape *s, const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_loss("bce_logits", 1, REF_REAL, loss, dz, pred, z, labels, s));
    for (int n = 0; n < s->N; n++) {
        const double *row = ref_f64(z) + (size_t)n * (size_t)s->K;
        int32_t label = ref_i32(labels)[n];
        int valid = ref_label_valid(s, label);
        double sum = 0;
        for (int k = 0; k < s->K; k++)
            sum += (row[k] > 0 ? row[k] : 0) - row[k] * ref_target(s, label, k) + log1p(exp(-fabs(row[k])));
        ref_f64(loss)[n] = valid ? sum / s->K : NAN;
        if (pred) ref_i32(pred)[n] = ref_predict(row, s->K, 0);
        for (int k = 0; k < s->K && dz; k++)
            ref_f64(dz)[(size_t)n * (size_t)s->K + (size_t)k] =
                valid ? (sigmoid(row[k]) - ref_target(s, label, k)) / s->N / s->K : 0;
    }
    return CUG_OK;
}

const cug_loss_ops cug_ref_bce_logits = {.fwd_bwd = bce_logits};
