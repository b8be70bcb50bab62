/* op_optimizer.c - parameter updates: every side against closed forms, and against the reference
 * over the table of settings. */
#include "cases/optimizer.h"
#include "op_tests.h"
#include <math.h>
#include <string.h>

enum { W, M, V, G, STEP };

/* aux of an update: the runs. */
typedef struct {
    const cug_param_run *runs;
    int n_runs;
} run_list;

static cug_status update(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    const run_list *l = c->aux;
    return be->optimizer->update(t[W], t[M], t[V], t[G], c->shape, l->runs, l->n_runs, t[STEP] ? t[STEP]->ptr : NULL,
                                 ex);
}

static size_t workspace(const cug_backend *be, const cug_device *d, const op_call *c) {
    const run_list *l = c->aux;
    return c->shape && l->runs ? be->optimizer->workspace(d, c->shape, l->runs, l->n_runs) : 0;
}

static op_slot state(const char *name, size_t n, const double *start, int used) {
    return (op_slot){.name = name, .role = used ? OP_ADD : OP_ABSENT, .dtype = CUG_F64, .count = n, .data = start};
}

static op_call update_call(const char *name, const cug_opt_params *p, size_t n, const run_list *runs,
                           const double *const start[3], const double *g, const cug_step *step) {
    int states = cug_opt_state_count(p->kind);
    return (op_call){
        .op = "update",
        .name = name,
        .shape = p,
        .aux = runs,
        .run = update,
        .workspace = workspace,
        .table = offsetof(cug_backend, optimizer),
        .slots = {state("w", n, start[0], 1),
                  state("m", n, start[1], states > 0),
                  state("v", n, start[2], states > 1),
                  {.name = "g", .role = OP_IN, .dtype = CUG_F64, .count = n, .data = g},
                  {.name = "step", .role = OP_IN, .dtype = CUG_U8, .count = sizeof *step, .data = step, .raw = 1}},
    };
}

/* What the host puts into the step record before step t (counted from 0). */
static cug_step step_record(const cug_opt_params *p, uint64_t t, float lr) {
    return (cug_step){.step = t,
                      .lr = lr,
                      .bias_corr1 = (float)(1 - pow((double)p->beta1, (double)(t + 1))),
                      .bias_corr2 = (float)(1 - pow((double)p->beta2, (double)(t + 1)))};
}

/* --- closed forms ------------------------------------------------------------------------------------------------- */

#define LR 0.125f
#define STEPS 6

/* A weight that starts at w0 and sees the same gradient g at every step; t steps done. */
typedef struct {
    double w0, g;
    int t;
} path;

static double geometric(double r, int t) { return (1 - pow(r, t)) / (1 - r); } /* 1 + r + ... + r^(t-1) */

