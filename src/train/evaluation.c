/* evaluation.c - scores from a confusion matrix. */
#include <cuglyph/evaluation.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void cug_wilson(int64_t k, int64_t n, double *low, double *high) {
    if (n <= 0) {
        *low = 0, *high = 1;
        return;
    }
    const double z = 1.959963984540054, nn = (double)n, p = (double)k / nn;
    double mid = p + z * z / (2 * nn), half = z * sqrt(p * (1 - p) / nn + z * z / (4 * nn * nn)), d = 1 + z * z / nn;
    *low = k == 0 ? 0 : (mid - half) / d; /* exact at the ends, where rounding would leave 1e-17 */
    *high = k == n ? 1 : (mid + half) / d;
}

static double ratio(int64_t a, int64_t b) { return b ? (double)a / (double)b : 0; }

static cug_averages scores(int64_t hit, int64_t predicted, int64_t support) {
    return (cug_averages){ratio(hit, predicted), ratio(hit, support), ratio(2 * hit, predicted + support)};
}

static void add_scaled(cug_averages *sum, cug_averages a, double by) {
    sum->precision += by * a.precision;
    sum->recall += by * a.recall;
    sum->f1 += by * a.f1;
}

static void score_classes(cug_evaluation *e) {
    size_t k = (size_t)e->classes;
    int64_t hits = 0, predictions = 0, samples = 0;
    int present = 0;
    cug_averages macro = {0}, weighted = {0};
    for (size_t c = 0; c < k; c++) {
        int64_t support = 0, predicted = 0, hit = e->confusion[c * k + c];
        for (size_t j = 0; j < k; j++) {
            support += e->confusion[c * k + j];
            predicted += e->confusion[j * k + c];
        }
        cug_averages a = scores(hit, predicted, support);
        e->per_class[c] = (cug_class_score){support, a.precision, a.recall, a.f1};
        hits += hit, predictions += predicted, samples += support;
        present += support || predicted;
        add_scaled(&macro, a, 1);
        add_scaled(&weighted, a, (double)support);
    }
    e->micro = scores(hits, predictions, samples);
    if (present) add_scaled(&e->macro, macro, 1.0 / present);
    if (samples) add_scaled(&e->weighted, weighted, 1 / (double)samples);
}

cug_status cug_evaluation_make(cug_evaluation *e, const cug_metrics *m, const int64_t *confusion, int classes) {
    memset(e, 0, sizeof *e);
    size_t k = (size_t)classes;
    e->confusion = malloc(k * k * sizeof *e->confusion);
    e->per_class = calloc(k, sizeof *e->per_class);
    if (!e->confusion || !e->per_class) {
        cug_evaluation_free(e);
        return cug_fail(CUG_ENOMEM, "out of memory for a confusion matrix of %d classes", classes);
    }
    memcpy(e->confusion, confusion, k * k * sizeof *confusion);
    e->classes = classes;
    e->count = m->count;
    e->correct = m->correct;
    e->loss = m->count ? m->loss_sum / (double)m->count : NAN;
    e->accuracy = ratio(m->correct, m->count);
    cug_wilson(m->correct, m->count, &e->low, &e->high);
    score_classes(e);
    return CUG_OK;
}

void cug_evaluation_free(cug_evaluation *e) {
    free(e->confusion);
    free(e->per_class);
    e->confusion = 0;
    e->per_class = 0;
}
