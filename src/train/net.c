/* net.c - the buffers of one model on one device; net_step.c runs steps on them. */
#include <stdlib.h>
#include <string.h>

#include "train/net_internal.h"

static size_t flat_bytes(const cug_net *n) { return n->g->flat_count * cug_dtype_size(n->be->real); }
static size_t confusion_bytes(const cug_net *n) {
    return (size_t)n->opt.classes * (size_t)n->opt.classes * sizeof(int64_t);
}

/* A layer's weight as rows (outputs) and columns (all else); a gain or a bias is none. */
static int is_matrix(const cug_segment *s) { return s->is_weight && s->ndim >= 2; }

/* Stretches of segments treated alike; the padding between two of them is zero and stays so under every update.
 * Matrices are those between the first layer's and the last's. */
static cug_status find_runs(cug_net *n) {
    const cug_graph *g = n->g;
    int first = 0, last = g->n_segments - 1, matrices = 0;
    while (first < last && !is_matrix(&g->segments[first])) first++;
    while (last > first && !is_matrix(&g->segments[last])) last--;
    n->runs = calloc((size_t)g->n_segments + 1, sizeof *n->runs);
    if (!n->runs) return cug_fail(CUG_ENOMEM, "out of memory for %d parameter segments", g->n_segments);
    for (int i = 0; i < g->n_segments; i++) {
        const cug_segment *s = &g->segments[i];
        if (!cug_segment_trained(s)) continue;
        cug_param_run *r = &n->runs[n->n_runs++];
        *r = (cug_param_run){.offset = s->offset, .count = s->count, .decay = s->is_weight};
        if (i <= first || i >= last || !is_matrix(s)) continue;
        r->rows = s->dims[0];
        r->cols = (int)(s->count / (size_t)s->dims[0]);
        matrices++;
    }
    if (n->n_state && n->opt.opt.kind == CUG_OPT_MUON && !matrices)
        return cug_fail(CUG_ECONFIG_VALUE, "optimizer muon: the model has no trained weights between its first layer's "
                                           "and its last layer's, which are adamw's: use adamw");
    if (n->n_state) n->ex.workspace_bytes = n->be->optimizer->workspace(n->ex.device, &n->opt.opt, n->runs, n->n_runs);
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
    if (n->ex.workspace_bytes) CUG_TRY(n->be->alloc(n->ex.device, &n->ex.workspace, n->ex.workspace_bytes));
    CUG_TRY(n->be->alloc(n->ex.device, &n->arena, n->arena_bytes));
    CUG_TRY(zeroed(n, &n->pixels, n->max_batch * n->pixel_bytes));
    CUG_TRY(zeroed(n, &n->labels, n->max_batch * sizeof(int32_t)));
    CUG_TRY(zeroed(n, &n->ids, n->max_batch * sizeof(int32_t)));
    CUG_TRY(zeroed(n, &n->step, sizeof *n->step));
    if (n->train[0]) {
        CUG_TRY(zeroed(n, &n->table, CUG_NET_ROWS * sizeof *n->table));
        CUG_TRY(zeroed(n, &n->cursor, sizeof *n->cursor));
        n->rows = malloc(CUG_NET_ROWS * sizeof *n->rows);
        if (!n->rows) return cug_fail(CUG_ENOMEM, "out of memory for a table of %d steps", CUG_NET_ROWS);
    }
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

/* A net with its plans and no backend memory; *out is the caller's to free also after a failure. */
static cug_status plan(cug_net **out, const cug_graph *g, const cug_backend *be, cug_device *dev,
                       const cug_net_options *opt) {
    cug_net *n = *out = calloc(1, sizeof *n);
    if (!n) return cug_fail(CUG_ENOMEM, "out of memory for a net");
    n->g = g;
    n->be = be;
    n->ex.device = dev;
    n->opt = *opt;
    n->n_state = opt->train_sizes[0] ? cug_opt_state_count(opt->opt.kind) : 0;
    CUG_TRY(find_runs(n));
    CUG_TRY(make_plans(n, opt->train_sizes, n->train, CUG_PLAN_TRAIN));
    return make_plans(n, opt->eval_sizes, n->eval, 0);
}

cug_status cug_net_create(cug_net **out, const cug_graph *g, const cug_backend *be, cug_device *dev,
                          const cug_net_options *opt) {
    cug_net *n = *out = 0;
    cug_status st = plan(&n, g, be, dev, opt);
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
    if (n->ring) n->be->ring_close(n->ring);
    for (int i = 0; i < CUG_NET_MAX_SIZES; i++) {
        if (n->train_replay[i].graph) n->be->graph_free(n->ex.device, n->train_replay[i].graph);
        if (n->eval_replay[i].graph) n->be->graph_free(n->ex.device, n->eval_replay[i].graph);
        cug_plan_free(n->train[i]);
        cug_plan_free(n->eval[i]);
    }
    void *owned[] = {n->params,     n->grads, n->state[0], n->state[1],  n->arena,       n->pixels, n->labels,
                     n->ids,        n->step,  n->metrics,  n->confusion, n->table,       n->cursor, n->all_pixels,
                     n->all_labels, n->order, n->shifts,   n->unmoved,   n->ex.workspace};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) n->be->free(n->ex.device, owned[i]);
    free(n->runs);
    free(n->rows);
    free(n);
}

