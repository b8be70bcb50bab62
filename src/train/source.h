/* source.h - what a run folder or a checkpoint file holds, opened for use: eval and predict begin here. */
#ifndef CUG_TRAIN_SOURCE_H
#define CUG_TRAIN_SOURCE_H

#include <cuglyph/train.h>
#include <jansson.h>

typedef struct source {
    char path[4300];  /* the checkpoint */
    char weights[16]; /* "best", "last", "file" */
    cug_graph *g;
    cug_snapshot snap;
    cug_config config; /* the training run's, and `device` fit for the weights' type */
} source;

/* run: folder or file. weights: NULL (those of the run's final figure), "best" or "last". Close it also on failure. */
cug_status source_open(source *s, const char *run, const char *weights);
void source_close(source *s);

/* The name of its model. */
const char *source_model(const source *s);
/* Facts of the training data ("shape", "scale", "shift", "classes", ...), NULL when the file has none; json_decref. */
json_t *source_data(const source *s);
/* The pixels' scaling is the training run's, whatever data is looked at now. */
cug_status source_scaling(const source *s, float *scale, float *shift);
/* The weights into a net, converted where the backend's type is another. */
cug_status source_upload(const source *s, cug_net *net, const cug_backend *be);

#endif