static double plain(const cug_opt_params *p, const path *a) {
    (void)p;
    return a->w0 - (double)LR * a->g * a->t;
}
static double shrinking(const cug_opt_params *p, const path *a) { /* l2 or decoupled decay, and a gradient beside it */
    double r = 1 - (double)LR * (double)(p->l2 + p->weight_decay);
    return pow(r, a->t) * a->w0 - (double)LR * a->g * geometric(r, a->t);
}
static double pulled(const cug_opt_params *p, const path *a) { /* l1, while the weight keeps its sign */
    return a->w0 - (double)LR * a->t * (a->g + (double)p->l1 * ((a->w0 > 0) - (a->w0 < 0)));
}
static double value_clipped(const cug_opt_params *p, const path *a) {
    double c = (double)p->clip_value, g = a->g > c ? c : a->g < -c ? -c : a->g;
    return a->w0 - (double)LR * g * a->t;
}
static double norm_clipped(const cug_opt_params *p, const path *a) { /* the record says the norm is 4 */
    double scale = (double)p->clip_norm / (4 + 1e-6);
    return a->w0 - (double)LR * a->t * a->g * (scale < 1 ? scale : 1);
}
static double rolling(const cug_opt_params *p, const path *a) { /* v_i = g (1 - mu^i) / (1 - mu) */
    double mu = (double)p->momentum, sum = (a->t - mu * geometric(mu, a->t)) / (1 - mu);
    return a->w0 - (double)LR * a->g * sum;
}
static double looking_ahead(const cug_opt_params *p, const path *a) {
    double mu = (double)p->momentum, sum = (a->t - mu * geometric(mu, a->t)) / (1 - mu);
    return a->w0 - (double)LR * a->g * (a->t + mu * sum);
}
static double normalised(const cug_opt_params *p, const path *a) { /* Adam: m/c1 = g and v/c2 = g^2 throughout */
    return a->w0 - (double)LR * a->t * a->g / (fabs(a->g) + (double)p->eps);
}
static double in_order(const cug_opt_params *p, const path *a) { /* first step only: clip_norm, clip_value, l2, l1 */
    double scale = (double)p->clip_norm / (4 + 1e-6), c = (double)p->clip_value, g = a->g * scale;
    g = g > c ? c : g < -c ? -c : g;
    g += (double)p->l2 * a->w0 + (double)p->l1 * ((a->w0 > 0) - (a->w0 < 0));
    return a->w0 - (double)LR * g;
}
static double decayed_then_normalised(const cug_opt_params *p, const path *a) { /* AdamW, first step */
    double w = a->w0 - (double)LR * (double)p->weight_decay * a->w0;
    return w - (double)LR * a->g / (fabs(a->g) + (double)p->eps);
}

#define ADAM .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f

static const struct {
    const char *name;
    cug_opt_params p;
    double w[3], g[3];
    int steps;
    double (*decayed)(const cug_opt_params *p, const path *a); /* runs with decay */
    double (*bare)(const cug_opt_params *p, const path *a);    /* runs without */
} closed[] = {
    {"sgd", {.kind = CUG_OPT_SGD}, {1, -2, 0}, {0.5, 0, -3}, STEPS, plain, plain},
    {"sgd ignores adam's fields",
     {.kind = CUG_OPT_SGD, ADAM, .weight_decay = 0.5f},
     {1, -2, 0},
     {0.5, 0, -3},
     STEPS,
     plain,
     plain},
    {"sgd l2", {.kind = CUG_OPT_SGD, .l2 = 0.25f}, {1, -2, 0}, {0.5, 0, -3}, STEPS, shrinking, plain},
    {"sgd l1", {.kind = CUG_OPT_SGD, .l1 = 0.0625f}, {1, -2, 0}, {0.5, 0, 0}, STEPS, pulled, plain},
    {"sgd clip_value",
     {.kind = CUG_OPT_SGD, .clip_value = 0.25f},
     {1, -2, 0},
     {7, -7, 0.125},
     STEPS,
     value_clipped,
     value_clipped},
    {"sgd clip_norm",
     {.kind = CUG_OPT_SGD, .clip_norm = 0.5f},
     {1, -2, 0},
     {7, -7, 0.125},
     STEPS,
     norm_clipped,
     norm_clipped},
    {"sgd clip_norm unused",
     {.kind = CUG_OPT_SGD, .clip_norm = 5},
     {1, -2, 0},
     {7, -7, 0.125},
     STEPS,
     norm_clipped,
     norm_clipped},
    {"order",
     {.kind = CUG_OPT_SGD, .clip_norm = 2, .clip_value = 1.5f, .l1 = 0.25f, .l2 = 0.5f},
     {3, -2, 0.5},
     {8, -8, 1},
     1,
     in_order,
     NULL},
    {"momentum", {.kind = CUG_OPT_MOMENTUM, .momentum = 0.75f}, {1, -2, 0}, {0.5, 0, -3}, STEPS, rolling, rolling},
    {"momentum 0", {.kind = CUG_OPT_MOMENTUM}, {1, -2, 0}, {0.5, 0, -3}, STEPS, plain, plain},
    {"nesterov",
     {.kind = CUG_OPT_NESTEROV, .momentum = 0.75f},
     {1, -2, 0},
     {0.5, 0, -3},
     STEPS,
     looking_ahead,
     looking_ahead},
    {"adam",
     {.kind = CUG_OPT_ADAM, ADAM, .weight_decay = 0.5f},
     {1, -2, 0},
     {0.5, 1e-3, -3},
     STEPS,
     normalised,
     normalised},
    {"adam, large eps",
     {.kind = CUG_OPT_ADAM, .beta1 = 0.7f, .beta2 = 0.9f, .eps = 0.5f},
     {1, -2, 0},
     {0.5, 1e-3, -3},
     STEPS,
     normalised,
     normalised},
    {"adamw, no gradient",
     {.kind = CUG_OPT_ADAMW, ADAM, .weight_decay = 0.25f},
     {1, -2, 0},
     {0, 0, 0},
     STEPS,
     shrinking,
     plain},
    {"adamw, first step",
     {.kind = CUG_OPT_ADAMW, ADAM, .weight_decay = 0.25f},
     {1, -2, 0},
     {0.5, 1e-3, -3},
     1,
     decayed_then_normalised,
     NULL},
};
#define CLOSED ((int)(sizeof closed / sizeof *closed))

