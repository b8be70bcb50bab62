/* op_conv.c - benchmarks of what multiplies: convolutions, fused blocks, dense layers; forward and backward. */
#include "bench/op.h"
#include "cases/conv2d.h"
#include "cases/conv_block.h"
#include "cases/deepbench.h"
#include "cases/linear.h"
#include "cases/models.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t times(int a, int b, int c, int d) { return (size_t)a * (size_t)b * (size_t)c * (size_t)d; }

static void show_conv(char *out, size_t n, const cug_conv2d_shape *s) {
    int used = snprintf(out, n, "%dx%dx%dx%d conv %d %dx%d", s->N, s->H, s->W, s->C, s->K, s->R, s->S);
    if (s->stride_h != 1 || s->stride_w != 1)
        used += snprintf(out + used, n - (size_t)used, " stride %dx%d", s->stride_h, s->stride_w);
    if (s->pad_top || s->pad_bottom || s->pad_left || s->pad_right)
        snprintf(out + used, n - (size_t)used, " pad %d,%d,%d,%d", s->pad_top, s->pad_bottom, s->pad_left,
                 s->pad_right);
}

/* --- conv2d ------------------------------------------------------------------------------------------------------- */

static cug_status conv_fwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->conv2d->fwd(t[0], t[1], t[2], t[3], &c->u.conv2d, ex);
}
static cug_status conv_bwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->conv2d->bwd(t[0], t[1], t[2], t[3], t[4], t[5], &c->u.conv2d, 0, ex);
}

static int is_backward(const bench_case *c) { return *c->pass == 'b'; }

static int conv_supports(const cug_backend *be, const bench_case *c) {
    return !be->conv2d->supports || be->conv2d->supports(&c->u.conv2d);
}
static size_t conv_workspace(const cug_backend *be, const cug_device *d, const bench_case *c) {
    return be->conv2d->workspace ? be->conv2d->workspace(d, &c->u.conv2d, is_backward(c) ? CUG_BWD : CUG_FWD) : 0;
}

static int batch_of(const bench_case *c, int usual) { return c->batch ? c->batch : usual; }

/* Layer i of the models, at the case's batch. */
static cug_conv2d_shape model_conv(const bench_case *c, int i) {
    const int H = model_convs[i].H, R = model_convs[i].R, pad = model_convs[i].pad;
    return (cug_conv2d_shape){.N = batch_of(c, model_convs[i].N),
                              .H = H,
                              .W = H,
                              .C = model_convs[i].C,
                              .K = model_convs[i].K,
                              .R = R,
                              .S = R,
                              .stride_h = 1,
                              .stride_w = 1,
                              .pad_top = pad,
                              .pad_bottom = pad,
                              .pad_left = pad,
                              .pad_right = pad};
}

/* Where a convolution comes from: the tests' table, the models' layers, DeepBench. 0: past the end. */
static int conv_from(bench_case *c, int i, cug_conv2d_shape *s, int *first) {
    *first = 0;
    c->source = "cases";
    if (i < CONV2D_CASES) {
        snprintf(c->name, sizeof c->name, "%s", conv2d_cases[i].name);
        *s = conv2d_cases[i].s;
        return 1;
    }
    i -= CONV2D_CASES;
    c->source = "models";
    if (i < MODEL_CONVS) {
        snprintf(c->name, sizeof c->name, "%s", model_convs[i].name);
        *s = model_conv(c, i);
        *first = model_convs[i].first;
        return 1;
    }
    i -= MODEL_CONVS;
    c->source = "deepbench";
    if (i >= DEEPBENCH_CONVS) return 0;
    snprintf(c->name, sizeof c->name, "%s", deepbench_convs[i].name);
    *s = (cug_conv2d_shape){.N = deepbench_convs[i].N,
                            .H = deepbench_convs[i].H,
                            .W = deepbench_convs[i].W,
                            .C = deepbench_convs[i].C,
                            .K = deepbench_convs[i].K,
                            .R = deepbench_convs[i].R,
                            .S = deepbench_convs[i].S,
                            .stride_h = deepbench_convs[i].stride_h,
                            .stride_w = deepbench_convs[i].stride_w,
                            .pad_top = deepbench_convs[i].pad_h,
                            .pad_bottom = deepbench_convs[i].pad_h,
                            .pad_left = deepbench_convs[i].pad_w,
                            .pad_right = deepbench_convs[i].pad_w};
    return 1;
}

static double conv_macs(const cug_conv2d_shape *s) {
    return (double)times(s->N, s->P, s->Q, s->K) * (double)times(s->R, s->S, s->C, 1);
}

