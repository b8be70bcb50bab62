/* test_ops.c - every op of every backend against the float64 reference, over the tables in src/cases. */
#include "support/op_tests.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static void check_in(cug_precision precision, const char *name, void (*run)(op_world *w)) {
    op_world w;
    cr_assert_eq(op_open(&w, stderr, 0, precision), 0, "no reference backend: %s", cug_error());
    if (!w.sides) {
        op_close(&w);
        cr_skip_test("no backend here computes in %s", cug_precision_name(precision));
    }
    const char *full = getenv("CUGLYPH_TEST_FULL");
    w.tiny |= precision != CUG_PREC_FP32 && !(full && *full == '1'); /* slow on the emulator */
    w.small |= w.tiny;
    run(&w);
    int failures = op_summary(&w, name);
    op_close(&w);
    cr_assert_eq(failures, 0, "%s: %d comparisons failed", name, failures);
}

static void check(const char *name, void (*run)(op_world *w)) { check_in(CUG_PREC_FP32, name, run); }

Test(ops, conv2d) { check("conv2d", op_test_conv2d); }
Test(ops, conv_block) { check("conv_block", op_test_conv_block); }
Test(ops, pool2d) { check("pool2d", op_test_pool2d); }
Test(ops, linear) { check("linear", op_test_linear); }
Test(ops, bias) { check("bias", op_test_bias); }
Test(ops, batch_norm) { check("batch_norm", op_test_batch_norm); }
Test(ops, activation) { check("activation", op_test_activation); }
Test(ops, dropout) { check("dropout", op_test_dropout); }
Test(ops, add) { check("add", op_test_add); }
Test(ops, concat) { check("concat", op_test_concat); }
Test(ops, softmax_xent) { check("softmax_xent", op_test_softmax_xent); }
Test(ops, bce_logits) { check("bce_logits", op_test_bce_logits); }
Test(ops, mse) { check("mse", op_test_mse); }
Test(ops, normalize) { check("normalize", op_test_normalize); }
Test(ops, metrics) { check("metrics", op_test_metrics); }

/* With rounded factors, held against a reference that rounds alike: the tolerances are those of float32. */
Test(ops, conv2d_tf32) { check_in(CUG_PREC_TF32, "conv2d tf32", op_test_conv2d); }
Test(ops, conv2d_bf16) { check_in(CUG_PREC_BF16, "conv2d bf16", op_test_conv2d); }
Test(ops, conv_block_tf32) { check_in(CUG_PREC_TF32, "conv_block tf32", op_test_conv_block); }
Test(ops, conv_block_bf16) { check_in(CUG_PREC_BF16, "conv_block bf16", op_test_conv_block); }
Test(ops, linear_tf32) { check_in(CUG_PREC_TF32, "linear tf32", op_test_linear); }
Test(ops, linear_bf16) { check_in(CUG_PREC_BF16, "linear bf16", op_test_linear); }
