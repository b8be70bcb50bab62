/* plan_run.c - gives a plan's tensors their addresses and runs its ops. */
#include "model/plan.h"
#include "range.h"
#include <stdlib.h>
#include <string.h>

static void *at(const cug_plan *p, int buffer) {
    return buffer < 0 || !p->bound.arena ? 0 : (char *)p->bound.arena + p->buffers[buffer].offset;
}

static cug_tensor value_tensor(const cug_plan *p, int v, int buffer) {
    const cug_value *s = &p->g->values[v];
    if (s->flat) return cug_tensor2(at(p, buffer), p->be->real, p->batch, s->C);
    return cug_tensor4(at(p, buffer), p->be->real, p->batch, s->H, s->W, s->C);
}

static cug_tensor segment_tensor(const cug_plan *p, void *flat, int segment) {
    cug_tensor t = {0, p->be->real, 0, {1, 1, 1, 1}};
    if (segment < 0 || !flat) return t;
    const cug_segment *s = &p->g->segments[segment];
    t.ptr = (char *)flat + s->offset * cug_dtype_size(t.dtype);
    t.ndim = s->ndim;
    memcpy(t.dims, s->dims, sizeof t.dims);
    for (int i = s->ndim; i < CUG_MAX_DIMS; i++) t.dims[i] = 1;
    return t;
}

cug_status cug_plan_bind(cug_plan *p, const cug_plan_buffers *buffers, const cug_exec *ex) {
    if (!buffers->arena || (!buffers->params && p->g->flat_count) || !buffers->labels || !buffers->ids ||
        !buffers->step || ((p->flags & CUG_PLAN_TRAIN) && !buffers->grads && p->g->flat_count))
        return cug_fail(CUG_EINVAL, "plan: a buffer is missing");
    p->bound = *buffers;
    int train = (p->flags & CUG_PLAN_TRAIN) != 0;
    for (int i = 0; i < p->n_ops; i++) {
        plan_op *op = &p->ops[i];
        const cug_node *n = &op->node;
        for (int j = 0; j < n->n_in; j++) {
            op->x[j] = cug_plan_value(p, n->in[j]);
            op->dx[j] = value_tensor(p, n->in[j], train && op->want_dx[j] ? p->grad_buffer[n->in[j]] : -1);
        }
        op->y = cug_plan_value(p, n->out);
        op->dy = cug_plan_grad(p, n->out);
        op->w = segment_tensor(p, buffers->params, n->weight);
        op->b = segment_tensor(p, buffers->params, n->bias);
        int train_w = train && n->weight >= 0 && cug_segment_trained(&p->g->segments[n->weight]);
        int train_b = train && n->bias >= 0 && cug_segment_trained(&p->g->segments[n->bias]);
        op->running_mean = segment_tensor(p, buffers->params, n->running_mean);
        op->running_var = segment_tensor(p, buffers->params, n->running_var);
        op->dw = segment_tensor(p, train_w ? buffers->grads : 0, n->weight);
        op->db = segment_tensor(p, train_b ? buffers->grads : 0, n->bias);
        op->ids = cug_tensor1(buffers->ids, CUG_I32, p->batch);
        op->step = buffers->step;
        op->saved_t = cug_plan_saved(p, i);
        op->train = train;
    }
    if (p->flags & CUG_PLAN_NO_REUSE) return p->be->fill(ex->device, buffers->arena, 0xFF, p->arena_bytes, ex->stream);
    return CUG_OK;
}

void cug_plan_observe(cug_plan *p, cug_plan_observer fn, void *user) {
    p->observer = fn;
    p->observer_user = user;
}

cug_exec plan_exec(const cug_plan *p, const plan_op *op, cug_pass pass, const cug_exec *ex) {
    const int buffer = pass == CUG_FWD ? op->ws_fwd : op->ws_bwd;
    cug_exec e = *ex;
    e.workspace = at(p, buffer);
    e.workspace_bytes = buffer < 0 ? 0 : p->buffers[buffer].bytes;
    e.frozen = !(p->flags & CUG_PLAN_TRAIN);
    return e;
}

void cug_plan_lend(cug_plan *p, const uint8_t *images, size_t count) {
    p->lent = cug_tensor2((uint8_t *)images, CUG_U8, (int)count, (int)cug_value_count(&p->g->values[0]));
}

static cug_status normalize(cug_plan *p, const cug_exec *ex) {
    cug_tensor y = cug_plan_value(p, 0), u = y, ids = cug_tensor1(p->bound.ids, CUG_I32, p->batch);
    u.ptr = p->bound.pixels;
    u.dtype = CUG_U8;
    const cug_normalize_shape s = {cug_tensor_count(&y), p->bound.scale, p->bound.shift};
    return p->lent.ptr ? p->be->normalize->gather(&y, &p->lent, &ids, &s, ex) : p->be->normalize->fwd(&y, &u, &s, ex);
}

