/* op_elementwise.c - bias, activation, dropout, add, concat and normalize of all backends against the reference. */
#include "cases/activation.h"
#include "cases/add.h"
#include "cases/bias.h"
#include "cases/concat.h"
#include "cases/dropout.h"
#include "cases/normalize.h"
#include "op_tests.h"
#include <math.h>
#include <string.h>

static op_slot input(const char *name, size_t n, const double *data) {
    return (op_slot){.name = name, .role = OP_IN, .dtype = CUG_F64, .count = n, .data = data};
}

/* start: what is added to, NULL for an output that is overwritten. */
static op_slot output(const char *name, size_t n, const double *start) {
    return (op_slot){.name = name, .role = start ? OP_ADD : OP_OUT, .dtype = CUG_F64, .count = n, .data = start};
}

static const double *draw(op_world *w, int exact, uint64_t seed, size_t n) {
    return exact ? op_integers(w, seed, n, -8, 8) : op_reals(w, seed, n, -1, 1);
}

/* --- bias --------------------------------------------------------------------------------------------------------- */

static cug_status bias_fwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->bias->fwd(t[0], t[1], t[2], c->shape, ex);
}
static cug_status bias_bwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->bias->bwd(t[0], t[1], t[2], c->shape, c->accumulate, ex);
}

static op_call bias_fwd_call(op_world *w, const cug_bias_shape *s, int exact) {
    size_t n = (size_t)s->rows * (size_t)s->C, C = (size_t)s->C;
    return (op_call){
        .op = "bias fwd",
        .name = exact ? "integers" : "reals",
        .shape = s,
        .run = bias_fwd,
        .table = offsetof(cug_backend, bias),
        .slots = {output("y", n, NULL), input("x", n, draw(w, exact, 1, n)), input("b", C, draw(w, exact, 2, C))}};
}

static op_call bias_bwd_call(op_world *w, const cug_bias_shape *s, int exact, unsigned acc) {
    size_t n = (size_t)s->rows * (size_t)s->C, C = (size_t)s->C;
    op_call c = {.op = acc ? "bias bwd, added" : "bias bwd",
                 .name = exact ? "integers" : "reals",
                 .shape = s,
                 .accumulate = acc,
                 .run = bias_bwd,
                 .table = offsetof(cug_backend, bias),
                 .slots = {output("dx", n, acc & CUG_ACC_DX ? draw(w, exact, 3, n) : NULL),
                           output("db", C, acc & CUG_ACC_DW ? draw(w, exact, 4, C) : NULL),
                           input("dy", n, draw(w, exact, 5, n))}};
    c.slots[1].by_terms = !exact;
    return c;
}

static void bias_case(op_world *w, const cug_bias_shape *s, int exact) {
    op_call c = bias_fwd_call(w, s, exact);
    op_compare(w, &c);
    c.slots[0].inplace = 2;
    op_compare(w, &c);
    for (unsigned acc = 0; acc < 4; acc++) {
        op_call g = bias_bwd_call(w, s, exact, acc);
        op_compare(w, &g);
        op_call alone = g;
        alone.slots[0].role = OP_ABSENT;
        op_compare(w, &alone);
        alone = g;
        alone.slots[1].role = OP_ABSENT;
        op_compare(w, &alone);
        if (acc & CUG_ACC_DX) continue;
        g.slots[0].inplace = 3;
        op_compare(w, &g);
    }
    op_release(w);
}

void op_test_bias(op_world *w) {
    for (int i = 0; i < BIAS_CASES; i++)
        for (int exact = 1; exact >= 0 && !op_too_large(w, 0, (double)bias_cases[i].rows * bias_cases[i].C); exact--)
            bias_case(w, &bias_cases[i], exact);
    cug_bias_shape s = bias_cases[3];
    op_call c = bias_fwd_call(w, &s, 1), g = bias_bwd_call(w, &s, 1, 0);
    op_bad_arguments(w, &c, 0);
    op_bad_arguments(w, &g, 3);
    s.rows = -1;
    op_bad_shape(w, &c, "with -1 rows");
    op_bad_shape(w, &g, "with -1 rows");
    op_release(w);
}

/* --- activation --------------------------------------------------------------------------------------------------- */

