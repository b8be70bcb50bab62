/* ops.c - from an op's kind to its entry. */
#include "model/ops/ops.h"

const op_def *op_def_of(cug_op_kind kind) {
    static const op_def *const table[CUG_OP_COUNT] = {
        [CUG_OP_CONV2D] = &op_conv2d,         [CUG_OP_POOL2D] = &op_pool2d,
        [CUG_OP_LINEAR] = &op_linear,         [CUG_OP_BIAS] = &op_bias,
        [CUG_OP_ACTIVATION] = &op_activation, [CUG_OP_DROPOUT] = &op_dropout,
        [CUG_OP_FLATTEN] = &op_flatten,       [CUG_OP_ADD] = &op_add,
        [CUG_OP_CONCAT] = &op_concat,         [CUG_OP_BATCH_NORM] = &op_batch_norm,
        [CUG_OP_CONV_BLOCK] = &op_conv_block,
    };
    return (unsigned)kind < CUG_OP_COUNT ? table[kind] : 0;
}
