/* op_conv_block.c - fused convolution blocks against the reference's own conv2d, activation and pool2d, one after the
 * other. A call here is forward and backward together, as only the backend itself can read what its forward saved.
 *
 * On real numbers a fused kernel may settle a near tie (two maxima of a window, a pre-activation next to zero) the
 * other way: such windows get no gradient in the test. On integers there are true ties, and they must go the first way.
 */
#include "../cases/conv_block.h"
#include "op_tests.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- the reference, composed -------------------------------------------------------------------------------------- */

typedef struct {
    size_t nx, nw, nb, np, ny; /* np: before pooling */
} sizes;

static sizes sizes_of(const cug_conv_block_shape *s) {
    const cug_conv2d_shape *c = &s->conv;
    sizes z = {.nx = (size_t)c->N * (size_t)c->H * (size_t)c->W * (size_t)c->C,
               .nw = (size_t)c->K * (size_t)c->R * (size_t)c->S * (size_t)c->C,
               .nb = (size_t)c->K,
               .np = (size_t)c->N * (size_t)c->P * (size_t)c->Q * (size_t)c->K};
    z.ny = s->has_pool ? (size_t)s->pool.N * (size_t)s->pool.P * (size_t)s->pool.Q * (size_t)s->pool.C : z.np;
    return z;
}

static cug_tensor f64(void *p, size_t n) { return cug_tensor1(p, CUG_F64, (int)n); }

/* Intermediate results of the composed forward, each np long but y's. */
typedef struct {
    double *pre, *act, *dpre; /* convolution's output, activation's output, gradient of the convolution's output */
    uint8_t *argmax;          /* ny */
} inner;

static int inner_make(inner *m, sizes z) {
    *m = (inner){.pre = malloc(z.np * 8), .act = malloc(z.np * 8), .dpre = malloc(z.np * 8), .argmax = malloc(z.ny)};
    return m->pre && m->act && m->dpre && m->argmax ? 0 : -1;
}
static void inner_free(inner *m) {
    free(m->pre);
    free(m->act);
    free(m->dpre);
    free(m->argmax);
}

static cug_status compose_fwd(const cug_tensor *y, const cug_tensor *x, const cug_tensor *w, const cug_tensor *b,
                              const cug_conv_block_shape *s, inner *m, const cug_exec *ex) {
    const cug_backend *be = &cug_backend_ref;
    sizes z = sizes_of(s);
    cug_tensor pre = f64(m->pre, z.np), act = f64(m->act, z.np), argmax = cug_tensor1(m->argmax, CUG_U8, (int)z.ny);
    cug_activation_shape a = {s->act, s->slope, z.np};
    CUG_TRY(be->conv2d->fwd(&pre, x, w, b, &s->conv, ex));
    if (s->act == CUG_ACT_NONE)
        memcpy(m->act, m->pre, z.np * 8);
    else
        CUG_TRY(be->activation->fwd(&act, &pre, &a, NULL));
    if (s->has_pool) return be->pool2d->fwd(y, &argmax, &act, &s->pool, NULL);
    memcpy(y->ptr, m->act, z.np * 8);
    return CUG_OK;
}

static cug_status compose_bwd(const cug_tensor *const *t, const cug_tensor *dy, const cug_conv_block_shape *s,
                              unsigned acc, inner *m, const cug_exec *ex) {
    const cug_backend *be = &cug_backend_ref;
    sizes z = sizes_of(s);
    cug_tensor act = f64(m->act, z.np), dpre = f64(m->dpre, z.np), argmax = cug_tensor1(m->argmax, CUG_U8, (int)z.ny);
    cug_activation_shape a = {s->act, s->slope, z.np};
    if (s->has_pool)
        CUG_TRY(be->pool2d->bwd(&dpre, dy, &argmax, &s->pool, 0, NULL));
    else
        memcpy(m->dpre, dy->ptr, z.np * 8);
    if (s->act != CUG_ACT_NONE) CUG_TRY(be->activation->bwd(&dpre, &dpre, &act, &a, 0, NULL));
    return be->conv2d->bwd(t[1], t[2], t[3], &dpre, t[5], t[6], &s->conv, acc, ex);
}

/* --- one call ----------------------------------------------------------------------------------------------------- */

enum { Y, DX, DW, DB, DY, X, W, B };