int bench_conv2d(bench_case *c, int i) {
    int first;
    cug_conv2d_shape *s = &c->u.conv2d;
    if (!conv_from(c, i / 2, s, &first) || cug_conv2d_shape_init(s) != CUG_OK) return 0;
    c->op = "conv2d";
    c->pass = i % 2 ? "bwd" : "fwd";
    c->products = 1;
    c->table = offsetof(cug_backend, conv2d);
    c->supports = conv_supports;
    c->workspace = conv_workspace;
    show_conv(c->shape, sizeof c->shape, s);
    const size_t nx = times(s->N, s->H, s->W, s->C), nw = times(s->K, s->R, s->S, s->C),
                 ny = times(s->N, s->P, s->Q, s->K);
    if (!is_backward(c)) {
        c->run = conv_fwd;
        c->flop = 2 * conv_macs(s);
        c->arg[0] = bench_sum("y", ny);
        c->arg[1] = bench_in("x", nx);
        c->arg[2] = bench_in("w", nw);
        c->arg[3] = bench_in("b", (size_t)s->K);
        return 1;
    }
    c->run = conv_bwd;
    c->flop = (first ? 2 : 4) * conv_macs(s);
    if (!first) c->arg[0] = bench_sum("dx", nx);
    c->arg[1] = bench_sum("dw", nw);
    c->arg[2] = bench_sum("db", (size_t)s->K);
    c->arg[3] = bench_in("dy", ny);
    c->arg[4] = bench_in("x", nx);
    c->arg[5] = bench_in("w", nw);
    return 1;
}

/* --- conv_block: fwd 0 y, 1 saved, 2 x, 3 w, 4 b; bwd 0 dx, 1 dw, 2 db, 3 dy, 4 y, 5 saved, 6 x, 7 w, 8 b
 * ------------- */

static cug_status block_fwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c,
                            const cug_exec *ex) {
    return be->conv_block->fwd(t[0], t[1]->ptr, t[2], t[3], t[4], &c->u.conv_block, ex);
}
static cug_status block_prime(const cug_backend *be, const cug_tensor *const *t, const bench_case *c,
                              const cug_exec *ex) {
    return be->conv_block->fwd(t[4], t[5]->ptr, t[6], t[7], t[8], &c->u.conv_block, ex);
}
static cug_status block_bwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c,
                            const cug_exec *ex) {
    return be->conv_block->bwd(t[0], t[1], t[2], t[3], t[4], t[5]->ptr, t[6], t[7], &c->u.conv_block, 0, ex);
}
static int block_supports(const cug_backend *be, const bench_case *c) {
    return be->conv_block->supports(&c->u.conv_block);
}
static size_t block_workspace(const cug_backend *be, const cug_device *d, const bench_case *c) {
    const cug_conv_block_shape *s = &c->u.conv_block;
    if (!be->conv_block->workspace) return 0;
    const size_t fwd = be->conv_block->workspace(d, s, CUG_FWD), bwd = be->conv_block->workspace(d, s, CUG_BWD);
    return is_backward(c) && bwd > fwd ? bwd : fwd; /* a backward's prime() needs the forward's */
}
static size_t block_saved(const cug_backend *be, const bench_case *c) {
    return be->conv_block && be->conv_block->supports(&c->u.conv_block) ? be->conv_block->saved_bytes(&c->u.conv_block)
                                                                        : 0;
}

/* The ops that a block stands for, on ref. */
typedef struct block_parts {
    cug_tensor z, a, arg, dz, da; /* of the convolution, its activation, the pool's winners; gradients */
} block_parts;

static cug_status parts_open(block_parts *p, const cug_conv_block_shape *s) {
    const size_t n = times(s->conv.N, s->conv.P, s->conv.Q, s->conv.K);
    cug_tensor *all[] = {&p->z, &p->a, &p->dz, &p->da};
    int missing = 0;
    for (int i = 0; i < 4; i++) {
        *all[i] = cug_tensor1(calloc(n + 1, sizeof(double)), CUG_F64, (int)n);
        missing |= !all[i]->ptr;
    }
    const size_t m = s->has_pool ? times(s->pool.N, s->pool.P, s->pool.Q, s->pool.C) : 1;
    p->arg = cug_tensor1(calloc(m, 1), CUG_U8, (int)m);
    return missing || !p->arg.ptr ? cug_fail(CUG_ENOMEM, "out of memory for a block's reference") : CUG_OK;
}

static void parts_close(block_parts *p) {
    cug_tensor *all[] = {&p->z, &p->a, &p->dz, &p->da, &p->arg};
    for (int i = 0; i < 5; i++) free(all[i]->ptr);
}

