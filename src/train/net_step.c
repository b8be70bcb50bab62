/* net_step.c - training and evaluation steps. A step is one list of work on the device, the same for every step of its
 * batch size: it finds its number, rates and samples there, so it can be recorded once and launched again. */
#include <math.h>
#include <string.h>

#include "range.h"
#include "train/net_internal.h"
#include "train/nonfinite.h"

typedef cug_status net_work(cug_net *n, cug_plan *p);

/* A call under a profiler's name. */
static cug_status under(cug_net *n, const char *name, net_work *work, cug_plan *p) {
    range_push(n->be, name);
    cug_status st = work(n, p);
    range_pop(n->be);
    return st;
}

/* Which of the sizes; -1: none. */
static int size_of(cug_plan *const *plans, int batch) {
    for (int i = 0; i < CUG_NET_MAX_SIZES && plans[i]; i++)
        if (cug_plan_batch(plans[i]) == batch) return i;
    return -1;
}

static cug_status copy_batch(cug_net *n, const cug_batch *b) {
    size_t count = (size_t)b->n;
    if (!b->pixels && !n->lent) return cug_fail(CUG_EINVAL, "a batch without pixels, and no images lent");
    if (b->pixels) CUG_TRY(n->be->upload(n->ex.device, n->pixels, b->pixels, count * n->pixel_bytes, n->ex.stream));
    CUG_TRY(n->be->upload(n->ex.device, n->labels, b->labels, count * sizeof *b->labels, n->ex.stream));
    return n->be->upload(n->ex.device, n->ids, b->ids, count * sizeof *b->ids, n->ex.stream);
}

static cug_status upload_batch(cug_net *n, cug_plan *p, const cug_batch *b) {
    range_push(n->be, "upload");
    cug_status st = copy_batch(n, b);
    range_pop(n->be);
    cug_plan_lend(p, b->pixels ? 0 : n->lent, n->n_lent);
    return st;
}

static cug_status add_metrics(cug_net *n, const cug_plan *p, int batch, int with_confusion) {
    cug_tensor loss = cug_plan_loss_values(p), pred = cug_plan_predictions(p);
    cug_tensor labels = cug_tensor1(n->labels, CUG_I32, batch);
    cug_tensor confusion = cug_tensor2(n->confusion, CUG_I64, n->opt.classes, n->opt.classes);
    const cug_metrics_shape s = {batch, n->opt.classes};
    return n->be->metrics->add(n->metrics, with_confusion ? &confusion : 0, &loss, &pred, &labels, &s, &n->ex);
}

static cug_tensor flat(const cug_net *n, void *ptr) { return cug_tensor1(ptr, n->be->real, (int)n->g->flat_count); }

static cug_status grad_norm(cug_net *n, cug_plan *p) {
    cug_tensor g = flat(n, n->grads), loss = cug_plan_loss_values(p);
    return n->be->optimizer->grad_norm(n->step, &g, &loss, n->runs, n->n_runs, &n->ex);
}

static cug_status update(cug_net *n, cug_plan *p) {
    cug_tensor w = flat(n, n->params), g = flat(n, n->grads);
    cug_tensor m = flat(n, n->state[0]), v = flat(n, n->state[1]);
    (void)p;
    return n->be->optimizer->update(&w, n->n_state > 0 ? &m : 0, n->n_state > 1 ? &v : 0, &g, &n->opt.opt, n->runs,
                                    n->n_runs, n->step, &n->ex);
}

/* The step record on the host, as the device gets it. Bias corrections in double: 1 - beta^t cancels in float32. */
static cug_step step_record(const cug_net *n, const cug_step_row *row) {
    double t = (double)row->step + 1;
    return (cug_step){.seed = n->opt.seed,
                      .step = row->step,
                      .valid = (uint32_t)row->n,
                      .lr = row->lr,
                      .bias_corr1 = (float)(1 - pow((double)n->opt.opt.beta1, t)),
                      .bias_corr2 = (float)(1 - pow((double)n->opt.opt.beta2, t))};
}

