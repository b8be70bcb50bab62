/* fuzz_spec.c - libFuzzer: any text is either refused with a place and a reason, or becomes a graph whose canonical
 * text gives the same graph again. */
#include <cuglyph/graph.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../support/same_graph.h"

static void wrong(const char *what, const char *text) {
    fprintf(stderr, "%s; message: %s; text:\n%s\n", what, cug_error(), text);
    abort();
}

/* Indices in range, every node reads what comes before it, nothing unused, segments aligned and in order. */
static void check_graph(const cug_graph *g, const char *text) {
    size_t end = 0;
    if (g->n_nodes < 1 || g->n_nodes > CUG_MAX_NODES || g->n_values != g->n_nodes + 1) wrong("counts", text);
    for (int i = 0; i < g->n_nodes; i++) {
        const cug_node *n = &g->nodes[i];
        if (n->n_in < 1 || n->n_in > CUG_MAX_INPUTS || n->out != i + 1) wrong("node", text);
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] < 0 || n->in[k] > i) wrong("order", text);
        if (n->weight >= g->n_segments || n->bias >= g->n_segments) wrong("segment number", text);
    }
    for (int i = 0; i < g->n_values; i++) {
        const cug_value *v = &g->values[i];
        if (v->H < 1 || v->W < 1 || v->C < 1 || cug_value_count(v) > INT32_MAX || (i && v->users < 1))
            wrong("value", text);
    }
    for (int i = 0; i < g->n_segments; i++) {
        const cug_segment *s = &g->segments[i];
        if (s->offset != end || s->offset % CUG_SEGMENT_ALIGN || s->count < 1 || s->init == CUG_INIT_AUTO)
            wrong("segment", text);
        end += (s->count + CUG_SEGMENT_ALIGN - 1) / CUG_SEGMENT_ALIGN * CUG_SEGMENT_ALIGN;
    }
    if (end != g->flat_count) wrong("flat_count", text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cug_graph *g = 0, *again = 0;
    char *text = malloc(size + 1);
    if (!text) return 0;
    if (size) memcpy(text, data, size);
    text[size] = 0;
    if (cug_spec_parse(&g, text, "fuzz") != CUG_OK) {
        if (g || strncmp(cug_error(), "fuzz:", 5) != 0) wrong("refused without a place", text);
    } else {
        check_graph(g, text);
        if (cug_spec_parse(&again, g->spec, "again") != CUG_OK) wrong("canonical text refused", g->spec);
        if (same_graph(g, again)) wrong(same_graph(g, again), text);
    }
    cug_graph_free(g);
    cug_graph_free(again);
    free(text);
    return 0;
}