static int supports(const cug_backend *be, const op_call *c) {
    return be == &cug_backend_ref || (be->conv_block && be->conv_block->supports(c->shape));
}

static size_t scratch(const cug_backend *be, const cug_device *d, const op_call *c) {
    if (be == &cug_backend_ref || !be->conv_block->workspace) return 0;
    size_t f = be->conv_block->workspace(d, c->shape, CUG_FWD), b = be->conv_block->workspace(d, c->shape, CUG_BWD);
    return f > b ? f : b;
}

static cug_status run_ref(const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    inner m;
    cug_status st =
        inner_make(&m, sizes_of(c->shape)) ? CUG_ENOMEM : compose_fwd(t[Y], t[X], t[W], t[B], c->shape, &m, ex);
    if (st == CUG_OK && t[DY]) st = compose_bwd(t, t[DY], c->shape, c->accumulate, &m, ex);
    inner_free(&m);
    return st;
}

/* Guards of the memory that the backend saves its own notes in. */
static cug_status saved_intact(const cug_backend *be, cug_device *dev, const char *base, size_t bytes) {
    unsigned char band[2 * OP_GUARD];
    CUG_TRY(be->download(dev, band, base, OP_GUARD, NULL));
    CUG_TRY(be->download(dev, band + OP_GUARD, base + OP_GUARD + bytes, OP_GUARD, NULL));
    for (size_t i = 0; i < sizeof band; i++)
        if (band[i] != 0xA5) return cug_fail(CUG_EMISMATCH, "wrote outside the %zu bytes it saves", bytes);
    return CUG_OK;
}

static cug_status run(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    if (be == &cug_backend_ref) return run_ref(t, c, ex);
    const cug_conv_block_ops *op = be->conv_block;
    if (!t[DY]) return op->fwd(t[Y], NULL, t[X], t[W], t[B], c->shape, ex);
    size_t bytes = op->saved_bytes(c->shape);
    void *base = NULL;
    cug_status st;
    CUG_GOTO(be->alloc(ex->device, &base, bytes + 2 * OP_GUARD));
    CUG_GOTO(be->fill(ex->device, base, 0xA5, bytes + 2 * OP_GUARD, NULL));
    void *saved = bytes ? (char *)base + OP_GUARD : NULL;
    CUG_GOTO(op->fwd(t[Y], saved, t[X], t[W], t[B], c->shape, ex));
    CUG_GOTO(op->bwd(t[DX], t[DW], t[DB], t[DY], t[Y], saved, t[X], t[W], c->shape, c->accumulate, ex));
    CUG_GOTO(be->sync(ex->device, NULL));
    CUG_GOTO(saved_intact(be, ex->device, base, bytes));
cleanup:
    be->free(ex->device, base);
    return st;
}

/* --- tolerances --------------------------------------------------------------------------------------------------- */

typedef struct {
    const double *x, *w, *b;
    double *dy;
    double *terms[4]; /* of y, dx, dw, db; NULL: exact */
} numbers;

static int is_smooth(cug_act_kind k) { return k == CUG_ACT_SIGMOID || k == CUG_ACT_TANH; }

static double *absolute(op_world *w, const double *v, size_t n) {
    double *a = op_memory(w, n * sizeof *a);
    for (size_t i = 0; i < n; i++) a[i] = fabs(v[i]);
    return a;
}

/* Whether the window of output o is decided clearly: its maximum stands away from the rest and from the kink at zero.
 */
static int is_clear(const cug_conv_block_shape *s, const inner *m, size_t o, double margin) {
    if (!s->has_pool) return s->act == CUG_ACT_NONE || is_smooth(s->act) || fabs(m->pre[o]) > margin;
    const cug_pool2d_shape *p = &s->pool;
    int c = (int)(o % (size_t)p->C), q = (int)(o / (size_t)p->C % (size_t)p->Q);
    int row = (int)(o / (size_t)p->C / (size_t)p->Q), n = row / p->P, top = row % p->P;
    double best = -INFINITY, second = -INFINITY;
    for (int r = 0; r < p->R; r++)
        for (int t = 0; t < p->S; t++) {
            int h = top * p->stride_h + r - p->pad_top, v = q * p->stride_w + t - p->pad_left;
            if (h < 0 || h >= p->H || v < 0 || v >= p->W) continue;
            size_t i = (((size_t)n * (size_t)p->H + (size_t)h) * (size_t)p->W + (size_t)v) * (size_t)p->C + (size_t)c;
            second = fmax(second, fmin(best, m->pre[i]));
            best = fmax(best, m->pre[i]);
        }
    if (s->act == CUG_ACT_RELU && best < -margin) return 1; /* all zero: nothing flows, whoever wins */
    return best - second > margin && fabs(best) > margin;
}

