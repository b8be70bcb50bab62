/* net.c - the buffers of one model on one device, and single steps on them. */
#include <cuglyph/net.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/nonfinite.h"

struct cug_net {
    const cug_graph *g;
    const cug_backend *be;
    cug_exec ex;
    cug_net_options opt;
    int n_state;
    cug_plan *train[CUG_NET_MAX_SIZES], *eval[CUG_NET_MAX_SIZES];
    size_t arena_bytes, pixel_bytes, max_batch;
    void *params, *grads, *state[CUG_MAX_STATE], *arena;
    uint8_t *pixels;
    int32_t *labels, *ids;
    cug_step *step;
    cug_metrics *metrics;
    int64_t *confusion;
    cug_param_run *runs;
    int n_runs;
};

static size_t flat_bytes(const cug_net *n) { return n->g->flat_count * cug_dtype_size(n->be->real); }
static size_t confusion_bytes(const cug_net *n) {
    return (size_t)n->opt.classes * (size_t)n->opt.classes * sizeof(int64_t);
}

/* Stretches of segments treated alike; the padding between two of them is zero and stays so under every update. */
static cug_status find_runs(cug_net *n) {
    const cug_graph *g = n->g;
    n->runs = calloc((size_t)g->n_segments + 1, sizeof *n->runs);
    if (!n->runs) return cug_fail(CUG_ENOMEM, "out of memory for %d parameter segments", g->n_segments);
    for (int i = 0; i < g->n_segments; i++) {
        const cug_segment *s = &g->segments[i];
        if (s->frozen) continue;
        n->runs[n->n_runs++] = (cug_param_run){s->offset, s->count, s->is_weight};
    }
    return CUG_OK;
}

static cug_status make_plans(cug_net *n, const int *sizes, cug_plan **plans, unsigned flags) {
    for (int i = 0; i < CUG_NET_MAX_SIZES && sizes[i]; i++) {
        CUG_TRY(cug_plan_create(&plans[i], n->g, n->be, n->ex.device, sizes[i], flags | n->opt.plan_flags));
        if (cug_plan_arena_bytes(plans[i]) > n->arena_bytes) n->arena_bytes = cug_plan_arena_bytes(plans[i]);
        if ((size_t)sizes[i] > n->max_batch) n->max_batch = (size_t)sizes[i];
    }
    return CUG_OK;
}

static cug_status zeroed(cug_net *n, void *out, size_t bytes) {
    void *p = 0;
    CUG_TRY(n->be->alloc(n->ex.device, &p, bytes ? bytes : 1));
    memcpy(out, &p, sizeof p);
    return n->be->fill(n->ex.device, p, 0, bytes, n->ex.stream);
}

static cug_status allocate(cug_net *n) {
    n->pixel_bytes = cug_value_count(&n->g->values[0]);
    CUG_TRY(zeroed(n, &n->params, flat_bytes(n)));
    if (n->train[0]) {
        CUG_TRY(zeroed(n, &n->grads, flat_bytes(n)));
        for (int i = 0; i < n->n_state; i++) CUG_TRY(zeroed(n, &n->state[i], flat_bytes(n)));
    }
    CUG_TRY(n->be->alloc(n->ex.device, &n->arena, n->arena_bytes));
    CUG_TRY(zeroed(n, &n->pixels, n->max_batch * n->pixel_bytes));
    CUG_TRY(zeroed(n, &n->labels, n->max_batch * sizeof(int32_t)));
    CUG_TRY(zeroed(n, &n->ids, n->max_batch * sizeof(int32_t)));
    CUG_TRY(zeroed(n, &n->step, sizeof *n->step));
    CUG_TRY(zeroed(n, &n->metrics, sizeof *n->metrics));
    return zeroed(n, &n->confusion, confusion_bytes(n));
}

static cug_status bind_all(cug_net *n) {
    cug_plan_buffers b = {n->params, n->grads, n->arena,     n->pixels,    n->labels,
                          n->ids,    n->step,  n->opt.scale, n->opt.shift, n->opt.smoothing};
    for (int i = 0; i < CUG_NET_MAX_SIZES; i++)
        if (n->train[i]) CUG_TRY(cug_plan_bind(n->train[i], &b, &n->ex));
    b.smoothing = 0;
    for (int i = 0; i < CUG_NET_MAX_SIZES; i++)
        if (n->eval[i]) CUG_TRY(cug_plan_bind(n->eval[i], &b, &n->ex));
    return CUG_OK;
}