static int activation_supports(const cug_backend *be, const op_call *c) {
    return !be->activation->supports || be->activation->supports(c->shape);
}
static cug_status activation_fwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c,
                                 const cug_exec *ex) {
    return be->activation->fwd(t[0], t[1], c->shape, ex);
}
static cug_status activation_bwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c,
                                 const cug_exec *ex) {
    return be->activation->bwd(t[0], t[1], t[2], c->shape, c->accumulate, ex);
}

static int is_smooth(cug_act_kind k) { return k == CUG_ACT_SIGMOID || k == CUG_ACT_TANH || cug_act_reads_x(k); }

static op_call activation_fwd_call(const cug_activation_shape *s, const char *name, const double *x) {
    op_call c = {.op = "activation fwd",
                 .name = name,
                 .shape = s,
                 .run = activation_fwd,
                 .supports = activation_supports,
                 .table = offsetof(cug_backend, activation),
                 .slots = {output("y", s->count, NULL), input("x", s->count, x)}};
    c.slots[0].atol = is_smooth(s->kind) ? OP_ATOL / 10 : 0; /* values around 1: a tenth of the table's is ample */
    c.slots[0].rtol = is_smooth(s->kind) ? OP_RTOL : 0;
    return c;
}

static op_call activation_bwd_call(op_world *w, const cug_activation_shape *s, const char *name, const double *of,
                                   int exact, unsigned acc) {
    op_call c = {.op = acc ? "activation bwd, added" : "activation bwd",
                 .name = name,
                 .shape = s,
                 .accumulate = acc,
                 .run = activation_bwd,
                 .supports = activation_supports,
                 .table = offsetof(cug_backend, activation),
                 .slots = {output("dx", s->count, acc ? draw(w, exact, 5, s->count) : NULL),
                           input("dy", s->count, draw(w, exact, 6, s->count)), input("of", s->count, of)}};
    if (is_smooth(s->kind) || (s->kind == CUG_ACT_LEAKY_RELU && acc && !exact)) {
        c.slots[0].atol = OP_ATOL / 10;
        c.slots[0].rtol = OP_RTOL;
    }
    return c;
}

/* Ordinary values and, among them, everything where an exponential can go wrong. */
static const double *activation_inputs(op_world *w, size_t n) {
    static const double odd[] = {0,   -0.0, 1e-40, -1e-40, 1e-8, -1e-8, 87.5,     -87.5,     88.8, -88.8,
                                 104, -104, 1e4,   -1e4,   3e38, -3e38, INFINITY, -INFINITY, NAN,  -17};
    double *x = op_reals(w, 1, n, -9, 9);
    for (size_t i = 0; n >= 16 && i < sizeof odd / sizeof *odd; i++)
        x[(i * 7919) % n] = (double)(float)odd[i]; /* spread over vector lanes and thread borders */
    return x;
}

static void activation_case(op_world *w, int kind, size_t count) {
    const char *name = activation_kinds[kind].name;
    cug_activation_shape s = {activation_kinds[kind].kind, activation_kinds[kind].slope, count};
    op_call c = activation_fwd_call(&s, name, activation_inputs(w, count));
    op_compare(w, &c);
    c.slots[0].inplace = 2;
    op_compare(w, &c);
    for (int exact = 0; exact < 2; exact++) {
        op_call f =
            activation_fwd_call(&s, name, exact ? op_integers(w, 2, count, -8, 8) : op_reals(w, 3, count, -4, 4));
        op_compare(w, &f);
        if (op_run(w, &w->ref, &f) != 1) continue;
        double *y = op_keep(w, &w->ref, &f, 0);
        for (size_t i = 0; i < count; i++) y[i] = (double)(float)y[i];
        const double *of = !cug_act_reads_x(s.kind) ? y : exact ? f.slots[1].data : activation_inputs(w, count);
        int whole = exact && s.slope != 0.01f;
        for (unsigned acc = 0; acc < 2; acc++) {
            op_call g = activation_bwd_call(w, &s, name, of, whole, acc);
            op_compare(w, &g);
            if (acc) continue;
            g.slots[0].inplace = 2;
            op_compare(w, &g);
        }
    }
    op_release(w);
}

