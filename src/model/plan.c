/* plan.c - makes a plan: which tensors exist, which share memory by design (views, in-place ops), how long each lives.
 */
#include "model/plan.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Op times: 0 normalise, 1..n forward, n+1 loss, then backward from the last op to the first. */
static int t_fwd(int op) { return op + 1; }
static int t_loss(const cug_plan *p) { return p->n_ops + 1; }
static int t_bwd(const cug_plan *p, int op) { return 2 * p->n_ops + 1 - op; }
static int t_end(const cug_plan *p) { return 2 * p->n_ops + 2; }

static int add_buffer(cug_plan *p, size_t bytes, int start, int end, const char *name, const char *what) {
    plan_buffer *b = &p->buffers[p->n_buffers];
    b->bytes = bytes;
    b->start = start;
    b->end = end;
    snprintf(b->name, sizeof b->name, "%.*s%.14s", CUG_NAME_MAX - 1, name, what);
    return p->n_buffers++;
}

static void extend(plan_buffer *b, int t) {
    if (t < b->start) b->start = t;
    if (t > b->end) b->end = t;
}

static size_t value_bytes(const cug_plan *p, int v) {
    return cug_value_count(&p->g->values[v]) * (size_t)p->batch * cug_dtype_size(p->be->real);
}

/* Which values' gradients are wanted: those with a trained parameter (or, on request, the input) upstream. */
static void mark_gradients(cug_plan *p, unsigned char *needs) {
    const cug_graph *g = p->g;
    needs[0] = (p->flags & CUG_PLAN_INPUT_GRAD) != 0;
    for (int i = 0; i < p->n_ops; i++) {
        plan_op *op = &p->ops[i];
        const cug_node *n = &op->node;
        op->want_dw = (n->weight >= 0 && cug_segment_trained(&g->segments[n->weight])) ||
                      (n->bias >= 0 && cug_segment_trained(&g->segments[n->bias]));
        int any = op->want_dw;
        for (int j = 0; j < n->n_in; j++) {
            op->want_dx[j] = needs[n->in[j]];
            any |= needs[n->in[j]];
        }
        needs[n->out] = (unsigned char)any;
    }
}

/* May node n write over its input v? Not when anyone still reads that memory, backward included. */
static int can_overwrite(const cug_plan *p, const int *producer_op, const cug_node *n, int v) {
    if ((p->flags & CUG_PLAN_TRAIN) && node_needs_x(n)) return 0;
    for (;;) {
        if (v == 0 || p->g->values[v].users != 1) return 0;
        const plan_op *prod = &p->ops[producer_op[v]];
        if ((p->flags & CUG_PLAN_TRAIN) && node_needs_y(&prod->node)) return 0;
        if (p->value_buffer[v] != p->value_buffer[prod->node.in[0]]) return 1; /* v is where its memory begins */
        v = prod->node.in[0];
    }
}

static void place_values(cug_plan *p, const int *producer_op) {
    const cug_graph *g = p->g;
    p->value_buffer[0] = add_buffer(p, value_bytes(p, 0), 0, 0, "input", "");
    for (int i = 0; i < p->n_ops; i++) {
        const cug_node *n = &p->ops[i].node;
        const op_def *def = op_def_of(n->op);
        int v = n->in[0], shared = 0;
        if (!(p->flags & CUG_PLAN_NO_REUSE) && def->in_place)
            shared = n->op == CUG_OP_FLATTEN || can_overwrite(p, producer_op, n, v);
        p->value_buffer[n->out] =
            shared ? p->value_buffer[v] : add_buffer(p, value_bytes(p, n->out), t_fwd(i), t_fwd(i), n->name, "");
        for (int j = 0; j < n->n_in; j++) extend(&p->buffers[p->value_buffer[n->in[j]]], t_fwd(i));
        extend(&p->buffers[p->value_buffer[n->out]], t_fwd(i));
    }
    plan_buffer *out = &p->buffers[p->value_buffer[g->output]];
    extend(out, t_loss(p));
    extend(out, t_end(p)); /* logits stay readable after the run */
}

/* Gradients, in the order in which backward writes them; the first writer overwrites, later ones add. */
static void place_gradients(cug_plan *p, const unsigned char *needs, char *seg_written) {
    const cug_graph *g = p->g;
    if (needs[g->output])
        p->grad_buffer[g->output] =
            add_buffer(p, value_bytes(p, g->output), t_loss(p), t_loss(p), "logits", " gradient");
    for (int i = p->n_ops - 1; i >= 0; i--) {
        plan_op *op = &p->ops[i];
        const cug_node *n = &op->node;
        const op_def *def = op_def_of(n->op);
        if (!needs[n->out]) continue;
        extend(&p->buffers[p->grad_buffer[n->out]], t_bwd(p, i));
        if (node_needs_y(n)) extend(&p->buffers[p->value_buffer[n->out]], t_bwd(p, i));
        for (int j = 0; j < n->n_in; j++) {
            int v = n->in[j];
            if (node_needs_x(n)) extend(&p->buffers[p->value_buffer[v]], t_bwd(p, i));
            if (!op->want_dx[j]) continue;
            if (p->grad_buffer[v] >= 0)
                op->acc_dx[j] = CUG_ACC_DX;
            else if (def->in_place && g->values[v].users == 1 && !(p->flags & CUG_PLAN_NO_REUSE))
                p->grad_buffer[v] = p->grad_buffer[n->out];
            else
                p->grad_buffer[v] =
                    add_buffer(p, value_bytes(p, v), t_bwd(p, i), t_bwd(p, i), g->values[v].name, " gradient");
            extend(&p->buffers[p->grad_buffer[v]], v == 0 ? t_end(p) : t_bwd(p, i));
        }
        if (op->want_dw) {
            int s = n->weight >= 0 ? n->weight : n->bias; /* tied layers share all their segments */
            if (seg_written[s]) op->acc_dw = CUG_ACC_DW;
            seg_written[s] = 1;
        }
    }
}

