/* nonfinite.c - the slow second look after a step produced NaN or Inf: every op's outputs, in order. */
#include "train/nonfinite.h"
#include "model/plan.h"
#include <math.h>
#include <stdlib.h>

typedef struct search {
    const cug_backend *be;
    const cug_exec *ex;
} search;

/* CUG_ENUMERIC with a message when t holds a NaN or Inf. */
static cug_status look(const search *s, const cug_tensor *t, const char *layer, const char *what) {
    if (!t->ptr) return CUG_OK;
    size_t n = cug_tensor_count(t);
    void *host = malloc(cug_tensor_bytes(t) + 1);
    if (!host) return cug_fail(CUG_ENOMEM, "out of memory looking for NaN in layer %s", layer);
    cug_status st = s->be->download(s->ex->device, host, t->ptr, cug_tensor_bytes(t), s->ex->stream);
    for (size_t i = 0; st == CUG_OK && i < n; i++) {
        double v = t->dtype == CUG_F64 ? ((double *)host)[i] : (double)((float *)host)[i];
        if (!isfinite(v))
            st = cug_fail(CUG_ENUMERIC, "%s first seen in %s of layer %s (element %zu)", isnan(v) ? "NaN" : "Inf", what,
                          layer, i);
    }
    free(host);
    return st;
}

static cug_status observe(void *user, const cug_plan *p, int i, cug_pass pass) {
    const search *s = user;
    const plan_op *op = &p->ops[i];
    if (pass == CUG_FWD) {
        CUG_TRY(look(s, &op->w, op->node.name, "the weights"));
        CUG_TRY(look(s, &op->b, op->node.name, "the bias"));
        return look(s, &op->y, op->node.name, "the output");
    }
    for (int j = 0; j < op->node.n_in; j++) CUG_TRY(look(s, &op->dx[j], op->node.name, "the input gradient"));
    CUG_TRY(look(s, &op->dw, op->node.name, "the weight gradient"));
    return look(s, &op->db, op->node.name, "the bias gradient");
}

cug_status nonfinite_locate(const cug_backend *be, cug_plan *p, const cug_exec *ex) {
    search s = {be, ex};
    cug_tensor loss = cug_plan_loss_values(p);
    cug_plan_observe(p, observe, &s);
    cug_status st = cug_plan_forward(p, ex);
    if (st == CUG_OK) st = cug_plan_loss(p, ex);
    if (st == CUG_OK) st = look(&s, &loss, "loss", "the loss");
    if (st == CUG_OK) st = cug_plan_backward(p, ex);
    cug_plan_observe(p, 0, 0);
    if (st == CUG_OK) st = cug_fail(CUG_ENUMERIC, "the gradient norm is not finite though every gradient is: overflow");
    return st;
}
