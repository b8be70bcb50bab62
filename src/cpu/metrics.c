/* metrics.c - running sums over a batch; a few hundred numbers, one thread. */
#include "cpu/cpu.h"

static int inside(int32_t i, int classes) { return i >= 0 && i < classes; }

static cug_status metrics_add(cug_metrics *m, const cug_tensor *confusion, const cug_tensor *loss,
                              const cug_tensor *pred, const cug_tensor *labels, const cug_metrics_shape *s,
                              const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_metrics(CPU_REAL, m, confusion, loss, pred, labels, s));
    for (int n = 0; n < s->N; n++) {
        int32_t label = cpu_i32(labels)[n], guess = cpu_i32(pred)[n];
        m->loss_sum += (double)cpu_f32(loss)[n];
        m->count++;
        if (!inside(label, s->classes) || !inside(guess, s->classes)) continue;
        m->correct += label == guess;
        if (confusion) ((int64_t *)confusion->ptr)[(size_t)label * (size_t)s->classes + (size_t)guess]++;
    }
    return CUG_OK;
}

const cug_metrics_ops cug_cpu_metrics = {.add = metrics_add};