void cug_net_memory_used(const cug_net *n, cug_net_memory *m) {
    size_t rows = n->train[0] ? CUG_NET_ROWS * sizeof *n->table + sizeof *n->cursor : 0;
    m->params = flat_bytes(n);
    m->grads = n->train[0] ? flat_bytes(n) : 0;
    m->state = (size_t)n->n_state * flat_bytes(n) + n->ex.workspace_bytes;
    m->arena = n->arena_bytes;
    m->batch = n->max_batch * (cug_value_count(&n->g->values[0]) + 2 * sizeof(int32_t));
    m->data = cug_net_hold_bytes(n->g, (size_t)n->count, (size_t)n->order_count);
    if (n->shifts)
        m->data += (size_t)n->order_count * sizeof *n->shifts + n->max_batch * cug_value_count(&n->g->values[0]);
    m->records = rows + sizeof *n->step + sizeof *n->metrics + confusion_bytes(n);
    m->total = m->params + m->grads + m->state + m->arena + m->batch + m->data + m->records;
}

cug_status cug_net_memory_needed(cug_net_memory *m, const cug_graph *g, const cug_backend *be, cug_device *dev,
                                 const cug_net_options *opt) {
    cug_net *n = 0;
    memset(m, 0, sizeof *m);
    cug_status st = plan(&n, g, be, dev, opt);
    if (st == CUG_OK) cug_net_memory_used(n, m);
    cug_net_free(n);
    return st;
}

size_t cug_net_hold_bytes(const cug_graph *g, size_t count, size_t order) {
    return count * (cug_value_count(&g->values[0]) + sizeof(int32_t)) + order * sizeof(int32_t);
}

cug_status cug_net_stage(cug_net *n, cug_ring_fill *fill, void *user) {
    if (!n->be->ring_open) return cug_fail(CUG_ENOTSUP, "%s has no staged loader", n->be->name);
    return n->be->ring_open(&n->ring, n->ex.device, (int)n->max_batch, n->pixel_bytes, fill, user);
}

int cug_net_lend(cug_net *n, const uint8_t *images, size_t count) {
    n->lent = n->be->normalize->gather ? images : 0;
    n->n_lent = count;
    return n->lent != 0;
}

cug_status cug_net_hold(cug_net *n, const uint8_t *pixels, const int32_t *labels, size_t count, size_t order) {
    n->count = count;
    n->order_count = order;
    CUG_TRY(zeroed(n, &n->all_pixels, count * n->pixel_bytes));
    CUG_TRY(zeroed(n, &n->all_labels, count * sizeof *labels));
    CUG_TRY(zeroed(n, &n->order, order * sizeof *n->order));
    CUG_TRY(n->be->upload(n->ex.device, n->all_pixels, pixels, count * n->pixel_bytes, n->ex.stream));
    return n->be->upload(n->ex.device, n->all_labels, labels, count * sizeof *labels, n->ex.stream);
}

cug_status cug_net_order(cug_net *n, const int32_t *order) {
    return n->be->upload(n->ex.device, n->order, order, (size_t)n->order_count * sizeof *order, n->ex.stream);
}

cug_status cug_net_shifts(cug_net *n, const int32_t *shifts, int H, int W, int C) {
    if (!n->all_pixels || (size_t)H * (size_t)W * (size_t)C != n->pixel_bytes)
        return cug_fail(CUG_EINVAL, "shifts of images of %dx%dx%d, which no data set held has", H, W, C);
    n->shift = (cug_shift_shape){.H = H, .W = W, .C = C, .order = n->order_count};
    if (!n->shifts) CUG_TRY(zeroed(n, &n->shifts, (size_t)n->order_count * sizeof *shifts));
    if (!n->unmoved) CUG_TRY(zeroed(n, &n->unmoved, n->max_batch * n->pixel_bytes));
    return n->be->upload(n->ex.device, n->shifts, shifts, (size_t)n->order_count * sizeof *shifts, n->ex.stream);
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
