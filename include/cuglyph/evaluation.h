/* evaluation.h - what predictions are worth: scores from a confusion matrix, and from each sample's outputs.
 * Definitions are scikit-learn's, with zero_division=0; the functions take plain arrays and need no model. */
#ifndef CUGLYPH_EVALUATION_H
#define CUGLYPH_EVALUATION_H

#include <cuglyph/metrics.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- from the confusion matrix ---- */

typedef struct cug_class_score {
    int64_t support;              /* samples of this class */
    double precision, recall, f1; /* 0 where undefined (nothing predicted, no samples) */
} cug_class_score;

/* Averages over classes. Macro: the plain mean over the classes that have samples or were predicted (scikit-learn's
 * label set). Micro: from hits, predictions and samples summed over all classes; with one label a sample all three are
 * the accuracy. Weighted: the mean by support. */
typedef struct cug_averages {
    double precision, recall, f1;
} cug_averages;

typedef struct cug_evaluation {
    int64_t count, correct;
    double loss;                /* mean of the samples' losses, without label smoothing */
    double accuracy, low, high; /* Wilson's 95 % interval (Wilson, 1927) */
    int classes;
    int64_t *confusion; /* classes x classes, [label][prediction] */
    cug_class_score *per_class;
    cug_averages macro, micro, weighted;
} cug_evaluation;

/* Scores from loss sum and confusion matrix (copied). A prediction outside the matrix counts as wrong. */
CUG_API cug_status cug_evaluation_make(cug_evaluation *e, const cug_metrics *m, const int64_t *confusion, int classes);
CUG_API void cug_evaluation_free(cug_evaluation *e);
/* Wilson's score interval of k hits in n, z = 1.959963984540054. n = 0: [0, 1]. */
CUG_API void cug_wilson(int64_t k, int64_t n, double *low, double *high);

/* ---- from each sample's outputs ---- */

/* p (classes) from the outputs z (K) of one sample, in double, rounded once to float32; kind is the model's loss.
 *   softmax_xent  p[k] = exp(z[k] - max z) / sum_j exp(z[j] - max z)
 *   bce_logits    s(z) = 1 / (1 + exp(-z)); K = 1: {1 - s, s}; else s(z[k]) / sum_j s(z[j]), as one-vs-rest
 *   mse           c(z) = z clamped to [0, 1]; K = 1: {1 - c, c}; else c(z[k]) / sum_j c(z[j]), all zero: uniform
 * classes = K, or 2 for K = 1. NaN in z gives NaN throughout. */
CUG_API void cug_probabilities(int loss_kind, const double *z, int K, float *p);

/* How many classes come before `label`: those with a larger z, and those of equal z and lower number (as the prediction
 * is the first maximum). 0: right; below k: a hit among the top k. NaN at the label: classes - 1. */
CUG_API int cug_label_rank(const double *z, int classes, int label);

#define CUG_CALIBRATION_BINS 15

/* Samples whose confidence, the prediction's p, lies in ((m-1)/15, m/15]; the first bin takes 0 too. */
typedef struct cug_calibration_bin {
    int64_t count, correct;
    double confidence_sum;
} cug_calibration_bin;

/* Expected calibration error over M = 15 equal bins (Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural
 * networks", ICML 2017, eq. 3): sum_m |B_m| / n * | correct_m / |B_m| - confidence_sum_m / |B_m| |. n = 0: NaN. */
CUG_API double cug_calibration_error(const cug_calibration_bin bins[CUG_CALIBRATION_BINS]);

typedef struct cug_sample {
    int32_t id, label, predicted; /* id: its number in the data set */
    int rank;                     /* of the label, cug_label_rank; with one output: 0 when right, else 1 */
    float p_predicted, p_label;
    double loss;
} cug_sample;

/* Fills in rank, p_predicted and p_label of a sample whose label and prediction are there, from its outputs z (K), K at
 * most CUG_SCORE_CLASSES. CUG_EDATA_LABEL for a label outside [0, max(K,2)). */
#define CUG_SCORE_CLASSES 256
CUG_API cug_status cug_sample_outputs(cug_sample *s, int loss_kind, const double *z, int K);

/* Gathers sample by sample; memory does not grow with their number. */
typedef struct cug_sample_scores {
    int classes;
    int64_t count;
    int64_t *ranks; /* (classes): samples whose label has that many classes before it */
    cug_calibration_bin bins[CUG_CALIBRATION_BINS];
    double confidence_sum; /* NaN once a sample's was: then so is the calibration error */
    cug_sample *worst;     /* greatest loss first (NaN before all), the lower id at a tie */
    int n_worst, max_worst;
    /* Filled by cug_eval alone: the worst samples' pictures, (n_worst, H, W, C). */
    uint8_t *pixels;
    int H, W, C;
} cug_sample_scores;

/* Room for the `max_worst` (0 to 10000) samples of greatest loss. */
CUG_API cug_status cug_sample_scores_open(cug_sample_scores *s, int classes, int max_worst);
CUG_API void cug_sample_scores_free(cug_sample_scores *s); /* one that is all zero is safe */
/* CUG_EDATA_LABEL for a rank outside [0, classes): nothing added. */
CUG_API cug_status cug_sample_scores_add(cug_sample_scores *s, const cug_sample *sample);
/* Part of the samples with their label among the k most probable classes; k >= classes: 1. NaN without samples. */
CUG_API double cug_top_k(const cug_sample_scores *s, int k);
/* cug_calibration_error of its bins; NaN also when a probability was NaN. */
CUG_API double cug_scores_calibration_error(const cug_sample_scores *s);

#ifdef __cplusplus
}
#endif
#endif
