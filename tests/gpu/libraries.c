/* libraries.c - cuDNN and cuBLASLt in place of the project's kernels: the same results, and whose are faster. Skipped
 * where a library is missing. */
#include "check.h"
#include "cuda/cuda.h"
#include "model/plan.h"
#include "support/op_tests.h"
#include <cuglyph/gradcheck.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *const precisions[] = {"fp32", "tf32", "bf16"};

/* Every shape of the op's table through the library; shapes that it refuses run by the project's kernels. */
static void check_op(gpu_check *c, const char *name, void (*run)(op_world *w), const cug_device_options *o) {
    op_world w;
    const cug_decision *d;
    int library = 0, own = 0;
    if (!gpu_part(c, 60, "library: %s", name)) return;
    if (op_open_cuda(&w, c->log, o, name) != 0) {
        gpu_end(c, GPU_SKIPPED, "%s", cug_error());
        op_close(&w);
        return;
    }
    w.small = c->small;
    run(&w);
    for (int i = 0; (d = cug_choose_at(w.side[0].dev, i)); i++) {
        char text[CUG_PRODUCT_TEXT];
        *(d->library ? &library : &own) += 1;
        if (!d->library) fprintf(c->log, "  own: %s: %s\n", cug_product_text(&d->p, text), d->why);
    }
    int failures = op_summary(&w, name);
    gpu_end(c, failures || !library ? GPU_FAILED : GPU_OK,
            "%ld cases, %d failures; %d products by the library, %d by "
            "own kernels: no engine allowed",
            w.side[0].cases, failures, library, own);
    op_close(&w);
}

static void check_gradient(gpu_check *c, const char *name, const char *model) {
    cug_gradcheck_options o;
    cug_check_table t = {0};
    cug_graph *g = NULL;
    if (!gpu_part(c, 45, "library: gradients of %s", name)) return;
    cug_gradcheck_defaults(&o);
    o.batch = c->small ? 2 : 5;
    o.conv = o.gemm = CUG_CHOOSE_LIBRARY;
    cug_status st = cug_model_load(&g, model);
    if (st == CUG_OK) st = cug_gradcheck_parity(&t, g, &cug_backend_ref, c->be, &o);
    if (st == CUG_OK)
        gpu_end(c, GPU_OK, "%d comparisons", t.n);
    else
        gpu_end(c, st == CUG_ENOENT ? GPU_SKIPPED : GPU_FAILED, "%s", cug_error());
    cug_check_table_free(&t);
    cug_graph_free(g);
}

void check_libraries(gpu_check *c) {
    check_op(c, "linear by cuBLASLt", op_test_linear, &(cug_device_options){.gemm = CUG_CHOOSE_LIBRARY});
    check_op(c, "conv2d by cuDNN", op_test_conv2d, &(cug_device_options){.conv = CUG_CHOOSE_LIBRARY});
    for (int p = CUG_PREC_TF32; p <= CUG_PREC_BF16 && !c->small; p++) {
        char name[64];
        const cug_device_options o = {
            .precision = (cug_precision)p, .conv = CUG_CHOOSE_LIBRARY, .gemm = CUG_CHOOSE_LIBRARY};
        snprintf(name, sizeof name, "linear by cuBLASLt, %s", precisions[p]);
        check_op(c, name, op_test_linear, &o);
        snprintf(name, sizeof name, "conv2d by cuDNN, %s", precisions[p]);
        check_op(c, name, op_test_conv2d, &o);
    }
    if (!c->small) check_gradient(c, "cnn-d", "cnn-d");
    check_gradient(c, "a small model", "input 8x8x2; conv 8 3x3; relu; maxpool 2; flatten; linear 5");
}

/* Each product of a training step by both, as --conv auto and --gemm auto time them, which this also tries. */
static void time_model(gpu_check *c, const char *name, int batch, cug_precision precision, int is_goal) {
    const goal_id goal = precision == CUG_PREC_FP32 ? GOAL_LIBRARY_FP32 : GOAL_LIBRARY_TF32;
    const cug_device_options o = {.precision = precision, .conv = CUG_CHOOSE_AUTO, .gemm = CUG_CHOOSE_AUTO};
    cug_status st = CUG_OK;
    cug_graph *g = NULL;
    cug_plan *p = NULL;
    cug_device *dev = NULL;
    const cug_decision *d;
    int products = 0, library = 0, convs = 0;
    if (!gpu_part(c, 30, "own against library: %s, batch %d, %s", name, batch, precisions[precision])) {
        if (is_goal) gpu_goal_missing(goal, "no time was left for %s", name);
        return;
    }
    CUG_GOTO(cug_model_load(&g, name));
    CUG_GOTO(c->be->open(&dev, &o));
    CUG_GOTO(cug_plan_create(&p, g, c->be, dev, batch, CUG_PLAN_TRAIN | CUG_PLAN_NO_FUSE));
    for (int i = 0; (d = cug_choose_at(dev, i)); i++) {
        char text[CUG_PRODUCT_TEXT];
        if (!(d->own_us > 0 && d->library_us > 0)) {
            fprintf(c->log, "  %s: %s\n", cug_product_text(&d->p, text), d->why);
            continue;
        }
        cug_product_text(&d->p, text);
        gpu_figure(c, d->own_us, "us", "%s, own", text);
        gpu_figure(c, d->library_us, "us", "%s, library", text);
        gpu_figure(c, d->own_us / d->library_us, "x", "%s, own time / library time", text);
        if (is_goal && d->p.is_conv) {
            gpu_goal_value(goal, d->library_us / d->own_us, "%s", text);
            convs++;
        }
        products++;
        library += d->library;
    }
cleanup:
    if (is_goal && (st != CUG_OK || !convs))
        gpu_goal_missing(goal, st != CUG_OK ? "%s: failed" : "%s: no convolution by cuDNN", name);
    if (st != CUG_OK)
        gpu_end(c, GPU_FAILED, "%s", cug_error());
    else if (!products)
        gpu_end(c, GPU_SKIPPED, "nothing to compare:%s", cug_choose_note(dev->chooser));
    else
        gpu_end(c, GPU_OK, "%d products, the library is chosen for %d", products, library);
    cug_plan_free(p);
    if (dev) c->be->close(dev);
    cug_graph_free(g);
}

void time_libraries(gpu_check *c) {
    const char *cache = getenv("XDG_CACHE_HOME");
    char *before = cache ? strdup(cache) : NULL, absolute[PATH_MAX];
    /* measured anew, and kept beside the other results */
    if (realpath(c->out, absolute)) setenv("XDG_CACHE_HOME", absolute, 1);
    static const struct {
        const char *name;
        int batch, is_goal;
    } models[] = {{"cnn-d", 128, 1}, {"mlp", 128, 0}, {"sprint", 256, 1}};
    for (int i = 0; i < 3; i++)
        for (int p = CUG_PREC_FP32; p <= (c->small ? CUG_PREC_FP32 : CUG_PREC_TF32); p++)
            if (!c->small || i == 1)
                time_model(c, models[i].name, c->small ? 1 : models[i].batch, (cug_precision)p, models[i].is_goal);
    if (before)
        setenv("XDG_CACHE_HOME", before, 1);
    else
        unsetenv("XDG_CACHE_HOME");
    free(before);
}
