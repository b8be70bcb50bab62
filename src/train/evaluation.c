/* evaluation.c - scores from a confusion matrix. */
#include <cuglyph/train.h>
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
    int present = 0;
    for (size_t c = 0; c < k; c++) {
        cug_class_score *s = &e->per_class[c];
        int64_t predicted = 0;
        for (size_t j = 0; j < k; j++) {
            s->support += confusion[c * k + j];
            predicted += confusion[j * k + c];
        }
        int64_t hit = confusion[c * k + c];
        s->precision = ratio(hit, predicted);
        s->recall = ratio(hit, s->support);
        s->f1 = ratio(2 * hit, predicted + s->support);
        if (!s->support) continue;
        present++;
        e->macro_precision += s->precision;
        e->macro_recall += s->recall;
        e->macro_f1 += s->f1;
    }
    if (present) {
        e->macro_precision /= present;
        e->macro_recall /= present;
        e->macro_f1 /= present;
    }
    return CUG_OK;
}

void cug_evaluation_free(cug_evaluation *e) {
    free(e->confusion);
    free(e->per_class);
    e->confusion = 0;
    e->per_class = 0;
}
