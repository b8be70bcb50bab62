/* softmax_xent.c - cross-entropy of a softmax. */
#include "cpu/loss.h"
#include <math.h>

static double log_sum_exp(const float *z, int K) {
    double max = z[0], sum = 0;
    for (int k = 1; k < K; k++)
        if (z[k] > max) max = z[k];
    for (int k = 0; k < K; k++) sum += exp(z[k] - max);
    return max + log(sum);
}

static void part_samples(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    cpu_loss_job *j = ctx;
    int K = j->s->K;
    for (size_t n = lo; n < hi; n++) {
        const float *z = j->z + n * (size_t)K;
        int32_t label = j->labels[n];
        int valid = cpu_label_valid(j->s, label);
        double lse = log_sum_exp(z, K), sum = lse;
        for (int k = 0; k < K; k++) {
            double t = cpu_target(j->s, label, k);
            if (t != 0) sum -= t * z[k]; /* a logit of -Inf with no weight costs nothing */
        }
        j->loss[n] = valid ? (float)sum : NAN;
        if (j->pred) j->pred[n] = cpu_predict(z, K, 0);
        for (int k = 0; k < K && j->dz; k++)
            j->dz[n * (size_t)K + (size_t)k] =
                valid ? (float)((exp(z[k] - lse) - cpu_target(j->s, label, k)) / j->s->N) : 0;
    }
}

static cug_status softmax_xent(const cug_tensor *loss, const cug_tensor *dz, const cug_tensor *pred,
                               const cug_tensor *z, const cug_tensor *labels, const cug_loss_shape *s,
                               const cug_exec *ex) {
    return cpu_loss_run("softmax_xent", 2, loss, dz, pred, z, labels, s, ex, part_samples);
}

const cug_loss_ops cug_cpu_softmax_xent = {.fwd_bwd = softmax_xent};
