/* net.h - a model ready to run: a graph on an opened device, with its flat buffers and a plan for each batch size.
 * Everything is allocated by cug_net_create; steps and evaluations allocate nothing. */
#ifndef CUGLYPH_NET_H
#define CUGLYPH_NET_H

#include <cuglyph/checkpoint.h>
#include <cuglyph/plan.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CUG_NET_MAX_SIZES 4

typedef struct cug_net_options {
    int train_sizes[CUG_NET_MAX_SIZES]; /* batch sizes to train with (full, last short one); 0 ends the list */
    int eval_sizes[CUG_NET_MAX_SIZES];
    unsigned plan_flags; /* CUG_PLAN_NO_REUSE, CUG_PLAN_NO_FUSE */
    float scale, shift;  /* pixels to numbers */
    float smoothing;     /* of the training loss; evaluation uses none */
    int classes;         /* of the confusion matrix */
    uint64_t seed;
    cug_opt_params opt;
} cug_net_options;

typedef struct cug_net cug_net;

/* A batch in host memory. */
typedef struct cug_batch {
    int n;
    const uint8_t *pixels;
    const int32_t *labels, *ids;
} cug_batch;

/* What changes from step to step: a row of the schedule. */
typedef struct cug_step_row {
    uint64_t step; /* optimizer steps done before */
    float lr;
} cug_step_row;

/* g and dev must outlive the net. Parameters start at zero. */
cug_status cug_net_create(cug_net **out, const cug_graph *g, const cug_backend *be, cug_device *dev,
                          const cug_net_options *opt);
void cug_net_free(cug_net *n); /* NULL is safe */

/* Bytes held: parameters, gradients, optimizer state, arena. */
typedef struct cug_net_memory {
    size_t params, grads, state, arena, batch, total;
} cug_net_memory;
void cug_net_memory_used(const cug_net *n, cug_net_memory *m);

/* forward, loss, backward, gradient norm, update; adds to the metrics. The batch's size must be one of train_sizes.
 * CUG_ENUMERIC when the loss or a gradient is NaN or Inf: parameters are untouched, and the message names the first
 * layer and pass where it shows. */
cug_status cug_net_train_step(cug_net *n, const cug_batch *b, const cug_step_row *row);

/* forward and loss, adding to the metrics and the confusion matrix. */
cug_status cug_net_eval_step(cug_net *n, const cug_batch *b);

/* Running sums since the last reset; confusion (classes x classes, [label][prediction]) may be NULL. */
cug_status cug_net_metrics_reset(cug_net *n);
cug_status cug_net_metrics_read(cug_net *n, cug_metrics *m, int64_t *confusion);
cug_status cug_net_metrics_write(cug_net *n, const cug_metrics *m); /* for resuming inside an epoch */

/* Parameters (and optimizer state) between backend and host memory in the backend's type; flat_count elements each. */
cug_status cug_net_download(cug_net *n, void *params, void *const *state);
cug_status cug_net_upload(cug_net *n, const void *params, void *const *state); /* state NULL: left as it is */
/* From float32, widened where the backend is float64. */
cug_status cug_net_upload_f32(cug_net *n, const float *params);
int cug_net_state_count(const cug_net *n);

#ifdef __cplusplus
}
#endif
#endif
