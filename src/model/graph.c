/* graph.c - questions to a finished graph, and its words. */
#include <cuglyph/graph.h>
#include <stdlib.h>
#include <string.h>

void cug_graph_free(cug_graph *g) {
    if (!g) return;
    free(g->spec);
    free(g->values);
    free(g->nodes);
    free(g->segments);
    free(g);
}

size_t cug_value_count(const cug_value *v) { return (size_t)v->H * (size_t)v->W * (size_t)v->C; }

uint64_t cug_node_macs(const cug_node *n) {
    if (n->op == CUG_OP_LINEAR) return (uint64_t)n->u.linear.I * (uint64_t)n->u.linear.O;
    if (n->op != CUG_OP_CONV2D) return 0;
    const cug_conv2d_shape *s = &n->u.conv2d;
    return (uint64_t)s->P * (uint64_t)s->Q * (uint64_t)s->K * ((uint64_t)s->R * (uint64_t)s->S * (uint64_t)s->C);
}

int cug_segment_trained(const cug_segment *s) { return !s->frozen && !s->statistic; }

static int layer_matches(const char *pattern, const char *name) {
    size_t n = strlen(pattern);
    if (n && pattern[n - 1] == '*') return strncmp(pattern, name, n - 1) == 0;
    return strcmp(pattern, name) == 0;
}

cug_status cug_graph_freeze(cug_graph *g, const char *layer) {
    int layers = 0, segments = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        const cug_node *n = &g->nodes[i];
        if (!layer_matches(layer, n->name)) continue;
        layers++;
        const int own[] = {n->weight, n->bias, n->running_mean, n->running_var};
        for (size_t k = 0; k < sizeof own / sizeof *own; k++) {
            if (own[k] < 0) continue;
            segments++;
            g->segments[own[k]].frozen = 1;
        }
    }
    if (!layers)
        return cug_fail(CUG_ESPEC_NAME, "freeze: no layer is called '%.64s'; `cuglyph info MODEL` lists the names",
                        layer);
    if (!segments)
        return cug_fail(CUG_ESPEC_NAME,
                        "freeze: '%.64s' has no parameters; name a conv, linear, bias or batchnorm layer", layer);
    return CUG_OK;
}

const char *cug_op_name(cug_op_kind op) {
    static const char *const names[] = {
        [CUG_OP_CONV2D] = "conv",           [CUG_OP_POOL2D] = "pool",
        [CUG_OP_LINEAR] = "linear",         [CUG_OP_BIAS] = "bias",
        [CUG_OP_ACTIVATION] = "activation", [CUG_OP_DROPOUT] = "dropout",
        [CUG_OP_FLATTEN] = "flatten",       [CUG_OP_ADD] = "add",
        [CUG_OP_CONCAT] = "concat",         [CUG_OP_BATCH_NORM] = "batchnorm",
        [CUG_OP_CONV_BLOCK] = "conv_block",
    };
    return (unsigned)op < CUG_OP_COUNT ? names[op] : "?";
}

const char *cug_loss_name(cug_loss_kind loss) {
    static const char *const names[] = {"softmax_xent", "bce_logits", "mse"};
    return (unsigned)loss < sizeof names / sizeof *names ? names[loss] : "?";
}

const char *cug_init_name(cug_init_kind init) {
    static const char *const names[] = {"auto",           "he_uniform",    "he_normal",
                                        "glorot_uniform", "glorot_normal", "lecun_uniform",
                                        "lecun_normal",   "zeros",         "ones"};
    return (unsigned)init < sizeof names / sizeof *names ? names[init] : "?";
}
