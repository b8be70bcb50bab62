/* numeric.c - analytic gradients against central differences in float64. */
#include <cuglyph/random.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check/probe.h"
#include "model/plan.h"

enum { STREAM_ENTRY = 2000, STREAM_DIRECTION = 3000 };

/* A fingerprint of every kink's side: ReLU masks and pool winners. FNV-1a. */
static cug_status pattern(probe *p, uint64_t *out) {
    uint64_t h = 1469598103934665603u;
    for (int i = 0; i < cug_plan_op_count(p->plan); i++) {
        const plan_op *op = &p->plan->ops[i];
        int kink = op->node.op == CUG_OP_ACTIVATION &&
                   (op->node.u.activation.kind == CUG_ACT_RELU || op->node.u.activation.kind == CUG_ACT_LEAKY_RELU);
        int winners = op->node.op == CUG_OP_POOL2D && op->node.u.pool2d.kind == CUG_POOL_MAX;
        if (!kink && !winners) continue;
        size_t n = cug_tensor_count(kink ? &op->y : &op->saved_t);
        const double *y = op->y.ptr; /* ref's memory is host memory */
        const uint8_t *w = op->saved_t.ptr;
        for (size_t k = 0; k < n; k++) h = (h ^ (kink ? y[k] > 0 : w[k])) * 1099511628211u;
    }
    *out = h;
    return CUG_OK;
}

/* (L(t + eps v) - L(t - eps v)) / 2 eps for tensor t (n doubles at `at`); v NULL: the single entry e. */
static cug_status difference(probe *p, double *at, size_t n, const double *v, size_t e, double eps, double *slope,
                             int *kinked) {
    double loss[2];
    uint64_t side[2];
    double *old = malloc(((v ? n : 0) + 1) * sizeof *old);
    if (!old) return cug_fail(CUG_ENOMEM, "out of memory for %zu elements", n);
    memcpy(old, v ? at : at + e, (v ? n : 1) * sizeof *old);
    cug_status st = CUG_OK;
    for (int s = 0; s < 2 && st == CUG_OK; s++) {
        double h = s ? -eps : eps;
        if (v)
            for (size_t i = 0; i < n; i++) at[i] = old[i] + h * v[i];
        else
            at[e] = *old + h;
        st = probe_loss(p, &loss[s]);
        if (st == CUG_OK) st = pattern(p, &side[s]);
    }
    memcpy(v ? at : at + e, old, (v ? n : 1) * sizeof *old);
    free(old);
    if (st != CUG_OK) return st;
    *slope = (loss[0] - loss[1]) / (2 * eps);
    *kinked = side[0] != side[1];
    return CUG_OK;
}

static void judge(cug_check_row *row, double got, double want, const cug_gradcheck_options *o) {
    double tol = o->atol + o->rtol * fabs(want), err = fabs(got - want) / tol;
    row->checked++;
    if (!(err <= 1)) row->failed++;
    if (row->checked == 1 || !(err <= row->worst)) row->worst = err, row->got = got, row->want = want;
}

/* One tensor: n parameters (or inputs) at `at` with analytic gradient `grad`. */
static cug_status check_tensor(probe *p, const char *name, double *at, const double *grad, size_t n, uint32_t stream,
                               const cug_gradcheck_options *o, cug_check_table *out) {
    cug_check_row row = {.count = n};
    strncpy(row.tensor, name, sizeof row.tensor - 1);
    int all = n <= (size_t)o->entries, count = all ? (int)n : o->entries;
    for (int i = 0; i < count; i++) {
        size_t e =
            all ? (size_t)i : cug_permute(o->seed + stream, CUG_RNG_GRADCHECK, STREAM_ENTRY, (uint32_t)n, (uint32_t)i);
        double slope = 0;
        int kinked = 0;
        CUG_TRY(difference(p, at, n, 0, e, o->eps, &slope, &kinked));
        if (kinked)
            row.skipped++;
        else
            judge(&row, grad[e], slope, o);
    }
    double *v = malloc((n + 1) * sizeof *v);
    if (!v) return cug_fail(CUG_ENOMEM, "out of memory for %zu elements", n);
    cug_status st = CUG_OK;
    for (int d = 0; d < o->directions && st == CUG_OK; d++) {
        double norm = 0, want = 0, slope = 0;
        int kinked = 0;
        for (size_t i = 0; i < n; i++) {
            v[i] = (double)cug_normal(o->seed, CUG_RNG_GRADCHECK, STREAM_DIRECTION + 16 * stream + (uint32_t)d, i);
            norm += v[i] * v[i];
        }
        norm = sqrt(norm);
        for (size_t i = 0; i < n; i++) v[i] /= norm, want += v[i] * grad[i];
        st = difference(p, at, n, v, 0, o->eps, &slope, &kinked);
        if (st != CUG_OK) break;
        if (kinked)
            row.skipped++;
        else
            judge(&row, want, slope, o);
    }
    free(v);
    return st == CUG_OK ? check_row_add(out, &row) : st;
}

static cug_status check_all(probe *p, const cug_gradcheck_options *o, cug_check_table *out) {
    const cug_graph *g = p->g;
    cug_tensor flat = cug_tensor1(p->buf.grads, CUG_F64, (int)g->flat_count), dx = cug_plan_grad(p->plan, 0);
    double loss, *grads = 0, *dinput = 0;
    CUG_TRY(probe_loss(p, &loss));
    CUG_TRY(probe_backward(p));
    cug_status st = probe_get(p, &flat, &grads);
    if (st == CUG_OK) st = probe_get(p, &dx, &dinput);
    for (int i = 0; i < g->n_segments && st == CUG_OK; i++) {
        const cug_segment *s = &g->segments[i];
        if (!cug_segment_trained(s)) continue;
        st = check_tensor(p, s->name, (double *)p->buf.params + s->offset, grads + s->offset, s->count, (uint32_t)i + 1,
                          o, out);
    }
    if (st == CUG_OK) st = check_tensor(p, "input", cug_plan_value(p->plan, 0).ptr, dinput, p->n_input, 0, o, out);
    if (st == CUG_OK) st = cug_plan_check_guards(p->plan, &p->ex);
    free(grads);
    free(dinput);
    return st;
}

cug_status cug_gradcheck_numeric(cug_check_table *out, const cug_graph *g, const cug_backend *ref,
                                 const cug_gradcheck_options *o) {
    memset(out, 0, sizeof *out);
    if (ref->real != CUG_F64)
        return cug_fail(CUG_EINVAL, "central differences need a float64 backend, not %s", ref->name);
    probe p;
    cug_gradcheck_options smooth = *o; /* rounded factors would make steps of every slope */
    smooth.precision = CUG_PREC_FP32;
    CUG_TRY(probe_open(&p, g, ref, &smooth, CUG_PLAN_NO_REUSE | CUG_PLAN_NO_FUSE));
    cug_status st = check_all(&p, o, out);
    probe_close(&p);
    if (st != CUG_OK) return st;
    int checked = 0, skipped = 0;
    for (int i = 0; i < out->n; i++) checked += out->rows[i].checked, skipped += out->rows[i].skipped;
    if (out->failed)
        return cug_fail(CUG_EMISMATCH, "gradients of %d tensor%s disagree with central differences", out->failed,
                        out->failed == 1 ? "" : "s");
    if (100 * skipped > checked + skipped)
        return cug_fail(CUG_EMISMATCH, "%d of %d comparisons had to be skipped at kinks; at most 1 %% may", skipped,
                        checked + skipped);
    return CUG_OK;
}
