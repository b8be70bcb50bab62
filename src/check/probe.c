/* probe.c - sets a model up for checking and moves its tensors to and from float64 on the host. */
#include "check/probe.h"
#include <cuglyph/random.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_INPUT = 1000, STREAM_LABEL, STREAM_BIAS };

void cug_gradcheck_defaults(cug_gradcheck_options *o) {
    *o = (cug_gradcheck_options){
        .batch = 2, .entries = 64, .directions = 3, .eps = 1e-6, .rtol = 1e-3, .atol = 1e-7, .seed = 1};
}

void cug_check_table_free(cug_check_table *t) {
    free(t->rows);
    memset(t, 0, sizeof *t);
}

cug_status check_row_add(cug_check_table *t, const cug_check_row *row) {
    cug_check_row *rows = realloc(t->rows, ((size_t)t->n + 1) * sizeof *rows);
    if (!rows) return cug_fail(CUG_ENOMEM, "out of memory for a table of %d rows", t->n + 1);
    t->rows = rows;
    rows[t->n++] = *row;
    t->failed += row->failed != 0;
    return CUG_OK;
}

cug_status probe_get(const probe *p, const cug_tensor *t, double **out) {
    size_t n = cug_tensor_count(t);
    double *v = malloc((n + 1) * sizeof *v);
    if (!v) return cug_fail(CUG_ENOMEM, "out of memory for %zu elements", n);
    cug_status st = p->be->download(p->dev, v, t->ptr, cug_tensor_bytes(t), p->ex.stream);
    if (t->dtype == CUG_F32)
        for (size_t i = n; i-- > 0;) { /* widened in place, from the end */
            float f;
            memcpy(&f, (char *)v + i * sizeof f, sizeof f);
            v[i] = (double)f;
        }
    *out = v;
    if (st != CUG_OK) {
        free(v);
        *out = 0;
    }
    return st;
}

cug_status probe_put(const probe *p, const cug_tensor *t, const double *in) {
    size_t n = cug_tensor_count(t);
    if (t->dtype == CUG_F64) return p->be->upload(p->dev, t->ptr, in, n * sizeof *in, p->ex.stream);
    float *f = malloc((n + 1) * sizeof *f);
    if (!f) return cug_fail(CUG_ENOMEM, "out of memory for %zu elements", n);
    for (size_t i = 0; i < n; i++) f[i] = (float)in[i]; /* NOLINT: `in` holds the tensor's n elements */
    cug_status st = p->be->upload(p->dev, t->ptr, f, n * sizeof *f, p->ex.stream);
    free(f);
    return st;
}

static cug_status alloc_zero(probe *p, void *out, size_t bytes) {
    void *m = 0;
    CUG_TRY(p->be->alloc(p->dev, &m, bytes + 1));
    memcpy(out, &m, sizeof m);
    return p->be->fill(p->dev, m, 0, bytes, p->ex.stream);
}

static cug_status random_params(probe *p, uint64_t seed) {
    const cug_graph *g = p->g;
    float *flat = malloc((g->flat_count + 1) * sizeof *flat);
    double *wide = malloc((g->flat_count + 1) * sizeof *wide);
    cug_status st = flat && wide ? CUG_OK : cug_fail(CUG_ENOMEM, "out of memory for %zu parameters", g->flat_count);
    if (st == CUG_OK) {
        cug_graph_init(g, seed, flat);
        for (int i = 0; i < g->n_segments; i++)
            for (size_t k = 0; !g->segments[i].is_weight && k < g->segments[i].count; k++) /* scales stay near 1 */
                flat[g->segments[i].offset + k] =
                    (g->segments[i].init == CUG_INIT_ONES ? 1 : 0) +
                    0.2f * cug_normal(seed, CUG_RNG_GRADCHECK, STREAM_BIAS, g->segments[i].offset + k);
        for (size_t i = 0; i < g->flat_count; i++) wide[i] = (double)flat[i];
        cug_tensor t = cug_tensor1(p->buf.params, p->be->real, (int)g->flat_count);
        st = probe_put(p, &t, wide);
    }
    free(flat);
    free(wide);
    return st;
}

