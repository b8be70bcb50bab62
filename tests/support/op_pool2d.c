/* op_pool2d.c - pooling of all backends against the reference. */
#include "../cases/pool2d.h"
#include "op_tests.h"
#include <math.h>

static int supports(const cug_backend *be, const op_call *c) {
    return !be->pool2d->supports || be->pool2d->supports(c->shape);
}
static cug_status fwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->pool2d->fwd(t[0], t[1], t[2], c->shape, ex);
}
static cug_status bwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->pool2d->bwd(t[0], t[1], t[2], c->shape, c->accumulate, ex);
}

static size_t in_count(const cug_pool2d_shape *s) { return (size_t)s->N * (size_t)s->H * (size_t)s->W * (size_t)s->C; }
static size_t out_count(const cug_pool2d_shape *s) { return (size_t)s->N * (size_t)s->P * (size_t)s->Q * (size_t)s->C; }

/* Kinds of images: every value different, many ties, ties with NaN and infinities, fractions. */
enum { DISTINCT, TIES, SPECIALS, FRACTIONS, IMAGES };
static const char *const image_names[] = {"distinct", "ties", "NaN and Inf", "fractions"};

static const double *draw(op_world *w, int kind, size_t n) {
    if (kind == DISTINCT) return op_distinct(w, 1, n);
    if (kind == FRACTIONS) return op_reals(w, 2, n, -1, 1);
    double *x = op_integers(w, 3, n, -2, 2);
    const double *dice = op_integers(w, 4, n, 0, 40);
    for (size_t i = 0; kind == SPECIALS && i < n; i++) {
        if (dice[i] < 2) x[i] = NAN;
        if (dice[i] == 3) x[i] = INFINITY;
        if (dice[i] >= 4 && dice[i] < 20) x[i] = -INFINITY; /* whole windows of it at times */
    }
    return x;
}

static op_call fwd_call(const pool2d_case *k, const cug_pool2d_shape *s, const double *x, int with_argmax, int image) {
    int avg = s->kind == CUG_POOL_AVG;
    return (op_call){
        .op = avg ? "pool2d fwd avg" : image_names[image],
        .name = k->name,
        .shape = s,
        .run = fwd,
        .table = offsetof(cug_backend, pool2d),
        .supports = supports,
        .slots = {{.name = "y", .role = OP_OUT, .dtype = CUG_F64, .count = out_count(s), .by_terms = avg},
                  {.name = "argmax", .role = with_argmax ? OP_OUT : OP_ABSENT, .dtype = CUG_U8, .count = out_count(s)},
                  {.name = "x", .role = OP_IN, .dtype = CUG_F64, .count = in_count(s), .data = x}},
    };
}

static op_call bwd_call(op_world *w, const pool2d_case *k, const cug_pool2d_shape *s, const uint8_t *argmax, int exact,
                        unsigned acc) {
    size_t nx = in_count(s), ny = out_count(s);
    int terms = !exact || s->kind == CUG_POOL_AVG;
    const double *dy = exact ? op_integers(w, 5, ny, -8, 8) : op_reals(w, 5, ny, -1, 1);
    const double *start = !acc ? NULL : exact ? op_integers(w, 6, nx, -8, 8) : op_reals(w, 6, nx, -1, 1);
    return (op_call){
        .op = s->kind == CUG_POOL_AVG ? "pool2d bwd avg" : "pool2d bwd max",
        .name = k->name,
        .shape = s,
        .accumulate = acc,
        .run = bwd,
        .table = offsetof(cug_backend, pool2d),
        .supports = supports,
        .slots = {{.name = "dx",
                   .role = acc ? OP_ADD : OP_OUT,
                   .dtype = CUG_F64,
                   .count = nx,
                   .data = start,
                   .by_terms = terms},
                  {.name = "dy", .role = OP_IN, .dtype = CUG_F64, .count = ny, .data = dy},
                  {.name = "argmax", .role = argmax ? OP_IN : OP_ABSENT, .dtype = CUG_U8, .count = ny, .data = argmax}},
    };
}

static void check_backward(op_world *w, const pool2d_case *k, const cug_pool2d_shape *s, const uint8_t *argmax) {
    for (int exact = 0; exact < 2; exact++)
        for (unsigned acc = 0; acc < 2; acc++) { /* CUG_ACC_DX is 1 */
            op_call c = bwd_call(w, k, s, argmax, exact, acc);
            op_compare(w, &c);
        }
}

static void check_max(op_world *w, const pool2d_case *k, const cug_pool2d_shape *s) {
    for (int image = 0; image < IMAGES; image++)
        for (int with_argmax = 0; with_argmax < 2; with_argmax++) {
            op_call c = fwd_call(k, s, draw(w, image, in_count(s)), with_argmax, image);
            op_compare(w, &c);
            if (!with_argmax || image > TIES || op_run(w, &w->ref, &c) != 1) continue;
            check_backward(w, k, s, op_keep_bytes(w, &w->ref, &c, 1));
        }
}

static void check_case(op_world *w, const pool2d_case *k) {
    cug_pool2d_shape s = k->s;
    for (int kind = CUG_POOL_MAX; kind <= CUG_POOL_AVG; kind++) {
        s.kind = kind;
        if (cug_pool2d_shape_init(&s) != CUG_OK) {
            op_failed(w, "pool2d [%s]: %s", k->name, cug_error());
            return;
        }
        if (s.kind == CUG_POOL_MAX) {
            check_max(w, k, &s);
        } else {
            op_call c = fwd_call(k, &s, op_reals(w, 8, in_count(&s), -1, 1), 0, FRACTIONS);
            op_compare(w, &c);
            check_backward(w, k, &s, NULL);
        }
        op_release(w);
    }
}

static double work_of(const cug_pool2d_shape *s) {
    return (double)s->N * s->H * s->W * s->C * s->R * s->S / (s->stride_h * s->stride_w);
}

void op_test_pool2d(op_world *w) {
    for (int i = 0; i < POOL2D_CASES; i++)
        if (!op_too_large(w, pool2d_cases[i].large, work_of(&pool2d_cases[i].s))) check_case(w, &pool2d_cases[i]);
    const pool2d_case *k = &pool2d_cases[7];
    cug_pool2d_shape s = k->s;
    if (cug_pool2d_shape_init(&s) != CUG_OK) return;
    op_call c = fwd_call(k, &s, draw(w, DISTINCT, in_count(&s)), 1, DISTINCT);
    op_call g = bwd_call(w, k, &s, op_bytes(w, 9, out_count(&s), 0, 8), 1, 0);
    op_bad_arguments(w, &c, 1u << 1);
    op_bad_arguments(w, &g, 0);
    int P = s.P;
    s.P = s.Q, s.Q = P; /* as many outputs, in the wrong places */
    op_bad_shape(w, &c, "with P and Q exchanged");
    op_bad_shape(w, &g, "with P and Q exchanged");
    s.Q = s.P, s.P = P;
    s.pad_left = s.S;
    op_bad_shape(w, &c, "padded by a whole window");
    op_bad_shape(w, &g, "padded by a whole window");
    op_release(w);
}
