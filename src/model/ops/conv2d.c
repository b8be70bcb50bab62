/* conv2d.c - conv2d in a plan. */
#include "model/ops/ops.h"

static int supports(const cug_backend *be, const cug_node *n) {
    return be->conv2d && (!be->conv2d->supports || be->conv2d->supports(&n->u.conv2d));
}

static void set_batch(cug_node *n, int batch) { n->u.conv2d.N = batch; }

static size_t workspace(const cug_backend *be, const cug_device *dev, const cug_node *n, cug_pass pass) {
    return be->conv2d->workspace ? be->conv2d->workspace(dev, &n->u.conv2d, pass) : 0;
}

static cug_status fwd(const cug_backend *be, const plan_op *op, const cug_exec *ex) {
    return be->conv2d->fwd(&op->y, &op->x[0], &op->w, opt(&op->b), &op->node.u.conv2d, ex);
}

static cug_status bwd(const cug_backend *be, const plan_op *op, int i, const cug_exec *ex) {
    return be->conv2d->bwd(opt(&op->dx[i]), opt(&op->dw), opt(&op->db), &op->dy, &op->x[0], &op->w, &op->node.u.conv2d,
                           op->acc_dx[i] | op->acc_dw, ex);
}

const op_def op_conv2d = {.kind = CUG_OP_CONV2D,
                          .bwd_needs_x = 1,
                          .supports = supports,
                          .set_batch = set_batch,
                          .workspace = workspace,
                          .fwd = fwd,
                          .bwd = bwd};
