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
    const cug_tensor *of = cug_act_reads_x(op->node.u.activation.kind) ? &op->x[0] : &op->y;
    return be->activation->bwd(&op->dx[i], &op->dy, of, &op->node.u.activation, op->acc_dx[i], ex);
}

static int reads_x(const cug_node *n) { return cug_act_reads_x(n->u.activation.kind); }

const op_def op_activation = {.kind = CUG_OP_ACTIVATION,
                              .reads_x = reads_x,
                              .in_place = 1,
                              .supports = supports,
                              .set_batch = set_batch,
                              .fwd = fwd,
                              .bwd = bwd};
