/* graph_finish.c - what can only be said of a whole graph: dead ends, users, the init of each weight, fitness for the
 * loss. */
#include <math.h>
#include <string.h>

#include "model/graph_build.h"

/* ReLU, tanh ... are felt through ops that keep the scale of what passes. */
static int passes_scale(cug_op_kind op) {
    return op == CUG_OP_POOL2D || op == CUG_OP_BIAS || op == CUG_OP_DROPOUT || op == CUG_OP_FLATTEN ||
           op == CUG_OP_ADD || op == CUG_OP_CONCAT || op == CUG_OP_BATCH_NORM;
}

/* The init that suits the first non-linearity after node i. */
static cug_init_kind init_for(const cug_graph *g, int i) {
    unsigned char reached[CUG_MAX_NODES + 1] = {0}; /* by the node's output */
    reached[g->nodes[i].out] = 1;
    for (int j = i + 1; j < g->n_nodes; j++) {
        const cug_node *n = &g->nodes[j];
        int reads = 0;
        for (int k = 0; k < n->n_in; k++) reads |= reached[n->in[k]];
        if (!reads) continue;
        if (n->op == CUG_OP_ACTIVATION) {
            cug_act_kind act = n->u.activation.kind;
            if (act == CUG_ACT_RELU || act == CUG_ACT_LEAKY_RELU || cug_act_reads_x(act)) return CUG_INIT_HE_UNIFORM;
            return act == CUG_ACT_TANH ? CUG_INIT_LECUN_UNIFORM : CUG_INIT_GLOROT_UNIFORM;
        }
        reached[n->out] = (unsigned char)passes_scale(n->op);
    }
    return CUG_INIT_GLOROT_UNIFORM;
}

static void resolve_init(cug_graph *g) {
    for (int i = 0; i < g->n_nodes; i++) {
        int w = g->nodes[i].weight;
        if (w >= 0 && g->segments[w].init == CUG_INIT_AUTO) g->segments[w].init = init_for(g, i);
    }
}

/* Every layer must reach the output. */
static cug_status no_dead_ends(cug_graph *g, int *bad_node) {
    unsigned char wanted[CUG_MAX_NODES + 1] = {0};
    wanted[g->output] = 1;
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        const cug_node *n = &g->nodes[i];
        for (int k = 0; wanted[n->out] && k < n->n_in; k++) wanted[n->in[k]] = 1;
    }
    for (int i = 0; i < g->n_nodes; i++)
        if (!wanted[g->nodes[i].out]) {
            *bad_node = i;
            return cug_fail(CUG_ESPEC_NAME,
                            "its output never reaches the model's output; use it (`add %s`, `concat %s`) or remove it",
                            g->nodes[i].name, g->nodes[i].name);
        }
    return CUG_OK;
}

/* bce_logits after a sigmoid of the model's own. */
static int ends_in_sigmoid(const cug_graph *g) {
    const cug_node *n = &g->nodes[g->values[g->output].producer];
    while ((n->op == CUG_OP_FLATTEN || n->op == CUG_OP_DROPOUT) && g->values[n->in[0]].producer >= 0)
        n = &g->nodes[g->values[n->in[0]].producer];
    return n->op == CUG_OP_ACTIVATION && n->u.activation.kind == CUG_ACT_SIGMOID;
}

static cug_status fits_loss(const cug_graph *g) {
    const cug_value *out = &g->values[g->output];
    char text[48];
    if (!out->flat)
        return cug_fail(CUG_ESPEC_LOSS,
                        "the model's output is an image of %s, but the loss needs flat numbers; add "
                        "`flatten` (and a `linear` with one output for each class)",
                        cug_value_text(text, out));
    if (g->loss == CUG_LOSS_SOFTMAX_XENT && out->C == 1)
        return cug_fail(CUG_ESPEC_LOSS, "softmax_xent with a single output always predicts it with certainty and "
                                        "learns nothing; use `loss bce_logits` for two classes, or more outputs");
    if (g->loss == CUG_LOSS_BCE_LOGITS && ends_in_sigmoid(g))
        return cug_fail(CUG_ESPEC_LOSS,
                        "loss bce_logits applies the sigmoid itself, so it would be applied twice and the loss could "
                        "never fall below %.4f; remove the last `sigmoid`",
                        log1p(exp(-1.0)));
    return CUG_OK;
}

cug_status build_finish(builder *b, int output, cug_loss_kind loss, int *bad_node) {
    cug_graph *g = b->g;
    g->output = output;
    g->loss = loss;
    *bad_node = g->values[output].producer;
    if (*bad_node < 0) return cug_fail(CUG_ESPEC_SYNTAX, "there is no layer between input and output; add some");
    CUG_TRY(no_dead_ends(g, bad_node));
    CUG_TRY(fits_loss(g));
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i].n_in; k++) g->values[g->nodes[i].in[k]].users++;
    g->values[output].users++;
    resolve_init(g);
    return CUG_OK;
}
