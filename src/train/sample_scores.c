/* sample_scores.c - what each sample's outputs say: ranks, calibration, the worst samples. */
#include <cuglyph/evaluation.h>
#include <cuglyph/graph.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORST 10000

static double sigmoid(double z) { return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z)); }

/* NaN stays. */
static double clamp01(double z) { return z < 0 ? 0 : z > 1 ? 1 : z; }

void cug_probabilities(int loss_kind, const double *z, int K, float *p) {
    double most = z[0], sum = 0;
    int soft = loss_kind == CUG_LOSS_SOFTMAX_XENT;
    if (K == 1) {
        double one = loss_kind == CUG_LOSS_MSE ? clamp01(z[0]) : sigmoid(z[0]);
        p[0] = (float)(1 - one);
        p[1] = (float)one;
        return;
    }
    for (int k = 1; k < K; k++)
        if (z[k] > most || isnan(z[k])) most = z[k]; /* once NaN, no comparison takes it away */
    for (int pass = 0; pass < 2; pass++)
        for (int k = 0; k < K; k++) {
            double v = soft ? exp(z[k] - most) : loss_kind == CUG_LOSS_MSE ? clamp01(z[k]) : sigmoid(z[k]);
            if (pass == 0)
                sum += v;
            else
                p[k] = (float)(sum == 0 ? 1.0 / K : v / sum);
        }
}

int cug_label_rank(const double *z, int classes, int label) {
    int before = 0;
    if (isnan(z[label])) return classes - 1;
    for (int k = 0; k < classes; k++) before += z[k] > z[label] || (k < label && z[k] == z[label]);
    return before;
}

cug_status cug_sample_outputs(cug_sample *s, int loss_kind, const double *z, int K) {
    float p[CUG_SCORE_CLASSES];
    int classes = K == 1 ? 2 : K;
    if (K < 1 || K > CUG_SCORE_CLASSES)
        return cug_fail(CUG_EINVAL, "%d outputs: at most %d can be scored", K, CUG_SCORE_CLASSES);
    if (s->label < 0 || s->label >= classes || s->predicted < 0 || s->predicted >= classes)
        return cug_fail(CUG_EDATA_LABEL, "sample %d: label %d or prediction %d is not in 0..%d", s->id, s->label,
                        s->predicted, classes - 1);
    cug_probabilities(loss_kind, z, K, p);
    s->rank = K == 1 ? s->predicted != s->label : cug_label_rank(z, K, s->label);
    s->p_predicted = p[s->predicted];
    s->p_label = p[s->label];
    return CUG_OK;
}

double cug_calibration_error(const cug_calibration_bin bins[CUG_CALIBRATION_BINS]) {
    int64_t n = 0;
    double gap = 0;
    for (int m = 0; m < CUG_CALIBRATION_BINS; m++) {
        n += bins[m].count;
        gap += fabs((double)bins[m].correct - bins[m].confidence_sum); /* |B_m| cancels */
    }
    return n ? gap / (double)n : NAN;
}

cug_status cug_sample_scores_open(cug_sample_scores *s, int classes, int max_worst) {
    memset(s, 0, sizeof *s);
    if (classes < 1 || max_worst < 0 || max_worst > MAX_WORST)
        return cug_fail(CUG_EINVAL, "scores of %d classes with the %d worst samples: at most %d are kept", classes,
                        max_worst, MAX_WORST);
    s->classes = classes;
    s->max_worst = max_worst;
    s->ranks = calloc((size_t)classes, sizeof *s->ranks);
    s->worst = calloc((size_t)max_worst + 1, sizeof *s->worst);
    if (s->ranks && s->worst) return CUG_OK;
    cug_sample_scores_free(s);
    return cug_fail(CUG_ENOMEM, "out of memory for the %d worst samples", max_worst);
}

void cug_sample_scores_free(cug_sample_scores *s) {
    free(s->ranks);
    free(s->worst);
    free(s->pixels);
    memset(s, 0, sizeof *s);
}

static int worse(const cug_sample *a, const cug_sample *b) {
    int na = isnan(a->loss), nb = isnan(b->loss);
    if (na != nb) return na;
    if (!na && a->loss != b->loss) return a->loss > b->loss;
    return a->id < b->id;
}

static void keep_worst(cug_sample_scores *s, const cug_sample *sample) {
    int at = s->n_worst;
    if (at == s->max_worst && (at == 0 || !worse(sample, &s->worst[at - 1]))) return;
    if (at < s->max_worst)
        s->n_worst++;
    else
        at--;
    for (; at > 0 && worse(sample, &s->worst[at - 1]); at--) s->worst[at] = s->worst[at - 1];
    s->worst[at] = *sample;
}

/* m for p in (m/15, (m+1)/15]. p has 24 bits and 15 has 4, so the product is exact. */
static int bin_of(float p) {
    int m = (int)ceil((double)p * CUG_CALIBRATION_BINS) - 1;
    return m < 0 ? 0 : m >= CUG_CALIBRATION_BINS ? CUG_CALIBRATION_BINS - 1 : m;
}

cug_status cug_sample_scores_add(cug_sample_scores *s, const cug_sample *sample) {
    if (sample->rank < 0 || sample->rank >= s->classes)
        return cug_fail(CUG_EDATA_LABEL, "sample %d: rank %d of its label is not in 0..%d", sample->id, sample->rank,
                        s->classes - 1);
    s->count++;
    s->ranks[sample->rank]++;
    s->confidence_sum += (double)sample->p_predicted;
    if (!isnan(sample->p_predicted)) {
        cug_calibration_bin *b = &s->bins[bin_of(sample->p_predicted)];
        b->count++;
        b->correct += sample->predicted == sample->label;
        b->confidence_sum += (double)sample->p_predicted;
    }
    keep_worst(s, sample);
    return CUG_OK;
}

double cug_top_k(const cug_sample_scores *s, int k) {
    int64_t hits = 0;
    for (int r = 0; r < k && r < s->classes; r++) hits += s->ranks[r];
    return s->count ? (double)hits / (double)s->count : NAN;
}

double cug_scores_calibration_error(const cug_sample_scores *s) {
    return isnan(s->confidence_sum) ? NAN : cug_calibration_error(s->bins);
}
