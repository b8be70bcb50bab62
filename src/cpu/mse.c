/* mse.c - mean squared error. */
#include "cpu/loss.h"
#include <math.h>

static void part_samples(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    cpu_loss_job *j = ctx;
    int K = j->s->K;
    for (size_t n = lo; n < hi; n++) {
        const float *z = j->z + n * (size_t)K;
        int32_t label = j->labels[n];
        int valid = cpu_label_valid(j->s, label);
        double sum = 0;
        for (int k = 0; k < K; k++) {
            double d = z[k] - cpu_target(j->s, label, k);
            sum += d * d;
        }
        j->loss[n] = valid ? (float)(sum / K) : NAN;
        if (j->pred) j->pred[n] = cpu_predict(z, K, 0.5f);
        for (int k = 0; k < K && j->dz; k++)
            j->dz[n * (size_t)K + (size_t)k] =
                valid ? (float)(2 * (z[k] - cpu_target(j->s, label, k)) / j->s->N / K) : 0;
    }
}

static cug_status mse(const cug_tensor *loss, const cug_tensor *dz, const cug_tensor *pred, const cug_tensor *z,
                      const cug_tensor *labels, const cug_loss_shape *s, const cug_exec *ex) {
    return cpu_loss_run("mse", 1, loss, dz, pred, z, labels, s, ex, part_samples);
}

const cug_loss_ops cug_cpu_mse = {.fwd_bwd = mse};