void op_test_activation(op_world *w) {
    for (int kind = 0; kind < ACTIVATION_KINDS; kind++)
        for (int i = 0; i < ACTIVATION_CASES; i++)
            if (!op_too_large(w, 0, (double)activation_counts[i])) activation_case(w, kind, activation_counts[i]);
    cug_activation_shape s = {CUG_ACT_RELU, 0, 33};
    op_call c = activation_fwd_call(&s, "bad", draw(w, 1, 1, 33)),
            g = activation_bwd_call(w, &s, "bad", draw(w, 1, 2, 33), 1, 0);
    op_bad_arguments(w, &c, 0);
    op_bad_arguments(w, &g, 0);
    s.kind = CUG_ACT_NONE;
    op_bad_shape(w, &c, "of kind NONE");
    op_bad_shape(w, &g, "of kind NONE");
    op_release(w);
}

/* --- dropout ------------------------------------------------------------------------------------------------------ */

static cug_status dropout_fwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->dropout->fwd(t[0], t[1], t[2], t[3] ? t[3]->ptr : NULL, c->shape, ex);
}
static cug_status dropout_bwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->dropout->bwd(t[0], t[1], t[2], t[3] ? t[3]->ptr : NULL, c->shape, c->accumulate, ex);
}

static op_call dropout_call(op_world *w, const cug_dropout_shape *s, const cug_step *step, int backward, unsigned acc) {
    size_t n = (size_t)s->N * (size_t)s->F;
    op_call c = {
        .op = backward ? "dropout bwd" : "dropout fwd",
        .name = acc ? "added" : "written",
        .shape = s,
        .accumulate = acc,
        .run = backward ? dropout_bwd : dropout_fwd,
        .table = offsetof(cug_backend, dropout),
        .slots = {output(backward ? "dx" : "y", n, acc ? op_reals(w, 3, n, -1, 1) : NULL),
                  input(backward ? "dy" : "x", n, op_reals(w, 2 + (uint64_t)backward, n, 0.5, 2)),
                  {.name = "ids",
                   .role = OP_IN,
                   .dtype = CUG_I32,
                   .count = (size_t)s->N,
                   .data = op_int32(w, 4, (size_t)s->N, 0, 59999)},
                  {.name = "step", .role = OP_IN, .dtype = CUG_U8, .count = sizeof *step, .data = step, .raw = 1}}};
    if (acc) c.slots[0].rtol = OP_RTOL, c.slots[0].atol = OP_ATOL / 10; /* product and sum may round once or twice */
    return c;
}

void op_test_dropout(op_world *w) {
    cug_step step = {.seed = 0x123456789abcdef0u, .step = 7};
    cug_dropout_shape s;
    for (int i = 0; i < DROPOUT_CASES; i++) {
        double p = dropout_cases[i].p;
        if (op_too_large(w, 0, (double)dropout_cases[i].N * dropout_cases[i].F)) continue;
        s = (cug_dropout_shape){dropout_cases[i].N, dropout_cases[i].F, cug_dropout_threshold(p), (float)(1 / (1 - p)),
                                dropout_cases[i].node};
        step.step = i % 2 ? 7 : 0x100000005u; /* only the low word counts */
        for (int backward = 0; backward < 2; backward++) {
            op_call c = dropout_call(w, &s, &step, backward, 0);
            op_compare(w, &c);
            c.slots[0].inplace = 2;
            op_compare(w, &c);
        }
        op_call c = dropout_call(w, &s, &step, 1, CUG_ACC_DX);
        op_compare(w, &c);
        op_release(w);
    }
    s = (cug_dropout_shape){3, 5, cug_dropout_threshold(0.5), 2, 1};
    op_call c = dropout_call(w, &s, &step, 0, 0), g = dropout_call(w, &s, &step, 1, 0);
    op_bad_arguments(w, &c, 0);
    op_bad_arguments(w, &g, 0);
    s.F = 0;
    op_bad_shape(w, &c, "without features");
    op_bad_shape(w, &g, "without features");
    op_release(w);
}

/* --- add ---------------------------------------------------------------------------------------------------------- */

static cug_status add_fwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->add->fwd(t[0], t + 1, c->shape, ex);
}
static cug_status add_bwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->add->bwd(t[0], t[1], c->shape, c->accumulate, ex);
}

