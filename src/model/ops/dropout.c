/* dropout.c - dropout in a plan: a copy when evaluating. */
#include "model/ops/ops.h"

static int supports(const cug_backend *be, const cug_node *n) {
    (void)n;
    return be->dropout != 0;
}

static void set_batch(cug_node *n, int batch) { n->u.dropout.N = batch; }

static cug_status fwd(const cug_backend *be, const plan_op *op, const cug_exec *ex) {
    if (op->train) return be->dropout->fwd(&op->y, &op->x[0], &op->ids, op->step, &op->node.u.dropout, ex);
    if (op->y.ptr == op->x[0].ptr) return CUG_OK;
    return be->copy(ex->device, op->y.ptr, op->x[0].ptr, cug_tensor_bytes(&op->y), ex->stream);
}

static cug_status bwd(const cug_backend *be, const plan_op *op, int i, const cug_exec *ex) {
    if (!op->dx[i].ptr) return CUG_OK;
    return be->dropout->bwd(&op->dx[i], &op->dy, &op->ids, op->step, &op->node.u.dropout, op->acc_dx[i], ex);
}

const op_def op_dropout = {
    .kind = CUG_OP_DROPOUT, .in_place = 1, .supports = supports, .set_batch = set_batch, .fwd = fwd, .bwd = bwd};
