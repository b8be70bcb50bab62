/* op_check.c - argument checks: the building blocks, and the ops with windows or weights. */
#include "op_check_private.h"
#include <stdint.h>
#include <string.h>

static cug_status check_one(const char *op, const arg_check *a) {
    if (!a->get) {
        if (a->flags & ARG_OPTIONAL) return CUG_OK;
        return cug_fail(CUG_EINVAL, "%s: %s is NULL", op, a->name);
    }
    if (!a->get->ptr) return cug_fail(CUG_EINVAL, "%s: %s has no memory", op, a->name);
    if (!cug_tensor_is(a->get, a->dtype, a->count))
        return cug_fail(CUG_EINVAL, "%s: %s must be %s with %zu elements, got %s with %zu", op, a->name,
                        cug_dtype_name(a->dtype), a->count, cug_dtype_name(a->get->dtype), cug_tensor_count(a->get));
    return CUG_OK;
}

static int overlap(const cug_tensor *a, const cug_tensor *b) {
    uintptr_t pa = (uintptr_t)a->ptr, pb = (uintptr_t)b->ptr;
    return pa < pb + cug_tensor_bytes(b) && pb < pa + cug_tensor_bytes(a);
}

/* `a` is written: every other argument must lie elsewhere, or be the one it may replace. */
static cug_status check_apart(const char *op, const arg_check *a, const arg_check *b) {
    if (!b->get || !overlap(a->get, b->get)) return CUG_OK;
    if (a->inplace && !strcmp(a->inplace, b->name) && a->get->ptr == b->get->ptr) return CUG_OK;
    return cug_fail(CUG_EINVAL, "%s: %s overlaps %s; give it memory of its own", op, a->name, b->name);
}

cug_status check_args(const char *op, const arg_check *args, int n) {
    for (int i = 0; i < n; i++) CUG_TRY(check_one(op, &args[i]));
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n && args[i].get && (args[i].flags & ARG_OUT); j++)
            if (j > i || (j < i && !(args[j].flags & ARG_OUT))) CUG_TRY(check_apart(op, &args[i], &args[j]));
    return CUG_OK;
}

cug_status check_accumulate(const char *op, unsigned accumulate) {
    if (accumulate & ~(unsigned)(CUG_ACC_DX | CUG_ACC_DW))
        return cug_fail(CUG_EINVAL, "%s: unknown accumulate flags 0x%x", op, accumulate);
    return CUG_OK;
}

cug_status check_present(const char *op, const char *name, const void *ptr) {
    return ptr ? CUG_OK : cug_fail(CUG_EINVAL, "%s: %s is NULL", op, name);
}

cug_status cug_check_workspace(const char *op, const cug_exec *ex, size_t need) {
    if (!ex) return cug_fail(CUG_EINVAL, "%s: exec is NULL", op);
    if (need && (!ex->workspace || ex->workspace_bytes < need))
        return cug_fail(CUG_EINVAL, "%s: workspace must hold %zu bytes, got %zu", op, need,
                        ex->workspace ? ex->workspace_bytes : (size_t)0);
    return CUG_OK;
}

static size_t size4(int a, int b, int c, int d) { return (size_t)a * (size_t)b * (size_t)c * (size_t)d; }

/* --- conv2d ------------------------------------------------------------------------------------------------------- */

cug_status cug_check_conv2d_shape(const cug_conv2d_shape *s) {
    CUG_TRY(check_present("conv2d", "shape", s));
    cug_conv2d_shape t = *s;
    CUG_TRY(cug_conv2d_shape_init(&t));
    if (t.P != s->P || t.Q != s->Q)
        return cug_fail(CUG_EINVAL, "conv2d: shape says %dx%d outputs, the extents give %dx%d", s->P, s->Q, t.P, t.Q);
    return CUG_OK;
}

static size_t conv_x(const cug_conv2d_shape *s) { return size4(s->N, s->H, s->W, s->C); }
static size_t conv_w(const cug_conv2d_shape *s) { return size4(s->K, s->R, s->S, s->C); }
static size_t conv_y(const cug_conv2d_shape *s) { return size4(s->N, s->P, s->Q, s->K); }

cug_status cug_check_conv2d_fwd(cug_dtype real, const cug_tensor *y, const cug_tensor *x, const cug_tensor *w,
                                const cug_tensor *b, const cug_conv2d_shape *s) {
    CUG_TRY(cug_check_conv2d_shape(s));
    return CHECK_ARGS("conv2d fwd", {"y", y, real, conv_y(s), ARG_OUT, NULL}, {"x", x, real, conv_x(s), ARG_IN, NULL},
                      {"w", w, real, conv_w(s), ARG_IN, NULL}, {"b", b, real, (size_t)s->K, ARG_OPTIONAL, NULL});
}

