/* graph_build.c - one function a layer: infers the output's shape, lays out the parameters, adds the node. */
#include "model/graph_build.h"
#include <stdio.h>
#include <string.h>

const char *cug_value_text(char buf[48], const cug_value *v) {
    if (v->flat)
        snprintf(buf, 48, "%d", v->C);
    else
        snprintf(buf, 48, "%dx%dx%d", v->H, v->W, v->C);
    return buf;
}

/* Gives the op's own complaint about a shape the spec's status. */
static cug_status as_shape(cug_status s) { return s == CUG_EINVAL ? CUG_ESPEC_SHAPE : s; }

static cug_status needs_image(const cug_value *v) {
    if (!v->flat) return CUG_OK;
    return cug_fail(CUG_ESPEC_SHAPE,
                    "needs an image (HxWxC) but reads %d flat numbers; move it before `flatten`, or give the input as "
                    "HxWxC",
                    v->C);
}

/* Pads of one axis. `same`: output = ceil(in / stride), the odd row or column at the bottom or right (TensorFlow's
 * rule). */
static cug_status resolve_axis(pad_kind pad, int given, int in, int r, int stride, int *before, int *after) {
    int64_t total = 0;
    if (pad == PAD_SAME) {
        total = (((int64_t)in + stride - 1) / stride - 1) * stride + r - in;
        if (total < 0) total = 0;
    }
    *before = pad == PAD_GIVEN ? given : (int)(total / 2);
    *after = pad == PAD_GIVEN ? given : (int)(total - total / 2);
    if ((int64_t)in + *before + *after > INT32_MAX) return cug_fail(CUG_ESPEC_LIMIT, "the padding is too large");
    if ((int64_t)in + *before + *after < r)
        return cug_fail(CUG_ESPEC_SHAPE,
                        "the window (%d) is larger than the padded image (%d); use a smaller window "
                        "or pad=same",
                        r, in + *before + *after);
    return CUG_OK;
}

static cug_status resolve_window(window *w, const cug_value *v) {
    CUG_TRY(resolve_axis(w->pad, w->pad_h, v->H, w->R, w->stride_h, &w->top, &w->bottom));
    return resolve_axis(w->pad, w->pad_w, v->W, w->S, w->stride_w, &w->left, &w->right);
}

static int same_origin(const flat_origin *a, const flat_origin *b) {
    return a->H == b->H && a->W == b->W && a->C == b->C;
}

/* Parameters of `n`: the tied layer's, or new segments made from `weight` (ndim 0: none) and the bias length. */
static cug_status add_params(builder *b, cug_node *n, cug_segment *weight, int bias_count, const param_spec *ps) {
    if (ps->tie >= 0) {
        n->weight = b->g->nodes[ps->tie].weight;
        n->bias = b->g->nodes[ps->tie].bias;
        return CUG_OK;
    }
    if (weight->ndim) {
        weight->is_weight = 1;
        weight->init = ps->init;
        weight->init_given = ps->init != CUG_INIT_AUTO;
        snprintf(weight->name, sizeof weight->name, "%.50s.weight", n->name);
        CUG_TRY(build_add_segment(b, weight, &n->weight));
    }
    if (ps->has_bias) {
        cug_segment s = {.ndim = 1, .dims = {bias_count}, .init = CUG_INIT_ZEROS};
        snprintf(s.name, sizeof s.name, "%.50s.bias", n->name);
        CUG_TRY(build_add_segment(b, &s, &n->bias));
    }
    return CUG_OK;
}

/* "10x784"; returns buf. */
static const char *dims_text(char buf[64], const cug_segment *s) {
    int at = snprintf(buf, 64, "%d", s->dims[0]);
    for (int i = 1; i < s->ndim; i++) at += snprintf(buf + at, 64 - (size_t)at, "x%d", s->dims[i]);
    return buf;
}

static cug_status tie_must_fit(const builder *b, const cug_node *n, const cug_segment *weight, const param_spec *ps) {
    if (ps->tie < 0) return CUG_OK;
    const cug_node *t = &b->g->nodes[ps->tie];
    if (t->op != n->op)
        return cug_fail(CUG_ESPEC_NAME,
                        "tie=%s: that layer's kind is %s, this one's %s; only layers of one kind share parameters",
                        t->name, cug_op_name(t->op), cug_op_name(n->op));
    const cug_segment *s = &b->g->segments[t->weight >= 0 ? t->weight : t->bias];
    int same = s->ndim == weight->ndim && s->layout == weight->layout && s->H == weight->H && s->W == weight->W &&
               s->C == weight->C;
    for (int i = 0; same && i < s->ndim; i++) same = s->dims[i] == weight->dims[i];
    if (same) return CUG_OK;
    char there[64], here[64];
    return cug_fail(
        CUG_ESPEC_SHAPE,
        "tie=%s: that layer's parameters are %s, those here %s; tied layers must agree in shape (and in the "
        "image that was flattened)",
        t->name, dims_text(there, s), dims_text(here, weight));
}

