/* parity.c - a backend against the reference: op by op on the reference's own inputs, then whole steps. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/probe.h"
#include "model/plan.h"

/* Unit roundoffs of sum|terms| that a float32 sum may be off: 4, and 8 for one element in 1,000 (at least 10), because
 * the roundings of one long chain of like-signed terms now and then add up. Twice that on tensor cores, which cut off
 * where others round. */
static double sum_tolerance(cug_precision p) { return (p == CUG_PREC_FP32 ? 4 : 8) * 0x1p-24; }

typedef struct parity {
    probe ref, be;
    cug_precision precision;
    cug_check_table *out;
    void *owned[8 * CUG_MAX_INPUTS]; /* copies of one op's tensors */
    int n_owned;
} parity;

static int is_sum(const cug_node *n) {
    return n->op != CUG_OP_ACTIVATION && n->op != CUG_OP_BATCH_NORM &&
           !(n->op == CUG_OP_POOL2D && n->u.pool2d.kind == CUG_POOL_MAX);
}

/* Times that, for gradients of parameters. They are sums over samples, most of them like-signed, and rounding errors of
 * such a chain have a standard deviation of up to sqrt(n / 6) roundoffs of the whole sum (all n partial sums as large
 * as it; an error between half a roundoff and one, evenly distributed). 4 is enough for 8 samples; chains end at 64. */
static double over_samples(const parity *q) {
    int n = cug_plan_batch(q->ref.plan);
    if (n > 64) n = 64;
    return n > 8 ? sqrt(n / 8.0) : 1;
}

/* Compares one tensor elementwise; terms (sums of absolute terms) NULL: an elementwise function's tolerance. `wider`: a
 * factor of a sum's. */
static cug_status compare(parity *q, const char *layer, const char *what, const cug_tensor *ref, const cug_tensor *got,
                          const cug_tensor *terms, double wider) {
    if (!ref->ptr || !got->ptr) return CUG_OK;
    double *a = 0, *b = 0, *t = 0, largest = 0;
    cug_check_row row = {.count = cug_tensor_count(ref)};
    snprintf(row.tensor, sizeof row.tensor, "%s %s", layer, what);
    cug_status st = probe_get(&q->ref, ref, &a);
    if (st == CUG_OK) st = probe_get(&q->be, got, &b);
    if (st == CUG_OK && terms) st = probe_get(&q->ref, terms, &t);
    for (size_t i = 0; st == CUG_OK && i < row.count; i++) largest = fmax(largest, fabs(a[i]));
    size_t far = 0, far_max = row.count / 1000 > 10 ? row.count / 1000 : 10;
    for (size_t i = 0; st == CUG_OK && i < row.count; i++) {
        double d = fabs(a[i] - b[i]),
               tol = t ? wider * sum_tolerance(q->precision) * fabs(t[i]) : 1.3e-6 * fabs(a[i]) + 1e-5 * largest;
        double err = d == 0 ? 0 : d / (tol + 1e-40);
        row.checked++;
        if (t && err > 1 && err <= 2 && far++ < far_max) err /= 2;
        if (!(err <= 1)) row.failed++;
        if (i == 0 || !(err <= row.worst)) row.worst = err, row.got = b[i], row.want = a[i];
    }
    free(a);
    free(b);
    free(t);
    return st == CUG_OK ? check_row_add(q->out, &row) : st;
}

/* The reference's tensor into the backend's place, rounded to its type. */
static cug_status transplant(parity *q, const cug_tensor *from, const cug_tensor *to) {
    if (!from->ptr || !to->ptr) return CUG_OK;
    double *v = 0;
    CUG_TRY(probe_get(&q->ref, from, &v));
    cug_status st = probe_put(&q->be, to, v);
    free(v);
    return st;
}

/* What batch normalisation saves are numbers of the backend's own type; of others, bytes alike everywhere. */
static cug_tensor saved_numbers(const probe *p, const plan_op *op) {
    return cug_tensor2(op->saved_t.ptr, p->be->real, 3, op->node.u.batch_norm.C);
}