/* Walks `steps` steps on one side; *w, *m, *v are replaced by where they ended. */
static int walk(op_world *w, op_side *s, const char *name, const cug_opt_params *p, int steps, const run_list *runs,
                size_t n, const double *state_now[3], const double *g) {
    for (int t = 0; t < steps; t++) {
        cug_step step = step_record(p, (uint64_t)t, LR);
        step.grad_norm = 4;
        op_call c = update_call(name, p, n, runs, state_now, g, &step);
        if (op_run(w, s, &c) != 1) return -1;
        for (int i = W; i <= V; i++)
            if (c.slots[i].role != OP_ABSENT) state_now[i] = op_keep(w, s, &c, i);
    }
    return 0;
}

static void closed_case(op_world *w, op_side *s, int k, int decay) {
    double (*want)(const cug_opt_params *, const path *) = decay ? closed[k].decayed : closed[k].bare;
    if (!want) return;
    const cug_param_run run = {.count = 3, .decay = decay};
    const run_list runs = {&run, 1};
    const double zero[3] = {0, 0, 0}, *now[3] = {closed[k].w, zero, zero};
    if (walk(w, s, closed[k].name, &closed[k].p, closed[k].steps, &runs, 3, now, closed[k].g)) return;
    /* The reference sees bias corrections as float32, and its Adam with them. */
    double tol = s->be->real == CUG_F32 ? 2e-6 : closed[k].p.kind >= CUG_OPT_ADAM ? 2e-7 : 1e-13;
    for (int i = 0; i < 3; i++) {
        path a = {closed[k].w[i], closed[k].g[i], closed[k].steps};
        double expect = want(&closed[k].p, &a);
        if (!(fabs(now[0][i] - expect) <= tol * (1 + fabs(expect))))
            op_failed(w, "%s, decay %d, on %s: weight %d is %.10g after %d steps, not %.10g", closed[k].name, decay,
                      s->label, i, now[0][i], a.t, expect);
    }
}

void op_test_update_closed(op_world *w) {
    op_side *s;
    for (int i = 0; (s = op_any_side(w, i)); i++)
        for (int k = 0; k < CLOSED; k++) {
            closed_case(w, s, k, 1);
            closed_case(w, s, k, 0);
            op_release(w);
        }
}

/* --- settings x buffers against the reference ----------------------------------------------------------------------
 */

/* What an iteration does to the rounding of a term that stands across u's large singular vectors: 3.4445 times, five
 * times over; and the rate's own factor. */
static double muon_growth(const cug_param_run *r) {
    return pow(CUG_MUON_A, CUG_MUON_STEPS) * sqrt(fmax(1, (double)r->rows / r->cols));
}

