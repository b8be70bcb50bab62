/* predict.h - a trained model answering: pixels in, probabilities out. Needs no data set. */
#ifndef CUGLYPH_PREDICT_H
#define CUGLYPH_PREDICT_H

#include <cuglyph/train.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cug_predictor cug_predictor;

typedef struct cug_predict_options {
    const char *run;     /* run folder or checkpoint file */
    const char *weights; /* NULL: those of the run's final figure; "best" or "last" */
    const char *device;  /* NULL: the run's */
    int64_t threads;     /* 0: the run's */
} cug_predict_options;

typedef struct cug_predictor_info {
    char model[CUG_NAME_MAX], weights[16], device[128];
    int H, W, C, classes;
    char class_names[CUG_MAX_CLASSES][32];
} cug_predictor_info;

/* Loads weights, pixel scaling and class names from the checkpoint; statuses as cug_eval. */
CUG_API cug_status cug_predictor_open(cug_predictor **out, const cug_predict_options *opt);
CUG_API void cug_predictor_close(cug_predictor *p); /* NULL is safe */
CUG_API const cug_predictor_info *cug_predictor_about(const cug_predictor *p);

/* pixels (n, H, W, C) as the training data's, before any crop; probabilities (n, classes) by cug_probabilities;
 * predicted (n). An image's answer does not depend, to the bit, on the images beside it. */
CUG_API cug_status cug_predict(cug_predictor *p, const uint8_t *pixels, size_t n, float *probabilities,
                               int32_t *predicted);

#ifdef __cplusplus
}
#endif
#endif