cug_status cug_check_conv2d_bwd(cug_dtype real, const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db,
                                const cug_tensor *dy, const cug_tensor *x, const cug_tensor *w,
                                const cug_conv2d_shape *s, unsigned accumulate) {
    CUG_TRY(cug_check_conv2d_shape(s));
    CUG_TRY(check_accumulate("conv2d bwd", accumulate));
    return CHECK_ARGS("conv2d bwd", {"dx", dx, real, conv_x(s), ARG_OUT | ARG_OPTIONAL, NULL},
                      {"dw", dw, real, conv_w(s), ARG_OUT | ARG_OPTIONAL, NULL},
                      {"db", db, real, (size_t)s->K, ARG_OUT | ARG_OPTIONAL, NULL},
                      {"dy", dy, real, conv_y(s), ARG_IN, NULL}, {"x", x, real, conv_x(s), ARG_IN, NULL},
                      {"w", w, real, conv_w(s), ARG_IN, NULL});
}

/* --- conv_block --------------------------------------------------------------------------------------------------- */

cug_status cug_check_conv_block_shape(const cug_conv_block_shape *s) {
    CUG_TRY(check_present("conv_block", "shape", s));
    CUG_TRY(cug_check_conv2d_shape(&s->conv));
    if (s->act < CUG_ACT_NONE || s->act > CUG_ACT_GELU)
        return cug_fail(CUG_EINVAL, "conv_block: unknown activation %d", (int)s->act);
    if (s->act == CUG_ACT_LEAKY_RELU && !(s->slope >= 0 && s->slope <= 1))
        return cug_fail(CUG_EINVAL, "conv_block: slope must lie in [0,1], got %g", (double)s->slope);
    if (!s->has_pool) return CUG_OK;
    CUG_TRY(cug_check_pool2d_shape(&s->pool));
    if (s->pool.kind != CUG_POOL_MAX) return cug_fail(CUG_EINVAL, "conv_block: only max pooling can be fused");
    if (s->pool.N != s->conv.N || s->pool.H != s->conv.P || s->pool.W != s->conv.Q || s->pool.C != s->conv.K)
        return cug_fail(CUG_EINVAL, "conv_block: the pool takes %dx%dx%dx%d, the convolution gives %dx%dx%dx%d",
                        s->pool.N, s->pool.H, s->pool.W, s->pool.C, s->conv.N, s->conv.P, s->conv.Q, s->conv.K);
    return CUG_OK;
}

static size_t block_y(const cug_conv_block_shape *s) {
    return s->has_pool ? size4(s->pool.N, s->pool.P, s->pool.Q, s->pool.C) : conv_y(&s->conv);
}

cug_status cug_check_conv_block_fwd(cug_dtype real, const cug_tensor *y, const cug_tensor *x, const cug_tensor *w,
                                    const cug_tensor *b, const cug_conv_block_shape *s) {
    CUG_TRY(cug_check_conv_block_shape(s));
    return CHECK_ARGS("conv_block fwd", {"y", y, real, block_y(s), ARG_OUT, NULL},
                      {"x", x, real, conv_x(&s->conv), ARG_IN, NULL}, {"w", w, real, conv_w(&s->conv), ARG_IN, NULL},
                      {"b", b, real, (size_t)s->conv.K, ARG_OPTIONAL, NULL});
}

cug_status cug_check_conv_block_bwd(cug_dtype real, const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db,
                                    const cug_tensor *dy, const cug_tensor *y, const void *saved, size_t saved_bytes,
                                    const cug_tensor *x, const cug_tensor *w, const cug_conv_block_shape *s,
                                    unsigned accumulate) {
    CUG_TRY(cug_check_conv_block_shape(s));
    CUG_TRY(check_accumulate("conv_block bwd", accumulate));
    if (saved_bytes) CUG_TRY(check_present("conv_block bwd", "saved", saved));
    return CHECK_ARGS("conv_block bwd", {"dx", dx, real, conv_x(&s->conv), ARG_OUT | ARG_OPTIONAL, NULL},
                      {"dw", dw, real, conv_w(&s->conv), ARG_OUT | ARG_OPTIONAL, NULL},
                      {"db", db, real, (size_t)s->conv.K, ARG_OUT | ARG_OPTIONAL, NULL},
                      {"dy", dy, real, block_y(s), ARG_IN, NULL}, {"y", y, real, block_y(s), ARG_IN, NULL},
                      {"x", x, real, conv_x(&s->conv), ARG_IN, NULL}, {"w", w, real, conv_w(&s->conv), ARG_IN, NULL});
}