static op_call add_fwd_call(op_world *w, const cug_add_shape *s, int exact) {
    op_call c = {.op = "add fwd",
                 .name = exact ? "integers" : "reals",
                 .shape = s,
                 .run = add_fwd,
                 .table = offsetof(cug_backend, add),
                 .slots = {output("y", s->count, NULL)}};
    for (int j = 0; j < s->inputs; j++) c.slots[1 + j] = input("x", s->count, draw(w, exact, (uint64_t)j, s->count));
    return c;
}

static op_call add_bwd_call(op_world *w, const cug_add_shape *s, unsigned acc) {
    return (op_call){.op = "add bwd",
                     .name = acc ? "added" : "written",
                     .shape = s,
                     .accumulate = acc,
                     .run = add_bwd,
                     .table = offsetof(cug_backend, add),
                     .slots = {output("dx", s->count, acc ? draw(w, 0, 1, s->count) : NULL),
                               input("dy", s->count, draw(w, 0, 2, s->count))}};
}

void op_test_add(op_world *w) {
    for (int i = 0; i < ADD_CASES; i++) {
        if (op_too_large(w, 0, (double)add_cases[i].inputs * (double)add_cases[i].count)) continue;
        for (int exact = 0; exact < 2; exact++) {
            op_call c = add_fwd_call(w, &add_cases[i], exact);
            c.slots[0].by_terms = !exact && add_cases[i].inputs > 2;
            op_compare(w, &c);
        }
        for (unsigned acc = 0; acc < 2; acc++) {
            op_call g = add_bwd_call(w, &add_cases[i], acc);
            op_compare(w, &g);
        }
        op_release(w);
    }
    cug_add_shape s = add_cases[3];
    op_call c = add_fwd_call(w, &s, 1), g = add_bwd_call(w, &s, 0);
    op_bad_arguments(w, &c, 0);
    op_bad_arguments(w, &g, 0);
    s.inputs = 0;
    op_bad_shape(w, &c, "without inputs");
    op_release(w);
}

/* --- concat ------------------------------------------------------------------------------------------------------- */

static cug_status concat_fwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->concat->fwd(t[0], t + 1, c->shape, ex);
}
static cug_status concat_bwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->concat->bwd(t[0], t[1], c->index, c->shape, c->accumulate, ex);
}

static op_call concat_fwd_call(op_world *w, const cug_concat_shape *s) {
    size_t rows = (size_t)s->rows;
    op_call c = {.op = "concat fwd",
                 .name = "reals",
                 .shape = s,
                 .run = concat_fwd,
                 .table = offsetof(cug_backend, concat),
                 .slots = {output("y", rows * (size_t)s->total, NULL)}};
    for (int j = 0; j < s->inputs; j++)
        c.slots[1 + j] = input("x", rows * (size_t)s->C[j], draw(w, 0, (uint64_t)j, rows * (size_t)s->C[j]));
    return c;
}

static op_call concat_bwd_call(op_world *w, const cug_concat_shape *s, int j, unsigned acc) {
    size_t n = (size_t)s->rows * (size_t)s->C[j], all = (size_t)s->rows * (size_t)s->total;
    return (op_call){.op = "concat bwd",
                     .name = acc ? "added" : "written",
                     .shape = s,
                     .accumulate = acc,
                     .index = j,
                     .run = concat_bwd,
                     .table = offsetof(cug_backend, concat),
                     .slots = {output("dx", n, acc ? draw(w, 0, 1, n) : NULL), input("dy", all, draw(w, 0, 2, all))}};
}

void op_test_concat(op_world *w) {
    for (int i = 0; i < CONCAT_CASES; i++) {
        if (op_too_large(w, 0, (double)concat_cases[i].rows * concat_cases[i].total)) continue;
        op_call c = concat_fwd_call(w, &concat_cases[i]);
        op_compare(w, &c);
        for (int j = 0; j < concat_cases[i].inputs; j++)
            for (unsigned acc = 0; acc < 2; acc++) {
                op_call g = concat_bwd_call(w, &concat_cases[i], j, acc);
                op_compare(w, &g);
            }
        op_release(w);
    }
    cug_concat_shape s = concat_cases[3];
    op_call c = concat_fwd_call(w, &s), g = concat_bwd_call(w, &s, 1, 0);
    op_bad_arguments(w, &c, 0);
    op_bad_arguments(w, &g, 0);
    g.index = s.inputs;
    op_bad_shape(w, &g, "without that input");
    s.total++;
    op_bad_shape(w, &c, "with a wrong total");
    op_release(w);
}

