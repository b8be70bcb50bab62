/* softmax_xent.c - cross-entropy of a softmax: one exponential a logit, many logits at a time. */
#include "cpu/loss.h"
#include <math.h>

#define ROOM 512 /* exponentials worked out at once */

/* The largest of a row and where it is; NaN only if the first is. */
static double largest(const float *z, int K, int *at) {
    float most = z[0];
    *at = 0;
    for (int k = 1; k < K; k++) {
        *at = z[k] > most ? k : *at;
        most = z[k] > most ? z[k] : most;
    }
    return most;
}

static void less(double *e, const float *z, size_t n, double max) {
    for (size_t i = 0; i < n; i++) e[i] = (double)z[i] - max;
}

static double total(const double *e, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += e[i];
    return sum;
}

/* What every output's target has, and what the label's has besides. */
static double spread(const cpu_loss_job *j) { return (double)j->s->smoothing / j->s->K; }
static double peak(const cpu_loss_job *j) { return 1 - (double)j->s->smoothing; }

/* sum: of exp(z - max). */
static void write_loss(const cpu_loss_job *j, size_t n, double max, double sum) {
    const float *z = j->z + n * (size_t)j->s->K;
    const int32_t label = j->labels[n];
    const double off = spread(j);
    double loss = max + log(sum);
    if (!cpu_label_valid(j->s, label)) {
        j->loss[n] = NAN;
        return;
    }
    for (int k = 0; k < j->s->K && off != 0; k++) loss -= off * (double)z[k]; /* no weight: -Inf costs nothing */
    j->loss[n] = (float)(loss - peak(j) * (double)z[label]);
}

/* Logits k to k + count of sample n; e: their exp(z - max). */
static void write_gradient(const cpu_loss_job *j, size_t n, size_t k, size_t count, double *e, double sum) {
    float *dz = j->dz + n * (size_t)j->s->K + k;
    const int32_t label = j->labels[n];
    const double each = 1 / sum, off = spread(j), part = 1.0 / j->s->N;
    if (!cpu_label_valid(j->s, label)) {
        for (size_t i = 0; i < count; i++) dz[i] = 0;
        return;
    }
    if ((size_t)label - k < count) e[(size_t)label - k] -= peak(j) * sum;
    for (size_t i = 0; i < count; i++) dz[i] = (float)((e[i] * each - off) * part);
}

/* Samples that have room together. */
static void narrow(const cpu_loss_job *j, size_t n, size_t rows) {
    const size_t K = (size_t)j->s->K;
    double e[ROOM], max[ROOM];
    for (size_t r = 0; r < rows; r++) {
        int at;
        max[r] = largest(j->z + (n + r) * K, j->s->K, &at);
        if (j->pred) j->pred[n + r] = at;
        less(e + r * K, j->z + (n + r) * K, K, max[r]);
    }
    j->simd->exps(e, rows * K);
    for (size_t r = 0; r < rows; r++) {
        double sum = total(e + r * K, K);
        write_loss(j, n + r, max[r], sum);
        if (j->dz) write_gradient(j, n + r, 0, K, e + r * K, sum);
    }
}

/* A sample that has not; its exponentials are worked out once for the sum and once for the gradient. */
static void wide(const cpu_loss_job *j, size_t n) {
    const size_t K = (size_t)j->s->K;
    const float *z = j->z + n * K;
    double e[ROOM], sum = 0;
    int at;
    const double max = largest(z, j->s->K, &at);
    if (j->pred) j->pred[n] = at;
    for (int pass = 0; pass < 1 + (j->dz != NULL); pass++) {
        for (size_t k = 0; k < K; k += ROOM) {
            const size_t count = K - k < ROOM ? K - k : ROOM;
            less(e, z + k, count, max);
            j->simd->exps(e, count);
            if (pass)
                write_gradient(j, n, k, count, e, sum);
            else
                sum += total(e, count);
        }
        if (!pass) write_loss(j, n, max, sum);
    }
}

static void part_samples(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    const cpu_loss_job *j = ctx;
    const size_t K = (size_t)j->s->K, rows = ROOM / K;
    for (size_t n = lo; n < hi && !rows; n++) wide(j, n);
    for (size_t n = lo; n < hi && rows; n += rows) narrow(j, n, hi - n < rows ? hi - n : rows);
}

static cug_status softmax_xent(const cug_tensor *loss, const cug_tensor *dz, const cug_tensor *pred,
                               const cug_tensor *z, const cug_tensor *labels, const cug_loss_shape *s,
                               const cug_exec *ex) {
    return cpu_loss_run("softmax_xent", 2, loss, dz, pred, z, labels, s, ex, part_samples);
}

const cug_loss_ops cug_cpu_softmax_xent = {.fwd_bwd = softmax_xent};