cug_status build_conv2d(builder *b, const char *name, int line, int in, int K, window *w, const param_spec *ps,
                        int *out) {
    const cug_value *v = &b->g->values[in];
    CUG_TRY(needs_image(v));
    CUG_TRY(resolve_window(w, v));
    cug_node n = build_node(CUG_OP_CONV2D, name, line, in);
    cug_conv2d_shape *s = &n.u.conv2d;
    *s = (cug_conv2d_shape){.N = 1,
                            .H = v->H,
                            .W = v->W,
                            .C = v->C,
                            .K = K,
                            .R = w->R,
                            .S = w->S,
                            .stride_h = w->stride_h,
                            .stride_w = w->stride_w,
                            .pad_top = w->top,
                            .pad_bottom = w->bottom,
                            .pad_left = w->left,
                            .pad_right = w->right};
    CUG_TRY(as_shape(cug_conv2d_shape_init(s)));
    int window_size = s->R * s->S; /* the filters have fewer than 2^31 elements */
    cug_segment weight = {.ndim = 4,
                          .dims = {K, s->R, s->S, s->C},
                          .layout = CUG_LAYOUT_KRSC,
                          .fan_in = window_size * s->C,
                          .fan_out = window_size * K};
    CUG_TRY(tie_must_fit(b, &n, &weight, ps));
    CUG_TRY(add_params(b, &n, &weight, K, ps));
    CUG_TRY(build_add_node(b, &n, 0, s->P, s->Q, K, 0));
    *out = n.out;
    return CUG_OK;
}

cug_status build_pool2d(builder *b, const char *name, int line, int in, cug_pool_kind kind, window *w, int *out) {
    const cug_value *v = &b->g->values[in];
    CUG_TRY(needs_image(v));
    CUG_TRY(resolve_window(w, v));
    cug_node n = build_node(CUG_OP_POOL2D, name, line, in);
    cug_pool2d_shape *s = &n.u.pool2d;
    *s = (cug_pool2d_shape){.kind = kind,
                            .N = 1,
                            .H = v->H,
                            .W = v->W,
                            .C = v->C,
                            .R = w->R,
                            .S = w->S,
                            .stride_h = w->stride_h,
                            .stride_w = w->stride_w,
                            .pad_top = w->top,
                            .pad_bottom = w->bottom,
                            .pad_left = w->left,
                            .pad_right = w->right};
    CUG_TRY(as_shape(cug_pool2d_shape_init(s)));
    CUG_TRY(build_add_node(b, &n, 0, s->P, s->Q, s->C, 0));
    *out = n.out;
    return CUG_OK;
}

cug_status build_linear(builder *b, const char *name, int line, int in, int O, const param_spec *ps, int *out) {
    const cug_value *v = &b->g->values[in];
    char text[48];
    if (!v->flat)
        return cug_fail(CUG_ESPEC_SHAPE, "needs flat numbers but reads an image of %s; add a line `flatten` before it",
                        cug_value_text(text, v));
    cug_node n = build_node(CUG_OP_LINEAR, name, line, in);
    n.u.linear = (cug_linear_shape){.N = 1, .I = v->C, .O = O};
    CUG_TRY(as_shape(cug_linear_shape_init(&n.u.linear)));
    cug_segment weight = {.ndim = 2, .dims = {O, v->C}, .fan_in = v->C, .fan_out = O};
    const flat_origin *from = &b->origins[in];
    if ((int64_t)from->H * from->W > 1) {
        weight.layout = CUG_LAYOUT_O_HWC;
        weight.H = from->H;
        weight.W = from->W;
        weight.C = from->C;
    }
    CUG_TRY(tie_must_fit(b, &n, &weight, ps));
    CUG_TRY(add_params(b, &n, &weight, O, ps));
    CUG_TRY(build_add_node(b, &n, 1, 1, 1, O, 0));
    *out = n.out;
    return CUG_OK;
}

/* A node whose output looks like its input. */
static cug_status add_like(builder *b, cug_node *n, int in, int *out) {
    const cug_value v = b->g->values[in]; /* copies: the arrays may move */
    const flat_origin origin = b->origins[in];
    CUG_TRY(build_add_node(b, n, v.flat, v.H, v.W, v.C, &origin));
    *out = n->out;
    return CUG_OK;
}

cug_status build_bias(builder *b, const char *name, int line, int in, const param_spec *ps, int *out) {
    const cug_value *v = &b->g->values[in];
    cug_node n = build_node(CUG_OP_BIAS, name, line, in);
    n.u.bias = (cug_bias_shape){.rows = v->H * v->W, .C = v->C};
    cug_segment none = {.ndim = 1, .dims = {v->C}};
    CUG_TRY(tie_must_fit(b, &n, &none, ps));
    none.ndim = 0;
    CUG_TRY(add_params(b, &n, &none, v->C, ps));
    return add_like(b, &n, in, out);
}