cug_status cug_net_create(cug_net **out, const cug_graph *g, const cug_backend *be, cug_device *dev,
                          const cug_net_options *opt) {
    *out = 0;
    cug_net *n = calloc(1, sizeof *n);
    if (!n) return cug_fail(CUG_ENOMEM, "out of memory for a net");
    n->g = g;
    n->be = be;
    n->ex.device = dev;
    n->opt = *opt;
    n->n_state = opt->train_sizes[0] ? cug_opt_state_count(opt->opt.kind) : 0;
    cug_status st = find_runs(n);
    if (st == CUG_OK) st = make_plans(n, opt->train_sizes, n->train, CUG_PLAN_TRAIN);
    if (st == CUG_OK) st = make_plans(n, opt->eval_sizes, n->eval, 0);
    if (st == CUG_OK) st = allocate(n);
    if (st == CUG_OK) st = bind_all(n);
    if (st != CUG_OK) {
        cug_net_free(n);
        return st;
    }
    *out = n;
    return CUG_OK;
}

void cug_net_free(cug_net *n) {
    if (!n) return;
    for (int i = 0; i < CUG_NET_MAX_SIZES; i++) {
        cug_plan_free(n->train[i]);
        cug_plan_free(n->eval[i]);
    }
    void *owned[] = {n->params, n->grads, n->state[0], n->state[1], n->arena,    n->pixels,
                     n->labels, n->ids,   n->step,     n->metrics,  n->confusion};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) n->be->free(n->ex.device, owned[i]);
    free(n->runs);
    free(n);
}

void cug_net_memory_used(const cug_net *n, cug_net_memory *m) {
    m->params = flat_bytes(n);
    m->grads = n->grads ? flat_bytes(n) : 0;
    m->state = (size_t)n->n_state * flat_bytes(n);
    m->arena = n->arena_bytes;
    m->batch = n->max_batch * (n->pixel_bytes + 2 * sizeof(int32_t));
    m->total = m->params + m->grads + m->state + m->arena + m->batch;
}

static cug_plan *plan_for(cug_plan *const *plans, int batch) {
    for (int i = 0; i < CUG_NET_MAX_SIZES && plans[i]; i++)
        if (cug_plan_batch(plans[i]) == batch) return plans[i];
    return 0;
}

static cug_status upload_batch(cug_net *n, const cug_batch *b) {
    size_t count = (size_t)b->n;
    CUG_TRY(n->be->upload(n->ex.device, n->pixels, b->pixels, count * n->pixel_bytes, n->ex.stream));
    CUG_TRY(n->be->upload(n->ex.device, n->labels, b->labels, count * sizeof *b->labels, n->ex.stream));
    return n->be->upload(n->ex.device, n->ids, b->ids, count * sizeof *b->ids, n->ex.stream);
}

static cug_status add_metrics(cug_net *n, const cug_plan *p, int batch, int with_confusion) {
    cug_tensor loss = cug_plan_loss_values(p), pred = cug_plan_predictions(p);
    cug_tensor labels = cug_tensor1(n->labels, CUG_I32, batch);
    cug_tensor confusion = cug_tensor2(n->confusion, CUG_I64, n->opt.classes, n->opt.classes);
    const cug_metrics_shape s = {batch, n->opt.classes};
    return n->be->metrics->add(n->metrics, with_confusion ? &confusion : 0, &loss, &pred, &labels, &s, &n->ex);
}

static cug_tensor flat(const cug_net *n, void *ptr) { return cug_tensor1(ptr, n->be->real, (int)n->g->flat_count); }

static cug_status update(cug_net *n, const cug_plan *p) {
    cug_tensor w = flat(n, n->params), g = flat(n, n->grads), loss = cug_plan_loss_values(p);
    cug_tensor m = flat(n, n->state[0]), v = flat(n, n->state[1]);
    CUG_TRY(n->be->optimizer->grad_norm(n->step, &g, &loss, n->runs, n->n_runs, &n->ex));
    return n->be->optimizer->update(&w, n->n_state > 0 ? &m : 0, n->n_state > 1 ? &v : 0, &g, &n->opt.opt, n->runs,
                                    n->n_runs, n->step, &n->ex);
}

