/* training.c - what surrounds the ops: updates over many steps, schedules, scores, random numbers. */
#include "interop.h"
#include <cuglyph/random.h>
#include <cuglyph/schedule.h>
#include <cuglyph/train.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define UPDATE_RTOL 1e-6     /* ref against PyTorch, of the weight or of 0.1 where it is smaller */
#define UPDATE_RTOL_F32 1e-5 /* float32 over 100 steps: each rounds once or twice */
#define SCORE_TOL 1e-12      /* scores lie in [0,1] */
#define SCHEDULE_RTOL 1e-9   /* PyTorch multiplies rates from step to step where ours have a closed form */

static op_side *nth_side(op_world *w, int i) { return i == 0 ? &w->ref : i <= w->sides ? &w->side[i - 1] : NULL; }

int steps_to_go(int steps) {
    const char *limit = getenv("INTEROP_STEPS");
    int n = limit ? atoi(limit) : 0;
    return n > 0 && n < steps ? n : steps;
}

/* 0 and a failure when something is not there. */
static int complain(op_world *w, const sample_call *c) {
    op_failed(w, "%s [%s]: the sample lacks an array", c->op, c->name);
    return 1;
}

/* --- updates ------------------------------------------------------------------------------------------------------ */

enum { W, M, V, G, STEP };

static cug_status update(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->optimizer->update(t[W], t[M], t[V], t[G], c->shape, c->aux, c->index, t[STEP]->ptr, ex);
}
static cug_status grad_norm(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->optimizer->grad_norm(t[0]->ptr, t[1], NULL, c->aux, c->index, ex);
}

static size_t workspace(const cug_backend *be, const cug_device *d, const op_call *c) {
    return be->optimizer->workspace(d, c->shape, c->aux, c->index);
}

static op_slot input(const char *name, size_t n, const double *data) {
    return (op_slot){.name = name, .role = OP_IN, .dtype = CUG_F64, .count = n, .data = data};
}

static op_slot record(int role, const cug_step *step) {
    return (op_slot){.name = "step", .role = role, .dtype = CUG_U8, .count = sizeof *step, .data = step, .raw = 1};
}

static void measure(op_world *w, op_side *s, const op_call *like, const op_slot *g, cug_step *step) {
    const op_call c = {.op = "grad_norm",
                       .name = like->name,
                       .shape = like->shape,
                       .aux = like->aux,
                       .index = like->index,
                       .run = grad_norm,
                       .table = offsetof(cug_backend, optimizer),
                       .slots = {record(OP_ADD, step), *g}};
    if (op_run(w, s, &c) == 1) memcpy(step, s->first[0] + OP_GUARD, sizeof *step);
}

/* shape: kind, weights, how many of them decay (with muon: are a matrix of `rows`), steps, one in so many is kept. */
static void walk(op_world *w, op_side *s, const sample_call *c, const cug_opt_params *p, double lr, int rows) {
    size_t n = (size_t)c->shape[1], decayed = (size_t)c->shape[2];
    const double *g = sample_reals(c, "in", "g", NULL), *want = sample_reals(c, "want", "w", NULL);
    cug_param_run runs[] = {{.count = decayed, .decay = 1}, {.offset = decayed, .count = n - decayed}};
    if (p->kind == CUG_OPT_MUON) runs[0].rows = rows, runs[0].cols = (int)decayed / rows;
    const double *now[3] = {sample_reals(c, "in", "w", NULL), op_memory(w, n * 8), op_memory(w, n * 8)};
    double tol = s->be->real == CUG_F64 ? UPDATE_RTOL : UPDATE_RTOL_F32;
    for (int t = 0, steps = steps_to_go(c->shape[3]); t < steps; t++) {
        cug_step step = {.step = (uint64_t)t,
                         .lr = (float)lr,
                         .bias_corr1 = (float)(1 - pow((double)p->beta1, t + 1)),
                         .bias_corr2 = (float)(1 - pow((double)p->beta2, t + 1))};
        op_call call = {.op = "update",
                        .name = c->name,
                        .shape = p,
                        .aux = runs,
                        .index = 2,
                        .run = update,
                        .workspace = workspace};
        call.table = offsetof(cug_backend, optimizer);
        call.slots[G] = input("g", n, g + (size_t)t * n);
        if (p->clip_norm > 0) measure(w, s, &call, &call.slots[G], &step);
        for (int i = W; i <= V; i++)
            if (i <= cug_opt_state_count(p->kind)) {
                call.slots[i] = input("weights and state", n, now[i]);
                call.slots[i].role = OP_ADD;
            }
        call.slots[STEP] = record(OP_IN, &step);
        if (op_run(w, s, &call) != 1) return;
        for (int i = W; i <= V; i++)
            if (call.slots[i].role != OP_ABSENT) now[i] = op_keep(w, s, &call, i);
        if (t % c->shape[4] != c->shape[4] - 1) continue;
        for (size_t i = 0; i < n; i++, want++)
            if (!(fabs(now[W][i] - *want) <= tol * fmax(fabs(*want), 0.1))) {
                op_failed(w, "update [%s] on %s: weight %zu after %d steps is %.12g, not %.12g", c->name, s->label, i,
                          t + 1, now[W][i], *want);
                return;
            }
    }
}

