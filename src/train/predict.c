/* predict.c - a checkpoint on a device, ready to answer. */
#include <cuglyph/predict.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/source.h"

/* Images at a time, always: one plan, and an image's sums do not depend on how many came with it. */
enum { BATCH = 32 };

struct cug_predictor {
    source s;
    cug_predictor_info about;
    const cug_backend *be;
    cug_device *dev;
    cug_net *net;
    size_t image_bytes, K; /* of what the net takes: what is left after the run's crop */
    uint8_t *pixels;       /* a batch */
    int32_t *labels;       /* zeros: the loss wants some */
    double *z;
};

static cug_status incomplete(const source *s, const char *what) {
    return cug_fail(CUG_ECKPT_MISMATCH, "%s: does not say %s; it is not a training run's", s->path, what);
}

static cug_status read_names(cug_predictor *p, const json_t *data) {
    const json_t *names = json_object_get(data, "classes");
    size_t n = json_array_size(names), K = p->K;
    if (n < 1 || n > CUG_MAX_CLASSES || n != (K == 1 ? 2 : K)) return incomplete(&p->s, "which classes it knows");
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (!name) return incomplete(&p->s, "what its classes are called");
        snprintf(p->about.class_names[i], sizeof p->about.class_names[i], "%.31s", name);
    }
    p->about.classes = (int)n;
    return CUG_OK;
}

static cug_status read_shape(cug_predictor *p, const json_t *data) {
    const json_t *shape = json_object_get(data, "shape");
    json_int_t extent[3] = {0};
    size_t product = 1;
    for (size_t i = 0; i < 3; i++) {
        extent[i] = json_integer_value(json_array_get(shape, i));
        if (extent[i] < 1 || extent[i] > 1 << 20) return incomplete(&p->s, "how large its images are");
        product *= (size_t)extent[i];
    }
    if (product != p->image_bytes) return incomplete(&p->s, "how large its images are");
    int margins = 2 * (int)p->s.config.crop;
    p->about.H = (int)extent[0] + margins, p->about.W = (int)extent[1] + margins, p->about.C = (int)extent[2];
    return CUG_OK;
}

static cug_status read_about(cug_predictor *p) {
    const cug_graph *g = p->s.g;
    p->image_bytes = cug_value_count(&g->values[0]);
    p->K = cug_value_count(&g->values[g->output]);
    json_t *data = source_data(&p->s);
    cug_status st = read_names(p, data);
    if (st == CUG_OK) st = read_shape(p, data);
    json_decref(data);
    snprintf(p->about.model, sizeof p->about.model, "%s", source_model(&p->s));
    snprintf(p->about.weights, sizeof p->about.weights, "%s", p->s.weights);
    return st;
}

/* In float32 and by the project's own code, whatever the run's choices were: answers are few, every device has both. */
static cug_status apply_options(cug_config *c, const cug_predict_options *opt) {
    char text[32];
    CUG_TRY(cug_config_set(c, "precision", "fp32"));
    c->conv = c->gemm = CUG_CHOOSE_OWN;
    if (opt->device) CUG_TRY(cug_config_set(c, "device", opt->device));
    snprintf(text, sizeof text, "%lld", (long long)opt->threads);
    return opt->threads > 0 ? cug_config_set(c, "threads", text) : CUG_OK;
}

static cug_status open_net(cug_predictor *p) {
    const cug_config *c = &p->s.config;
    cug_net_options o = {.eval_sizes = {BATCH},
                         .plan_flags = (c->no_reuse ? CUG_PLAN_NO_REUSE : 0u) | (c->no_fuse ? CUG_PLAN_NO_FUSE : 0u),
                         .no_graph = c->no_graph,
                         .classes = p->about.classes,
                         .seed = c->seed};
    CUG_TRY(source_scaling(&p->s, &o.scale, &o.shift));
    CUG_TRY(cug_device_open(c, &p->be, &p->dev, NULL));
    snprintf(p->about.device, sizeof p->about.device, "%s", p->be->describe(p->dev));
    CUG_TRY(cug_net_create(&p->net, p->s.g, p->be, p->dev, &o));
    CUG_TRY(source_upload(&p->s, p->net, p->be));
    p->pixels = calloc(BATCH, p->image_bytes);
    p->labels = calloc(BATCH, sizeof *p->labels);
    p->z = calloc(BATCH * p->K, sizeof *p->z);
    return p->pixels && p->labels && p->z ? CUG_OK : cug_fail(CUG_ENOMEM, "out of memory for %d images", BATCH);
}

cug_status cug_predictor_open(cug_predictor **out, const cug_predict_options *opt) {
    cug_status st;
    *out = NULL;
    cug_predictor *p = calloc(1, sizeof *p);
    if (!p) return cug_fail(CUG_ENOMEM, "out of memory for a model");
    CUG_GOTO(source_open(&p->s, opt->run, opt->weights));
    CUG_GOTO(apply_options(&p->s.config, opt));
    CUG_GOTO(read_about(p));
    CUG_GOTO(open_net(p));
    *out = p;
    return CUG_OK;
cleanup:
    cug_predictor_close(p);
    return st;
}

void cug_predictor_close(cug_predictor *p) {
    if (!p) return;
    cug_net_free(p->net);
    if (p->be) p->be->close(p->dev);
    source_close(&p->s);
    free(p->pixels);
    free(p->labels);
    free(p->z);
    free(p);
}

const cug_predictor_info *cug_predictor_about(const cug_predictor *p) { return &p->about; }

/* The middle of each image, as the run's crop leaves it. */
static void take_middle(cug_predictor *p, const uint8_t *pixels, size_t count) {
    const size_t margin = (size_t)p->s.config.crop, C = (size_t)p->about.C, W = (size_t)p->about.W;
    const size_t H = (size_t)p->about.H, row = (W - 2 * margin) * C;
    uint8_t *to = p->pixels;
    for (size_t i = 0; i < count; i++)
        for (size_t y = margin; y < H - margin; y++, to += row)
            memcpy(to, pixels + ((i * H + y) * W + margin) * C, row);
}

cug_status cug_predict(cug_predictor *p, const uint8_t *pixels, size_t n, float *probabilities, int32_t *predicted) {
    int32_t found[BATCH];
    size_t classes = (size_t)p->about.classes;
    size_t whole = (size_t)p->about.H * (size_t)p->about.W * (size_t)p->about.C;
    for (size_t from = 0; from < n; from += BATCH) {
        size_t count = n - from < BATCH ? n - from : BATCH;
        take_middle(p, pixels + from * whole, count);
        const cug_batch b = {BATCH, p->pixels, p->labels, p->labels};
        CUG_TRY(cug_net_eval_step(p->net, &b));
        CUG_TRY(cug_net_outputs(p->net, BATCH, p->z, NULL, found));
        for (size_t i = 0; i < count; i++)
            cug_probabilities(p->s.g->loss, p->z + i * p->K, (int)p->K, probabilities + (from + i) * classes);
        memcpy(predicted + from, found, count * sizeof *found);
    }
    return CUG_OK;
}
