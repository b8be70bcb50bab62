/* op_layers.c - benchmarks of the layers that move more than they compute: pooling, bias, activation, dropout, sums and
 * concatenation; forward and backward. */
#include "bench/op.h"
#include "cases/activation.h"
#include "cases/add.h"
#include "cases/bias.h"
#include "cases/concat.h"
#include "cases/dropout.h"
#include "cases/models.h"
#include "cases/pool2d.h"
#include <stdio.h>
#include <string.h>

static size_t times(int a, int b, int c, int d) { return (size_t)a * (size_t)b * (size_t)c * (size_t)d; }

static void begin(bench_case *c, const char *op, size_t table, int backward) {
    c->op = op;
    c->table = table;
    c->pass = backward ? "bwd" : "fwd";
    if (!c->source) c->source = "cases";
}

/* --- pool2d: fwd 0 y, 1 argmax, 2 x; bwd 0 dx, 1 dy, 2 argmax, 3 x (for the argmax), 4 y (of that forward) ----------
 */

static cug_status pool_fwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->pool2d->fwd(t[0], t[1], t[2], &c->u.pool2d, ex);
}
static cug_status pool_prime(const cug_backend *be, const cug_tensor *const *t, const bench_case *c,
                             const cug_exec *ex) {
    return t[2] ? be->pool2d->fwd(t[4], t[2], t[3], &c->u.pool2d, ex) : CUG_OK;
}
static cug_status pool_bwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->pool2d->bwd(t[0], t[1], t[2], &c->u.pool2d, 0, ex);
}
static int pool_supports(const cug_backend *be, const bench_case *c) {
    return !be->pool2d->supports || be->pool2d->supports(&c->u.pool2d);
}

/* The model's pools: behind those of its convolutions that have one. */
static int model_pool(bench_case *c, int i, cug_pool2d_shape *s) {
    for (int k = 0; k < MODEL_CONVS; k++) {
        if (!model_convs[k].pool || i-- > 0) continue;
        const int P = model_convs[k].H + 2 * model_convs[k].pad - model_convs[k].R + 1;
        c->source = "models";
        snprintf(c->name, sizeof c->name, "%s pool", model_convs[k].name);
        *s = (cug_pool2d_shape){CUG_POOL_MAX, model_convs[k].N, P, P, model_convs[k].K, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0};
        return 1;
    }
    return 0;
}

int bench_pool2d(bench_case *c, int i) {
    cug_pool2d_shape *s = &c->u.pool2d;
    const int avg = i / 2 % 2, k = i / 4;
    if (k < POOL2D_CASES) {
        *s = pool2d_cases[k].s;
        snprintf(c->name, sizeof c->name, "%s%s", avg ? "avg " : "max ", pool2d_cases[k].name);
    } else if (!model_pool(c, k - POOL2D_CASES, s)) {
        return 0;
    } else if (avg) {
        memmove(c->name + 4, c->name, sizeof c->name - 4);
        memcpy(c->name, "avg ", 4);
        c->name[sizeof c->name - 1] = 0;
    }
    s->kind = avg ? CUG_POOL_AVG : CUG_POOL_MAX;
    if (cug_pool2d_shape_init(s) != CUG_OK) return 0;
    begin(c, "pool2d", offsetof(cug_backend, pool2d), i % 2);
    c->supports = pool_supports;
    snprintf(c->shape, sizeof c->shape, "%dx%dx%dx%d %s %dx%d stride %dx%d", s->N, s->H, s->W, s->C,
             avg ? "avgpool" : "maxpool", s->R, s->S, s->stride_h, s->stride_w);
    const size_t nx = times(s->N, s->H, s->W, s->C), ny = times(s->N, s->P, s->Q, s->C);
    const bench_arg arg = {.name = "argmax", .dtype = CUG_U8, .count = ny};
    if (i % 2 == 0) {
        c->run = pool_fwd;
        c->arg[0] = bench_sum("y", ny);
        c->arg[1] = arg;
        c->arg[1].role = avg ? BENCH_ABSENT : BENCH_OUT;
        c->arg[2] = bench_in("x", nx);
        return 1;
    }
    c->run = pool_bwd;
    c->prime = pool_prime;
    c->arg[0] = bench_sum("dx", nx);
    c->arg[1] = bench_in("dy", ny);
    if (avg) return 1;
    c->arg[2] = arg;
    c->arg[2].role = BENCH_IN;
    c->arg[2].primed = 1;
    c->arg[3] = bench_in("x", nx);
    c->arg[4] = bench_in("y", ny);
    c->arg[3].aside = c->arg[4].aside = 1;
    return 1;
}

