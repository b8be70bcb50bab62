/* time_ops.c - time of every op of a training step, forward and backward, by CUDA events round repeated launches. */
#include "check.h"
#include "check/probe.h"
#include "cuda/cuda.h"
#include "model/plan.h"
#include <stdlib.h>

#define MAX_SAMPLES 101
#define SAMPLE_MS 1.0 /* launches of a sample are as many as take about this long */

typedef struct stopwatch {
    gpu_check *c;
    probe *p;
    cudaStream_t stream;
    cudaEvent_t start, stop;
    void *state[2]; /* of the optimizer */
} stopwatch;

typedef enum { WHAT_FWD, WHAT_BWD, WHAT_LOSS, WHAT_NORM, WHAT_UPDATE } work_kind;

typedef struct work {
    work_kind kind;
    int op;
} work;

static cug_status run_update(const stopwatch *s, work_kind kind) {
    const cug_opt_params adam = {.kind = CUG_OPT_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    const probe *p = s->p;
    const cug_param_run run = {.count = p->g->flat_count, .decay = 1};
    const int n = (int)run.count;
    const cug_tensor w = cug_tensor1(p->buf.params, CUG_F32, n), g = cug_tensor1(p->buf.grads, CUG_F32, n);
    const cug_tensor m = cug_tensor1(s->state[0], CUG_F32, n), v = cug_tensor1(s->state[1], CUG_F32, n);
    if (kind == WHAT_NORM) return p->be->optimizer->grad_norm(p->buf.step, &g, NULL, &run, 1, &p->ex);
    return p->be->optimizer->update(&w, &m, &v, &g, &adam, &run, 1, p->buf.step, &p->ex);
}

static cug_status run_once(const stopwatch *s, const work *k) {
    const probe *p = s->p;
    if (k->kind == WHAT_LOSS) return cug_plan_loss(p->plan, &p->ex);
    if (k->kind == WHAT_NORM || k->kind == WHAT_UPDATE) return run_update(s, k->kind);
    const plan_op *op = &p->plan->ops[k->op];
    const cug_exec e = plan_exec(p->plan, op, k->kind == WHAT_FWD ? CUG_FWD : CUG_BWD, &p->ex);
    if (k->kind == WHAT_FWD) return op_def_of(op->node.op)->fwd(p->be, op, &e);
    for (int j = 0; j < op->node.n_in; j++) CUG_TRY(op_def_of(op->node.op)->bwd(p->be, op, j, &e));
    return CUG_OK;
}

static cug_status cuda_status(cudaError_t err) {
    return err == cudaSuccess ? CUG_OK : cug_fail(CUG_ECUDA, "timing: %s", cudaGetErrorString(err));
}

/* Milliseconds of `n` calls, one after another. */
static cug_status sample(stopwatch *s, const work *k, int n, double *ms) {
    float between = 0;
    CUG_TRY(cuda_status(cudaEventRecord(s->start, s->stream)));
    for (int i = 0; i < n; i++) CUG_TRY(run_once(s, k));
    CUG_TRY(cuda_status(cudaEventRecord(s->stop, s->stream)));
    CUG_TRY(cuda_status(cudaEventSynchronize(s->stop)));
    CUG_TRY(cuda_status(cudaEventElapsedTime(&between, s->start, s->stop)));
    *ms = (double)between;
    return CUG_OK;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static cug_status median(stopwatch *s, const work *k, double *ms) {
    double t[MAX_SAMPLES];
    int samples = s->c->times < MAX_SAMPLES ? s->c->times : MAX_SAMPLES, calls = 1;
    CUG_TRY(sample(s, k, 1, &t[0])); /* the first call loads the kernel */
    if (!s->c->small) {
        CUG_TRY(sample(s, k, 5, &t[0]));
        const double one = t[0] / 5;
        calls = one * 200 > SAMPLE_MS ? (int)(SAMPLE_MS / one) + 1 : 200;
    }
    int n = 0;
    while (n < samples && !(n && gpu_late())) CUG_TRY(sample(s, k, calls, &t[n++]));
    qsort(t, (size_t)n, sizeof *t, by_size);
    *ms = t[n / 2] / calls;
    return CUG_OK;
}

static size_t bytes_of(const cug_tensor *t) { return t->ptr ? cug_tensor_bytes(t) : 0; }

/* Multiply-accumulates of the forward pass of a batch; a fused block's are its convolution's. */
static double macs_of(const cug_plan *p, const plan_op *op) {
    cug_node one = op->node;
    if (one.op == CUG_OP_CONV_BLOCK) {
        const cug_conv2d_shape conv = one.u.conv_block.conv;
        one.op = CUG_OP_CONV2D;
        one.u.conv2d = conv;
    }
    return (double)cug_node_macs(&one) * p->batch;
}

/* GFLOP/s where there are products (twice as many backward when the input's gradient is wanted), else GB/s of tensors
 * read and written once. */
static void report_op(stopwatch *s, const work *k, double ms) {
    const plan_op *op = &s->p->plan->ops[k->op];
    const char *pass = k->kind == WHAT_FWD ? "forward" : "backward";
    double flop = 2 * macs_of(s->p->plan, op);
    double bytes = (double)bytes_of(&op->y) + (double)(k->kind == WHAT_BWD ? bytes_of(&op->dy) : 0);
    for (int j = 0; j < op->node.n_in; j++)
        bytes += (double)(k->kind == WHAT_FWD ? bytes_of(&op->x[j]) : bytes_of(&op->dx[j]));
    if (k->kind == WHAT_BWD) flop *= op->dx[0].ptr ? 2 : 1;
    const char *model = s->p->g->name, *layer = op->node.name;
    gpu_figure(s->c, ms * 1e3, "us", "%s %s %s", model, layer, pass);
    if (flop > 0)
        gpu_figure(s->c, flop / ms * 1e-6, "GFLOP/s", "%s %s %s", model, layer, pass);
    else
        gpu_figure(s->c, bytes / ms * 1e-6, "GB/s", "%s %s %s", model, layer, pass);
}

static cug_status time_all(stopwatch *s) {
    static const char *const rest[] = {"loss", "gradient norm", "Adam"};
    double ms, loss;
    CUG_TRY(probe_loss(s->p, &loss));
    CUG_TRY(probe_backward(s->p));
    for (int i = 0; i < s->p->plan->n_ops; i++)
        for (int pass = WHAT_FWD; pass <= WHAT_BWD; pass++) {
            const work k = {(work_kind)pass, i};
            const plan_op *op = &s->p->plan->ops[i];
            if (op->node.op == CUG_OP_FLATTEN || (pass == WHAT_BWD && !op->dy.ptr)) continue;
            CUG_TRY(median(s, &k, &ms));
            report_op(s, &k, ms);
        }
    for (int i = 0; i < 3; i++) {
        static const double bytes[] = {0, 4, 28}; /* a parameter: g; or w, m, v read and written and g */
        const work k = {(work_kind)(WHAT_LOSS + i), 0};
        CUG_TRY(median(s, &k, &ms));
        gpu_figure(s->c, ms * 1e3, "us", "%s %s", s->p->g->name, rest[i]);
        if (i == 0) continue;
        gpu_figure(s->c, bytes[i] * (double)s->p->g->flat_count / ms * 1e-6, "GB/s", "%s %s", s->p->g->name, rest[i]);
    }
    return CUG_OK;
}

static void time_model(gpu_check *c, const char *name, int batch) {
    stopwatch s = {.c = c, .stream = gpu_stream(c)};
    cug_gradcheck_options o;
    cug_status st = CUG_OK;
    cug_graph *g = NULL;
    probe p = {0};
    if (!gpu_part(c, 15, "kernel times: %s, batch %d", name, batch)) return;
    cug_gradcheck_defaults(&o);
    o.batch = batch;
    s.p = &p;
    CUG_GOTO(cug_model_load(&g, name));
    CUG_GOTO(probe_open(&p, g, c->be, &o, CUG_PLAN_TRAIN | CUG_PLAN_NO_REUSE));
    s.stream = p.dev->compute;
    for (int i = 0; i < 2; i++) {
        CUG_GOTO(c->be->alloc(p.dev, &s.state[i], g->flat_count * sizeof(float)));
        CUG_GOTO(c->be->fill(p.dev, s.state[i], 0, g->flat_count * sizeof(float), NULL));
    }
    CUG_GOTO(cuda_status(cudaEventCreateWithFlags(&s.start, cudaEventDefault)));
    CUG_GOTO(cuda_status(cudaEventCreateWithFlags(&s.stop, cudaEventDefault)));
    CUG_GOTO(time_all(&s));
cleanup:
    gpu_end(c, st == CUG_OK ? GPU_OK : GPU_FAILED, "%s", st == CUG_OK ? "medians" : cug_error());
    if (s.start) (void)cudaEventDestroy(s.start);
    if (s.stop) (void)cudaEventDestroy(s.stop);
    for (int i = 0; i < 2 && p.dev; i++) c->be->free(p.dev, s.state[i]);
    probe_close(&p);
    cug_graph_free(g);
}

void time_ops(gpu_check *c) {
    time_model(c, "cnn-d", c->small ? 1 : 128);
    time_model(c, "mlp", c->small ? 1 : 128);
    time_model(c, "sprint", c->small ? 1 : 256);
}