static cug_status transplant_saved(parity *q, const plan_op *from, const plan_op *to) {
    if (!from->saved_t.ptr || !to->saved_t.ptr) return CUG_OK;
    if (from->node.op == CUG_OP_BATCH_NORM) {
        cug_tensor a = saved_numbers(&q->ref, from), b = saved_numbers(&q->be, to);
        return transplant(q, &a, &b);
    }
    return q->be.be->upload(q->be.dev, to->saved_t.ptr, from->saved_t.ptr, cug_tensor_bytes(&to->saved_t), 0);
}

typedef enum { COPY_ROUNDED, COPY_ABSOLUTE, COPY_OUTPUT } copy_kind;

/* Gives t memory of its own: its values rounded to float32 (what the other backend was given), their absolute values,
 * or NaN for an output. The reference's memory is host memory. */
static cug_status own_copy(parity *q, cug_tensor *t, copy_kind kind) {
    if (!t->ptr) return CUG_OK;
    size_t n = cug_tensor_count(t);
    const double *from = t->ptr;
    double *v = malloc((n + 1) * sizeof *v);
    if (!v) return cug_fail(CUG_ENOMEM, "out of memory for %zu elements", n);
    int narrow = q->be.be->real != CUG_F64;
    for (size_t i = 0; i < n; i++) {
        if (kind == COPY_OUTPUT)
            v[i] = (double)NAN;
        else if (kind == COPY_ABSOLUTE)
            v[i] = fabs(from[i]);
        else
            v[i] = narrow ? (double)(float)from[i] : from[i];
    }
    t->ptr = v;
    q->owned[q->n_owned++] = v;
    return CUG_OK;
}

static void drop_copies(parity *q) {
    while (q->n_owned) free(q->owned[--q->n_owned]);
}

static cug_exec exec_for(const probe *p, int op, cug_pass pass) {
    return plan_exec(p->plan, &p->plan->ops[op], pass, &p->ex);
}

/* The op's forward on copies of the reference's inputs. */
static cug_status forward_copy(parity *q, int i, copy_kind kind, plan_op *r) {
    const cug_exec e = exec_for(&q->ref, i, CUG_FWD);
    for (int j = 0; j < r->node.n_in; j++) CUG_TRY(own_copy(q, &r->x[j], kind));
    CUG_TRY(own_copy(q, &r->w, kind));
    CUG_TRY(own_copy(q, &r->b, kind));
    CUG_TRY(own_copy(q, &r->y, COPY_OUTPUT));
    if (r->node.op == CUG_OP_BATCH_NORM) {
        cug_tensor saved = saved_numbers(&q->ref, r);
        CUG_TRY(own_copy(q, &saved, COPY_OUTPUT));
        r->saved_t.ptr = saved.ptr;
    }
    return op_def_of(r->node.op)->fwd(q->ref.be, r, &e);
}

/* Batch normalisation's terms, which its own arithmetic on absolute values would subtract: what each difference is made
 * of, added up, of the reference's tensors (copies, to be overwritten) after the op has run on them. */
static void batch_norm_terms(const plan_op *r, int backward) {
    const cug_batch_norm_shape *s = &r->node.u.batch_norm;
    const double *x = r->x[0].ptr, *mean = r->saved_t.ptr, *rstd = mean + s->C, *gamma = r->w.ptr, *dy = r->dy.ptr;
    double *y = r->y.ptr, *dx = r->dx[0].ptr, *dgamma = r->dw.ptr, *dbeta = r->db.ptr;
    for (int c = 0; c < s->C; c++) {
        double sum = 0, dot = 0, a = fabs(gamma[c]) * rstd[c];
        for (int m = 0; m < s->rows; m++) {
            size_t i = (size_t)m * (size_t)s->C + (size_t)c;
            double far = fabs(x[i]) + fabs(mean[c]);
            if (!backward) {
                y[i] = a * far + fabs(((const double *)r->b.ptr)[c]);
                continue;
            }
            sum += fabs(dy[i]);
            dot += fabs(dy[i]) * far * rstd[c];
        }
        if (!backward) continue;
        if (dgamma) dgamma[c] = dot;
        if (dbeta) dbeta[c] = sum;
        for (int m = 0; dx && m < s->rows; m++) {
            size_t i = (size_t)m * (size_t)s->C + (size_t)c;
            double far = (fabs(x[i]) + fabs(mean[c])) * rstd[c];
            dx[i] = a * (fabs(dy[i]) + (sum + far * dot) / s->rows);
        }
    }
}