cug_status cug_net_announce(cug_net *n, const cug_step_row *rows, size_t count, uint64_t first_sample) {
    if (count > CUG_NET_ROWS)
        return cug_fail(CUG_EINVAL, "%zu steps announced, at most %d fit the table", count, CUG_NET_ROWS);
    const cug_cursor start = {.rows = count, .sample = first_sample, .next_sample = first_sample};
    for (size_t i = 0; i < count; i++) n->rows[i] = step_record(n, &rows[i]);
    n->n_rows = count;
    n->next = 0;
    CUG_TRY(n->be->upload(n->ex.device, n->table, n->rows, count * sizeof *n->rows, n->ex.stream));
    return n->be->upload(n->ex.device, n->cursor, &start, sizeof start, n->ex.stream);
}

static cug_status advance(cug_net *n, cug_plan *p) {
    (void)p;
    return n->be->step->advance(n->step, n->cursor, n->table, &n->ex);
}

/* The batch out of the data set held; its images moved where that is asked for. */
static cug_status gather(cug_net *n, cug_plan *p) {
    const cug_gather_shape s = {cug_plan_batch(p), (int)n->pixel_bytes, n->count, n->order_count};
    CUG_TRY(n->be->step->gather(n->shifts ? n->unmoved : n->pixels, n->labels, n->ids, n->all_pixels, n->all_labels,
                                n->order, n->cursor, &s, &n->ex));
    if (!n->shifts) return CUG_OK;
    cug_shift_shape shift = n->shift;
    shift.N = cug_plan_batch(p);
    return n->be->step->shift(n->pixels, n->unmoved, n->shifts, n->cursor, &shift, &n->ex);
}

static cug_status train_metrics(cug_net *n, cug_plan *p) { return add_metrics(n, p, cug_plan_batch(p), 0); }
static cug_status eval_metrics(cug_net *n, cug_plan *p) { return add_metrics(n, p, cug_plan_batch(p), 1); }

/* All of a training step that runs on the device; with a data set held there, finding the batch too. */
static cug_status train_work(cug_net *n, cug_plan *p) {
    CUG_TRY(under(n, "advance", advance, p));
    if (n->all_pixels) CUG_TRY(under(n, "gather", gather, p));
    CUG_TRY(cug_plan_forward(p, &n->ex));
    CUG_TRY(cug_plan_loss(p, &n->ex));
    CUG_TRY(cug_plan_backward(p, &n->ex));
    CUG_TRY(under(n, "gradient norm", grad_norm, p));
    CUG_TRY(cug_plan_track(p, &n->ex)); /* after the norm: a step that failed leaves them alone, too */
    CUG_TRY(under(n, "optimizer", update, p));
    return under(n, "metrics", train_metrics, p);
}

static cug_status eval_work(cug_net *n, cug_plan *p) {
    CUG_TRY(cug_plan_forward(p, &n->ex));
    CUG_TRY(cug_plan_loss(p, &n->ex));
    return under(n, "metrics", eval_metrics, p);
}

static cug_status record(cug_net *n, cug_plan *p, net_work *work, void **graph) {
    CUG_TRY(n->be->graph_begin(n->ex.device, n->ex.stream));
    cug_status st = under(n, "record graph", work, p);
    cug_status ended = n->be->graph_end(n->ex.device, st == CUG_OK ? graph : 0, n->ex.stream);
    return st == CUG_OK ? ended : st;
}

/* The first step is run as it is: that loads every kernel, which a recording may not do. */
static cug_status run(cug_net *n, cug_plan *p, net_work *work, net_replay *replay) {
    if (!n->be->graph_begin || n->opt.no_graph || !replay->warm) {
        replay->warm = 1;
        return work(n, p);
    }
    if (!replay->graph) CUG_TRY(record(n, p, work, &replay->graph));
    return n->be->graph_launch(n->ex.device, replay->graph, n->ex.stream);
}

