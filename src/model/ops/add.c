/* add.c - sums of branches in a plan. */
#include "model/ops/ops.h"

static int supports(const cug_backend *be, const cug_node *n) {
    (void)n;
    return be->add != 0;
}

static void set_batch(cug_node *n, int batch) { n->u.add.count *= (size_t)batch; }

static cug_status fwd(const cug_backend *be, const plan_op *op, const cug_exec *ex) {
    const cug_tensor *x[CUG_MAX_INPUTS];
    for (int i = 0; i < op->node.n_in; i++) x[i] = &op->x[i];
    return be->add->fwd(&op->y, x, &op->node.u.add, ex);
}

static cug_status bwd(const cug_backend *be, const plan_op *op, int i, const cug_exec *ex) {
    if (!op->dx[i].ptr) return CUG_OK;
    return be->add->bwd(&op->dx[i], &op->dy, &op->node.u.add, op->acc_dx[i], ex);
}

const op_def op_add = {.kind = CUG_OP_ADD, .supports = supports, .set_batch = set_batch, .fwd = fwd, .bwd = bwd};
