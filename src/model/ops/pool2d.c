/* pool2d.c - pooling in a plan; max pooling keeps its argmax, a byte an output. */
#include "model/ops/ops.h"

static int supports(const cug_backend *be, const cug_node *n) {
    return be->pool2d && (!be->pool2d->supports || be->pool2d->supports(&n->u.pool2d));
}

static void set_batch(cug_node *n, int batch) { n->u.pool2d.N = batch; }

static size_t saved_bytes(const cug_backend *be, const cug_node *n) {
    (void)be;
    const cug_pool2d_shape *s = &n->u.pool2d;
    return s->kind == CUG_POOL_MAX ? (size_t)s->N * (size_t)s->P * (size_t)s->Q * (size_t)s->C : 0;
}

static cug_status fwd(const cug_backend *be, const plan_op *op, const cug_exec *ex) {
    return be->pool2d->fwd(&op->y, opt(&op->saved_t), &op->x[0], &op->node.u.pool2d, ex);
}

static cug_status bwd(const cug_backend *be, const plan_op *op, int i, const cug_exec *ex) {
    if (!op->dx[i].ptr) return CUG_OK;
    return be->pool2d->bwd(&op->dx[i], &op->dy, opt(&op->saved_t), &op->node.u.pool2d, op->acc_dx[i], ex);
}

const op_def op_pool2d = {.kind = CUG_OP_POOL2D,
                          .supports = supports,
                          .set_batch = set_batch,
                          .saved_bytes = saved_bytes,
                          .fwd = fwd,
                          .bwd = bwd};