cug_status build_batch_norm(builder *b, const char *name, int line, int in, float eps, float momentum, int *out) {
    static const struct {
        const char *name;
        cug_init_kind init;
        int statistic;
    } parts[] = {{"weight", CUG_INIT_ONES, 0},
                 {"bias", CUG_INIT_ZEROS, 0},
                 {"running_mean", CUG_INIT_ZEROS, 1},
                 {"running_var", CUG_INIT_ONES, 1}};
    const cug_value *v = &b->g->values[in];
    cug_node n = build_node(CUG_OP_BATCH_NORM, name, line, in);
    int *const place[] = {&n.weight, &n.bias, &n.running_mean, &n.running_var};
    n.u.batch_norm = (cug_batch_norm_shape){.rows = v->H * v->W, .C = v->C, .eps = eps, .momentum = momentum};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        cug_segment s = {.ndim = 1, .dims = {v->C}, .init = parts[i].init, .statistic = parts[i].statistic};
        snprintf(s.name, sizeof s.name, "%.48s.%s", name, parts[i].name);
        CUG_TRY(build_add_segment(b, &s, place[i]));
    }
    return add_like(b, &n, in, out);
}

cug_status build_activation(builder *b, const char *name, int line, int in, cug_act_kind kind, float slope, int *out) {
    cug_node n = build_node(CUG_OP_ACTIVATION, name, line, in);
    n.u.activation = (cug_activation_shape){kind, slope, cug_value_count(&b->g->values[in])};
    return add_like(b, &n, in, out);
}

cug_status build_dropout(builder *b, const char *name, int line, int in, double p, int *out) {
    cug_node n = build_node(CUG_OP_DROPOUT, name, line, in);
    n.u.dropout = (cug_dropout_shape){.N = 1,
                                      .F = (int)cug_value_count(&b->g->values[in]),
                                      .drop = cug_dropout_threshold(p),
                                      .scale = (float)(1.0 / (1.0 - p)),
                                      .node = (uint32_t)b->g->n_nodes};
    return add_like(b, &n, in, out);
}

cug_status build_flatten(builder *b, const char *name, int line, int in, int *out) {
    const cug_value v = b->g->values[in];
    cug_node n = build_node(CUG_OP_FLATTEN, name, line, in);
    if (v.flat) return add_like(b, &n, in, out);
    CUG_TRY(build_add_node(b, &n, 1, 1, 1, (int)cug_value_count(&v), &(flat_origin){v.H, v.W, v.C}));
    *out = n.out;
    return CUG_OK;
}

cug_status build_add(builder *b, const char *name, int line, const int *in, int n_in, int *out) {
    const cug_value *first = &b->g->values[in[0]];
    cug_node n = build_node(CUG_OP_ADD, name, line, in[0]);
    flat_origin origin = b->origins[in[0]];
    char one[48], other[48];
    for (int i = 1; i < n_in; i++) {
        const cug_value *v = &b->g->values[in[i]];
        if (v->flat != first->flat || v->H != first->H || v->W != first->W || v->C != first->C)
            return cug_fail(CUG_ESPEC_SHAPE, "cannot add '%.48s' of %s and '%.48s' of %s; summands must have one shape",
                            first->name, cug_value_text(one, first), v->name, cug_value_text(other, v));
        if (!same_origin(&origin, &b->origins[in[i]])) origin = (flat_origin){0, 0, 0};
        n.in[i] = in[i];
    }
    n.n_in = n_in;
    n.u.add = (cug_add_shape){n_in, cug_value_count(first)};
    CUG_TRY(build_add_node(b, &n, first->flat, first->H, first->W, first->C, &origin));
    *out = n.out;
    return CUG_OK;
}

cug_status build_concat(builder *b, const char *name, int line, const int *in, int n_in, int *out) {
    const cug_value first = b->g->values[in[0]];
    cug_node n = build_node(CUG_OP_CONCAT, name, line, in[0]);
    int64_t total = 0;
    char one[48], other[48];
    for (int i = 0; i < n_in; i++) {
        const cug_value *v = &b->g->values[in[i]];
        if (v->flat != first.flat || v->H != first.H || v->W != first.W)
            return cug_fail(CUG_ESPEC_SHAPE,
                            "cannot join '%.48s' of %s and '%.48s' of %s; height and width must be equal (only the "
                            "channels may differ)",
                            first.name, cug_value_text(one, &first), v->name, cug_value_text(other, v));
        total += v->C;
        n.in[i] = in[i];
        n.u.concat.C[i] = v->C;
    }
    if (total * first.H > INT32_MAX || total * first.H * first.W > INT32_MAX)
        return cug_fail(CUG_ESPEC_LIMIT, "the joined value has 2^31 elements or more; make its parts smaller");
    n.n_in = n_in;
    n.u.concat.inputs = n_in;
    n.u.concat.rows = first.H * first.W;
    n.u.concat.total = (int)total;
    CUG_TRY(build_add_node(b, &n, first.flat, first.H, first.W, (int)total, 0));
    *out = n.out;
    return CUG_OK;
}
