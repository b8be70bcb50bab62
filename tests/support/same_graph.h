/* same_graph.h - whether two graphs are the same to everything that runs them; NULL, or what differs. */
#ifndef CUG_TESTS_SAME_GRAPH_H
#define CUG_TESTS_SAME_GRAPH_H

#include <cuglyph/graph.h>
#include <string.h>

static inline int same_shape(const cug_node *a, const cug_node *b) {
#define SAME(op, member)                                                                                               \
    case op:                                                                                                           \
        return memcmp(&a->u.member, &b->u.member, sizeof a->u.member) == 0
    switch (a->op) {
        SAME(CUG_OP_CONV2D, conv2d);
        SAME(CUG_OP_POOL2D, pool2d);
        SAME(CUG_OP_LINEAR, linear);
        SAME(CUG_OP_BIAS, bias);
        SAME(CUG_OP_DROPOUT, dropout);
        SAME(CUG_OP_CONCAT, concat);
    case CUG_OP_ACTIVATION:
        return a->u.activation.kind == b->u.activation.kind && a->u.activation.slope == b->u.activation.slope &&
               a->u.activation.count == b->u.activation.count;
    case CUG_OP_ADD:
        return a->u.add.inputs == b->u.add.inputs && a->u.add.count == b->u.add.count;
    default:
        return 1;
    }
#undef SAME
}

static inline const char *same_segment(const cug_segment *a, const cug_segment *b) {
    if (strcmp(a->name, b->name) != 0) return "a segment's name";
    if (a->offset != b->offset || a->count != b->count) return "a segment's place";
    if (a->ndim != b->ndim || memcmp(a->dims, b->dims, sizeof a->dims) != 0) return "a segment's extents";
    if (a->layout != b->layout || a->H != b->H || a->W != b->W || a->C != b->C) return "a segment's layout";
    if (a->is_weight != b->is_weight || a->frozen != b->frozen) return "a segment's flags";
    if (a->init != b->init || a->init_given != b->init_given) return "a segment's init";
    if (a->fan_in != b->fan_in || a->fan_out != b->fan_out) return "a segment's fan";
    return 0;
}

/* Line numbers aside, which one-line text cannot keep. */
static inline const char *same_graph(const cug_graph *a, const cug_graph *b) {
    if (strcmp(a->spec, b->spec) != 0) return "the canonical text";
    if (a->n_values != b->n_values || a->n_nodes != b->n_nodes || a->n_segments != b->n_segments) return "a number";
    if (a->output != b->output || a->loss != b->loss) return "the output or loss";
    if (a->param_count != b->param_count || a->flat_count != b->flat_count) return "a parameter count";
    for (int i = 0; i < a->n_values; i++) {
        const cug_value *v = &a->values[i], *w = &b->values[i];
        if (strcmp(v->name, w->name) != 0) return "a value's name";
        if (v->flat != w->flat || v->H != w->H || v->W != w->W || v->C != w->C) return "a value's shape";
        if (v->producer != w->producer || v->users != w->users) return "a value's edges";
    }
    for (int i = 0; i < a->n_nodes; i++) {
        const cug_node *n = &a->nodes[i], *m = &b->nodes[i];
        if (n->op != m->op || strcmp(n->name, m->name) != 0) return "a node's kind or name";
        if (n->n_in != m->n_in || memcmp(n->in, m->in, sizeof n->in) != 0 || n->out != m->out) return "a node's edges";
        if (n->weight != m->weight || n->bias != m->bias) return "a node's parameters";
        if (!same_shape(n, m)) return "a node's shape";
    }
    for (int i = 0; i < a->n_segments; i++) {
        const char *what = same_segment(&a->segments[i], &b->segments[i]);
        if (what) return what;
    }
    return 0;
}

#endif