static cug_status forward_op(parity *q, int i) {
    plan_op r = q->ref.plan->ops[i], terms = r;
    const plan_op *b = &q->be.plan->ops[i];
    const cug_exec e = exec_for(&q->be, i, CUG_FWD);
    /* The first run's argmax stays. */
    if (r.node.op != CUG_OP_BATCH_NORM) r.saved_t.ptr = terms.saved_t.ptr = 0;
    for (int j = 0; j < r.node.n_in; j++) CUG_TRY(transplant(q, &r.x[j], &b->x[j]));
    CUG_TRY(op_def_of(b->node.op)->fwd(q->be.be, b, &e));
    CUG_TRY(forward_copy(q, i, COPY_ROUNDED, &r));
    int normalises = r.node.op == CUG_OP_BATCH_NORM;
    if (!is_sum(&r.node) && !normalises) return compare(q, r.node.name, "output", &r.y, &b->y, 0, 1);
    CUG_TRY(forward_copy(q, i, normalises ? COPY_ROUNDED : COPY_ABSOLUTE, &terms));
    if (normalises) batch_norm_terms(&terms, 0);
    return compare(q, r.node.name, "output", &r.y, &b->y, &terms.y, 1);
}

/* The op's backward for input j on copies of the reference's tensors. */
static cug_status backward_copy(parity *q, int i, int j, copy_kind kind, plan_op *r) {
    const cug_exec e = exec_for(&q->ref, i, CUG_BWD);
    CUG_TRY(own_copy(q, &r->x[0], kind));
    CUG_TRY(own_copy(q, &r->y, kind));
    CUG_TRY(own_copy(q, &r->w, kind));
    CUG_TRY(own_copy(q, &r->dy, kind));
    CUG_TRY(own_copy(q, &r->dx[j], COPY_OUTPUT));
    CUG_TRY(own_copy(q, &r->dw, COPY_OUTPUT));
    CUG_TRY(own_copy(q, &r->db, COPY_OUTPUT));
    return op_def_of(r->node.op)->bwd(q->ref.be, r, j, &e);
}

/* Input j's gradient (and the parameters', with j = 0) of one op, written afresh on both sides: without accumulation,
 * so that sums over branches do not mix in. */
static cug_status backward_input(parity *q, int i, int j) {
    plan_op r = q->ref.plan->ops[i], b = q->be.plan->ops[i];
    const cug_exec e = exec_for(&q->be, i, CUG_BWD);
    char what[48];
    memset(r.acc_dx, 0, sizeof r.acc_dx);
    memset(b.acc_dx, 0, sizeof b.acc_dx);
    r.acc_dw = b.acc_dw = 0;
    plan_op terms = r;
    int normalises = r.node.op == CUG_OP_BATCH_NORM;
    int sums = is_sum(&r.node) || r.node.op == CUG_OP_POOL2D || normalises;
    CUG_TRY(op_def_of(b.node.op)->bwd(q->be.be, &b, j, &e));
    CUG_TRY(backward_copy(q, i, j, COPY_ROUNDED, &r));
    if (sums) CUG_TRY(backward_copy(q, i, j, normalises ? COPY_ROUNDED : COPY_ABSOLUTE, &terms));
    if (normalises) batch_norm_terms(&terms, 1);
    snprintf(what, sizeof what, r.node.n_in > 1 ? "input %d gradient" : "input gradient", j + 1);
    CUG_TRY(compare(q, r.node.name, what, &r.dx[j], &b.dx[j], sums ? &terms.dx[j] : 0, 1));
    if (j) return CUG_OK;
    CUG_TRY(compare(q, r.node.name, "weight gradient", &r.dw, &b.dw, sums ? &terms.dw : 0, over_samples(q)));
    return compare(q, r.node.name, "bias gradient", &r.db, &b.db, sums ? &terms.db : 0, over_samples(q));
}

static cug_status backward_op(parity *q, int i) {
    const plan_op *r = &q->ref.plan->ops[i], *b = &q->be.plan->ops[i];
    if (!r->dy.ptr) return CUG_OK;
    CUG_TRY(transplant(q, &r->dy, &b->dy));
    CUG_TRY(transplant(q, &r->y, &b->y));
    CUG_TRY(transplant_saved(q, r, b));
    for (int j = 0; j < r->node.n_in; j++) CUG_TRY(transplant(q, &r->x[j], &b->x[j]));
    for (int j = 0; j < r->node.n_in; j++) {
        cug_status st = backward_input(q, i, j);
        drop_copies(q);
        CUG_TRY(st);
    }
    return CUG_OK;
}

