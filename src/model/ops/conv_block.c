/* conv_block.c - the fused conv2d + bias + activation + max pooling in a plan. */
#include "model/ops/ops.h"

static int supports(const cug_backend *be, const cug_node *n) {
    return be->conv_block && be->conv_block->supports(&n->u.conv_block);
}

static void set_batch(cug_node *n, int batch) { n->u.conv_block.conv.N = n->u.conv_block.pool.N = batch; }

static size_t workspace(const cug_backend *be, const cug_device *dev, const cug_node *n, cug_pass pass) {
    return be->conv_block->workspace ? be->conv_block->workspace(dev, &n->u.conv_block, pass) : 0;
}

static size_t saved_bytes(const cug_backend *be, const cug_node *n) {
    return be->conv_block->saved_bytes(&n->u.conv_block);
}

static cug_status fwd(const cug_backend *be, const plan_op *op, const cug_exec *ex) {
    return be->conv_block->fwd(&op->y, op->saved_t.ptr, &op->x[0], &op->w, opt(&op->b), &op->node.u.conv_block, ex);
}

static cug_status bwd(const cug_backend *be, const plan_op *op, int i, const cug_exec *ex) {
    return be->conv_block->bwd(opt(&op->dx[i]), opt(&op->dw), opt(&op->db), &op->dy, &op->y, op->saved_t.ptr, &op->x[0],
                               &op->w, &op->node.u.conv_block, op->acc_dx[i] | op->acc_dw, ex);
}

const op_def op_conv_block = {.kind = CUG_OP_CONV_BLOCK,
                              .bwd_needs_x = 1,
                              .bwd_needs_y = 1,
                              .supports = supports,
                              .set_batch = set_batch,
                              .workspace = workspace,
                              .saved_bytes = saved_bytes,
                              .fwd = fwd,
                              .bwd = bwd};
