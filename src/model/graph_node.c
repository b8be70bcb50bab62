/* graph_node.c - the growing arrays of a graph under construction. */
#include <stdlib.h>
#include <string.h>

#include "model/graph_build.h"

/* Room for element `n` in an array of `size`-byte elements. */
static cug_status grow(void **array, int *cap, int n, size_t size) {
    if (n < *cap) return CUG_OK;
    int want = *cap ? *cap * 2 : 16;
    void *p = realloc(*array, (size_t)want * size);
    if (!p) return cug_fail(CUG_ENOMEM, "no memory for a model of %d layers", n);
    *array = p;
    *cap = want;
    return CUG_OK;
}

static cug_status add_value(builder *b, const char *name, int flat, int H, int W, int C, const flat_origin *origin,
                            int *out) {
    cug_graph *g = b->g;
    CUG_TRY(grow((void **)&g->values, &b->cap_values, g->n_values, sizeof *g->values));
    CUG_TRY(grow((void **)&b->origins, &b->cap_origins, g->n_values, sizeof *b->origins));
    cug_value *v = &g->values[g->n_values];
    *v = (cug_value){.flat = flat, .H = H, .W = W, .C = C, .producer = g->n_nodes};
    memcpy(v->name, name, strlen(name) + 1);
    b->origins[g->n_values] = origin ? *origin : (flat_origin){0, 0, 0};
    *out = g->n_values++;
    return CUG_OK;
}

cug_status build_begin(builder *b, int flat, int H, int W, int C) {
    int input;
    int64_t count = (int64_t)H * W;
    if (count > INT32_MAX || count * C > INT32_MAX)
        return cug_fail(CUG_ESPEC_LIMIT, "the input has 2^31 elements or more; use a smaller image");
    b->g = calloc(1, sizeof *b->g);
    if (!b->g) return cug_fail(CUG_ENOMEM, "no memory for a model");
    memcpy(b->g->name, "model", 6);
    CUG_TRY(add_value(b, "input", flat, H, W, C, 0, &input));
    b->g->values[0].producer = -1;
    return CUG_OK;
}

cug_node build_node(cug_op_kind op, const char *name, int line, int in) {
    cug_node n = {
        .op = op, .line = line, .n_in = 1, .in = {in}, .weight = -1, .bias = -1, .running_mean = -1, .running_var = -1};
    memcpy(n.name, name, strlen(name) + 1);
    return n;
}

cug_status build_add_node(builder *b, cug_node *n, int flat, int H, int W, int C, const flat_origin *origin) {
    cug_graph *g = b->g;
    if (g->n_nodes >= CUG_MAX_NODES)
        return cug_fail(CUG_ESPEC_LIMIT, "more than %d layers; make the model smaller", CUG_MAX_NODES);
    CUG_TRY(grow((void **)&g->nodes, &b->cap_nodes, g->n_nodes, sizeof *g->nodes));
    CUG_TRY(add_value(b, n->name, flat, H, W, C, origin, &n->out));
    g->nodes[g->n_nodes++] = *n;
    return CUG_OK;
}

cug_status build_add_segment(builder *b, const cug_segment *s, int *out) {
    cug_graph *g = b->g;
    CUG_TRY(grow((void **)&g->segments, &b->cap_segments, g->n_segments, sizeof *g->segments));
    cug_segment *d = &g->segments[g->n_segments];
    *d = *s;
    d->count = 1;
    for (int i = 0; i < d->ndim; i++) d->count *= (size_t)d->dims[i];
    d->offset = g->flat_count;
    g->flat_count += (d->count + CUG_SEGMENT_ALIGN - 1) / CUG_SEGMENT_ALIGN * CUG_SEGMENT_ALIGN;
    if (!d->statistic) g->param_count += d->count;
    *out = g->n_segments++;
    return CUG_OK;
}
