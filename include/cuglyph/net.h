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
#define CUG_NET_ROWS 512 /* steps announced at once, at most */

typedef struct cug_net_options {
    int train_sizes[CUG_NET_MAX_SIZES]; /* batch sizes to train with (full, last short one); 0 ends the list */
    int eval_sizes[CUG_NET_MAX_SIZES];
    unsigned plan_flags; /* CUG_PLAN_NO_REUSE, CUG_PLAN_NO_FUSE */
    int no_graph;        /* op by op also where steps could be recorded */
    float scale, shift;  /* pixels to numbers */
    float smoothing;     /* of the training loss; evaluation uses none */
    int classes;         /* of the confusion matrix */
    uint64_t seed;
    cug_opt_params opt;
} cug_net_options;

typedef struct cug_net cug_net;

/* A batch in host memory. pixels may be NULL after cug_net_lend. */
typedef struct cug_batch {
    int n;
    const uint8_t *pixels;
    const int32_t *labels, *ids;
} cug_batch;

/* What changes from step to step: a row of the schedule. */
typedef struct cug_step_row {
    uint64_t step; /* optimizer steps done before */
    float lr;
    int n; /* samples in its batch */
} cug_step_row;

/* g and dev must outlive the net. Parameters start at zero. */
CUG_API cug_status cug_net_create(cug_net **out, const cug_graph *g, const cug_backend *be, cug_device *dev,
                                  const cug_net_options *opt);
CUG_API void cug_net_free(cug_net *n); /* NULL is safe */

/* Bytes held: parameters, gradients, optimizer state and its scratch, arena, one batch, a data set, step records and
 * counts. */
typedef struct cug_net_memory {
    size_t params, grads, state, arena, batch, data, records, total;
} cug_net_memory;
CUG_API void cug_net_memory_used(const cug_net *n, cug_net_memory *m);
/* The same of a net that is not made; nothing is allocated on the device. */
CUG_API cug_status cug_net_memory_needed(cug_net_memory *m, const cug_graph *g, const cug_backend *be, cug_device *dev,
                                         const cug_net_options *opt);
/* What cug_net_hold adds to it. */
CUG_API size_t cug_net_hold_bytes(const cug_graph *g, size_t count, size_t order);

/* The next steps, in order; replaces what was announced and not yet run. first_sample: the place of the first step's
 * first sample in the order (cug_net_order); else 0. */
CUG_API cug_status cug_net_announce(cug_net *n, const cug_step_row *rows, size_t count, uint64_t first_sample);

/* The next step announced: forward, loss, backward, gradient norm, update; adds to the metrics. b NULL: the batch comes
 * from the ring or from the data set held. Its size must be one of train_sizes. Where work is queued (cug_net_queues)
 * it need not be done on return. A step whose loss or gradient is NaN or Inf changes no parameter, nor does any after
 * it: see cug_net_failed. */
CUG_API cug_status cug_net_train_step(cug_net *n, const cug_batch *b);
CUG_API int cug_net_queues(const cug_net *n);

/* Has a step met NaN or Inf, and which (its row's `step`)? Waits for the steps queued. */
CUG_API cug_status cug_net_failed(cug_net *n, int *failed, uint64_t *step);
/* Runs the failed step's batch again, looking at every tensor; always fails: CUG_ENUMERIC with the first layer and pass
 * where NaN or Inf shows. */
CUG_API cug_status cug_net_locate(cug_net *n, const cug_batch *b);

/* Batches for training from a thread that runs ahead: `fill` brings those of all steps to come, in order. Once, before
 * the first step. CUG_ENOTSUP where the backend has no ring. */
CUG_API cug_status cug_net_stage(cug_net *n, cug_ring_fill *fill, void *user);
/* Or the whole data set in backend memory, pixels (count, the input's size); then cug_net_order before each epoch's
 * first step: `order` sample numbers. Once, before the first step. */
CUG_API cug_status cug_net_hold(cug_net *n, const uint8_t *pixels, const int32_t *labels, size_t count, size_t order);
CUG_API cug_status cug_net_order(cug_net *n, const int32_t *order);
/* And before each epoch, images of a data set held being H x W x C: how far each sample of the order is moved
 * (CUG_SHIFT_PACK). */
CUG_API cug_status cug_net_shifts(cug_net *n, const int32_t *shifts, int H, int W, int C);

/* `count` images in the host's memory, in the input's shape: until the next call a batch without pixels is made of
 * those that its ids name, read where they lie. 0: not on this backend, whose memory is another. */
CUG_API int cug_net_lend(cug_net *n, const uint8_t *images, size_t count);

/* forward and loss, adding to the metrics and the confusion matrix. */
CUG_API cug_status cug_net_eval_step(cug_net *n, const cug_batch *b);
/* What the last evaluation step left, when it was one of `batch` samples: outputs z (batch, K) and losses (batch),
 * widened to double, and predictions (batch). Each may be NULL. Waits for the step. */
CUG_API cug_status cug_net_outputs(cug_net *n, int batch, double *z, double *loss, int32_t *predicted);

/* Running sums since the last reset; confusion (classes x classes, [label][prediction]) may be NULL. */
CUG_API cug_status cug_net_metrics_reset(cug_net *n);
CUG_API cug_status cug_net_metrics_read(cug_net *n, cug_metrics *m, int64_t *confusion);
CUG_API cug_status cug_net_metrics_write(cug_net *n, const cug_metrics *m); /* for resuming inside an epoch */

/* Parameters (and optimizer state) between backend and host memory in the backend's type; flat_count elements each. */
CUG_API cug_status cug_net_download(cug_net *n, void *params, void *const *state);
CUG_API cug_status cug_net_upload(cug_net *n, const void *params, void *const *state); /* state NULL: left as it is */
/* From float32, widened where the backend is float64. */
CUG_API cug_status cug_net_upload_f32(cug_net *n, const float *params);
CUG_API int cug_net_state_count(const cug_net *n);

#ifdef __cplusplus
}
#endif
#endif