/* Where in the convolution's output the winner of output o's window is. */
static size_t winner_of(const cug_conv_block_shape *s, const inner *m, size_t o) {
    if (!s->has_pool) return o;
    const cug_pool2d_shape *p = &s->pool;
    int c = (int)(o % (size_t)p->C), q = (int)(o / (size_t)p->C % (size_t)p->Q);
    int row = (int)(o / (size_t)p->C / (size_t)p->Q), n = row / p->P, top = row % p->P;
    int h = top * p->stride_h + m->argmax[o] / p->S - p->pad_top,
        v = q * p->stride_w + m->argmax[o] % p->S - p->pad_left;
    return (((size_t)n * (size_t)p->H + (size_t)h) * (size_t)p->W + (size_t)v) * (size_t)p->C + (size_t)c;
}

/* dy times a smooth activation's derivative is a factor of the products to come, and a float32 backend's own value of
 * it may be rounded to the other neighbour. Whether that cannot be, or moves it no further than the tolerance has it
 * anyway, for the gradient that reaches output o's winner. */
static int rounds_clearly(cug_precision p, const cug_conv_block_shape *s, const inner *m, const inner *a, size_t o,
                          double dy) {
    const size_t i = winner_of(s, m, o);
    const double y = m->act[i], slope = s->act == CUG_ACT_TANH ? 1 - y * y : y * (1 - y), g = dy * slope;
    const double u = 0x1p-24, y_error = u * (2 + 2 * slope * a->pre[i]), error = fabs(dy) * (2 * y_error + 2 * u);
    return fabs(op_rounded(g - error, p) - op_rounded(g + error, p)) <= 4 * u * fabs(dy) * (5 + a->pre[i]);
}

/* Fills d->terms, and takes the gradient from windows that rounding may decide; they must be few. */
static void prepare_reals(op_world *w, const char *name, const cug_conv_block_shape *s, numbers *d) {
    const cug_exec ex = {.device = w->ref.dev};
    sizes z = sizes_of(s);
    inner m, a;
    cug_conv_block_shape plain = *s; /* |x| and |w| give the convolution's terms; the activation adds none */
    plain.act = CUG_ACT_NONE;
    double *y = op_memory(w, z.ny * 8);
    const size_t counts[4] = {z.ny, z.nx, z.nw, z.nb};
    for (int i = 0; i < 4; i++) d->terms[i] = op_memory(w, counts[i] * 8);
    cug_tensor tx = f64((void *)(uintptr_t)d->x, z.nx), tw = f64((void *)(uintptr_t)d->w, z.nw);
    cug_tensor tb = f64((void *)(uintptr_t)d->b, z.nb), ty = f64(y, z.ny);
    cug_tensor ax = f64(absolute(w, d->x, z.nx), z.nx), aw = f64(absolute(w, d->w, z.nw), z.nw);
    cug_tensor ab = f64(absolute(w, d->b, z.nb), z.nb), ay = f64(d->terms[0], z.ny);
    cug_tensor g[3] = {f64(d->terms[1], z.nx), f64(d->terms[2], z.nw), f64(d->terms[3], z.nb)}, dpre;
    if (inner_make(&m, z) || inner_make(&a, z) || compose_fwd(&ty, &tx, &tw, &tb, s, &m, &ex) != CUG_OK ||
        compose_fwd(&ay, &ax, &aw, &ab, &plain, &a, &ex) != CUG_OK)
        op_failed(w, "conv_block [%s]: could not compose the reference: %s", name, cug_error());
    size_t unclear = 0, at_edges = 0;
    for (size_t o = 0; o < z.ny; o++)
        if (!is_clear(s, &m, o, 1e-5 * (1 + d->terms[0][o]))) d->dy[o] = 0, unclear++;
    for (size_t o = 0; o < z.ny && is_smooth(s->act) && w->precision != CUG_PREC_FP32; o++)
        if (!rounds_clearly(w->precision, s, &m, &a, o, d->dy[o])) d->dy[o] = 0, at_edges++;
    if (at_edges * 8 > z.ny + 80) op_failed(w, "conv_block [%s]: %zu of %zu at edges", name, at_edges, z.ny);
    if (unclear * 50 > z.ny + 50) op_failed(w, "conv_block [%s]: %zu of %zu windows unclear", name, unclear, z.ny);

    cug_tensor ady = f64(absolute(w, d->dy, z.ny), z.ny);
    cug_tensor argmax = cug_tensor1(m.argmax, CUG_U8, (int)z.ny);
    dpre = f64(m.dpre, z.np);
    if (!s->has_pool)
        memcpy(m.dpre, ady.ptr, z.np * 8);
    else if (cug_backend_ref.pool2d->bwd(&dpre, &ady, &argmax, &s->pool, 0, NULL) != CUG_OK)
        op_failed(w, "conv_block [%s]: %s", name, cug_error());
    /* A smooth derivative is at most 1 and moves with its argument's error; it costs a few roundings of its own. */
    for (size_t i = 0; i < z.np && is_smooth(s->act); i++) m.dpre[i] *= 5 + a.pre[i];
    if (cug_backend_ref.conv2d->bwd(&g[0], &g[1], &g[2], &dpre, &ax, &aw, &s->conv, 0, &ex) != CUG_OK)
        op_failed(w, "conv_block [%s]: %s", name, cug_error());
    for (size_t i = 0; i < z.ny && is_smooth(s->act); i++) d->terms[0][i] += 4;
    inner_free(&m);
    inner_free(&a);
}