/* --- bias: fwd 0 y, 1 x, 2 b; bwd 0 dx, 1 db, 2 dy -------------------------------------------------------------------
 */

static cug_status bias_fwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->bias->fwd(t[0], t[1], t[2], &c->u.bias, ex);
}
static cug_status bias_bwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->bias->bwd(t[0], t[1], t[2], &c->u.bias, 0, ex);
}

int bench_bias(bench_case *c, int i) {
    if (i / 2 >= BIAS_CASES) return 0;
    const cug_bias_shape s = c->u.bias = bias_cases[i / 2];
    const size_t n = (size_t)s.rows * (size_t)s.C;
    begin(c, "bias", offsetof(cug_backend, bias), i % 2);
    snprintf(c->name, sizeof c->name, "%dx%d", s.rows, s.C);
    snprintf(c->shape, sizeof c->shape, "%dx%d", s.rows, s.C);
    if (i % 2 == 0) {
        c->run = bias_fwd;
        c->arg[0] = bench_out("y", n);
        c->arg[1] = bench_in("x", n);
        c->arg[2] = bench_in("b", (size_t)s.C);
        return 1;
    }
    c->run = bias_bwd;
    c->arg[0] = bench_out("dx", n);
    c->arg[1] = bench_sum("db", (size_t)s.C);
    c->arg[2] = bench_in("dy", n);
    return 1;
}

/* --- activation: fwd 0 y, 1 x; bwd 0 dx, 1 dy, 2 y
 * -------------------------------------------------------------------- */

static cug_status act_fwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->activation->fwd(t[0], t[1], &c->u.activation, ex);
}
static cug_status act_bwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->activation->bwd(t[0], t[1], t[2], &c->u.activation, 0, ex);
}
static int act_supports(const cug_backend *be, const bench_case *c) {
    return !be->activation->supports || be->activation->supports(&c->u.activation);
}

/* Every count with relu, the first kind; the other kinds at the two largest counts. */
static int activation_from(int i, cug_activation_shape *s, const char **kind) {
    const int rest = i - ACTIVATION_CASES, k = i < ACTIVATION_CASES ? 0 : 1 + rest / 2;
    if (k >= ACTIVATION_KINDS) return 0;
    const size_t n = activation_counts[i < ACTIVATION_CASES ? i : ACTIVATION_CASES - 2 + rest % 2];
    *s = (cug_activation_shape){activation_kinds[k].kind, activation_kinds[k].slope, n};
    *kind = activation_kinds[k].name;
    return 1;
}

int bench_activation(bench_case *c, int i) {
    const char *kind;
    if (!activation_from(i / 2, &c->u.activation, &kind)) return 0;
    const size_t n = c->u.activation.count;
    begin(c, "activation", offsetof(cug_backend, activation), i % 2);
    c->supports = act_supports;
    snprintf(c->name, sizeof c->name, "%s %zu", kind, n);
    snprintf(c->shape, sizeof c->shape, "%zu %s", n, kind);
    c->arg[0] = bench_out(i % 2 ? "dx" : "y", n);
    c->arg[1] = bench_in(i % 2 ? "dy" : "x", n);
    c->run = i % 2 ? act_bwd : act_fwd;
    if (i % 2) c->arg[2] = bench_in(cug_act_reads_x(c->u.activation.kind) ? "x" : "y", n);
    return 1;
}

/* --- dropout: 0 y or dx, 1 x or dy, 2 ids, 3 step
 * --------------------------------------------------------------------- */

static cug_status drop_fwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->dropout->fwd(t[0], t[1], t[2], t[3]->ptr, &c->u.dropout, ex);
}
static cug_status drop_bwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->dropout->bwd(t[0], t[1], t[2], t[3]->ptr, &c->u.dropout, 0, ex);
}

