/* op_tests.h - each op over its shape table (src/cases), every side against the reference. Failures are counted in
 * the world. */
#ifndef TEST_OP_TESTS_H
#define TEST_OP_TESTS_H

#include "op_check.h"

void op_test_conv2d(op_world *w);
void op_test_conv_block(op_world *w);
void op_test_pool2d(op_world *w);
void op_test_linear(op_world *w);
void op_test_bias(op_world *w);
void op_test_batch_norm(op_world *w);
void op_test_activation(op_world *w);
void op_test_dropout(op_world *w);
void op_test_add(op_world *w);
void op_test_concat(op_world *w);
void op_test_softmax_xent(op_world *w);
void op_test_bce_logits(op_world *w);
void op_test_mse(op_world *w);
void op_test_normalize(op_world *w);
void op_test_metrics(op_world *w);
void op_test_update_closed(op_world *w);
void op_test_update(op_world *w);
void op_test_update_gate(op_world *w);
void op_test_muon(op_world *w);
void op_test_grad_norm(op_world *w);

/* All of the above, for a loop. */
static const struct {
    const char *name;
    void (*run)(op_world *w);
} op_tests[] = {
    {"conv2d", op_test_conv2d},
    {"conv_block", op_test_conv_block},
    {"pool2d", op_test_pool2d},
    {"linear", op_test_linear},
    {"bias", op_test_bias},
    {"batch_norm", op_test_batch_norm},
    {"activation", op_test_activation},
    {"dropout", op_test_dropout},
    {"add", op_test_add},
    {"concat", op_test_concat},
    {"softmax_xent", op_test_softmax_xent},
    {"bce_logits", op_test_bce_logits},
    {"mse", op_test_mse},
    {"normalize", op_test_normalize},
    {"metrics", op_test_metrics},
    {"update, closed", op_test_update_closed},
    {"update", op_test_update},
    {"update, gate", op_test_update_gate},
    {"muon", op_test_muon},
    {"grad_norm", op_test_grad_norm},
};
#define OP_TESTS ((int)(sizeof op_tests / sizeof *op_tests))

/* PyTorch's float32 table for elementwise functions. */
#define OP_RTOL 1.3e-6
#define OP_ATOL 1e-5

#endif
