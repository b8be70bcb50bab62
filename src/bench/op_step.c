/* op_step.c - benchmarks of what surrounds the layers in a step: pixels to numbers, losses, metrics, gathering a batch,
 * the gradient norm and the update. */
#include "bench/op.h"
#include "cases/bce_logits.h"
#include "cases/metrics.h"
#include "cases/models.h"
#include "cases/mse.h"
#include "cases/normalize.h"
#include "cases/optimizer.h"
#include "cases/softmax_xent.h"
#include "cases/step.h"
#include <stdio.h>

static void begin(bench_case *c, const char *op, const char *pass, size_t table) {
    c->op = op;
    c->pass = pass;
    c->table = table;
    c->source = "cases";
}

static bench_arg classes(const char *name, int n, int limit) {
    return (bench_arg){.name = name,
                       .role = BENCH_IN,
                       .dtype = CUG_I32,
                       .count = (size_t)n,
                       .fill = BENCH_CLASSES,
                       .limit = (uint32_t)(limit > 1 ? limit : 2)};
}

static bench_arg bytes_in(const char *name, const void *data, size_t n) {
    return (bench_arg){.name = name, .role = BENCH_IN, .dtype = CUG_U8, .count = n, .fill = BENCH_DATA, .data = data};
}

/* --- normalize: 0 y, 1 u
 * ---------------------------------------------------------------------------------------------- */

static cug_status normalize_fwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c,
                                const cug_exec *ex) {
    return be->normalize->fwd(t[0], t[1], &c->u.normalize, ex);
}

int bench_normalize(bench_case *c, int i) {
    if (i >= NORMALIZE_CASES) return 0;
    const size_t n = normalize_counts[i];
    c->u.normalize = (cug_normalize_shape){n, normalize_kinds[0].scale, normalize_kinds[0].shift};
    begin(c, "normalize", "fwd", offsetof(cug_backend, normalize));
    snprintf(c->name, sizeof c->name, "%zu", n);
    snprintf(c->shape, sizeof c->shape, "%zu pixels", n);
    c->run = normalize_fwd;
    c->arg[0] = bench_out("y", n);
    c->arg[1] = (bench_arg){.name = "u", .role = BENCH_IN, .dtype = CUG_U8, .count = n, .fill = BENCH_PIXELS};
    return 1;
}

/* --- losses: 0 loss, 1 dz, 2 pred, 3 z, 4 labels
 * ---------------------------------------------------------------------- */

static cug_status xent(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->softmax_xent->fwd_bwd(t[0], t[1], t[2], t[3], t[4], &c->u.loss, ex);
}
static cug_status bce(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->bce_logits->fwd_bwd(t[0], t[1], t[2], t[3], t[4], &c->u.loss, ex);
}
static cug_status mse(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->mse->fwd_bwd(t[0], t[1], t[2], t[3], t[4], &c->u.loss, ex);
}

static const struct {
    const char *op;
    const cug_loss_shape *cases;
    int n;
    bench_run *run;
    size_t table;
} losses[] = {
    {"softmax_xent", softmax_xent_cases, SOFTMAX_XENT_CASES, xent, offsetof(cug_backend, softmax_xent)},
    {"bce_logits", bce_logits_cases, BCE_LOGITS_CASES, bce, offsetof(cug_backend, bce_logits)},
    {"mse", mse_cases, MSE_CASES, mse, offsetof(cug_backend, mse)},
};

int bench_loss(bench_case *c, int i) {
    int k = 0;
    while (k < 3 && i >= losses[k].n) i -= losses[k++].n;
    if (k == 3) return 0;
    const cug_loss_shape s = c->u.loss = losses[k].cases[i];
    begin(c, losses[k].op, "fwd_bwd", losses[k].table);
    snprintf(c->name, sizeof c->name, "%dx%d smoothing %g", s.N, s.K, (double)s.smoothing);
    snprintf(c->shape, sizeof c->shape, "%dx%d", s.N, s.K);
    const size_t N = (size_t)s.N, n = N * (size_t)s.K;
    c->run = losses[k].run;
    c->arg[0] = bench_out("loss", N);
    c->arg[1] = bench_out("dz", n);
    c->arg[1].atol = 0x1p-21 / s.N; /* values of about 1 / N */
    c->arg[2] = (bench_arg){.name = "pred", .role = BENCH_OUT, .dtype = CUG_I32, .count = N};
    c->arg[3] = bench_in("z", n);
    c->arg[4] = classes("labels", s.N, s.K);
    return 1;
}

