/* op_conv2d.c - convolutions of all backends against the reference. */
#include "../cases/conv2d.h"
#include "op_tests.h"
#include <math.h>

static int supports(const cug_backend *be, const op_call *c) {
    return !be->conv2d->supports || be->conv2d->supports(c->shape);
}

static size_t scratch(const cug_backend *be, const cug_device *d, const op_call *c, cug_pass pass) {
    return be->conv2d->workspace ? be->conv2d->workspace(d, c->shape, pass) : 0;
}
static size_t fwd_scratch(const cug_backend *be, const cug_device *d, const op_call *c) {
    return scratch(be, d, c, CUG_FWD);
}
static size_t bwd_scratch(const cug_backend *be, const cug_device *d, const op_call *c) {
    return scratch(be, d, c, CUG_BWD);
}

static cug_status fwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->conv2d->fwd(t[0], t[1], t[2], t[3], c->shape, ex);
}
static cug_status bwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->conv2d->bwd(t[0], t[1], t[2], t[3], t[4], t[5], c->shape, c->accumulate, ex);
}

/* The numbers of one case. */
typedef struct {
    size_t nx, nw, ny, nb;
    const double *x, *w, *b, *dy, *dx0, *dw0, *db0; /* the last three: what gradients are added to */
    int exact;
} numbers;

static const double *draw(op_world *w, int exact, uint64_t seed, size_t n) {
    return exact ? op_integers(w, seed, n, -8, 8) : op_reals(w, seed, n, -1, 1);
}

static numbers make(op_world *w, const cug_conv2d_shape *s, int exact) {
    numbers d = {.exact = exact};
    d.nx = (size_t)s->N * (size_t)s->H * (size_t)s->W * (size_t)s->C;
    d.nw = (size_t)s->K * (size_t)s->R * (size_t)s->S * (size_t)s->C;
    d.ny = (size_t)s->N * (size_t)s->P * (size_t)s->Q * (size_t)s->K;
    d.nb = (size_t)s->K;
    d.x = draw(w, exact, 1, d.nx);
    d.w = draw(w, exact, 2, d.nw);
    d.b = draw(w, exact, 3, d.nb);
    d.dy = draw(w, exact, 4, d.ny);
    d.dx0 = draw(w, exact, 5, d.nx);
    d.dw0 = draw(w, exact, 6, d.nw);
    d.db0 = draw(w, exact, 7, d.nb);
    return d;
}

static op_call fwd_call(const conv2d_case *k, const cug_conv2d_shape *s, const numbers *d, int with_bias) {
    return (op_call){
        .op = with_bias ? "conv2d fwd" : "conv2d fwd, no bias",
        .name = k->name,
        .shape = s,
        .run = fwd,
        .table = offsetof(cug_backend, conv2d),
        .supports = supports,
        .workspace = fwd_scratch,
        .slots = {{.name = "y", .role = OP_OUT, .dtype = CUG_F64, .count = d->ny, .by_terms = !d->exact},
                  {.name = "x", .role = OP_IN, .dtype = CUG_F64, .count = d->nx, .data = d->x},
                  {.name = "w", .role = OP_IN, .dtype = CUG_F64, .count = d->nw, .data = d->w},
                  {.name = "b", .role = with_bias ? OP_IN : OP_ABSENT, .dtype = CUG_F64, .count = d->nb, .data = d->b}},
    };
}

enum { WANT_DX = 1, WANT_DW = 2, WANT_DB = 4 };

static op_slot gradient(const char *name, int wanted, int add, size_t n, const double *start, int exact) {
    return (op_slot){.name = name,
                     .role = !wanted ? OP_ABSENT
                             : add   ? OP_ADD
                                     : OP_OUT,
                     .dtype = CUG_F64,
                     .count = n,
                     .data = add ? start : NULL,
                     .by_terms = !exact};
}