/* Multiply-adds of Muon's products. */
static double muon_work(const cug_opt_params *p, const run_list *l) {
    double work = 0;
    for (int r = 0; r < l->n_runs; r++) {
        double s = fmin(l->runs[r].rows, l->runs[r].cols);
        if (cug_run_is_matrix(p, &l->runs[r])) work += CUG_MUON_STEPS * s * (2 * (double)l->runs[r].count + s * s);
    }
    return work;
}

/* Sums of absolute terms behind w, m and v after one step, for tolerances. */
static void update_terms(op_world *w, op_call *c, const cug_opt_params *p, const run_list *runs, const double *after) {
    size_t n = c->slots[W].count;
    const double *w0 = c->slots[W].data, *m0 = c->slots[M].data, *v0 = c->slots[V].data, *g = c->slots[G].data;
    const cug_step *step = c->slots[STEP].data;
    double *terms[3];
    for (int k = 0; k < 3; k++) c->slots[k].terms = terms[k] = op_memory(w, n * sizeof(double));
    int states = cug_opt_state_count(p->kind);
    for (size_t i = 0; i < n; i++) {
        double pull = fabs(g[i]) + (double)p->l1 + (double)p->l2 * fabs(w0[i]);
        double m = states > 0 ? fabs(m0[i]) + pull : 0, v = states > 1 ? v0[i] + pull * pull : 0, move = pull + m;
        if (states > 1) {
            double v1 = (double)p->beta2 * v0[i] * 0.5; /* at least half of what the step divides by */
            move = m / (double)step->bias_corr1 / (sqrt(v1 / (double)step->bias_corr2) + (double)p->eps);
        }
        terms[W][i] = fabs(w0[i]) + fabs(after[i] - w0[i]) + (double)step->lr * move;
        terms[M][i] = m;
        terms[V][i] = v;
    }
    for (int r = 0; r < runs->n_runs; r++)
        for (size_t i = 0; i < runs->runs[r].count && cug_run_is_matrix(p, &runs->runs[r]); i++) {
            size_t at = runs->runs[r].offset + i;
            double lr = (double)step->lr * (double)p->matrix_lr_scale;
            terms[W][at] = fabs(w0[at]) + fabs(after[at] - w0[at]) + lr * muon_growth(&runs->runs[r]);
            terms[V][at] = v0[at];
        }
}

static void frozen_untouched(op_world *w, op_side *s, const op_call *c, const optimizer_buffer *b) {
    for (int k = W; k <= V; k++) {
        if (c->slots[k].role == OP_ABSENT) continue;
        const double *before = c->slots[k].data;
        for (size_t i = 0; i < b->count; i++) {
            int listed = 0;
            for (int r = 0; r < b->n_runs; r++)
                listed |= i >= b->runs[r].offset && i < b->runs[r].offset + b->runs[r].count;
            if (listed || s->value[k][i] == before[i]) continue;
            op_failed(w, "%s on %s: frozen element %zu of %s moved", c->name, s->label, i, c->slots[k].name);
            return;
        }
    }
}

static void update_case(op_world *w, int k, const optimizer_buffer *b) {
    const cug_opt_params *p = &optimizer_cases[k].p;
    const run_list runs = {b->runs, b->n_runs};
    /* v stays well away from zero: what Adam divides by then has no cancellation of its own */
    const double *start[3] = {op_reals(w, 1, b->count, -1, 1), op_reals(w, 2, b->count, -0.5, 0.5),
                              op_reals(w, 3, b->count, 0.1, 1)};
    cug_step step = step_record(p, 2, 0.01f);
    step.grad_norm = 1.7;
    op_call c = update_call(optimizer_cases[k].name, p, b->count, &runs, start, op_reals(w, 4, b->count, -1, 1), &step);
    if (op_run(w, &w->ref, &c) != 1) return;
    update_terms(w, &c, p, &runs, op_keep(w, &w->ref, &c, W));
    op_compare(w, &c);
    op_side *s;
    for (int i = 0; (s = op_any_side(w, i)); i++)
        if (op_run(w, s, &c) == 1) frozen_untouched(w, s, &c, b);
}