/* --- metrics: 0 sums, 1 confusion, 2 loss, 3 pred, 4 labels
 * ----------------------------------------------------------- */

static cug_status metrics_add(const cug_backend *be, const cug_tensor *const *t, const bench_case *c,
                              const cug_exec *ex) {
    return be->metrics->add(t[0]->ptr, t[1], t[2], t[3], t[4], &c->u.metrics, ex);
}

int bench_metrics(bench_case *c, int i) {
    static const cug_metrics none;
    if (i >= METRICS_CASES) return 0;
    const cug_metrics_shape s = c->u.metrics = metrics_cases[i];
    begin(c, "metrics", "add", offsetof(cug_backend, metrics));
    snprintf(c->name, sizeof c->name, "%d of %d classes", s.N, s.classes);
    snprintf(c->shape, sizeof c->shape, "%d samples, %d classes", s.N, s.classes);
    c->run = metrics_add;
    c->arg[0] = bytes_in("sums", &none, sizeof none); /* float32 losses are multiples of 1/64: the sum is exact */
    c->arg[0].role = BENCH_INOUT;
    c->arg[1] = (bench_arg){.name = "confusion",
                            .role = BENCH_INOUT,
                            .dtype = CUG_I64,
                            .fill = BENCH_NUMBERS,
                            .limit = 1,
                            .count = (size_t)s.classes * (size_t)s.classes};
    c->arg[2] = bench_in("loss", (size_t)s.N);
    c->arg[3] = classes("pred", s.N, s.classes);
    c->arg[4] = classes("labels", s.N, s.classes);
    return 1;
}

/* --- gather: 0 pixels, 1 labels, 2 ids, 3 all pixels, 4 all labels, 5 order, 6 cursor
 * ---------------------------------- */

static cug_status gather(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->step->gather(t[0]->ptr, t[1]->ptr, t[2]->ptr, t[3]->ptr, t[4]->ptr, t[5]->ptr, t[6]->ptr, &c->u.gather,
                            ex);
}

/* The table's cases, then a batch of 128 MNIST images out of 4,096. */
int bench_gather(bench_case *c, int i) {
    if (i > STEP_CASES) return 0;
    const cug_gather_shape s = c->u.gather = i < STEP_CASES ? step_cases[i] : (cug_gather_shape){128, 784, 4096, 4096};
    begin(c, "step", "gather", offsetof(cug_backend, step));
    snprintf(c->name, sizeof c->name, "%dx%d of %llu", s.N, s.F, (unsigned long long)s.count);
    snprintf(c->shape, sizeof c->shape, "%d samples of %d bytes from %llu", s.N, s.F, (unsigned long long)s.count);
    const size_t N = (size_t)s.N, batch = N * (size_t)s.F;
    c->run = gather;
    c->arg[0] = (bench_arg){.name = "pixels", .role = BENCH_OUT, .dtype = CUG_U8, .count = batch};
    c->arg[1] = (bench_arg){.name = "labels", .role = BENCH_OUT, .dtype = CUG_I32, .count = N};
    c->arg[2] = (bench_arg){.name = "ids", .role = BENCH_OUT, .dtype = CUG_I32, .count = N};
    c->arg[3] = (bench_arg){.name = "all pixels",
                            .role = BENCH_IN,
                            .dtype = CUG_U8,
                            .fill = BENCH_PIXELS,
                            .count = (size_t)s.count * (size_t)s.F};
    c->arg[4] = classes("all labels", (int)s.count, 10);
    c->arg[5] = classes("order", (int)s.order, (int)s.count);
    c->cursor = (cug_cursor){.rows = 1};
    c->arg[6] = bytes_in("cursor", &c->cursor, sizeof c->cursor);
    return 1;
}

/* --- the optimizer
 * ---------------------------------------------------------------------------------------------------- */

