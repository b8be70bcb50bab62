/* flatten.c - a view in a plan: both sides share memory, so there is work only where a gradient is summed. */
#include "model/ops/ops.h"

static int supports(const cug_backend *be, const cug_node *n) {
    (void)n;
    return be->add != 0;
}

static void set_batch(cug_node *n, int batch) { (void)n, (void)batch; }

static cug_status fwd(const cug_backend *be, const plan_op *op, const cug_exec *ex) {
    if (op->y.ptr == op->x[0].ptr) return CUG_OK;
    return be->copy(ex->device, op->y.ptr, op->x[0].ptr, cug_tensor_bytes(&op->y), ex->stream);
}

static cug_status bwd(const cug_backend *be, const plan_op *op, int i, const cug_exec *ex) {
    if (!op->dx[i].ptr || op->dx[i].ptr == op->dy.ptr) return CUG_OK;
    const cug_add_shape s = {.inputs = 1, .count = cug_tensor_count(&op->dy)};
    return be->add->bwd(&op->dx[i], &op->dy, &s, op->acc_dx[i], ex);
}

const op_def op_flatten = {
    .kind = CUG_OP_FLATTEN, .in_place = 1, .supports = supports, .set_batch = set_batch, .fwd = fwd, .bwd = bwd};