/* --- cases -------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    cug_act_kind kind;
    float slope;
} acts[] = {{"conv_block none", CUG_ACT_NONE, 0},
            {"conv_block relu", CUG_ACT_RELU, 0},
            {"conv_block leaky", CUG_ACT_LEAKY_RELU, 0.25f},
            {"conv_block sigmoid", CUG_ACT_SIGMOID, 0},
            {"conv_block tanh", CUG_ACT_TANH, 0}};
#define ACTS ((int)(sizeof acts / sizeof *acts))

static op_slot in(const char *name, size_t n, const double *data) {
    return (op_slot){.name = name, .role = OP_IN, .dtype = CUG_F64, .count = n, .data = data};
}
static op_slot out(const char *name, size_t n, const double *terms) {
    return (op_slot){.name = name, .role = OP_OUT, .dtype = CUG_F64, .count = n, .terms = terms};
}

static op_call call(const char *op, const char *name, const cug_conv_block_shape *s, const numbers *d) {
    sizes z = sizes_of(s);
    return (op_call){
        .op = op,
        .name = name,
        .shape = s,
        .run = run,
        .table = offsetof(cug_backend, conv2d), /* ref has no conv_block; supports() asks for it elsewhere */
        .supports = supports,
        .workspace = scratch,
        .slots = {out("y", z.ny, d->terms[0]), out("dx", z.nx, d->terms[1]), out("dw", z.nw, d->terms[2]),
                  out("db", z.nb, d->terms[3]), in("dy", z.ny, d->dy), in("x", z.nx, d->x), in("w", z.nw, d->w),
                  in("b", z.nb, d->b)},
    };
}

/* Backward alone, with nothing sensible saved: for arguments that are refused before anything is read. */
static cug_status run_bwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    const cug_conv_block_ops *op = be->conv_block;
    unsigned char *saved = calloc(1, 1 << 16);
    if (!saved) return CUG_ENOMEM;
    cug_status st = op->bwd(t[DX], t[DW], t[DB], t[DY], t[Y], saved, t[X], t[W], c->shape, c->accumulate, ex);
    free(saved);
    return st;
}

