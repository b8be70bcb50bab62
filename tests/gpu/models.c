/* models.c - every op over its shape table, then the gradients of whole models; the reference is right. */
#include "check.h"
#include "support/op_tests.h"
#include <cuglyph/gradcheck.h>
#include <math.h>
#include <string.h>

/* Leaves the cuda side alone; the others are the plain suite's work. */
static void keep_cuda(op_world *w, const cug_backend *be) {
    int kept = 0;
    for (int i = 0; i < w->sides; i++) {
        if (w->side[i].be == be)
            w->side[kept++] = w->side[i];
        else
            w->side[i].be->close(w->side[i].dev); /* nothing else is in it before its first call */
    }
    w->sides = kept;
}

/* ", tf32" behind a name; nothing for float32. */
static const char *suffix(cug_precision p) {
    static const char *const words[] = {"", ", tf32", ", bf16"};
    return words[p];
}

static void check_op(gpu_check *c, int i, cug_precision p) {
    op_world w;
    if (!gpu_part(c, 45, "op: %s%s", op_tests[i].name, suffix(p))) return;
    if (op_open(&w, c->log, 0, p) != 0) {
        gpu_end(c, GPU_FAILED, "%s", cug_error());
        return;
    }
    keep_cuda(&w, c->be);
    w.small = c->small;
    if (w.sides) op_tests[i].run(&w);
    const op_side *s = &w.side[0];
    int failures = op_summary(&w, op_tests[i].name);
    if (!w.sides)
        gpu_end(c, GPU_FAILED, "the device did not open a second time; the log says why");
    else
        gpu_end(c, failures || !s->cases ? GPU_FAILED : GPU_OK, "%ld cases, %ld not supported, %d failures", s->cases,
                s->skipped, failures);
    op_close(&w);
}

void check_ops(gpu_check *c) {
    static const char *const products[] = {"conv2d", "conv_block", "linear"};
    for (int i = 0; i < OP_TESTS; i++) check_op(c, i, CUG_PREC_FP32);
    for (int i = 0; i < OP_TESTS && gpu_has_mma(); i++)
        for (int k = 0; k < 3; k++)
            if (strcmp(op_tests[i].name, products[k]) == 0)
                for (cug_precision p = CUG_PREC_TF32; p <= CUG_PREC_BF16; p++) check_op(c, i, p);
}

static void check_gradient(gpu_check *c, const char *name, const char *model, cug_precision p) {
    cug_gradcheck_options o;
    cug_check_table t = {0};
    cug_graph *g = NULL;
    if (!gpu_part(c, 45, "gradients: %s%s", name, suffix(p))) return;
    cug_gradcheck_defaults(&o);
    o.batch = c->small ? 2 : 5;
    o.precision = p;
    cug_status st = cug_model_load(&g, model);
    if (st == CUG_OK) st = cug_gradcheck_parity(&t, g, &cug_backend_ref, c->be, &o);
    double worst = 0;
    for (int i = 0; i < t.n; i++) {
        const cug_check_row *r = &t.rows[i];
        if (!(r->worst <= worst) && !isnan(worst)) worst = r->worst;
        fprintf(c->log, "  %-40s %8zu elements, worst %.3g of the tolerance%s\n", r->tensor, r->count, r->worst,
                r->failed ? "  FAIL" : "");
    }
    if (st == CUG_OK)
        gpu_end(c, GPU_OK, "%d comparisons, worst %.2g of the tolerance", t.n, worst);
    else
        gpu_end(c, GPU_FAILED, "%s", cug_error());
    cug_check_table_free(&t);
    cug_graph_free(g);
}

static void check_models(gpu_check *c, cug_precision p) {
    static const char *const zoo[] = {"cnn-d", "mlp", "lenet-5", "cnn-e"};
    for (size_t i = 0; i < sizeof zoo / sizeof *zoo; i++)
        if (!c->small || strcmp(zoo[i], "mlp") == 0) check_gradient(c, zoo[i], zoo[i], p);
    check_gradient(c, "every op",
                   "input 8x8x2; conv 4 3x3 pad=same; leaky_relu; residual { conv 4 3x3 pad=same; tanh }; "
                   "branch { { conv 3 1x1; sigmoid } { avgpool 3 stride=1 pad=1 } }; maxpool 2; bias; dropout 0.3; "
                   "relu; flatten; linear 5",
                   p);
    check_gradient(c, "a fused block", "input 8x8x2; conv 8 3x3; relu; maxpool 2; flatten; linear 5", p);
}

void check_gradients(gpu_check *c) {
    check_models(c, CUG_PREC_FP32);
    for (cug_precision p = CUG_PREC_TF32; p <= CUG_PREC_BF16 && gpu_has_mma(); p++) check_models(c, p);
}