static op_call bwd_call(const conv2d_case *k, const cug_conv2d_shape *s, const numbers *d, int want, unsigned acc) {
    return (op_call){
        .op = acc ? "conv2d bwd, added" : "conv2d bwd",
        .name = k->name,
        .shape = s,
        .accumulate = acc,
        .run = bwd,
        .table = offsetof(cug_backend, conv2d),
        .supports = supports,
        .workspace = bwd_scratch,
        .slots = {gradient("dx", want & WANT_DX, acc & CUG_ACC_DX, d->nx, d->dx0, d->exact),
                  gradient("dw", want & WANT_DW, acc & CUG_ACC_DW, d->nw, d->dw0, d->exact),
                  gradient("db", want & WANT_DB, acc & CUG_ACC_DW, d->nb, d->db0, d->exact),
                  {.name = "dy", .role = OP_IN, .dtype = CUG_F64, .count = d->ny, .data = d->dy},
                  {.name = "x", .role = OP_IN, .dtype = CUG_F64, .count = d->nx, .data = d->x},
                  {.name = "w", .role = OP_IN, .dtype = CUG_F64, .count = d->nw, .data = d->w}},
    };
}

static const struct {
    int want;
    unsigned acc;
} backward[] = {
    {WANT_DX | WANT_DW | WANT_DB, 0},
    {WANT_DX | WANT_DW | WANT_DB, CUG_ACC_DX | CUG_ACC_DW},
    {WANT_DW | WANT_DB, 0},
    {WANT_DX, 0},
    {WANT_DX | WANT_DW | WANT_DB, CUG_ACC_DX},
    {WANT_DX | WANT_DW, CUG_ACC_DW},
    {WANT_DB, CUG_ACC_DW},
    {WANT_DX, CUG_ACC_DX},
};

static void check_case(op_world *w, const conv2d_case *k, int exact) {
    cug_conv2d_shape s = k->s;
    if (cug_conv2d_shape_init(&s) != CUG_OK) {
        op_failed(w, "conv2d [%s]: %s", k->name, cug_error());
        return;
    }
    numbers d = make(w, &s, exact);
    for (int bias = exact && !k->large ? 0 : 1; bias < 2; bias++) {
        op_call c = fwd_call(k, &s, &d, bias);
        op_compare(w, &c);
    }
    if (exact && !k->large) { /* a NaN pixel spoils the outputs that see it, and no others */
        double *x = op_integers(w, 1, d.nx, -8, 8);
        x[d.nx / 3] = x[d.nx - 1] = NAN;
        op_call c = fwd_call(k, &s, &d, 1);
        c.op = "conv2d fwd, NaN";
        c.slots[1].data = x;
        op_compare(w, &c);
    }
    int variations = k->large ? 1 : exact ? (int)(sizeof backward / sizeof *backward) : 2;
    for (int i = 0; i < variations; i++) {
        op_call c = bwd_call(k, &s, &d, backward[i].want, backward[i].acc);
        op_compare(w, &c);
    }
    op_release(w);
}

static double work_of(const conv2d_case *k) {
    cug_conv2d_shape s = k->s;
    if (cug_conv2d_shape_init(&s) != CUG_OK) return 0;
    return (double)s.N * s.P * s.Q * s.K * s.R * s.S * s.C;
}

void op_test_conv2d(op_world *w) {
    for (int i = 0; i < CONV2D_CASES; i++)
        for (int exact = 1; exact >= 0; exact--)
            if (!op_too_large(w, conv2d_cases[i].large, work_of(&conv2d_cases[i])))
                check_case(w, &conv2d_cases[i], exact);
    const conv2d_case *k = &conv2d_cases[5];
    cug_conv2d_shape s = k->s;
    if (cug_conv2d_shape_init(&s) != CUG_OK) return;
    numbers d = make(w, &s, 1);
    op_call c = fwd_call(k, &s, &d, 1), g = bwd_call(k, &s, &d, WANT_DX | WANT_DW | WANT_DB, 0);
    op_bad_arguments(w, &c, 1u << 3);
    op_bad_arguments(w, &g, 7);
    int P = s.P;
    s.P = s.Q, s.Q = P; /* as many outputs, in the wrong places */
    op_bad_shape(w, &c, "with P and Q exchanged");
    op_bad_shape(w, &g, "with P and Q exchanged");
    op_release(w);
}
