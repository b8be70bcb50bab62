/* summary.c - a model in numbers. */
#include "model/summary.h"
#include "locale_c.h"
#include <cuglyph/plan.h>
#include <stdio.h>

/* " stride=2 pad=1", as far as they are not the default; pad: top, bottom, left, right. */
static void window_text(char buf[64], int stride_h, int stride_w, int default_h, int default_w, const int pad[4]) {
    int at = 0;
    buf[0] = 0;
    if (stride_h != default_h || stride_w != default_w)
        at = snprintf(buf, 64, stride_h == stride_w ? " stride=%d" : " stride=%dx%d", stride_h, stride_w);
    size_t room = 64 - (size_t)at;
    if (pad[0] != pad[1] || pad[2] != pad[3])
        snprintf(buf + at, room, " pad=%d+%dx%d+%d", pad[0], pad[1], pad[2], pad[3]);
    else if (pad[0] || pad[2])
        snprintf(buf + at, room, pad[0] == pad[2] ? " pad=%d" : " pad=%dx%d", pad[0], pad[2]);
}

static void conv_text(char *buf, const cug_conv2d_shape *s, int has_bias) {
    const int pad[4] = {s->pad_top, s->pad_bottom, s->pad_left, s->pad_right};
    char tail[64];
    window_text(tail, s->stride_h, s->stride_w, 1, 1, pad);
    snprintf(buf, CUG_NODE_TEXT, "conv %d %dx%d%s%s", s->K, s->R, s->S, tail, has_bias ? "" : " bias=no");
}

static void pool_text(char *buf, const cug_pool2d_shape *s) {
    const int pad[4] = {s->pad_top, s->pad_bottom, s->pad_left, s->pad_right};
    char tail[64];
    window_text(tail, s->stride_h, s->stride_w, s->R, s->S, pad);
    snprintf(buf, CUG_NODE_TEXT, "%s %dx%d%s", s->kind == CUG_POOL_MAX ? "maxpool" : "avgpool", s->R, s->S, tail);
}

static void activation_text(char *buf, const cug_activation_shape *s) {
    static const char *const words[] = {"none", "relu", "leaky_relu", "sigmoid", "tanh", "silu", "gelu"};
    if (s->kind == CUG_ACT_LEAKY_RELU)
        cug_print(buf, CUG_NODE_TEXT, "leaky_relu slope=%g", (double)s->slope);
    else
        snprintf(buf, CUG_NODE_TEXT, "%s", words[s->kind]);
}

static void batch_norm_text(char *buf, const cug_batch_norm_shape *s) {
    int at = snprintf(buf, CUG_NODE_TEXT, "batchnorm");
    if (s->eps != 1e-5f) at += cug_print(buf + at, CUG_NODE_TEXT - (size_t)at, " eps=%g", (double)s->eps);
    if (s->momentum != 0.1f) cug_print(buf + at, CUG_NODE_TEXT - (size_t)at, " momentum=%g", (double)s->momentum);
}

const char *cug_node_text(char buf[CUG_NODE_TEXT], const cug_node *n) {
    switch (n->op) {
    case CUG_OP_CONV2D:
        conv_text(buf, &n->u.conv2d, n->bias >= 0);
        break;
    case CUG_OP_POOL2D:
        pool_text(buf, &n->u.pool2d);
        break;
    case CUG_OP_LINEAR:
        snprintf(buf, CUG_NODE_TEXT, "linear %d%s", n->u.linear.O, n->bias >= 0 ? "" : " bias=no");
        break;
    case CUG_OP_ACTIVATION:
        activation_text(buf, &n->u.activation);
        break;
    case CUG_OP_DROPOUT:
        cug_print(buf, CUG_NODE_TEXT, "dropout %.4g", (double)n->u.dropout.drop * 0x1p-32);
        break;
    case CUG_OP_BATCH_NORM:
        batch_norm_text(buf, &n->u.batch_norm);
        break;
    case CUG_OP_ADD:
    case CUG_OP_CONCAT:
        snprintf(buf, CUG_NODE_TEXT, "%s of %d", cug_op_name(n->op), n->n_in);
        break;
    default:
        snprintf(buf, CUG_NODE_TEXT, "%s", cug_op_name(n->op));
        break;
    }
    return buf;
}

size_t cug_node_params(const cug_graph *g, int node) {
    const cug_node *n = &g->nodes[node];
    for (int i = 0; i < node; i++) {
        const cug_node *m = &g->nodes[i];
        if ((n->weight >= 0 && m->weight == n->weight) || (n->bias >= 0 && m->bias == n->bias)) return 0;
    }
    return (n->weight >= 0 ? g->segments[n->weight].count : 0) + (n->bias >= 0 ? g->segments[n->bias].count : 0);
}

size_t cug_node_output_bytes(const cug_graph *g, int node, int batch, cug_dtype real) {
    const cug_node *n = &g->nodes[node];
    if (n->op == CUG_OP_FLATTEN) return 0;
    return cug_value_count(&g->values[n->out]) * (size_t)batch * cug_dtype_size(real);
}

cug_status cug_memory_summarize(cug_memory_summary *out, const cug_graph *g, const cug_backend *be,
                                const cug_device *dev, int batch) {
    size_t flat = g->flat_count * cug_dtype_size(be->real);
    *out = (cug_memory_summary){.params = flat, .grads = flat};
    out->optimizer = flat * (size_t)cug_opt_state_count(CUG_OPT_ADAM);
    if (dev) {
        cug_plan *plan = 0;
        CUG_TRY(cug_plan_create(&plan, g, be, dev, batch, CUG_PLAN_TRAIN));
        out->arena = cug_plan_arena_bytes(plan);
        out->unshared = cug_plan_unshared_bytes(plan);
        cug_plan_free(plan);
    }
    out->total = out->params + out->grads + out->optimizer + out->arena;
    return CUG_OK;
}