static cug_status op_by_op(parity *q) {
    int n = cug_plan_op_count(q->ref.plan);
    double loss;
    CUG_TRY(probe_loss(&q->ref, &loss));
    CUG_TRY(probe_backward(&q->ref));
    for (int i = 0; i < n; i++) {
        cug_status st = forward_op(q, i);
        drop_copies(q);
        CUG_TRY(st);
    }
    cug_tensor z = cug_plan_value(q->ref.plan, q->ref.g->output), zb = cug_plan_value(q->be.plan, q->ref.g->output);
    CUG_TRY(transplant(q, &z, &zb));
    CUG_TRY(cug_plan_loss(q->be.plan, &q->be.ex));
    cug_tensor l = cug_plan_loss_values(q->ref.plan), lb = cug_plan_loss_values(q->be.plan);
    cug_tensor d = cug_plan_grad(q->ref.plan, q->ref.g->output), db = cug_plan_grad(q->be.plan, q->ref.g->output);
    CUG_TRY(compare(q, "loss", "values", &l, &lb, 0, 1));
    CUG_TRY(compare(q, "loss", "gradient", &d, &db, 0, 1));
    for (int i = n - 1; i >= 0; i--) CUG_TRY(backward_op(q, i));
    return cug_plan_check_guards(q->be.plan, &q->be.ex);
}

/* |a - b| / |a| over n numbers against tol. */
static cug_status compare_norm(parity *q, const char *what, const double *a, const double *b, size_t n, double tol) {
    cug_check_row row = {.count = n, .checked = 1};
    double d = 0, s = 0;
    snprintf(row.tensor, sizeof row.tensor, "%s", what);
    for (size_t i = 0; i < n; i++) d += (a[i] - b[i]) * (a[i] - b[i]), s += a[i] * a[i];
    row.want = sqrt(s);
    row.got = sqrt(d);
    row.worst = d == 0 ? 0 : sqrt(d) / (tol * sqrt(s) + 1e-30);
    row.failed = !(row.worst <= 1);
    return check_row_add(q->out, &row);
}

/* A constant that batch normalisation takes off again: its gradient is 0, and what rounding leaves of it is noise. */
static int cancels(const cug_graph *g, int segment) {
    const cug_node *n = 0;
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].bias == segment && g->nodes[i].op != CUG_OP_BATCH_NORM) n = &g->nodes[i];
    while (n && g->values[n->out].users == 1) {
        const cug_node *next = 0;
        for (int i = 0; i < g->n_nodes; i++)
            for (int j = 0; j < g->nodes[i].n_in; j++)
                if (g->nodes[i].in[j] == n->out) next = &g->nodes[i];
        if (!next) return 0;
        if (next->op == CUG_OP_BATCH_NORM) return cug_segment_trained(&g->segments[next->weight]);
        if (next->op != CUG_OP_POOL2D && next->op != CUG_OP_BIAS && next->op != CUG_OP_FLATTEN) return 0;
        n = next;
    }
    return 0;
}

static cug_status compare_segments(parity *q, void *ref_flat, void *be_flat, const char *what, double tol) {
    const cug_graph *g = q->ref.g;
    char name[160];
    for (int i = 0; i < g->n_segments; i++) {
        const cug_segment *s = &g->segments[i];
        if (!cug_segment_trained(s) || cancels(g, i)) continue;
        double *a = 0, *b = 0;
        cug_tensor ta = cug_tensor1((char *)ref_flat + s->offset * sizeof(double), CUG_F64, (int)s->count), tb = ta;
        tb.dtype = q->be.be->real;
        tb.ptr = (char *)be_flat + s->offset * cug_dtype_size(tb.dtype);
        cug_status st = probe_get(&q->ref, &ta, &a);
        if (st == CUG_OK) st = probe_get(&q->be, &tb, &b);
        snprintf(name, sizeof name, "step: %s %s", s->name, what);
        if (st == CUG_OK) st = compare_norm(q, name, a, b, s->count, tol);
        free(a);
        free(b);
        CUG_TRY(st);
    }
    return CUG_OK;
}