static void trajectory(op_world *w, const sample_call *c) {
    size_t n = 0, steps = (size_t)c->shape[3], all = (size_t)c->shape[1] * steps, got = 0, kept = 0;
    const double *v = sample_reals(c, "in", "numbers", &n);
    if (!v || (n != 10 && n != 12) || !sample_reals(c, "in", "w", NULL) || !sample_reals(c, "in", "g", &got) ||
        got != all || !sample_reals(c, "want", "w", &kept) || kept != all / (size_t)c->shape[4]) {
        complain(w, c);
        return;
    }
    const cug_opt_params p = {.kind = (cug_opt_kind)c->shape[0],
                              .momentum = (float)v[1],
                              .beta1 = (float)v[2],
                              .beta2 = (float)v[3],
                              .eps = (float)v[4],
                              .weight_decay = (float)v[5],
                              .l1 = (float)v[6],
                              .l2 = (float)v[7],
                              .clip_value = (float)v[8],
                              .clip_norm = (float)v[9],
                              .matrix_lr_scale = n > 11 ? (float)v[10] : 0};
    op_side *s;
    for (int i = 0; (s = nth_side(w, i)); i++) walk(w, s, c, &p, v[0], n > 11 ? (int)v[11] : 0);
}

/* --- schedules ---------------------------------------------------------------------------------------------------- */

static void schedule(op_world *w, const sample_call *c) {
    size_t n = 0, steps = 0;
    const double *v = sample_reals(c, "in", "numbers", &n), *want = sample_reals(c, "want", "lr", &steps);
    if (!v || n != 6 || !want || steps != (size_t)c->shape[1]) {
        complain(w, c);
        return;
    }
    const cug_schedule s = {.kind = (cug_schedule_kind)c->shape[0],
                            .lr = v[0],
                            .min_lr = v[1],
                            .gamma = v[2],
                            .step_epochs = c->shape[3],
                            .pct = v[3],
                            .div = v[4],
                            .final_div = v[5],
                            .warmup_steps = (uint64_t)c->shape[4],
                            .total_steps = steps,
                            .steps_per_epoch = (uint64_t)c->shape[2]};
    if (cug_schedule_check(&s) != CUG_OK) op_failed(w, "schedule [%s]: %s", c->name, cug_error());
    for (size_t t = 0; t < steps; t++) {
        double got = cug_schedule_lr(&s, t);
        if (fabs(got - want[t]) <= SCHEDULE_RTOL * fabs(want[t])) continue;
        op_failed(w, "schedule [%s]: step %zu has %.15g, not %.15g", c->name, t, got, want[t]);
        return;
    }
}

/* --- scores ------------------------------------------------------------------------------------------------------- */

static cug_status add(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->metrics->add(t[0]->ptr, t[1], t[2], t[3], t[4], c->shape, ex);
}

static void close_to(op_world *w, const sample_call *c, const op_side *s, const char *what, int i, double got,
                     double want) {
    if (!(fabs(got - want) <= SCORE_TOL))
        op_failed(w, "scores [%s] on %s: %s %d is %.17g, not %.17g", c->name, s->label, what, i, got, want);
}

static void judge(op_world *w, const sample_call *c, const op_side *s, const cug_evaluation *e) {
    const double *per_class = sample_reals(c, "want", "per_class", NULL);
    const double *hits = sample_reals(c, "want", "accuracy", NULL);
    const int32_t *support = sample_integers(c, "want", "support", NULL);
    for (int k = 0; k < c->shape[1]; k++) {
        if (e->per_class[k].support != support[k])
            op_failed(w, "scores [%s] on %s: class %d has %lld samples, not %d", c->name, s->label, k,
                      (long long)e->per_class[k].support, (int)support[k]);
        close_to(w, c, s, "precision of class", k, e->per_class[k].precision, per_class[3 * k]);
        close_to(w, c, s, "recall of class", k, e->per_class[k].recall, per_class[3 * k + 1]);
        close_to(w, c, s, "F1 of class", k, e->per_class[k].f1, per_class[3 * k + 2]);
    }
    const char *const mean[] = {"macro", "micro", "weighted"};
    const cug_averages *const got[] = {&e->macro, &e->micro, &e->weighted};
    for (int m = 0; m < 3; m++) {
        const double *want = sample_reals(c, "want", mean[m], NULL);
        close_to(w, c, s, mean[m], 0, got[m]->precision, want[0]);
        close_to(w, c, s, mean[m], 1, got[m]->recall, want[1]);
        close_to(w, c, s, mean[m], 2, got[m]->f1, want[2]);
    }
    close_to(w, c, s, "accuracy", 0, e->accuracy, hits[0]);
    close_to(w, c, s, "interval's end", 0, e->low, hits[1]);
    close_to(w, c, s, "interval's end", 1, e->high, hits[2]);
    close_to(w, c, s, "mean loss", 0, e->loss, *sample_reals(c, "want", "loss", NULL));
}

