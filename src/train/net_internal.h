/* net_internal.h - what net.c (buffers) and net_step.c (running) share. */
#ifndef CUG_TRAIN_NET_INTERNAL_H
#define CUG_TRAIN_NET_INTERNAL_H

#include <cuglyph/net.h>

/* The work of one plan's step as a graph; the first step runs op by op. */
typedef struct net_replay {
    void *graph;
    int warm;
} net_replay;

struct cug_net {
    const cug_graph *g;
    const cug_backend *be;
    cug_exec ex; /* its workspace is the optimizer's; plans bring their own */
    cug_net_options opt;
    int n_state;
    cug_plan *train[CUG_NET_MAX_SIZES], *eval[CUG_NET_MAX_SIZES];
    size_t arena_bytes, pixel_bytes, max_batch;
    void *params, *grads, *state[CUG_MAX_STATE], *arena;
    uint8_t *pixels;
    int32_t *labels, *ids;
    cug_step *step;
    cug_metrics *metrics;
    int64_t *confusion;
    cug_param_run *runs;
    int n_runs;
    /* steps announced: the table in backend memory, its copy here, and which row comes next */
    cug_step *table, *rows;
    cug_cursor *cursor;
    size_t n_rows, next;
    net_replay train_replay[CUG_NET_MAX_SIZES], eval_replay[CUG_NET_MAX_SIZES];
    const uint8_t *lent; /* images that a batch without pixels is made of */
    size_t n_lent;
    /* where batches come from when the caller brings none */
    void *ring;
    uint8_t *all_pixels;
    int32_t *all_labels, *order;
    uint64_t count, order_count;
    /* of a data set held, when its images are moved: how far, and the batch before that */
    int32_t *shifts;
    uint8_t *unmoved;
    cug_shift_shape shift;
};

#endif