/* The step record on the host, as the device gets it. Bias corrections in double: 1 - beta^t cancels in float32. */
static cug_step step_record(const cug_net *n, const cug_batch *b, const cug_step_row *row) {
    double t = (double)row->step + 1;
    return (cug_step){.seed = n->opt.seed,
                      .step = row->step,
                      .valid = (uint32_t)b->n,
                      .lr = row->lr,
                      .bias_corr1 = (float)(1 - pow((double)n->opt.opt.beta1, t)),
                      .bias_corr2 = (float)(1 - pow((double)n->opt.opt.beta2, t))};
}

cug_status cug_net_train_step(cug_net *n, const cug_batch *b, const cug_step_row *row) {
    cug_plan *p = plan_for(n->train, b->n);
    if (!p) return cug_fail(CUG_EINVAL, "no training plan for a batch of %d", b->n);
    cug_step record = step_record(n, b, row);
    CUG_TRY(upload_batch(n, b));
    CUG_TRY(n->be->upload(n->ex.device, n->step, &record, sizeof record, n->ex.stream));
    CUG_TRY(cug_plan_forward(p, &n->ex));
    CUG_TRY(cug_plan_loss(p, &n->ex));
    CUG_TRY(cug_plan_backward(p, &n->ex));
    CUG_TRY(update(n, p));
    CUG_TRY(n->be->download(n->ex.device, &record, n->step, sizeof record, n->ex.stream));
    if (record.nonfinite) return nonfinite_locate(n->be, p, &n->ex);
    return add_metrics(n, p, b->n, 0);
}

cug_status cug_net_eval_step(cug_net *n, const cug_batch *b) {
    cug_plan *p = plan_for(n->eval, b->n);
    if (!p) return cug_fail(CUG_EINVAL, "no evaluation plan for a batch of %d", b->n);
    CUG_TRY(upload_batch(n, b));
    CUG_TRY(cug_plan_forward(p, &n->ex));
    CUG_TRY(cug_plan_loss(p, &n->ex));
    return add_metrics(n, p, b->n, 1);
}

cug_status cug_net_metrics_reset(cug_net *n) {
    CUG_TRY(n->be->fill(n->ex.device, n->metrics, 0, sizeof *n->metrics, n->ex.stream));
    return n->be->fill(n->ex.device, n->confusion, 0, confusion_bytes(n), n->ex.stream);
}

cug_status cug_net_metrics_read(cug_net *n, cug_metrics *m, int64_t *confusion) {
    CUG_TRY(n->be->download(n->ex.device, m, n->metrics, sizeof *m, n->ex.stream));
    if (!confusion) return CUG_OK;
    return n->be->download(n->ex.device, confusion, n->confusion, confusion_bytes(n), n->ex.stream);
}

cug_status cug_net_metrics_write(cug_net *n, const cug_metrics *m) {
    return n->be->upload(n->ex.device, n->metrics, m, sizeof *m, n->ex.stream);
}

cug_status cug_net_download(cug_net *n, void *params, void *const *state) {
    CUG_TRY(n->be->download(n->ex.device, params, n->params, flat_bytes(n), n->ex.stream));
    for (int i = 0; state && i < n->n_state; i++)
        CUG_TRY(n->be->download(n->ex.device, state[i], n->state[i], flat_bytes(n), n->ex.stream));
    return CUG_OK;
}

cug_status cug_net_upload(cug_net *n, const void *params, void *const *state) {
    CUG_TRY(n->be->upload(n->ex.device, n->params, params, flat_bytes(n), n->ex.stream));
    for (int i = 0; state && i < n->n_state; i++)
        CUG_TRY(n->be->upload(n->ex.device, n->state[i], state[i], flat_bytes(n), n->ex.stream));
    return CUG_OK;
}

cug_status cug_net_upload_f32(cug_net *n, const float *params) {
    if (n->be->real == CUG_F32) return cug_net_upload(n, params, 0);
    double *wide = malloc(flat_bytes(n) + 1);
    if (!wide) return cug_fail(CUG_ENOMEM, "out of memory for %zu parameters", n->g->flat_count);
    for (size_t i = 0; i < n->g->flat_count; i++) wide[i] = (double)params[i];
    cug_status st = cug_net_upload(n, wide, 0);
    free(wide);
    return st;
}

int cug_net_state_count(const cug_net *n) { return n->n_state; }
