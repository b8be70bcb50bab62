/* op_batch_norm.c - batch normalisation of all backends against the reference. */
#include "cases/batch_norm.h"
#include "op_tests.h"
#include <math.h>
#include <string.h>

/* Inputs of one case, each exact in float32, and what its differences are made of. */
typedef struct bn_data {
    const cug_batch_norm_shape *s;
    size_t n, C;
    double *x, *dy, *gamma, *beta, *saved, *mean, *var, *y, *dx, *dgamma, *dbeta;
    double *y_terms, *saved_terms, *dx_terms, *dgamma_terms, *dbeta_terms;
} bn_data;

static double single(double x) { return (double)(float)x; }

/* Channels lie in turn about 0, about 64 with the same spread, and constant. */
static void draw_data(op_world *w, bn_data *d, const cug_batch_norm_shape *s) {
    *d = (bn_data){.s = s, .n = (size_t)s->rows * (size_t)s->C, .C = (size_t)s->C};
    const size_t n = d->n, C = d->C;
    d->x = op_reals(w, 1, n, -1, 1);
    d->dy = op_reals(w, 2, n, -1, 1);
    d->gamma = op_reals(w, 3, C, -2, 2);
    d->beta = op_reals(w, 4, C, -1, 1);
    d->mean = op_reals(w, 5, C, -1, 1);
    d->var = op_reals(w, 6, C, 0.25, 2);
    d->y = op_reals(w, 7, n, -1, 1);
    d->dx = op_reals(w, 8, n, -1, 1);
    d->dgamma = op_reals(w, 9, C, -1, 1);
    d->dbeta = op_reals(w, 10, C, -1, 1);
    double **const made[] = {&d->y_terms, &d->dx_terms, &d->saved_terms, &d->dgamma_terms, &d->dbeta_terms, &d->saved};
    const size_t size[] = {n, n, 3 * C, C, C, 3 * C};
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) *made[i] = op_memory(w, size[i] * sizeof(double));
    for (size_t i = 0; i < n; i++) {
        size_t kind = i % C % 3;
        if (kind == 1) d->x[i] = single(d->x[i] + 64);
        if (kind == 2) d->x[i] = 0.3125;
    }
    for (size_t c = 0; c < C; c++) {
        double sum = 0, squares = 0, size_of = 0;
        for (size_t i = c; i < n; i += C) sum += d->x[i], size_of += fabs(d->x[i]);
        double mean = sum / s->rows;
        for (size_t i = c; i < n; i += C) squares += pow(d->x[i] - mean, 2);
        double var = squares / s->rows, rstd = 1 / sqrt(var + (double)s->eps);
        d->saved[c] = single(mean), d->saved[C + c] = single(rstd), d->saved[2 * C + c] = single(var);
        d->saved_terms[c] = size_of / s->rows;
        d->saved_terms[C + c] = rstd;
        d->saved_terms[2 * C + c] = 2 * var;
        double a = fabs(d->gamma[c]) * rstd, dots = 0, dys = 0;
        for (size_t i = c; i < n; i += C) {
            double far = fabs(d->x[i]) + fabs(mean);
            d->y_terms[i] = a * (fabs(d->x[i]) + size_of / s->rows) + fabs(d->beta[c]); /* its mean is a sum, too */
            dys += fabs(d->dy[i]);
            dots += fabs(d->dy[i]) * far * rstd;
        }
        d->dgamma_terms[c] = dots + fabs(d->dgamma[c]);
        d->dbeta_terms[c] = dys + fabs(d->dbeta[c]);
        for (size_t i = c; i < n; i += C)
            d->dx_terms[i] =
                fabs(d->dx[i]) + a * (fabs(d->dy[i]) + (dys + (fabs(d->x[i]) + fabs(mean)) * rstd * dots) / s->rows);
    }
}

static op_slot in(const char *name, size_t n, const double *data) {
    return (op_slot){.name = name, .role = OP_IN, .dtype = CUG_F64, .count = n, .data = data};
}
static op_slot out(const char *name, size_t n, const double *start, const double *terms) {
    op_slot s = {.name = name, .role = start ? OP_ADD : OP_OUT, .dtype = CUG_F64, .count = n, .data = start};
    s.by_terms = terms != NULL, s.terms = terms;
    return s;
}

static size_t workspace(const cug_backend *be, const cug_device *d, const op_call *c) {
    return be->batch_norm->workspace ? be->batch_norm->workspace(d, c->shape, CUG_FWD) : 0;
}
static cug_status fwd_train(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->batch_norm->fwd_train(t[0], t[1], t[2], t[3], t[4], c->shape, ex);
}
static cug_status fwd_eval(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->batch_norm->fwd_eval(t[0], t[1], t[2], t[3], t[4], t[5], c->shape, ex);
}
static cug_status bwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->batch_norm->bwd(t[0], t[1], t[2], t[3], t[4], t[5], t[6], c->shape, c->accumulate, ex);
}
static cug_status bwd_eval(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->batch_norm->bwd_eval(t[0], t[1], t[2], t[3], c->shape, c->accumulate, ex);
}
static cug_status track(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    const cug_step *step = t[3] ? t[3]->ptr : NULL;
    return be->batch_norm->track(t[0], t[1], t[2], step, c->shape, ex);
}

static op_call call(const char *op, const bn_data *d, unsigned acc,
                    cug_status (*run)(const cug_backend *, const cug_tensor *const *, const op_call *,
                                      const cug_exec *)) {
    return (op_call){.op = op,
                     .name = "reals",
                     .shape = d->s,
                     .accumulate = acc,
                     .run = run,
                     .workspace = workspace,
                     .table = offsetof(cug_backend, batch_norm)};
}

