/* linear.c - dense layers in a plan. */
#include "model/ops/ops.h"

static int supports(const cug_backend *be, const cug_node *n) {
    return be->linear && (!be->linear->supports || be->linear->supports(&n->u.linear));
}

static void set_batch(cug_node *n, int batch) { n->u.linear.N = batch; }

static size_t workspace(const cug_backend *be, const cug_device *dev, const cug_node *n, cug_pass pass) {
    return be->linear->workspace ? be->linear->workspace(dev, &n->u.linear, pass) : 0;
}

static cug_status fwd(const cug_backend *be, const plan_op *op, const cug_exec *ex) {
    return be->linear->fwd(&op->y, &op->x[0], &op->w, opt(&op->b), &op->node.u.linear, ex);
}

static cug_status bwd(const cug_backend *be, const plan_op *op, int i, const cug_exec *ex) {
    return be->linear->bwd(opt(&op->dx[i]), opt(&op->dw), opt(&op->db), &op->dy, &op->x[0], &op->w, &op->node.u.linear,
                           op->acc_dx[i] | op->acc_dw, ex);
}

const op_def op_linear = {.kind = CUG_OP_LINEAR,
                          .bwd_needs_x = 1,
                          .supports = supports,
                          .set_batch = set_batch,
                          .workspace = workspace,
                          .fwd = fwd,
                          .bwd = bwd};
