/* plan.h - a graph for one batch size on one backend: the list of ops to run and where every tensor lies in one arena.
 * Memory is known before the first step; nothing is allocated while running. */
#ifndef CUGLYPH_PLAN_H
#define CUGLYPH_PLAN_H

#include <cuglyph/graph.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CUG_PLAN_TRAIN = 1,      /* backward too */
    CUG_PLAN_NO_REUSE = 2,   /* every tensor has a place of its own between guard bands; all poisoned at bind */
    CUG_PLAN_NO_FUSE = 4,    /* one op a layer */
    CUG_PLAN_INPUT_GRAD = 8, /* the gradient of the input as well */
};

typedef struct cug_plan cug_plan;

/* The flat buffers and the batch that a plan works on; all in backend memory. */
typedef struct cug_plan_buffers {
    void *params;     /* flat_count reals */
    void *grads;      /* the same; NULL when not training */
    void *arena;      /* cug_plan_arena_bytes, 256-byte aligned */
    uint8_t *pixels;  /* (batch,H,W,C) uint8, or NULL: the input value is set by cug_plan_value instead */
    int32_t *labels;  /* (batch) */
    int32_t *ids;     /* (batch) sample numbers */
    cug_step *step;
} cug_plan_buffers;

/* CUG_ENOTSUP, naming the layer, when the backend lacks an op. */
cug_status cug_plan_create(cug_plan **out, const cug_graph *g, const cug_backend *be, const cug_device *dev, int batch,
                           unsigned flags);
void cug_plan_free(cug_plan *p);

size_t cug_plan_arena_bytes(const cug_plan *p);
int cug_plan_batch(const cug_plan *p);
/* Bytes of all tensors if none shared memory with another. */
size_t cug_plan_unshared_bytes(const cug_plan *p);

#ifdef __cplusplus
}
#endif
#endif