/* --- normalize ---------------------------------------------------------------------------------------------------- */

static cug_status normalize_fwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c,
                                const cug_exec *ex) {
    return be->normalize->fwd(t[0], t[1], c->shape, ex);
}

static op_call normalize_call(op_world *w, const cug_normalize_shape *s, const char *name) {
    uint8_t *u = op_bytes(w, 1, s->count, 0, 255);
    for (size_t i = 0; i < s->count && s->count >= 256; i++) u[i] = (uint8_t)i; /* every value there is */
    return (op_call){.op = "normalize",
                     .name = name,
                     .shape = s,
                     .run = normalize_fwd,
                     .table = offsetof(cug_backend, normalize),
                     .slots = {output("y", s->count, NULL),
                               {.name = "u", .role = OP_IN, .dtype = CUG_U8, .count = s->count, .data = u}}};
}

static cug_status normalize_gather(const cug_backend *be, const cug_tensor *const *t, const op_call *c,
                                   const cug_exec *ex) {
    return be->normalize->gather(t[0], t[1], t[2], c->shape, ex);
}

static int has_gather(const cug_backend *be) { return be->normalize->gather != NULL; }

/* From 100 images of s->count / n pixels. */
static op_call gather_call(op_world *w, const cug_normalize_shape *s, size_t n, int32_t last, const char *name) {
    const size_t bytes = 100 * (s->count / n);
    uint8_t *u = op_bytes(w, 1, bytes, 0, 255);
    int32_t *ids = op_int32(w, 2, n, 0, 99);
    ids[n - 1] = last;
    return (op_call){.op = "normalize gather",
                     .name = name,
                     .shape = s,
                     .run = normalize_gather,
                     .has = has_gather,
                     .table = offsetof(cug_backend, normalize),
                     .slots = {output("y", s->count, NULL),
                               {.name = "images", .role = OP_IN, .dtype = CUG_U8, .count = bytes, .data = u},
                               {.name = "ids", .role = OP_IN, .dtype = CUG_I32, .count = n, .data = ids}}};
}

static void test_gather(op_world *w) {
    static const char *const names[] = {"1 image", "few small images", "fewer than are asked for ahead", "a batch"};
    static const size_t size[] = {784, 3, 63, 785}, number[] = {1, 5, 7, 129};
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        if (op_too_large(w, 0, (double)(size[i] * number[i]))) continue;
        const cug_normalize_shape s = {size[i] * number[i], normalize_kinds[2].scale, normalize_kinds[2].shift};
        op_call c = gather_call(w, &s, number[i], 99, names[i]);
        op_compare(w, &c);
        op_release(w);
    }
    cug_normalize_shape s = {4 * 7, 1, 0};
    op_call c = gather_call(w, &s, 4, 99, "bad");
    op_bad_arguments(w, &c, 0);
    s.count = 4 * 7 + 1;
    op_bad_shape(w, &c, "that its images do not divide");
    s.count = 4 * 7;
    c = gather_call(w, &s, 4, 100, "bad");
    op_bad_shape(w, &c, "and an image past the last");
    c = gather_call(w, &s, 4, -1, "bad");
    op_bad_shape(w, &c, "and an image before the first");
    op_release(w);
}

void op_test_normalize(op_world *w) {
    cug_normalize_shape s;
    for (int k = 0; k < NORMALIZE_KINDS; k++)
        for (int i = 0; i < NORMALIZE_CASES; i++) {
            if (op_too_large(w, 0, (double)normalize_counts[i])) continue;
            s = (cug_normalize_shape){normalize_counts[i], normalize_kinds[k].scale, normalize_kinds[k].shift};
            op_call c = normalize_call(w, &s, normalize_kinds[k].name);
            op_compare(w, &c);
            op_release(w);
        }
    s.count = 33;
    op_call c = normalize_call(w, &s, "bad");
    op_bad_arguments(w, &c, 0);
    s.count = 0;
    op_bad_shape(w, &c, "without elements");
    op_release(w);
    test_gather(w);
}
