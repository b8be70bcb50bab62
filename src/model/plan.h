/* plan.h - inside of a plan, and the table that says how each op runs in one. */
#ifndef CUG_MODEL_PLAN_H
#define CUG_MODEL_PLAN_H

#include <cuglyph/plan.h>

/* A tensor's place in the arena; live from op time `start` to `end`, both included. */
typedef struct plan_buffer {
    size_t bytes, offset;
    int start, end;
    char name[CUG_NAME_MAX + 16];
} plan_buffer;

typedef struct plan_op {
    cug_node node;                   /* batch size filled in */
    char range[2][CUG_NAME_MAX + 4]; /* "conv1 fwd", "conv1 bwd": by cug_pass */
    unsigned acc_dx[CUG_MAX_INPUTS];
    unsigned acc_dw;
    int want_dx[CUG_MAX_INPUTS];
    int want_dw;               /* any of its parameters is trained */
    int saved, ws_fwd, ws_bwd; /* buffers, -1 for none */
    /* as bound */
    cug_tensor x[CUG_MAX_INPUTS], dx[CUG_MAX_INPUTS]; /* dx[i].ptr NULL: not wanted */
    cug_tensor y, dy, w, b, dw, db;                   /* w.ptr ... NULL: no such parameter, or frozen */
    cug_tensor ids, saved_t;
    const cug_step *step;
    cug_tensor running_mean, running_var; /* ptr NULL: no such statistic */
    int train;                            /* dropout draws, saved is written */
} plan_op;

/* How one kind of op takes part in a plan: one file an op under src/model/ops/. */
typedef struct op_def {
    cug_op_kind kind;
    int bwd_needs_x, bwd_needs_y; /* backward reads the forward's input, output */
    /* An op of several kinds: whether this one's backward reads x, where the others read y. NULL: as the two say. */
    int (*reads_x)(const cug_node *n);
    int in_place; /* y may take x's place (in training not where backward needs x), dx may take dy's */
    /* NULL when the backend lacks it. */
    int (*supports)(const cug_backend *be, const cug_node *n);
    void (*set_batch)(cug_node *n, int batch);
    size_t (*workspace)(const cug_backend *be, const cug_device *dev, const cug_node *n, cug_pass pass);
    size_t (*saved_bytes)(const cug_backend *be, const cug_node *n);
    cug_status (*fwd)(const cug_backend *be, const plan_op *op, const cug_exec *ex);
    /* Gradient of input i; parameters' gradients with i = 0. Called for i = 0 always, for others where wanted. */
    cug_status (*bwd)(const cug_backend *be, const plan_op *op, int i, const cug_exec *ex);
    /* Can it be trained at this batch size? CUG_EINVAL with the reason. NULL: always. */
    cug_status (*can_train)(const plan_op *op);
    /* What a good step leaves besides the weights, from what forward saved; NULL: nothing. */
    cug_status (*track)(const cug_backend *be, const plan_op *op, const cug_exec *ex);
} op_def;

const op_def *op_def_of(cug_op_kind kind);

/* Whether the node's backward reads the forward's input, its output. */
static inline int node_needs_x(const cug_node *n) {
    const op_def *def = op_def_of(n->op);
    return def->reads_x ? def->reads_x(n) : def->bwd_needs_x;
}
static inline int node_needs_y(const cug_node *n) {
    const op_def *def = op_def_of(n->op);
    return def->reads_x ? !def->reads_x(n) : def->bwd_needs_y;
}

/* NULL for a tensor that is not there: what ops expect of optional arguments. */
static inline const cug_tensor *opt(const cug_tensor *t) { return t->ptr ? t : 0; }

enum { BUF_LOSS = 0, BUF_PRED = 1 }; /* the first two buffers */

struct cug_plan {
    const cug_graph *g;
    const cug_backend *be;
    int batch;
    unsigned flags;
    int n_ops;
    plan_op *ops;
    int n_buffers, cap_buffers;
    plan_buffer *buffers;
    int *value_buffer, *grad_buffer; /* per graph value: buffer, -1 for none */
    size_t arena_bytes, unshared_bytes;
    cug_plan_buffers bound;
    cug_tensor lent; /* images of the host's that ids names; ptr NULL: none */
    cug_plan_observer observer;
    void *observer_user;
};

/* plan_fuse.c: the graph's nodes as plan ops, runs of conv2d + activation + max pooling made one where possible. */
cug_status plan_expand(cug_plan *p, const cug_device *dev);
/* plan_pack.c: offsets for all buffers, no two that live at one time overlapping; sets arena_bytes, unshared_bytes. */
cug_status plan_pack(cug_plan *p);

/* plan_run.c: ex with the workspace that the op has in a bound plan, and the hint that belongs to the plan. */
cug_exec plan_exec(const cug_plan *p, const plan_op *op, cug_pass pass, const cug_exec *ex);

#define CUG_PLAN_GUARD 256 /* bytes on both sides of every buffer under CUG_PLAN_NO_REUSE */

#endif
