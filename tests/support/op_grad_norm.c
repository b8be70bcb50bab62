/* op_grad_norm.c - gradient norms and the search for NaN and Inf, on every side. */
#include "../cases/optimizer.h"
#include "op_tests.h"
#include <math.h>
#include <string.h>

typedef struct {
    const cug_param_run *runs;
    int n_runs;
} run_list;

enum { NORM_STEP, NORM_G, NORM_LOSS };

static cug_status grad_norm(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    const run_list *l = c->shape;
    return be->optimizer->grad_norm(t[NORM_STEP] ? t[NORM_STEP]->ptr : NULL, t[NORM_G], t[NORM_LOSS],
                                    l ? l->runs : NULL, l ? l->n_runs : 1, ex);
}

static op_call norm_call(const char *name, const cug_step *step, const double *g, size_t n, const double *loss,
                         const run_list *runs) {
    return (op_call){
        .op = "grad_norm",
        .name = name,
        .shape = runs,
        .run = grad_norm,
        .table = offsetof(cug_backend, optimizer),
        .slots = {{.name = "step", .role = OP_ADD, .dtype = CUG_U8, .count = sizeof *step, .data = step, .raw = 1},
                  {.name = "g", .role = OP_IN, .dtype = CUG_F64, .count = n, .data = g, .any_count = 1},
                  {.name = "loss",
                   .role = loss ? OP_IN : OP_ABSENT,
                   .dtype = CUG_F64,
                   .count = 32,
                   .data = loss,
                   .any_count = 1}},
    };
}

static double sum_of_squares(const double *g, const run_list *l) {
    long double sum = 0;
    for (int r = 0; r < l->n_runs; r++)
        for (size_t i = 0; i < l->runs[r].count; i++)
            sum += (long double)g[l->runs[r].offset + i] * (long double)g[l->runs[r].offset + i];
    return (double)sum;
}

/* Runs it everywhere: the norm (where finite), the flag, and nothing else in the record. */
static void expect_norm(op_world *w, const char *name, cug_step before, const double *g, size_t n, const double *loss,
                        const run_list *runs, int flag) {
    op_call c = norm_call(name, &before, g, n, loss, runs);
    double want = sqrt(sum_of_squares(g, runs));
    op_side *s;
    for (int i = 0; (s = op_any_side(w, i)); i++) {
        if (op_run(w, s, &c) != 1) continue;
        cug_step after;
        memcpy(&after, op_keep_bytes(w, s, &c, NORM_STEP), sizeof after);
        if (isfinite(want) ? !(fabs(after.grad_norm - want) <= 1e-12 * want) : isfinite(after.grad_norm))
            op_failed(w, "grad_norm [%s] on %s: %.15g, not %.15g", name, s->label, after.grad_norm, want);
        if (after.nonfinite != (uint32_t)flag)
            op_failed(w, "grad_norm [%s] on %s: nonfinite is %u, not %d", name, s->label, after.nonfinite, flag);
        cug_step rest = after;
        rest.grad_norm = before.grad_norm;
        rest.nonfinite = before.nonfinite;
        if (memcmp(&rest, &before, sizeof rest))
            op_failed(w, "grad_norm [%s] on %s: other fields of the record changed", name, s->label);
    }
}

/* One spoilt element at a time, near every kind of border. */
static void spoilt_gradients(op_world *w, const cug_step *step, double *g, double *loss) {
    const optimizer_buffer *b = &optimizer_buffers[2]; /* runs 0..32, 64..73, 128..192 of 200 */
    const run_list runs = {b->runs, b->n_runs};
    static const size_t inside[] = {0, 32, 64, 73, 128, 191, 192}, frozen[] = {33, 63, 74, 127, 193, 199};
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
            double keep = g[inside[i]];
            g[inside[i]] = bad[k];
            expect_norm(w, "spoilt gradient", *step, g, b->count, NULL, &runs, 1);
            g[inside[i]] = keep;
        }
        for (size_t i = 0; i < sizeof frozen / sizeof *frozen; i++) {
            double keep = g[frozen[i]];
            g[frozen[i]] = bad[k];
            expect_norm(w, "spoilt but frozen", *step, g, b->count, loss, &runs, 0);
            g[frozen[i]] = keep;
        }
        for (size_t i = 0; i < 32; i += 31) {
            double keep = loss[i];
            loss[i] = bad[k];
            expect_norm(w, "spoilt loss", *step, g, b->count, loss, &runs, 1);
            expect_norm(w, "loss not given", *step, g, b->count, NULL, &runs, 0);
            loss[i] = keep;
        }
    }
}

void op_test_grad_norm(op_world *w) {
    cug_step step = {
        .seed = 1, .step = 2, .slot = 3, .valid = 4, .lr = 5, .bias_corr1 = 6, .bias_corr2 = 7, .grad_norm = 8};
    double *loss = op_reals(w, 2, 32, 0, 5);
    for (int i = 0; i < OPTIMIZER_BUFFERS; i++) {
        const optimizer_buffer *b = &optimizer_buffers[i];
        if (op_too_large(w, 0, (double)b->count)) continue;
        const run_list runs = {b->runs, b->n_runs};
        expect_norm(w, "reals", step, op_reals(w, 1, b->count, -1, 1), b->count, loss, &runs, 0);
        expect_norm(w, "squares past float32", step, op_reals(w, 1, b->count, 1e29, 1e30), b->count, loss, &runs, 0);
        expect_norm(w, "squares under float32", step, op_reals(w, 1, b->count, 1e-30, 1e-29), b->count, loss, &runs, 0);
    }
    spoilt_gradients(w, &step, op_reals(w, 3, 200, -1, 1), loss);
    const run_list none = {NULL, 0};
    const double *g = op_reals(w, 3, 200, -1, 1);
    expect_norm(w, "nothing to train", step, g, 200, loss, &none, 0);
    cug_step raised = step;
    raised.nonfinite = 1; /* stays up */
    expect_norm(w, "raised before", raised, g, 200, loss, &none, 1);
    const run_list all = {optimizer_buffers[2].runs, 3};
    op_call c = norm_call("bad", &step, g, 200, loss, &all);
    op_bad_arguments(w, &c, 1u << NORM_LOSS);
    op_release(w);
}