static cug_status one_update(probe *p) {
    const cug_graph *g = p->g;
    size_t bytes = g->flat_count * cug_dtype_size(p->be->real);
    const cug_opt_params opt = {.kind = CUG_OPT_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    cug_param_run run = {.count = g->flat_count, .decay = 1};
    void *m = 0, *v = 0;
    CUG_TRY(p->be->alloc(p->dev, &m, bytes + 1));
    cug_status st = p->be->alloc(p->dev, &v, bytes + 1);
    if (st == CUG_OK) st = p->be->fill(p->dev, m, 0, bytes, p->ex.stream);
    if (st == CUG_OK) st = p->be->fill(p->dev, v, 0, bytes, p->ex.stream);
    cug_tensor w = cug_tensor1(p->buf.params, p->be->real, (int)g->flat_count), tg = w, tm = w, tv = w;
    tg.ptr = p->buf.grads, tm.ptr = m, tv.ptr = v;
    if (st == CUG_OK) st = p->be->optimizer->grad_norm(p->buf.step, &tg, 0, &run, 1, &p->ex);
    if (st == CUG_OK) st = p->be->optimizer->update(&w, &tm, &tv, &tg, &opt, &run, 1, p->buf.step, &p->ex);
    p->be->free(p->dev, m);
    p->be->free(p->dev, v);
    return st;
}

/* With rounded factors a float32 activation next to a rounding edge goes to the other neighbour than float64's; some 1
 * in 10,000 do, by one part in 2^11 (TF32) or 2^8. That is what the distances over a whole step are then made of; the
 * ops have been held against the reference one by one before. */
static cug_status whole_step(parity *q) {
    static const double wider_by[] = {[CUG_PREC_FP32] = 1, [CUG_PREC_TF32] = 10, [CUG_PREC_BF16] = 30};
    const double wider = wider_by[q->precision];
    double a, b;
    CUG_TRY(probe_loss(&q->ref, &a));
    CUG_TRY(probe_loss(&q->be, &b));
    CUG_TRY(compare_norm(q, "step: loss", &a, &b, 1, 1e-5 * wider));
    CUG_TRY(probe_backward(&q->ref));
    CUG_TRY(probe_backward(&q->be));
    CUG_TRY(compare_segments(q, q->ref.buf.grads, q->be.buf.grads, "gradient", 1e-3 * wider));
    CUG_TRY(one_update(&q->ref));
    CUG_TRY(one_update(&q->be));
    return compare_segments(q, q->ref.buf.params, q->be.buf.params, "after Adam", 1e-3 * wider);
}

static cug_status with_probes(cug_check_table *out, const cug_graph *g, const cug_backend *ref, const cug_backend *be,
                              const cug_gradcheck_options *o, unsigned ref_flags, unsigned be_flags,
                              cug_status (*run)(parity *q)) {
    parity q = {.out = out, .precision = o->precision};
    cug_status st = probe_open(&q.ref, g, ref, o, ref_flags);
    if (st == CUG_OK) st = probe_open(&q.be, g, be, o, be_flags);
    if (st == CUG_OK) st = run(&q);
    probe_close(&q.be);
    probe_close(&q.ref);
    return st;
}

cug_status cug_gradcheck_parity(cug_check_table *out, const cug_graph *g, const cug_backend *ref, const cug_backend *be,
                                const cug_gradcheck_options *o) {
    memset(out, 0, sizeof *out);
    if (ref->real != CUG_F64) return cug_fail(CUG_EINVAL, "the reference must be a float64 backend, not %s", ref->name);
    const unsigned apart = CUG_PLAN_NO_REUSE | CUG_PLAN_NO_FUSE;
    CUG_TRY(with_probes(out, g, ref, be, o, apart, apart, op_by_op));
    CUG_TRY(with_probes(out, g, ref, be, o, CUG_PLAN_NO_FUSE, 0, whole_step));
    if (out->failed)
        return cug_fail(CUG_EMISMATCH, "%d tensor%s of backend %s disagree%s with the reference", out->failed,
                        out->failed == 1 ? "" : "s", be->name, out->failed == 1 ? "s" : "");
    return CUG_OK;
}
