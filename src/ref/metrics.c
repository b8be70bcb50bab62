/* metrics.c - reference metric sums. */
#include "ref.h"

static int inside(int32_t i, int classes) { return i >= 0 && i < classes; }

static cug_status metrics_add(cug_metrics *m, const cug_tensor *confusion, const cug_tensor *loss,
                              const cug_tensor *pred, const cug_tensor *labels, const cug_metrics_shape *s,
                              const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_metrics(REF_REAL, m, confusion, loss, pred, labels, s));
    for (int n = 0; n < s->N; n++) {
        int32_t label = ref_i32(labels)[n], guess = ref_i32(pred)[n];
        m->loss_sum += ref_f64(loss)[n];
        m->count++;
        if (!inside(label, s->classes) || !inside(guess, s->classes)) continue;
        m->correct += label == guess;
        if (confusion) ((int64_t *)confusion->ptr)[(size_t)label * (size_t)s->classes + (size_t)guess]++;
    }
    return CUG_OK;
}

const cug_metrics_ops cug_ref_metrics = {.add = metrics_add};