static void place_extras(cug_plan *p, const cug_device *dev, const unsigned char *needs) {
    for (int i = 0; i < p->n_ops; i++) {
        plan_op *op = &p->ops[i];
        const op_def *def = op_def_of(op->node.op);
        int backward = (p->flags & CUG_PLAN_TRAIN) && needs[op->node.out];
        size_t saved = backward && def->saved_bytes ? def->saved_bytes(p->be, &op->node) : 0;
        if (saved)
            op->saved = add_buffer(p, saved, t_fwd(i), def->track ? t_end(p) : t_bwd(p, i), op->node.name, " saved");
        size_t ws = def->workspace ? def->workspace(p->be, dev, &op->node, CUG_FWD) : 0;
        if (ws) op->ws_fwd = add_buffer(p, ws, t_fwd(i), t_fwd(i), op->node.name, " scratch");
        ws = backward && def->workspace ? def->workspace(p->be, dev, &op->node, CUG_BWD) : 0;
        if (ws) op->ws_bwd = add_buffer(p, ws, t_bwd(p, i), t_bwd(p, i), op->node.name, " bwd scratch");
    }
}

static cug_status can_train(const cug_plan *p) {
    for (int i = 0; i < p->n_ops; i++) {
        const op_def *def = op_def_of(p->ops[i].node.op);
        cug_status st = def->can_train ? def->can_train(&p->ops[i]) : CUG_OK;
        if (st != CUG_OK) return cug_fail_at(st, "layer %s, batch size %d", p->ops[i].node.name, p->batch);
    }
    return CUG_OK;
}

static cug_status lay_out(cug_plan *p, const cug_device *dev) {
    const cug_graph *g = p->g;
    cug_status st = CUG_ENOMEM;
    unsigned char *needs = calloc((size_t)g->n_values + 1, 1);
    char *seg_written = calloc((size_t)g->n_segments + 1, 1);
    int *producer_op = calloc((size_t)g->n_values, sizeof *producer_op);
    p->cap_buffers = 2 + 2 * g->n_values + 3 * p->n_ops;
    p->buffers = calloc((size_t)p->cap_buffers, sizeof *p->buffers);
    p->value_buffer = malloc((size_t)g->n_values * sizeof *p->value_buffer);
    p->grad_buffer = malloc((size_t)g->n_values * sizeof *p->grad_buffer);
    if (!needs || !seg_written || !producer_op || !p->buffers || !p->value_buffer || !p->grad_buffer) {
        cug_fail(st, "out of memory for the plan of %d layers", g->n_nodes);
        goto cleanup;
    }
    for (int v = 0; v < g->n_values; v++) p->value_buffer[v] = p->grad_buffer[v] = producer_op[v] = -1;
    for (int i = 0; i < p->n_ops; i++) producer_op[p->ops[i].node.out] = i;

    size_t n = (size_t)p->batch;
    add_buffer(p, n * cug_dtype_size(p->be->real), t_loss(p), t_end(p), "loss", ""); /* BUF_LOSS */
    add_buffer(p, n * sizeof(int32_t), t_loss(p), t_end(p), "predictions", "");      /* BUF_PRED */
    place_values(p, producer_op);
    if (p->flags & CUG_PLAN_TRAIN) {
        mark_gradients(p, needs);
        st = can_train(p);
        if (st != CUG_OK) goto cleanup;
        place_gradients(p, needs, seg_written);
    }
    place_extras(p, dev, needs);
    st = plan_pack(p);
cleanup:
    free(needs);
    free(seg_written);
    free(producer_op);
    return st;
}

cug_status cug_plan_create(cug_plan **out, const cug_graph *g, const cug_backend *be, const cug_device *dev, int batch,
                           unsigned flags) {
    *out = 0;
    if (batch < 1 || batch > 1 << 20)
        return cug_fail(CUG_EINVAL, "batch size %d: must be between 1 and %d", batch, 1 << 20);
    for (int v = 0; v < g->n_values; v++)
        if (cug_value_count(&g->values[v]) * (size_t)batch > (size_t)INT32_MAX)
            return cug_fail(CUG_EINVAL,
                            "%s: %zu elements a sample times batch %d is more than 2^31; use a smaller batch",
                            g->values[v].name, cug_value_count(&g->values[v]), batch);
    cug_plan *p = calloc(1, sizeof *p);
    if (!p) return cug_fail(CUG_ENOMEM, "out of memory for a plan");
    p->g = g;
    p->be = be;
    p->batch = batch;
    p->flags = flags;
    cug_status st = plan_expand(p, dev);
    if (st == CUG_OK) st = lay_out(p, dev);
    if (st != CUG_OK) {
        cug_plan_free(p);
        return st;
    }
    *out = p;
    return CUG_OK;
}

void cug_plan_free(cug_plan *p) {
    if (!p) return;
    free(p->ops);
    free(p->buffers);
    free(p->value_buffer);
    free(p->grad_buffer);
    free(p);
}

size_t cug_plan_arena_bytes(const cug_plan *p) { return p->arena_bytes; }
int cug_plan_batch(const cug_plan *p) { return p->batch; }
size_t cug_plan_unshared_bytes(const cug_plan *p) { return p->unshared_bytes; }
int cug_plan_op_count(const cug_plan *p) { return p->n_ops; }
const cug_node *cug_plan_op(const cug_plan *p, int op) { return &p->ops[op].node; }