/* --- pool2d ------------------------------------------------------------------------------------------------------- */

cug_status cug_check_pool2d_shape(const cug_pool2d_shape *s) {
    CUG_TRY(check_present("pool2d", "shape", s));
    cug_pool2d_shape t = *s;
    CUG_TRY(cug_pool2d_shape_init(&t));
    if (t.P != s->P || t.Q != s->Q)
        return cug_fail(CUG_EINVAL, "pool2d: shape says %dx%d outputs, the extents give %dx%d", s->P, s->Q, t.P, t.Q);
    return CUG_OK;
}

cug_status cug_check_pool2d_fwd(cug_dtype real, const cug_tensor *y, const cug_tensor *argmax, const cug_tensor *x,
                                const cug_pool2d_shape *s) {
    CUG_TRY(cug_check_pool2d_shape(s));
    size_t out = size4(s->N, s->P, s->Q, s->C), in = size4(s->N, s->H, s->W, s->C);
    const cug_tensor *winner = s->kind == CUG_POOL_MAX ? argmax : NULL; /* averages do not touch it */
    return CHECK_ARGS("pool2d fwd", {"y", y, real, out, ARG_OUT, NULL},
                      {"argmax", winner, CUG_U8, out, ARG_OUT | ARG_OPTIONAL, NULL}, {"x", x, real, in, ARG_IN, NULL});
}

cug_status cug_check_pool2d_bwd(cug_dtype real, const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *argmax,
                                const cug_pool2d_shape *s, unsigned accumulate) {
    CUG_TRY(cug_check_pool2d_shape(s));
    CUG_TRY(check_accumulate("pool2d bwd", accumulate));
    size_t out = size4(s->N, s->P, s->Q, s->C), in = size4(s->N, s->H, s->W, s->C);
    const int max = s->kind == CUG_POOL_MAX;
    return CHECK_ARGS("pool2d bwd", {"dx", dx, real, in, ARG_OUT, NULL}, {"dy", dy, real, out, ARG_IN, NULL},
                      {"argmax", max ? argmax : NULL, CUG_U8, out, max ? ARG_IN : ARG_OPTIONAL, NULL});
}

/* --- linear ------------------------------------------------------------------------------------------------------- */

cug_status cug_check_linear_shape(const cug_linear_shape *s) {
    CUG_TRY(check_present("linear", "shape", s));
    cug_linear_shape t = *s;
    return cug_linear_shape_init(&t);
}

cug_status cug_check_linear_fwd(cug_dtype real, const cug_tensor *y, const cug_tensor *x, const cug_tensor *w,
                                const cug_tensor *b, const cug_linear_shape *s) {
    CUG_TRY(cug_check_linear_shape(s));
    return CHECK_ARGS("linear fwd", {"y", y, real, size4(s->N, s->O, 1, 1), ARG_OUT, NULL},
                      {"x", x, real, size4(s->N, s->I, 1, 1), ARG_IN, NULL},
                      {"w", w, real, size4(s->O, s->I, 1, 1), ARG_IN, NULL},
                      {"b", b, real, (size_t)s->O, ARG_OPTIONAL, NULL});
}

cug_status cug_check_linear_bwd(cug_dtype real, const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db,
                                const cug_tensor *dy, const cug_tensor *x, const cug_tensor *w,
                                const cug_linear_shape *s, unsigned accumulate) {
    CUG_TRY(cug_check_linear_shape(s));
    CUG_TRY(check_accumulate("linear bwd", accumulate));
    return CHECK_ARGS("linear bwd", {"dx", dx, real, size4(s->N, s->I, 1, 1), ARG_OUT | ARG_OPTIONAL, NULL},
                      {"dw", dw, real, size4(s->O, s->I, 1, 1), ARG_OUT | ARG_OPTIONAL, NULL},
                      {"db", db, real, (size_t)s->O, ARG_OUT | ARG_OPTIONAL, NULL},
                      {"dy", dy, real, size4(s->N, s->O, 1, 1), ARG_IN, NULL},
                      {"x", x, real, size4(s->N, s->I, 1, 1), ARG_IN, NULL},
                      {"w", w, real, size4(s->O, s->I, 1, 1), ARG_IN, NULL});
}