static cug_status parts_fwd(const cug_backend *be, block_parts *p, const cug_tensor *y, const cug_tensor *x,
                            const cug_tensor *w, const cug_tensor *b, const cug_conv_block_shape *s,
                            const cug_exec *ex) {
    const cug_activation_shape act = {s->act, s->slope, cug_tensor_count(&p->z)};
    CUG_TRY(be->conv2d->fwd(&p->z, x, w, b, &s->conv, ex));
    if (!s->has_pool) return be->activation->fwd(y, &p->z, &act, ex);
    CUG_TRY(be->activation->fwd(&p->a, &p->z, &act, ex));
    return be->pool2d->fwd(y, &p->arg, &p->a, &s->pool, ex);
}

static cug_status block_fwd_reference(const cug_backend *be, const cug_tensor *const *t, const cug_tensor *const *truth,
                                      const bench_case *c, const cug_exec *ex) {
    block_parts p = {0};
    (void)truth;
    cug_status st = parts_open(&p, &c->u.conv_block);
    if (st == CUG_OK) st = parts_fwd(be, &p, t[0], t[2], t[3], t[4], &c->u.conv_block, ex);
    parts_close(&p);
    return st;
}

static cug_status block_bwd_reference(const cug_backend *be, const cug_tensor *const *t, const cug_tensor *const *truth,
                                      const bench_case *c, const cug_exec *ex) {
    const cug_conv_block_shape *s = &c->u.conv_block;
    block_parts p = {0};
    cug_status st = parts_open(&p, s);
    const cug_activation_shape act = {s->act, s->slope, p.z.ptr ? cug_tensor_count(&p.z) : 0};
    const cug_tensor *da = t[3], *y = t[4];
    if (st == CUG_OK) st = parts_fwd(be, &p, t[4], truth[6], truth[7], truth[8], s, ex);
    if (st == CUG_OK && s->has_pool) {
        st = be->pool2d->bwd(&p.da, t[3], &p.arg, &s->pool, 0, ex);
        da = &p.da;
        y = &p.a;
    }
    if (st == CUG_OK) st = be->activation->bwd(&p.dz, da, y, &act, 0, ex);
    if (st == CUG_OK) st = be->conv2d->bwd(t[0], t[1], t[2], &p.dz, t[6], t[7], &s->conv, 0, ex);
    parts_close(&p);
    return st;
}

static int block_from(bench_case *c, int i, int *first) {
    conv_block_case k = {.name = NULL};
    *first = 0;
    c->source = i < CONV_BLOCK_CASES ? "cases" : "models";
    if (i < CONV_BLOCK_CASES) {
        k = conv_block_cases[i];
    } else {
        if (i - CONV_BLOCK_CASES >= MODEL_CONVS) return 0;
        i -= CONV_BLOCK_CASES;
        k = (conv_block_case){.name = model_convs[i].name,
                              .conv = model_conv(c, i),
                              .pool = model_convs[i].pool,
                              .stride = model_convs[i].pool};
        *first = model_convs[i].first;
    }
    snprintf(c->name, sizeof c->name, "%s", k.name);
    return conv_block_case_shape(&c->u.conv_block, &k, CUG_ACT_RELU, 0) == CUG_OK;
}

int bench_conv_block(bench_case *c, int i) {
    int first;
    if (!block_from(c, i / 2, &first)) return 0;
    const cug_conv_block_shape *b = &c->u.conv_block;
    const cug_conv2d_shape *s = &b->conv;
    c->op = "conv_block";
    c->pass = i % 2 ? "bwd" : "fwd";
    c->products = 1;
    c->table = offsetof(cug_backend, conv_block);
    c->supports = block_supports;
    c->workspace = block_workspace;
    c->private_bytes = block_saved;
    show_conv(c->shape, sizeof c->shape, s);
    const size_t used = strlen(c->shape);
    if (b->has_pool)
        snprintf(c->shape + used, sizeof c->shape - used, " relu maxpool %dx%d", b->pool.R, b->pool.S);
    else
        snprintf(c->shape + used, sizeof c->shape - used, " relu");
    const size_t nx = times(s->N, s->H, s->W, s->C), nw = times(s->K, s->R, s->S, s->C);
    const size_t ny = b->has_pool ? times(b->pool.N, b->pool.P, b->pool.Q, b->pool.C) : times(s->N, s->P, s->Q, s->K);
    const bench_arg saved = {.name = "saved", .role = BENCH_OUT, .dtype = CUG_U8, .primed = 1};
    if (!is_backward(c)) {
        c->run = block_fwd;
        c->reference = block_fwd_reference;
        c->flop = 2 * conv_macs(s);
        c->private_arg = 1;
        c->arg[0] = bench_sum("y", ny);
        c->arg[1] = saved;
        c->arg[2] = bench_in("x", nx);
        c->arg[3] = bench_in("w", nw);
        c->arg[4] = bench_in("b", (size_t)s->K);
        return 1;
    }
    c->run = block_bwd;
    c->prime = block_prime;
    c->reference = block_bwd_reference;
    c->flop = (first ? 2 : 4) * conv_macs(s);
    c->private_arg = 5;
    if (!first) c->arg[0] = bench_sum("dx", nx);
    c->arg[1] = bench_sum("dw", nw);
    c->arg[2] = bench_sum("db", (size_t)s->K);
    c->arg[3] = bench_in("dy", ny);
    c->arg[4] = bench_sum("y", ny);
    c->arg[4].primed = 1;
    c->arg[5] = saved;
    c->arg[6] = bench_in("x", nx);
    c->arg[7] = bench_in("w", nw);
    c->arg[8] = bench_in("b", (size_t)s->K);
    c->arg[8].aside = 1;
    return 1;
}