static void bad_calls(op_world *w) {
    const conv_block_case *k = &conv_block_cases[6];
    cug_conv_block_shape s;
    if (conv_block_case_shape(&s, k, CUG_ACT_RELU, 0) != CUG_OK) op_failed(w, "conv_block: %s", cug_error());
    sizes z = sizes_of(&s);
    numbers d = {.x = op_integers(w, 1, z.nx, -3, 3),
                 .w = op_integers(w, 2, z.nw, -3, 3),
                 .b = op_integers(w, 3, z.nb, -3, 3),
                 .dy = op_integers(w, 4, z.ny, -8, 8)};
    op_call fwd = call("conv_block fwd", k->name, &s, &d), bwd = fwd;
    for (int i = DX; i <= DY; i++) fwd.slots[i].role = OP_ABSENT;
    bwd.op = "conv_block bwd";
    bwd.run = run_bwd;
    bwd.slots[B].role = OP_ABSENT;
    bwd.slots[Y].role = OP_IN;
    bwd.slots[Y].data = d.dy;
    fwd.table = bwd.table = offsetof(cug_backend, conv_block);
    op_bad_arguments(w, &fwd, 1u << B);
    op_bad_arguments(w, &bwd, 1u << DX | 1u << DW | 1u << DB);
    s.pool.H++;
    op_bad_shape(w, &fwd, "with a pool that does not fit");
    op_bad_shape(w, &bwd, "with a pool that does not fit");
    op_release(w);
}

/* Fewer outputs, other accumulation, no bias: on integers, where all of it is exact. */
static void variations(op_world *w, const op_call *c) {
    const sizes z = sizes_of(c->shape);
    const size_t n[4] = {0, z.nx, z.nw, z.nb};
    op_call v = *c;
    v.accumulate = CUG_ACC_DX | CUG_ACC_DW;
    for (int i = DX; i <= DB; i++) v.slots[i].role = OP_ADD, v.slots[i].data = op_integers(w, 9, n[i], -8, 8);
    op_compare(w, &v);
    v = *c;
    v.slots[DX].role = OP_ABSENT;
    op_compare(w, &v);
    v.slots[B].role = v.slots[DB].role = OP_ABSENT;
    op_compare(w, &v);
    v = *c;
    v.slots[DW].role = v.slots[DB].role = OP_ABSENT;
    op_compare(w, &v);
    v.slots[DX].role = v.slots[DY].role = OP_ABSENT; /* forward alone, nothing saved */
    op_compare(w, &v);
    double *x = op_integers(w, 1, z.nx, -3, 3); /* NaN goes through convolution, relu and maximum */
    x[z.nx / 3] = x[z.nx - 1] = NAN;
    v.slots[X].data = x;
    op_compare(w, &v);
}

static void check_case(op_world *w, const conv_block_case *k, int act, int exact) {
    cug_conv_block_shape s;
    if (conv_block_case_shape(&s, k, acts[act].kind, acts[act].slope) != CUG_OK) {
        op_failed(w, "conv_block [%s]: %s", k->name, cug_error());
        return;
    }
    sizes z = sizes_of(&s);
    numbers d = {.x = exact ? op_integers(w, 1, z.nx, -3, 3) : op_reals(w, 1, z.nx, -1, 1),
                 .w = exact ? op_integers(w, 2, z.nw, -3, 3) : op_reals(w, 2, z.nw, -1, 1),
                 .b = exact ? op_integers(w, 3, z.nb, -3, 3) : op_reals(w, 3, z.nb, -1, 1),
                 .dy = exact ? op_integers(w, 4, z.ny, -8, 8) : op_reals(w, 4, z.ny, -1, 1)};
    if (!exact) prepare_reals(w, k->name, &s, &d);
    op_call c = call(acts[act].name, k->name, &s, &d);
    op_compare(w, &c);
    if (exact && !k->large && acts[act].kind == CUG_ACT_RELU) variations(w, &c);
    op_release(w);
}

static double work_of(const cug_conv2d_shape *c) { return (double)c->N * c->H * c->W * c->K * c->R * c->S * c->C; }

void op_test_conv_block(op_world *w) {
    for (int i = 0; i < CONV_BLOCK_CASES; i++)
        for (int act = 0; act < ACTS; act++) {
            if (conv_block_cases[i].large && acts[act].kind != CUG_ACT_RELU) continue;
            if (op_too_large(w, conv_block_cases[i].large, work_of(&conv_block_cases[i].conv))) continue;
            if (!is_smooth(acts[act].kind)) check_case(w, &conv_block_cases[i], act, 1);
            check_case(w, &conv_block_cases[i], act, 0);
        }
    bad_calls(w);
}