int bench_dropout(bench_case *c, int i) {
    const int k = i / 2;
    if (k >= DROPOUT_CASES) return 0;
    const double p = dropout_cases[k].p;
    const int N = dropout_cases[k].N, F = dropout_cases[k].F;
    c->u.dropout = (cug_dropout_shape){N, F, cug_dropout_threshold(p), (float)(1 / (1 - p)), dropout_cases[k].node};
    c->step = (cug_step){.seed = 7, .step = 3};
    begin(c, "dropout", offsetof(cug_backend, dropout), i % 2);
    snprintf(c->name, sizeof c->name, "%dx%d p %g", N, F, p);
    snprintf(c->shape, sizeof c->shape, "%dx%d dropout %g", N, F, p);
    const size_t n = (size_t)N * (size_t)F;
    c->run = i % 2 ? drop_bwd : drop_fwd;
    c->arg[0] = bench_out(i % 2 ? "dx" : "y", n);
    c->arg[0].atol *= (double)c->u.dropout.scale; /* results are that much larger than 1 */
    c->arg[1] = bench_in(i % 2 ? "dy" : "x", n);
    c->arg[2] = (bench_arg){
        .name = "ids", .role = BENCH_IN, .dtype = CUG_I32, .count = (size_t)N, .fill = BENCH_NUMBERS, .limit = 60000};
    c->arg[3] = (bench_arg){.name = "step",
                            .role = BENCH_IN,
                            .dtype = CUG_U8,
                            .count = sizeof c->step,
                            .fill = BENCH_DATA,
                            .data = &c->step};
    return 1;
}

/* --- add, concat: fwd 0 y, 1.. x; bwd 0 dx, 1 dy
 * ---------------------------------------------------------------------- */

static cug_status sum_fwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->add->fwd(t[0], t + 1, &c->u.add, ex);
}
static cug_status sum_bwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->add->bwd(t[0], t[1], &c->u.add, 0, ex);
}
static cug_status join_fwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->concat->fwd(t[0], t + 1, &c->u.concat, ex);
}
static cug_status join_bwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->concat->bwd(t[0], t[1], 0, &c->u.concat, 0, ex);
}

int bench_add(bench_case *c, int i) {
    if (i / 2 >= ADD_CASES) return 0;
    const cug_add_shape s = c->u.add = add_cases[i / 2];
    begin(c, "add", offsetof(cug_backend, add), i % 2);
    snprintf(c->name, sizeof c->name, "%d of %zu", s.inputs, s.count);
    snprintf(c->shape, sizeof c->shape, "%d inputs of %zu", s.inputs, s.count);
    c->run = i % 2 ? sum_bwd : sum_fwd;
    c->arg[0] = i % 2 ? bench_out("dx", s.count) : bench_sum("y", s.count);
    for (int j = 0; j < (i % 2 ? 1 : s.inputs); j++) c->arg[1 + j] = bench_in(i % 2 ? "dy" : "x", s.count);
    return 1;
}

int bench_concat(bench_case *c, int i) {
    if (i / 2 >= CONCAT_CASES) return 0;
    const cug_concat_shape s = c->u.concat = concat_cases[i / 2];
    begin(c, "concat", offsetof(cug_backend, concat), i % 2);
    snprintf(c->name, sizeof c->name, "%d to %dx%d", s.inputs, s.rows, s.total);
    snprintf(c->shape, sizeof c->shape, "%d inputs to %dx%d", s.inputs, s.rows, s.total);
    const size_t all = (size_t)s.rows * (size_t)s.total;
    if (i % 2) { /* the first input's gradient: a slice of dy is read */
        c->run = join_bwd;
        c->arg[0] = bench_out("dx", (size_t)s.rows * (size_t)s.C[0]);
        c->arg[1] = bench_in("dy", all);
        return 1;
    }
    c->run = join_fwd;
    c->arg[0] = bench_out("y", all);
    for (int j = 0; j < s.inputs; j++) c->arg[1 + j] = bench_in("x", (size_t)s.rows * (size_t)s.C[j]);
    return 1;
}
