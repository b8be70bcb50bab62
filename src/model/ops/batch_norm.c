/* batch_norm.c - batch normalisation in a plan. The batch's own statistics in training, the running ones in evaluation
 * and, whatever the plan, where the layer is frozen: it is then a fixed map that training neither follows nor moves. */
#include "model/ops/ops.h"

static int supports(const cug_backend *be, const cug_node *n) {
    (void)n;
    return be->batch_norm != 0;
}

static void set_batch(cug_node *n, int batch) { n->u.batch_norm.rows *= batch; }

static size_t workspace(const cug_backend *be, const cug_device *dev, const cug_node *n, cug_pass pass) {
    return be->batch_norm->workspace ? be->batch_norm->workspace(dev, &n->u.batch_norm, pass) : 0;
}

static size_t saved_bytes(const cug_backend *be, const cug_node *n) {
    return 3 * (size_t)n->u.batch_norm.C * cug_dtype_size(be->real);
}

static cug_tensor saved(const cug_backend *be, const plan_op *op) {
    return cug_tensor2(op->saved_t.ptr, be->real, 3, op->node.u.batch_norm.C);
}

static int by_batch(const plan_op *op) { return op->train && op->want_dw; }

static cug_status can_train(const plan_op *op) {
    if (!op->want_dw || op->node.u.batch_norm.rows > 1) return CUG_OK;
    return cug_fail(CUG_EINVAL, "batchnorm has one value a channel here, which has no variance; take a batch size that "
                                "leaves no batch of one sample");
}

static cug_status fwd(const cug_backend *be, const plan_op *op, const cug_exec *ex) {
    const cug_batch_norm_shape *s = &op->node.u.batch_norm;
    cug_tensor kept = saved(be, op);
    if (by_batch(op)) return be->batch_norm->fwd_train(&op->y, &kept, &op->x[0], &op->w, &op->b, s, ex);
    return be->batch_norm->fwd_eval(&op->y, &op->x[0], &op->w, &op->b, &op->running_mean, &op->running_var, s, ex);
}

static cug_status bwd(const cug_backend *be, const plan_op *op, int i, const cug_exec *ex) {
    const cug_batch_norm_shape *s = &op->node.u.batch_norm;
    cug_tensor kept = saved(be, op);
    if (by_batch(op))
        return be->batch_norm->bwd(opt(&op->dx[i]), opt(&op->dw), opt(&op->db), &op->dy, &op->x[0], &op->w, &kept, s,
                                   op->acc_dx[i] | op->acc_dw, ex);
    if (!op->dx[i].ptr) return CUG_OK;
    return be->batch_norm->bwd_eval(&op->dx[i], &op->dy, &op->w, &op->running_var, s, op->acc_dx[i], ex);
}

static cug_status track(const cug_backend *be, const plan_op *op, const cug_exec *ex) {
    cug_tensor kept = saved(be, op);
    if (!by_batch(op)) return CUG_OK;
    return be->batch_norm->track(&op->running_mean, &op->running_var, &kept, op->step, &op->node.u.batch_norm, ex);
}

const op_def op_batch_norm = {.kind = CUG_OP_BATCH_NORM,
                              .bwd_needs_x = 1,
                              .in_place = 1,
                              .supports = supports,
                              .set_batch = set_batch,
                              .workspace = workspace,
                              .saved_bytes = saved_bytes,
                              .fwd = fwd,
                              .bwd = bwd,
                              .can_train = can_train,
                              .track = track};