cug_status cug_plan_forward(cug_plan *p, const cug_exec *ex) {
    if (p->bound.pixels || p->lent.ptr) {
        range_push(p->be, "normalize");
        cug_status st = normalize(p, ex);
        range_pop(p->be);
        CUG_TRY(st);
    }
    for (int i = 0; i < p->n_ops; i++) {
        const plan_op *op = &p->ops[i];
        const cug_exec e = plan_exec(p, op, CUG_FWD, ex);
        range_push(p->be, op->range[CUG_FWD]);
        cug_status st = op_def_of(op->node.op)->fwd(p->be, op, &e);
        range_pop(p->be);
        if (st != CUG_OK) return cug_fail_at(st, "layer %s, forward", op->node.name);
        if (p->observer) CUG_TRY(p->observer(p->observer_user, p, i, CUG_FWD));
    }
    return CUG_OK;
}

cug_status cug_plan_loss(cug_plan *p, const cug_exec *ex) {
    const cug_loss_ops *ops = 0;
    switch (p->g->loss) {
    case CUG_LOSS_SOFTMAX_XENT:
        ops = p->be->softmax_xent;
        break;
    case CUG_LOSS_BCE_LOGITS:
        ops = p->be->bce_logits;
        break;
    case CUG_LOSS_MSE:
        ops = p->be->mse;
        break;
    }
    if (!ops)
        return cug_fail(CUG_ENOTSUP, "loss %s: not supported by the %s backend", cug_loss_name(p->g->loss),
                        p->be->name);
    cug_tensor z = cug_plan_value(p, p->g->output), dz = cug_plan_grad(p, p->g->output);
    cug_tensor loss = cug_plan_loss_values(p), pred = cug_plan_predictions(p);
    cug_tensor labels = cug_tensor1(p->bound.labels, CUG_I32, p->batch);
    const cug_loss_shape s = {p->batch, p->g->values[p->g->output].C, p->bound.smoothing};
    range_push(p->be, "loss");
    cug_status st = ops->fwd_bwd(&loss, opt(&dz), &pred, &z, &labels, &s, ex);
    range_pop(p->be);
    return st;
}

cug_status cug_plan_backward(cug_plan *p, const cug_exec *ex) {
    if (!(p->flags & CUG_PLAN_TRAIN)) return cug_fail(CUG_EINVAL, "plan: made for evaluation, it has no backward pass");
    for (int i = p->n_ops - 1; i >= 0; i--) {
        const plan_op *op = &p->ops[i];
        if (!op->dy.ptr) continue; /* nothing trained upstream */
        const cug_exec e = plan_exec(p, op, CUG_BWD, ex);
        cug_status st = CUG_OK;
        range_push(p->be, op->range[CUG_BWD]);
        for (int j = 0; j < op->node.n_in && st == CUG_OK; j++) st = op_def_of(op->node.op)->bwd(p->be, op, j, &e);
        range_pop(p->be);
        if (st != CUG_OK) return cug_fail_at(st, "layer %s, backward", op->node.name);
        if (p->observer) CUG_TRY(p->observer(p->observer_user, p, i, CUG_BWD));
    }
    return CUG_OK;
}

cug_status cug_plan_track(cug_plan *p, const cug_exec *ex) {
    for (int i = 0; i < p->n_ops; i++) {
        const plan_op *op = &p->ops[i];
        const op_def *def = op_def_of(op->node.op);
        if (!def->track) continue;
        range_push(p->be, "statistics");
        cug_status st = def->track(p->be, op, ex);
        range_pop(p->be);
        if (st != CUG_OK) return cug_fail_at(st, "layer %s, running statistics", op->node.name);
    }
    return CUG_OK;
}

cug_tensor cug_plan_value(const cug_plan *p, int value) { return value_tensor(p, value, p->value_buffer[value]); }
cug_tensor cug_plan_grad(const cug_plan *p, int value) { return value_tensor(p, value, p->grad_buffer[value]); }

cug_tensor cug_plan_loss_values(const cug_plan *p) { return cug_tensor1(at(p, BUF_LOSS), p->be->real, p->batch); }
cug_tensor cug_plan_predictions(const cug_plan *p) { return cug_tensor1(at(p, BUF_PRED), CUG_I32, p->batch); }

cug_tensor cug_plan_saved(const cug_plan *p, int op) {
    int b = p->ops[op].saved;
    return cug_tensor1(at(p, b), CUG_U8, b < 0 ? 0 : (int)p->buffers[b].bytes);
}

cug_status cug_plan_check_guards(const cug_plan *p, const cug_exec *ex) {
    if (!(p->flags & CUG_PLAN_NO_REUSE)) return cug_fail(CUG_EINVAL, "plan: guard bands need CUG_PLAN_NO_REUSE");
    unsigned char band[2 * CUG_PLAN_GUARD];   /* the guard and what rounding up to 256 bytes left before it */
    for (int i = -1; i < p->n_buffers; i++) { /* the band after buffer i; -1: the one before them all */
        size_t from = i < 0 ? 0 : p->buffers[i].offset + p->buffers[i].bytes;
        size_t to = i + 1 < p->n_buffers ? p->buffers[i + 1].offset : p->arena_bytes;
        CUG_TRY(p->be->download(ex->device, band, (char *)p->bound.arena + from, to - from, ex->stream));
        for (size_t k = 0; k < to - from; k++)
            if (band[k] != 0xFF)
                return cug_fail(CUG_EMISMATCH, "memory after %s was overwritten (%zu bytes past its end)",
                                i < 0 ? "the arena's start" : p->buffers[i].name, k);
    }
    return CUG_OK;
}
