/* ops.h - every op's entry for plans. */
#ifndef CUG_MODEL_OPS_H
#define CUG_MODEL_OPS_H

#include "model/plan.h"

extern const op_def op_conv2d, op_conv_block, op_pool2d, op_linear, op_bias, op_activation, op_dropout, op_flatten,
    op_add, op_concat, op_batch_norm;

#endif
