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
    void *params;    /* flat_count reals; running statistics among them */
    void *grads;     /* the same; NULL when not training. Frozen layers' part is never written */
    void *arena;     /* cug_plan_arena_bytes, 256-byte aligned */
    uint8_t *pixels; /* (batch,H,W,C) uint8, or NULL: the caller sets the input through cug_plan_value(p, 0) */
    int32_t *labels; /* (batch) */
    int32_t *ids;    /* (batch) sample numbers */
    cug_step *step;
    float scale, shift; /* pixels to numbers: normalize.h */
    float smoothing;    /* label smoothing of the loss */
} cug_plan_buffers;

/* CUG_ENOTSUP, naming the layer, when the backend lacks an op. `dev` may be NULL when only sizes are wanted and the
 * backend's workspaces do not depend on it. The graph must outlive the plan. */
CUG_API cug_status cug_plan_create(cug_plan **out, const cug_graph *g, const cug_backend *be, const cug_device *dev,
                                   int batch, unsigned flags);
CUG_API void cug_plan_free(cug_plan *p); /* NULL is safe */

CUG_API size_t cug_plan_arena_bytes(const cug_plan *p);
CUG_API int cug_plan_batch(const cug_plan *p);
/* Bytes of all tensors if none shared memory with another. */
CUG_API size_t cug_plan_unshared_bytes(const cug_plan *p);

/* Fixes every tensor's address. With CUG_PLAN_NO_REUSE the arena is poisoned (all bytes 0xFF: NaN). */
CUG_API cug_status cug_plan_bind(cug_plan *p, const cug_plan_buffers *buffers, const cug_exec *ex);

/* Called after each op with its outputs still in place; a status other than CUG_OK stops the run and is returned. */
typedef cug_status (*cug_plan_observer)(void *user, const cug_plan *p, int op, cug_pass pass);
CUG_API void cug_plan_observe(cug_plan *p, cug_plan_observer fn, void *user); /* NULL: none */

/* From now on the input is made of the images that ids names out of `count` in the host's memory, instead of what lies
 * in `pixels`; NULL: no longer. Only where the backend's normalize has `gather`. */
CUG_API void cug_plan_lend(cug_plan *p, const uint8_t *images, size_t count);

/* pixels -> logits. train: dropout is on, batches are normalised by their own statistics. */
CUG_API cug_status cug_plan_forward(cug_plan *p, const cug_exec *ex);
/* logits, labels -> each sample's loss and prediction; when training also the gradient of the mean loss. */
CUG_API cug_status cug_plan_loss(cug_plan *p, const cug_exec *ex);
/* -> gradients of every parameter that is not frozen. After forward and loss. */
CUG_API cug_status cug_plan_backward(cug_plan *p, const cug_exec *ex);

/* Takes the batch into the running statistics of layers that keep some (and are not frozen), unless the step record's
 * nonfinite is set. Once a training step, after backward and the gradient norm; forward alone changes no statistic. */
CUG_API cug_status cug_plan_track(cug_plan *p, const cug_exec *ex);

/* Tensors as bound; ptr is NULL where there is none (a gradient nobody wants, a value fused away). Under arena reuse
 * the contents are only good until another tensor takes the place. */
CUG_API cug_tensor cug_plan_value(const cug_plan *p, int value);
CUG_API cug_tensor cug_plan_grad(const cug_plan *p, int value);
CUG_API cug_tensor cug_plan_loss_values(const cug_plan *p); /* (batch) real */
CUG_API cug_tensor cug_plan_predictions(const cug_plan *p); /* (batch) int32 */

/* The ops in running order; each is a copy of a graph node (or a fused one) with the batch size filled in. */
CUG_API int cug_plan_op_count(const cug_plan *p);
CUG_API const cug_node *cug_plan_op(const cug_plan *p, int op);
/* What the op's forward keeps for its backward besides values (a pool's argmax); ptr NULL: nothing. */
CUG_API cug_tensor cug_plan_saved(const cug_plan *p, int op);

/* With CUG_PLAN_NO_REUSE: every guard band still holds its poison; else CUG_EMISMATCH naming the tensor before the
 * first damaged one. */
CUG_API cug_status cug_plan_check_guards(const cug_plan *p, const cug_exec *ex);

#ifdef __cplusplus
}
#endif
#endif
