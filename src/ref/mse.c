/* mse.c - reference mean squared error. */
#include "loss.h"
#include <math.h>

static cug_status mse(const cug_tensor *loss, const cug_tensor *dz, const cug_tensor *pred, const cug_tensor *z,
                      const cug_tensor *labels, const cug_loss_shape *s, const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_loss("mse", 1, REF_REAL, loss, dz, pred, z, labels, s));
    for (int n = 0; n < s->N; n++) {
        const double *row = ref_f64(z) + (size_t)n * (size_t)s->K;
        int32_t label = ref_i32(labels)[n];
        int valid = ref_label_valid(s, label);
        double sum = 0;
        for (int k = 0; k < s->K; k++) {
            double d = row[k] - ref_target(s, label, k);
            sum += d * d;
        }
        ref_f64(loss)[n] = valid ? sum / s->K : NAN;
        if (pred) ref_i32(pred)[n] = ref_predict(row, s->K, 0.5);
        for (int k = 0; k < s->K && dz; k++)
            ref_f64(dz)[(size_t)n * (size_t)s->K + (size_t)k] =
                valid ? 2 * (row[k] - ref_target(s, label, k)) / s->N / s->K : 0;
    }
    return CUG_OK;
}

const cug_loss_ops cug_ref_mse = {.fwd_bwd = mse};
