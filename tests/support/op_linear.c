/* op_linear.c - dense layers of all backends against the reference. */
#include "../cases/linear.h"
#include "op_tests.h"

static int supports(const cug_backend *be, const op_call *c) {
    return !be->linear->supports || be->linear->supports(c->shape);
}

static size_t fwd_scratch(const cug_backend *be, const cug_device *d, const op_call *c) {
    return be->linear->workspace ? be->linear->workspace(d, c->shape, CUG_FWD) : 0;
}
static size_t bwd_scratch(const cug_backend *be, const cug_device *d, const op_call *c) {
    return be->linear->workspace ? be->linear->workspace(d, c->shape, CUG_BWD) : 0;
}

static cug_status fwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->linear->fwd(t[0], t[1], t[2], t[3], c->shape, ex);
}
static cug_status bwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->linear->bwd(t[0], t[1], t[2], t[3], t[4], t[5], c->shape, c->accumulate, ex);
}

static op_slot input(op_world *w, const char *name, size_t n, int exact, uint64_t seed) {
    return (op_slot){.name = name,
                     .role = OP_IN,
                     .dtype = CUG_F64,
                     .count = n,
                     .data = exact ? op_integers(w, seed, n, -8, 8) : op_reals(w, seed, n, -1, 1)};
}

static op_slot output(op_world *w, const char *name, size_t n, int exact, int add) {
    op_slot s = {.name = name, .role = OP_OUT, .dtype = CUG_F64, .count = n, .by_terms = !exact};
    if (!add) return s;
    s.role = OP_ADD;
    s.data = exact ? op_integers(w, 11, n, -8, 8) : op_reals(w, 11, n, -1, 1);
    return s;
}

static op_call fwd_call(op_world *w, const linear_case *k, int exact, int with_bias) {
    size_t N = (size_t)k->s.N, I = (size_t)k->s.I, O = (size_t)k->s.O;
    op_call c = {.op = with_bias ? "linear fwd" : "linear fwd, no bias",
                 .name = k->name,
                 .shape = &k->s,
                 .run = fwd,
                 .table = offsetof(cug_backend, linear),
                 .supports = supports,
                 .workspace = fwd_scratch,
                 .slots = {output(w, "y", N * O, exact, 0), input(w, "x", N * I, exact, 1),
                           input(w, "w", O * I, exact, 2), input(w, "b", O, exact, 3)}};
    if (!with_bias) c.slots[3].role = OP_ABSENT;
    return c;
}

/* want: bits of dx, dw, db. */
static op_call bwd_call(op_world *w, const linear_case *k, int exact, unsigned want, unsigned acc) {
    size_t N = (size_t)k->s.N, I = (size_t)k->s.I, O = (size_t)k->s.O;
    op_call c = {.op = acc ? "linear bwd, added" : "linear bwd",
                 .name = k->name,
                 .shape = &k->s,
                 .accumulate = acc,
                 .run = bwd,
                 .table = offsetof(cug_backend, linear),
                 .supports = supports,
                 .workspace = bwd_scratch,
                 .slots = {output(w, "dx", N * I, exact, acc & CUG_ACC_DX),
                           output(w, "dw", O * I, exact, acc & CUG_ACC_DW), output(w, "db", O, exact, acc & CUG_ACC_DW),
                           input(w, "dy", N * O, exact, 4), input(w, "x", N * I, exact, 1),
                           input(w, "w", O * I, exact, 2)}};
    for (int i = 0; i < 3; i++)
        if (!(want >> i & 1)) c.slots[i].role = OP_ABSENT;
    return c;
}

static void check_case(op_world *w, const linear_case *k, int exact) {
    static const struct {
        unsigned want, acc;
    } backward[] = {{7, 0}, {7, 3}, {6, 0}, {1, 0}, {7, CUG_ACC_DX}, {3, CUG_ACC_DW}, {4, CUG_ACC_DW}};
    for (int bias = 0; bias < 2; bias++) {
        op_call c = fwd_call(w, k, exact, bias);
        op_compare(w, &c);
    }
    int variations = k->large ? 1 : (int)(sizeof backward / sizeof *backward);
    for (int i = 0; i < variations; i++) {
        op_call c = bwd_call(w, k, exact, backward[i].want, backward[i].acc);
        op_compare(w, &c);
        op_release(w);
    }
}

static double work_of(const cug_linear_shape *s) { return (double)s->N * s->I * s->O; }

void op_test_linear(op_world *w) {
    for (int i = 0; i < LINEAR_CASES; i++)
        for (int exact = 1; exact >= 0; exact--)
            if (!op_too_large(w, linear_cases[i].large, work_of(&linear_cases[i].s)))
                check_case(w, &linear_cases[i], exact);
    linear_case k = linear_cases[4];
    op_call c = fwd_call(w, &k, 1, 1), g = bwd_call(w, &k, 1, 7, 0);
    op_bad_arguments(w, &c, 1u << 3);
    op_bad_arguments(w, &g, 7);
    k.s.O = 0;
    op_bad_shape(w, &c, "without outputs");
    op_bad_shape(w, &g, "without outputs");
    op_release(w);
}
