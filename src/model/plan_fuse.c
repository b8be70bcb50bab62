/* plan_fuse.c - the graph's nodes as a list of ops for one batch size; conv2d, activation and max pooling in a row
 * become one conv_block where the backend has it. */
#include "model/plan.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cug_node *only_user(const cug_graph *g, int value) {
    if (value == g->output || g->values[value].users != 1) return 0;
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].n_in == 1 && g->nodes[i].in[0] == value) return &g->nodes[i];
    return 0;
}

/* The longest fusible run that starts at conv: tries conv + act + pool, then conv + act; returns how many nodes it
 * takes in (0: none) and the fused node. Pool without activation fuses as well. */
static int try_fuse(const cug_plan *p, const cug_device *dev, const cug_node *conv, cug_node *out,
                    const cug_node *taken[2]) {
    const cug_node *act = only_user(p->g, conv->out), *pool = 0;
    if (act && act->op == CUG_OP_POOL2D)
        pool = act, act = 0;
    else if (!act || act->op != CUG_OP_ACTIVATION)
        return 0;
    else
        pool = only_user(p->g, act->out);
    if (pool && (pool->op != CUG_OP_POOL2D || pool->u.pool2d.kind != CUG_POOL_MAX)) pool = 0;

    for (int with_pool = pool != 0; with_pool >= (act ? 0 : 1); with_pool--) {
        const cug_node *last = with_pool ? pool : act;
        *out = *conv;
        out->op = CUG_OP_CONV_BLOCK;
        out->out = last->out;
        out->u.conv_block = (cug_conv_block_shape){.conv = conv->u.conv2d,
                                                   .act = act ? act->u.activation.kind : CUG_ACT_NONE,
                                                   .slope = act ? act->u.activation.slope : 0,
                                                   .has_pool = with_pool};
        if (with_pool) out->u.conv_block.pool = pool->u.pool2d;
        const op_def *def = op_def_of(CUG_OP_CONV_BLOCK);
        cug_node probe = *out;
        def->set_batch(&probe, p->batch);
        if (!def->supports(p->be, &probe)) continue;
        if (p->be->conv_block->wanted && !p->be->conv_block->wanted(dev, &probe.u.conv_block)) continue;
        int n = 0;
        if (act) taken[n++] = act;
        if (with_pool) taken[n++] = pool;
        return n;
    }
    return 0;
}

cug_status plan_expand(cug_plan *p, const cug_device *dev) {
    const cug_graph *g = p->g;
    char *skip = calloc((size_t)g->n_nodes + 1, 1);
    p->ops = calloc((size_t)g->n_nodes + 1, sizeof *p->ops);
    if (!skip || !p->ops) {
        free(skip);
        return cug_fail(CUG_ENOMEM, "out of memory for the plan of %d layers", g->n_nodes);
    }
    cug_status st = CUG_OK;
    for (int i = 0; i < g->n_nodes; i++) {
        if (skip[i]) continue;
        plan_op *op = &p->ops[p->n_ops++];
        const cug_node *taken[2];
        int n = 0;
        if (g->nodes[i].op == CUG_OP_CONV2D && !(p->flags & CUG_PLAN_NO_FUSE))
            n = try_fuse(p, dev, &g->nodes[i], &op->node, taken);
        if (!n) op->node = g->nodes[i];
        for (int j = 0; j < n; j++) skip[taken[j] - g->nodes] = 1;
        snprintf(op->range[CUG_FWD], sizeof op->range[0], "%.*s fwd", CUG_NAME_MAX - 1, op->node.name);
        snprintf(op->range[CUG_BWD], sizeof op->range[0], "%.*s bwd", CUG_NAME_MAX - 1, op->node.name);
        const op_def *def = op_def_of(op->node.op);
        def->set_batch(&op->node, p->batch);
        op->saved = op->ws_fwd = op->ws_bwd = -1;
        if (!def->supports(p->be, &op->node)) {
            st = cug_fail(CUG_ENOTSUP, "layer %s (%s): not supported by the %s backend", op->node.name,
                          cug_op_name(op->node.op), p->be->name);
            break;
        }
    }
    free(skip);
    return st;
}