/* Parameter buffers whole, as one run: the tables' sizes, then the models'. */
static int buffer_from(bench_case *c, int i, size_t *n) {
    if (i < OPTIMIZER_BUFFERS) {
        *n = optimizer_buffers[i].count;
        snprintf(c->name, sizeof c->name, "%zu", *n);
        return 1;
    }
    if (i - OPTIMIZER_BUFFERS >= MODEL_PARAMETERS) return 0;
    c->source = "models";
    *n = model_parameters[i - OPTIMIZER_BUFFERS].count;
    snprintf(c->name, sizeof c->name, "%s", model_parameters[i - OPTIMIZER_BUFFERS].name);
    return 1;
}

static cug_status grad_norm(const cug_backend *be, const cug_tensor *const *t, const bench_case *c,
                            const cug_exec *ex) {
    return be->optimizer->grad_norm(t[0]->ptr, t[1], t[2], &c->opt.run, 1, ex);
}

/* 0 step, 1 g, 2 loss. Squares of the inputs are exact and so are their sums: the norm is the same to the bit. */
int bench_grad_norm(bench_case *c, int i) {
    size_t n;
    begin(c, "optimizer", "grad_norm", offsetof(cug_backend, optimizer));
    if (!buffer_from(c, i, &n)) return 0;
    snprintf(c->shape, sizeof c->shape, "%zu parameters", n);
    c->opt.run = (cug_param_run){.count = n, .decay = 1};
    c->run = grad_norm;
    c->arg[0] = bytes_in("step", &c->opt.step, sizeof c->opt.step);
    c->arg[0].role = BENCH_INOUT;
    c->arg[1] = bench_in("g", n);
    c->arg[2] = bench_in("loss", 128);
    return 1;
}

static cug_status update(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->optimizer->update(t[0], t[1], t[2], t[3], &c->opt.params, &c->opt.run, 1, t[4]->ptr, ex);
}

static bench_arg state(const char *name, size_t n, bench_fill fill) {
    bench_arg a = bench_out(name, n);
    a.role = BENCH_INOUT;
    a.fill = fill;
    return a;
}

static size_t update_workspace(const cug_backend *be, const cug_device *d, const bench_case *c) {
    return be->optimizer->workspace(d, &c->opt.params, &c->opt.run, 1);
}

/* Every rule on mlp's buffer, then Adam on the others. Muon: its first layer's weights, a matrix. */
int bench_update(bench_case *c, int i) {
    const int rules = (int)(sizeof optimizer_cases / sizeof *optimizer_cases);
    const int rows = 128, cols = 784;
    int rule = i, matrix = 0;
    size_t n;
    char name[sizeof c->name];
    begin(c, "optimizer", "update", offsetof(cug_backend, optimizer));
    if (i >= rules) {
        for (rule = 0; optimizer_cases[rule].p.kind != CUG_OPT_ADAM; rule++) {}
        const int k = i - rules < OPTIMIZER_BUFFERS ? i - rules : i - rules + 1; /* mlp's was there */
        if (!buffer_from(c, k, &n)) return 0;
    } else {
        if (!buffer_from(c, OPTIMIZER_BUFFERS, &n)) return 0;
        matrix = optimizer_cases[rule].p.kind == CUG_OPT_MUON;
        if (matrix) n = (size_t)rows * (size_t)cols;
    }
    snprintf(name, sizeof name, "%.24s, %.20s", optimizer_cases[rule].name, c->name);
    snprintf(c->name, sizeof c->name, "%s", name);
    snprintf(c->shape, sizeof c->shape, "%zu parameters, %.40s", n, optimizer_cases[rule].name);
    c->opt = (bench_optimizer){.params = optimizer_cases[rule].p,
                               .run = {.count = n, .decay = 1},
                               .step = {.lr = 1e-3f, .bias_corr1 = 0.1f, .bias_corr2 = 0.001f, .grad_norm = 4}};
    c->run = update;
    c->workspace = update_workspace;
    if (matrix) {
        c->opt.run.rows = rows;
        c->opt.run.cols = cols;
        c->flop = 2.0 * CUG_MUON_STEPS * rows * (2.0 * (double)n + (double)rows * rows);
    }
    c->arg[0] = state("w", n, BENCH_REALS);
    const int states = cug_opt_state_count(c->opt.params.kind);
    if (states > 0) c->arg[1] = state("m", n, BENCH_REALS);
    if (states > 1) c->arg[2] = state("v", n, BENCH_POSITIVE);
    c->arg[3] = bench_in("g", n);
    c->arg[4] = bytes_in("step", &c->opt.step, sizeof c->opt.step);
    return 1;
}