static void scores(op_world *w, const sample_call *c) {
    static const char *const reals[] = {"per_class", "macro", "micro", "weighted", "accuracy", "loss"};
    int K = c->shape[1], lacking = !sample_integers(c, "want", "support", NULL);
    const cug_metrics_shape shape = {c->shape[0], K};
    size_t n = (size_t)shape.N, cells = (size_t)K * (size_t)K;
    const cug_metrics zero = {0, 0, 0};
    const void *want[OP_SLOTS] = {NULL, sample_integers(c, "want", "confusion", NULL)};
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) lacking |= !sample_reals(c, "want", reals[i], NULL);
    const op_call call = {
        .op = "metrics",
        .name = c->name,
        .shape = &shape,
        .run = add,
        .table = offsetof(cug_backend, metrics),
        .slots = {{.name = "metrics", .role = OP_ADD, .dtype = CUG_U8, .count = sizeof zero, .data = &zero, .raw = 1},
                  {.name = "confusion",
                   .role = OP_ADD,
                   .dtype = CUG_I64,
                   .count = cells,
                   .data = op_memory(w, cells * sizeof(int64_t))},
                  input("loss", n, sample_reals(c, "in", "loss", NULL)),
                  {.name = "pred",
                   .role = OP_IN,
                   .dtype = CUG_I32,
                   .count = n,
                   .data = sample_integers(c, "in", "pred", NULL)},
                  {.name = "labels",
                   .role = OP_IN,
                   .dtype = CUG_I32,
                   .count = n,
                   .data = sample_integers(c, "in", "labels", NULL)}}};
    if (lacking || !want[1] || !call.slots[2].data || !call.slots[3].data || !call.slots[4].data) {
        complain(w, c);
        return;
    }
    op_against(w, &call, want, 1);
    op_side *s;
    for (int i = 0; (s = nth_side(w, i)); i++) {
        cug_metrics m;
        cug_evaluation e;
        if (op_run(w, s, &call) != 1) continue;
        memcpy(&m, s->first[0] + OP_GUARD, sizeof m);
        int64_t *confusion = op_keep_bytes(w, s, &call, 1);
        if (cug_evaluation_make(&e, &m, confusion, K) != CUG_OK) {
            op_failed(w, "scores [%s]: %s", c->name, cug_error());
            continue;
        }
        judge(w, c, s, &e);
        cug_evaluation_free(&e);
    }
}

/* --- random numbers ----------------------------------------------------------------------------------------------- */

static void philox(op_world *w, const sample_call *c) {
    const int32_t *counter = sample_integers(c, "in", "counter", NULL), *key = sample_integers(c, "in", "key", NULL);
    const int32_t *want = sample_integers(c, "want", "out", NULL);
    if (!counter || !key || !want) {
        complain(w, c);
        return;
    }
    for (int i = 0; i < c->shape[0]; i++) {
        uint32_t from[4], out[4];
        memcpy(from, counter + 4 * i, sizeof from);
        cug_philox((uint64_t)(uint32_t)key[2 * i + 1] << 32 | (uint32_t)key[2 * i], from, out);
        if (!memcmp(out, want + 4 * i, sizeof out)) continue;
        op_failed(w, "random numbers [%s]: draw %d begins with %08x, not %08x", c->name, i, out[0],
                  (unsigned)want[4 * i]);
        return;
    }
}

int run_training(op_world *w, const sample_call *c) {
    static const struct {
        const char *op;
        int extents;
        void (*run)(op_world *, const sample_call *);
    } kinds[] = {
        {"trajectory", 5, trajectory}, {"schedule", 5, schedule}, {"scores", 2, scores}, {"philox", 1, philox}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].op, c->op)) continue;
        if (c->n_shape == kinds[i].extents)
            kinds[i].run(w, c);
        else
            complain(w, c);
        return 1;
    }
    return 0;
}
