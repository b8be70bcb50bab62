/* bias.c - a learned constant per channel in a plan. */
#include "model/ops/ops.h"

static int supports(const cug_backend *be, const cug_node *n) {
    (void)n;
    return be->bias != 0;
}

static void set_batch(cug_node *n, int batch) { n->u.bias.rows *= batch; }

static cug_status fwd(const cug_backend *be, const plan_op *op, const cug_exec *ex) {
    return be->bias->fwd(&op->y, &op->x[0], &op->b, &op->node.u.bias, ex);
}

static cug_status bwd(const cug_backend *be, const plan_op *op, int i, const cug_exec *ex) {
    if (!op->dx[i].ptr && !op->db.ptr) return CUG_OK;
    return be->bias->bwd(opt(&op->dx[i]), opt(&op->db), &op->dy, &op->node.u.bias, op->acc_dx[i] | op->acc_dw, ex);
}

const op_def op_bias = {
    .kind = CUG_OP_BIAS, .in_place = 1, .supports = supports, .set_batch = set_batch, .fwd = fwd, .bwd = bwd};