static cug_status take_staged(cug_net *n, int want) {
    int got = 0;
    CUG_TRY(n->be->ring_take(n->ring, n->pixels, n->labels, n->ids, &got, n->ex.stream));
    return got == want ? CUG_OK : cug_fail(CUG_EINVAL, "a batch of %d was staged where %d were announced", got, want);
}

cug_status cug_net_train_step(cug_net *n, const cug_batch *b) {
    if (n->next == n->n_rows) return cug_fail(CUG_EINVAL, "a training step that was not announced");
    int batch = (int)n->rows[n->next].valid, size = size_of(n->train, batch);
    if (size < 0) return cug_fail(CUG_EINVAL, "no training plan for a batch of %d", batch);
    if (b && b->n != batch) return cug_fail(CUG_EINVAL, "a batch of %d where %d were announced", b->n, batch);
    if (!b) cug_plan_lend(n->train[size], 0, 0);
    if (b)
        CUG_TRY(upload_batch(n, n->train[size], b));
    else if (n->ring)
        CUG_TRY(take_staged(n, batch));
    n->next++;
    range_push(n->be, "training step");
    cug_status st = run(n, n->train[size], train_work, &n->train_replay[size]);
    range_pop(n->be);
    return st;
}

int cug_net_queues(const cug_net *n) { return n->be->graph_begin != 0; }

cug_status cug_net_failed(cug_net *n, int *failed, uint64_t *step) {
    cug_step now;
    CUG_TRY(n->be->download(n->ex.device, &now, n->step, sizeof now, n->ex.stream));
    *failed = now.nonfinite != 0;
    *step = now.step;
    return CUG_OK;
}

cug_status cug_net_locate(cug_net *n, const cug_batch *b) {
    int size = size_of(n->train, b->n);
    if (size < 0) return cug_fail(CUG_EINVAL, "no training plan for a batch of %d", b->n);
    CUG_TRY(upload_batch(n, n->train[size], b));
    return nonfinite_locate(n->be, n->train[size], &n->ex);
}

cug_status cug_net_eval_step(cug_net *n, const cug_batch *b) {
    int size = size_of(n->eval, b->n);
    if (size < 0) return cug_fail(CUG_EINVAL, "no evaluation plan for a batch of %d", b->n);
    CUG_TRY(upload_batch(n, n->eval[size], b));
    range_push(n->be, "evaluation step");
    cug_status st = run(n, n->eval[size], eval_work, &n->eval_replay[size]);
    range_pop(n->be);
    return st;
}

/* float32 at the start of `values` to double in place, from the end: a double covers the floats 2i and 2i+1, read
 * before. */
static void widen(double *values, size_t count) {
    for (size_t i = count; i-- > 0;) {
        float narrow;
        memcpy(&narrow, (char *)values + i * sizeof narrow, sizeof narrow);
        values[i] = (double)narrow;
    }
}

static cug_status fetch(cug_net *n, const cug_tensor *t, double *out) {
    if (!out) return CUG_OK;
    size_t count = cug_tensor_count(t);
    CUG_TRY(n->be->download(n->ex.device, out, t->ptr, count * cug_dtype_size(t->dtype), n->ex.stream));
    if (t->dtype == CUG_F32) widen(out, count);
    return CUG_OK;
}

cug_status cug_net_outputs(cug_net *n, int batch, double *z, double *loss, int32_t *predicted) {
    int size = size_of(n->eval, batch);
    if (size < 0) return cug_fail(CUG_EINVAL, "no evaluation plan for a batch of %d", batch);
    const cug_plan *p = n->eval[size];
    cug_tensor outputs = cug_plan_value(p, n->g->output), losses = cug_plan_loss_values(p);
    CUG_TRY(fetch(n, &outputs, z));
    CUG_TRY(fetch(n, &losses, loss));
    if (!predicted) return CUG_OK;
    return n->be->download(n->ex.device, predicted, cug_plan_predictions(p).ptr, (size_t)batch * sizeof *predicted,
                           n->ex.stream);
}