void op_test_update(op_world *w) {
    for (int k = 0; k < OPTIMIZER_CASES; k++)
        for (int i = 0; i < OPTIMIZER_BUFFERS; i++) {
            const run_list runs = {optimizer_buffers[i].runs, optimizer_buffers[i].n_runs};
            double work = (double)optimizer_buffers[i].count + muon_work(&optimizer_cases[k].p, &runs);
            if (op_too_large(w, 0, work)) continue;
            update_case(w, k, &optimizer_buffers[i]);
            op_release(w);
        }
    cug_opt_params p = {.kind = CUG_OPT_ADAM, ADAM};
    cug_step step = step_record(&p, 0, LR);
    const cug_param_run run = {.count = 37, .decay = 1}, past_end = {.offset = 30, .count = 8},
                        overflow = {.offset = 37, .count = SIZE_MAX}, no_matrix = {.count = 37, .rows = 6, .cols = 6},
                        no_rows = {.count = 37, .cols = 37};
    run_list runs = {&run, 1};
    const double *start[3] = {op_reals(w, 1, 37, -1, 1), op_reals(w, 2, 37, -1, 1), op_reals(w, 3, 37, 0, 1)};
    op_call c = update_call("bad", &p, 37, &runs, start, op_reals(w, 4, 37, -1, 1), &step);
    op_bad_arguments(w, &c, 0);
    p.kind = (cug_opt_kind)17;
    op_bad_shape(w, &c, "of unknown kind");
    p.kind = CUG_OPT_ADAM;
    p.clip_norm = NAN;
    op_bad_shape(w, &c, "with clip_norm NaN");
    p.clip_norm = 0;
    p.kind = CUG_OPT_MUON;
    p.matrix_lr_scale = NAN;
    op_bad_shape(w, &c, "with matrix_lr_scale NaN");
    p.kind = CUG_OPT_ADAM;
    runs.runs = &past_end;
    op_bad_shape(w, &c, "with a run past the end");
    runs.runs = &overflow;
    op_bad_shape(w, &c, "with a run that overflows");
    runs.runs = &no_matrix;
    op_bad_shape(w, &c, "with a run of 37 that is 6 x 6");
    runs.runs = &no_rows;
    op_bad_shape(w, &c, "with a matrix without rows");
    runs.runs = NULL;
    op_bad_shape(w, &c, "without its runs");
    op_release(w);
}

/* A raised flag stops everything, whatever the gradients hold. */
void op_test_update_gate(op_world *w) {
    enum { N = 70 };
    const cug_param_run run = {.count = N, .decay = 1, .rows = 7, .cols = 10};
    const run_list runs = {&run, 1};
    const double *start[3] = {op_reals(w, 1, N, -1, 1), op_reals(w, 2, N, -1, 1), op_reals(w, 3, N, 0, 1)};
    double *g = op_reals(w, 4, N, -1, 1);
    g[5] = NAN;
    g[69] = INFINITY;
    for (int k = 0; k < OPTIMIZER_CASES; k++) {
        cug_step step = step_record(&optimizer_cases[k].p, 0, LR);
        step.nonfinite = 1;
        step.grad_norm = NAN;
        op_side *s;
        op_call c = update_call(optimizer_cases[k].name, &optimizer_cases[k].p, N, &runs, start, g, &step);
        for (int i = 0; (s = op_any_side(w, i)); i++) {
            if (op_run(w, s, &c) != 1) continue;
            for (int j = W; j <= V; j++)
                if (c.slots[j].role != OP_ABSENT && memcmp(s->value[j], start[j], N * sizeof(double)))
                    op_failed(w, "%s on %s: %s moved though the step is not finite", c.name, s->label, c.slots[j].name);
        }
    }
    op_release(w);
}
