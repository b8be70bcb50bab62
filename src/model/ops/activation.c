/* activation.c - elementwise non-linearities in a plan. */
#include "model/ops/ops.h"

static int supports(const cug_backend *be, const cug_node *n) {
    return be->activation && (!be->activation->supports || be->activation->supports(&n->u.activation));
}

static void set_batch(cug_node *n, int batch) { n->u.activation.count *= (size_t)batch; }

static cug_status fwd(const cug_backend *be, const plan_op *op, const cug_exec *ex) {
    return be->activation->fwd(&op->y, &op->x[0], &op->node.u.activation, ex);
}

static cug_status bwd(const cug_backend *be, const plan_op *op, int i, const cug_exec *ex) {
    if (!op->dx[i].ptr) return CUG_OK;
    return be->activation->bwd(&op->dx[i], &op->dy, &op->y, &op->node.u.activation, op->acc_dx[i], ex);
}

const op_def op_activation = {.kind = CUG_OP_ACTIVATION,
                              .bwd_needs_y = 1,
                              .in_place = 1,
                              .supports = supports,
                              .set_batch = set_batch,
                              .fwd = fwd,
                              .bwd = bwd};