/* --- linear ------------------------------------------------------------------------------------------------------- */

static cug_status linear_fwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c,
                             const cug_exec *ex) {
    return be->linear->fwd(t[0], t[1], t[2], t[3], &c->u.linear, ex);
}
static cug_status linear_bwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c,
                             const cug_exec *ex) {
    return be->linear->bwd(t[0], t[1], t[2], t[3], t[4], t[5], &c->u.linear, 0, ex);
}
static int linear_supports(const cug_backend *be, const bench_case *c) {
    return !be->linear->supports || be->linear->supports(&c->u.linear);
}
static size_t linear_workspace(const cug_backend *be, const cug_device *d, const bench_case *c) {
    return be->linear->workspace ? be->linear->workspace(d, &c->u.linear, is_backward(c) ? CUG_BWD : CUG_FWD) : 0;
}

static int linear_from(bench_case *c, int i, cug_linear_shape *s, int *first) {
    *first = 0;
    const char *name = NULL;
    if (i < LINEAR_CASES) {
        c->source = "cases";
        name = linear_cases[i].name;
        *s = linear_cases[i].s;
    } else if ((i -= LINEAR_CASES) < MODEL_LINEARS) {
        c->source = "models";
        name = model_linears[i].name;
        *s = (cug_linear_shape){batch_of(c, model_linears[i].N), model_linears[i].I, model_linears[i].O};
        *first = model_linears[i].first;
    } else if ((i -= MODEL_LINEARS) < DEEPBENCH_GEMMS) {
        c->source = "deepbench";
        name = deepbench_gemms[i].name;
        *s = (cug_linear_shape){deepbench_gemms[i].N, deepbench_gemms[i].K, deepbench_gemms[i].M};
    }
    if (name) snprintf(c->name, sizeof c->name, "%s", name);
    return name != NULL;
}

int bench_linear(bench_case *c, int i) {
    int first;
    cug_linear_shape *s = &c->u.linear;
    if (!linear_from(c, i / 2, s, &first) || cug_linear_shape_init(s) != CUG_OK) return 0;
    c->op = "linear";
    c->pass = i % 2 ? "bwd" : "fwd";
    c->products = 1;
    c->table = offsetof(cug_backend, linear);
    c->supports = linear_supports;
    c->workspace = linear_workspace;
    snprintf(c->shape, sizeof c->shape, "%dx%d linear %d", s->N, s->I, s->O);
    const size_t nx = times(s->N, s->I, 1, 1), nw = times(s->O, s->I, 1, 1), ny = times(s->N, s->O, 1, 1);
    const double macs = (double)ny * s->I;
    if (!is_backward(c)) {
        c->run = linear_fwd;
        c->flop = 2 * macs;
        c->arg[0] = bench_sum("y", ny);
        c->arg[1] = bench_in("x", nx);
        c->arg[2] = bench_in("w", nw);
        c->arg[3] = bench_in("b", (size_t)s->O);
        return 1;
    }
    c->run = linear_bwd;
    c->flop = (first ? 2 : 4) * macs;
    if (!first) c->arg[0] = bench_sum("dx", nx);
    c->arg[1] = bench_sum("dw", nw);
    c->arg[2] = bench_sum("db", (size_t)s->O);
    c->arg[3] = bench_in("dy", ny);
    c->arg[4] = bench_in("x", nx);
    c->arg[5] = bench_in("w", nw);
    return 1;
}
