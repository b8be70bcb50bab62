/* test_optim.c - parameter updates and gradient norms of every backend, the reference included. */
#include "support/op_tests.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void check(const char *name, void (*run)(op_world *w)) {
    op_world w;
    cr_assert_eq(op_open(&w, stderr, 0, CUG_PREC_FP32), 0, "no reference backend: %s", cug_error());
    run(&w);
    int failures = op_summary(&w, name);
    op_close(&w);
    cr_assert_eq(failures, 0, "%s: %d checks failed", name, failures);
}

/* Parameters and momentum after a step of one matrix, in host memory as the cpu backend has it. */
static void muon_step(int threads, int rows, int cols, float *wm) {
    const cug_backend *be = &cug_backend_cpu;
    const size_t n = (size_t)rows * (size_t)cols;
    const cug_device_options o = {.threads = threads};
    const cug_opt_params p = {.kind = CUG_OPT_MUON, .momentum = 0.95f, .matrix_lr_scale = 1, .weight_decay = 0.1f};
    const cug_param_run run = {.count = n, .decay = 1, .rows = rows, .cols = cols};
    const cug_step step = {.lr = 0.5f, .bias_corr1 = 1, .bias_corr2 = 1};
    cug_exec ex = {0};
    cr_assert_eq(be->open(&ex.device, &o), CUG_OK, "%s", cug_error());
    ex.workspace_bytes = be->optimizer->workspace(ex.device, &p, &run, 1);
    float *g = calloc(2 * n, sizeof *g);
    cr_assert(g && be->alloc(ex.device, &ex.workspace, ex.workspace_bytes) == CUG_OK);
    for (size_t i = 0; i < n; i++) {
        g[i] = (float)((i * 2654435761u) % 1001) / 1001 - 0.5f;
        wm[i] = (float)i / (float)n;
        wm[n + i] = g[i] * g[i];
    }
    const cug_tensor w = cug_tensor1(wm, CUG_F32, (int)n), m = cug_tensor1(wm + n, CUG_F32, (int)n),
                     tg = cug_tensor1(g, CUG_F32, (int)n), v = cug_tensor1(g + n, CUG_F32, (int)n);
    cr_assert_eq(be->optimizer->update(&w, &m, &v, &tg, &p, &run, 1, &step, &ex), CUG_OK, "%s", cug_error());
    be->free(ex.device, ex.workspace);
    be->close(ex.device);
    free(g);
}

Test(optim, muon_is_the_same_on_any_number_of_threads) {
    static const int shapes[][2] = {{128, 784}, {700, 96}, {130, 130}};
    for (int k = 0; k < 3; k++) {
        const size_t bytes = 2 * (size_t)shapes[k][0] * (size_t)shapes[k][1] * sizeof(float);
        float *one = malloc(bytes), *more = malloc(bytes);
        cr_assert(one && more);
        muon_step(1, shapes[k][0], shapes[k][1], one);
        for (int threads = 2; threads < 6; threads++) {
            muon_step(threads, shapes[k][0], shapes[k][1], more);
            cr_expect_eq(memcmp(one, more, bytes), 0, "%d x %d differs on %d threads", shapes[k][0], shapes[k][1],
                         threads);
        }
        free(one);
        free(more);
    }
}

Test(optim, closed_forms) { check("update, closed", op_test_update_closed); }
Test(optim, against_reference) { check("update", op_test_update); }
Test(optim, nonfinite_gate) { check("update, gate", op_test_update_gate); }
Test(optim, muon) { check("muon", op_test_muon); }
Test(optim, grad_norm) { check("grad_norm", op_test_grad_norm); }
