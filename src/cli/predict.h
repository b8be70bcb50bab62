/* predict.h - what the parts of `cuglyph predict` share. */
#ifndef CUG_CLI_PREDICT_H
#define CUG_CLI_PREDICT_H

#include <cuglyph/predict.h>
#include <cuglyph/prepare.h>
#include <jansson.h>

typedef struct predict_options {
    cug_predict_options model;
    cug_invert invert;
    int raw, json, show;
    long long top;         /* runners-up in the text */
    long long first, last; /* of an IDX file's images; last -1: all */
    const char *save;      /* folder for the images as the net saw them */
} predict_options;

/* One answer: `image` counts in an IDX file, -1 in a picture. */
typedef struct answer {
    const char *file;
    int64_t image;
    const uint8_t *pixels; /* as the net saw them */
    int32_t predicted;
    const float *p; /* (classes) */
} answer;

/* Collects answers: prints them, or keeps them for the JSON array. */
typedef struct predict_output {
    const predict_options *o;
    const cug_predictor_info *about;
    json_t *all; /* NULL: text */
    int saved;
} predict_output;

cug_status predict_output_open(predict_output *out, const predict_options *o, const cug_predictor_info *about);
cug_status predict_output_add(predict_output *out, const answer *a);
/* A file that could not be read: its line goes to stderr, and into the array. */
void predict_output_failed(predict_output *out, const char *file, cug_status st);
cug_status predict_output_close(predict_output *out);

#endif
