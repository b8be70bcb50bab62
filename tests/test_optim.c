/* test_optim.c - parameter updates and gradient norms of every backend, the reference included. */
#include "support/op_tests.h"
#include <criterion/criterion.h>

static void check(const char *name, void (*run)(op_world *w)) {
    op_world w;
    cr_assert_eq(op_open(&w, stderr, 0, CUG_PREC_FP32), 0, "no reference backend: %s", cug_error());
    run(&w);
    int failures = op_summary(&w, name);
    op_close(&w);
    cr_assert_eq(failures, 0, "%s: %d checks failed", name, failures);
}

Test(optim, closed_forms) { check("update, closed", op_test_update_closed); }
Test(optim, against_reference) { check("update", op_test_update); }
Test(optim, nonfinite_gate) { check("update, gate", op_test_update_gate); }
Test(optim, grad_norm) { check("grad_norm", op_test_grad_norm); }