static op_call fwd_train_call(const bn_data *d) {
    op_call c = call("batch_norm fwd_train", d, 0, fwd_train);
    const op_slot slots[] = {out("y", d->n, NULL, d->y_terms), out("saved", 3 * d->C, NULL, d->saved_terms),
                             in("x", d->n, d->x), in("gamma", d->C, d->gamma), in("beta", d->C, d->beta)};
    memcpy(c.slots, slots, sizeof slots);
    return c;
}

static op_call fwd_eval_call(const bn_data *d) {
    op_call c = call("batch_norm fwd_eval", d, 0, fwd_eval);
    const op_slot slots[] = {out("y", d->n, NULL, NULL),        in("x", d->n, d->x),
                             in("gamma", d->C, d->gamma),       in("beta", d->C, d->beta),
                             in("running_mean", d->C, d->mean), in("running_var", d->C, d->var)};
    memcpy(c.slots, slots, sizeof slots);
    c.slots[0].atol = OP_ATOL, c.slots[0].rtol = OP_RTOL;
    return c;
}

static op_call bwd_call(const bn_data *d, unsigned acc) {
    op_call c = call(acc ? "batch_norm bwd, added" : "batch_norm bwd", d, acc, bwd);
    int dx = (acc & CUG_ACC_DX) != 0, dw = (acc & CUG_ACC_DW) != 0;
    const op_slot slots[] = {out("dx", d->n, dx ? d->dx : NULL, d->dx_terms),
                             out("dgamma", d->C, dw ? d->dgamma : NULL, d->dgamma_terms),
                             out("dbeta", d->C, dw ? d->dbeta : NULL, d->dbeta_terms),
                             in("dy", d->n, d->dy),
                             in("x", d->n, d->x),
                             in("gamma", d->C, d->gamma),
                             in("saved", 3 * d->C, d->saved)};
    memcpy(c.slots, slots, sizeof slots);
    return c;
}

static op_call bwd_eval_call(const bn_data *d, unsigned acc) {
    op_call c = call(acc ? "batch_norm bwd_eval, added" : "batch_norm bwd_eval", d, acc, bwd_eval);
    const op_slot slots[] = {out("dx", d->n, acc ? d->dx : NULL, NULL), in("dy", d->n, d->dy),
                             in("gamma", d->C, d->gamma), in("running_var", d->C, d->var)};
    memcpy(c.slots, slots, sizeof slots);
    c.slots[0].atol = OP_ATOL, c.slots[0].rtol = OP_RTOL;
    return c;
}

static op_call track_call(const bn_data *d, const cug_step *step) {
    op_call c = call(step->nonfinite ? "batch_norm track, a step that failed" : "batch_norm track", d, 0, track);
    const op_slot slots[] = {
        out("running_mean", d->C, d->mean, NULL),
        out("running_var", d->C, d->var, NULL),
        in("saved", 3 * d->C, d->saved),
        {.name = "step", .role = OP_IN, .dtype = CUG_U8, .count = sizeof *step, .data = step, .raw = 1}};
    memcpy(c.slots, slots, sizeof slots);
    for (int i = 0; i < 2 && !step->nonfinite; i++) c.slots[i].atol = OP_ATOL, c.slots[i].rtol = OP_RTOL;
    return c;
}

static void one_case(op_world *w, const cug_batch_norm_shape *s) {
    bn_data d;
    draw_data(w, &d, s);
    op_call c = fwd_train_call(&d);
    op_compare(w, &c);
    c.slots[0].inplace = 3;
    op_compare(w, &c);
    c = fwd_eval_call(&d);
    op_compare(w, &c);
    c.slots[0].inplace = 2;
    op_compare(w, &c);
    for (unsigned acc = 0; acc < 4; acc++) {
        c = bwd_call(&d, acc);
        op_compare(w, &c);
        for (int gone = 0; gone < 3; gone++) {
            op_call fewer = c;
            fewer.slots[gone].role = OP_ABSENT;
            op_compare(w, &fewer);
        }
        if (acc & CUG_ACC_DX) continue;
        c.slots[0].inplace = 4;
        op_compare(w, &c);
    }
    for (unsigned acc = 0; acc < 2; acc++) {
        c = bwd_eval_call(&d, acc);
        op_compare(w, &c);
    }
    const cug_step good = {0}, failed = {.nonfinite = 1};
    c = track_call(&d, &good);
    op_compare(w, &c);
    c = track_call(&d, &failed);
    op_compare(w, &c);
    op_release(w);
}

void op_test_batch_norm(op_world *w) {
    for (int i = 0; i < BATCH_NORM_CASES; i++)
        if (!op_too_large(w, 0, (double)batch_norm_cases[i].rows * batch_norm_cases[i].C))
            one_case(w, &batch_norm_cases[i]);
    bn_data d;
    cug_batch_norm_shape s = batch_norm_cases[3];
    draw_data(w, &d, &s);
    op_call train = fwd_train_call(&d), eval = fwd_eval_call(&d), back = bwd_call(&d, 0),
            back_eval = bwd_eval_call(&d, 0);
    op_bad_arguments(w, &train, 0);
    op_bad_arguments(w, &eval, 0);
    op_bad_arguments(w, &back, 7);
    op_bad_arguments(w, &back_eval, 0);
    s.rows = 1;
    op_bad_shape(w, &train, "with one row, which has no variance");
    op_bad_shape(w, &back, "with one row, which has no variance");
    s = batch_norm_cases[3], s.eps = 0;
    op_bad_shape(w, &train, "with eps 0");
    op_bad_shape(w, &eval, "with eps 0");
    op_release(w);
}