static cug_status random_batch(probe *p, const cug_gradcheck_options *o) {
    int classes = p->g->values[p->g->output].C;
    size_t n = (size_t)o->batch;
    cug_tensor x = cug_plan_value(p->plan, 0);
    double *v = malloc(p->n_input * sizeof *v);
    int32_t *labels = malloc(n * sizeof *labels), *ids = malloc(n * sizeof *ids);
    cug_status st = v && labels && ids ? CUG_OK : cug_fail(CUG_ENOMEM, "out of memory for a batch of %zu", n);
    if (st == CUG_OK) {
        for (size_t i = 0; i < p->n_input; i++) v[i] = (double)cug_normal(o->seed, CUG_RNG_GRADCHECK, STREAM_INPUT, i);
        for (size_t i = 0; i < n; i++) {
            float u = cug_uniform(o->seed, CUG_RNG_GRADCHECK, STREAM_LABEL, i);
            labels[i] = (int32_t)(u * (float)(classes > 1 ? classes : 2));
            ids[i] = (int32_t)(7 * i + 3);
        }
        st = probe_put(p, &x, v);
    }
    if (st == CUG_OK) st = p->be->upload(p->dev, p->buf.labels, labels, n * sizeof *labels, p->ex.stream);
    if (st == CUG_OK) st = p->be->upload(p->dev, p->buf.ids, ids, n * sizeof *ids, p->ex.stream);
    free(v);
    free(labels);
    free(ids);
    return st;
}

static cug_status set_up(probe *p, const cug_gradcheck_options *o, unsigned flags) {
    const cug_device_options d = {.threads = o->threads, .precision = o->precision, .conv = o->conv, .gemm = o->gemm};
    size_t flat = p->g->flat_count * cug_dtype_size(p->be->real), n = (size_t)o->batch;
    CUG_TRY(p->be->open(&p->dev, &d));
    p->ex.device = p->dev;
    CUG_TRY(cug_plan_create(&p->plan, p->g, p->be, p->dev, o->batch, flags | CUG_PLAN_TRAIN | CUG_PLAN_INPUT_GRAD));
    p->n_input = cug_value_count(&p->g->values[0]) * n;
    CUG_TRY(alloc_zero(p, &p->buf.params, flat));
    CUG_TRY(alloc_zero(p, &p->buf.grads, flat));
    CUG_TRY(alloc_zero(p, &p->buf.arena, cug_plan_arena_bytes(p->plan)));
    CUG_TRY(alloc_zero(p, &p->buf.labels, n * sizeof(int32_t)));
    CUG_TRY(alloc_zero(p, &p->buf.ids, n * sizeof(int32_t)));
    CUG_TRY(alloc_zero(p, &p->buf.step, sizeof(cug_step)));
    const cug_step step = {
        .seed = o->seed, .step = 5, .valid = (uint32_t)o->batch, .lr = 0.01f, .bias_corr1 = 0.1f, .bias_corr2 = 0.001f};
    CUG_TRY(p->be->upload(p->dev, p->buf.step, &step, sizeof step, p->ex.stream));
    CUG_TRY(cug_plan_bind(p->plan, &p->buf, &p->ex));
    CUG_TRY(random_params(p, o->seed));
    return random_batch(p, o);
}

cug_status probe_open(probe *p, const cug_graph *g, const cug_backend *be, const cug_gradcheck_options *o,
                      unsigned plan_flags) {
    memset(p, 0, sizeof *p);
    p->g = g;
    p->be = be;
    cug_status st = set_up(p, o, plan_flags);
    if (st != CUG_OK) probe_close(p);
    return st;
}

void probe_close(probe *p) {
    if (!p->be || !p->dev) return;
    void *owned[] = {p->buf.params, p->buf.grads, p->buf.arena, p->buf.labels, p->buf.ids, p->buf.step};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) p->be->free(p->dev, owned[i]);
    cug_plan_free(p->plan);
    p->be->close(p->dev);
    memset(p, 0, sizeof *p);
}

cug_status probe_loss(probe *p, double *loss) {
    CUG_TRY(cug_plan_forward(p->plan, &p->ex));
    CUG_TRY(cug_plan_loss(p->plan, &p->ex));
    cug_tensor t = cug_plan_loss_values(p->plan);
    double *v = 0, sum = 0;
    CUG_TRY(probe_get(p, &t, &v));
    for (int i = 0; i < t.dims[0]; i++) sum += v[i];
    *loss = sum / t.dims[0];
    free(v);
    return CUG_OK;
}

cug_status probe_backward(probe *p) { return cug_plan_backward(p->plan, &p->ex); }
