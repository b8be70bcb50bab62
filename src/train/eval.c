/* eval.c - evaluates what a run folder or a checkpoint file holds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/job.h"
#include "train/source.h"

static cug_status set_text(cug_config *c, const char *key, const char *value) {
    return value ? cug_config_set(c, key, value) : CUG_OK;
}

static cug_status set_number(cug_config *c, const char *key, int64_t value) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return value > 0 ? cug_config_set(c, key, text) : CUG_OK;
}

/* Whether evaluation will run on a GPU: a run by cuDNN may be looked at where there is none. */
static int gpu_meant(const char *device) {
    const cug_backend *cuda = cug_backend_find("cuda");
    cug_device *dev = 0;
    if (strcmp(device, "auto") != 0) return strncmp(device, "cuda", 4) == 0;
    if (!cuda || cuda->open(&dev, &(cug_device_options){0}) != CUG_OK) return 0;
    cuda->close(dev);
    return 1;
}

static cug_status apply_request(cug_config *c, const cug_eval_request *req) {
    if (req->data && strcmp(req->data, c->data) != 0) CUG_TRY(cug_config_set(c, "data-dir", ""));
    CUG_TRY(set_text(c, "data", req->data));
    CUG_TRY(set_text(c, "data-dir", req->data_dir));
    CUG_TRY(set_text(c, "device", req->device));
    CUG_TRY(set_text(c, "precision", req->precision));
    if ((c->conv || c->gemm) && !gpu_meant(c->device)) c->conv = c->gemm = CUG_CHOOSE_OWN;
    CUG_TRY(set_text(c, "conv", req->conv));
    CUG_TRY(set_text(c, "gemm", req->gemm));
    CUG_TRY(set_number(c, "eval-batch", req->eval_batch));
    return set_number(c, "threads", req->threads);
}

static const cug_loader *choose_part(job *j, const char *part) {
    if (!part || strcmp(part, "test") == 0) return &j->test;
    if (strcmp(part, "val") == 0) return &j->val;
    return strcmp(part, "train") == 0 ? &j->train : 0;
}

typedef struct relay {
    void (*on_event)(void *user, const cug_event *e);
    void *user;
} relay;

static void on_batch(void *user, uint64_t done, uint64_t of) {
    const relay *r = user;
    cug_event e = {.kind = CUG_EVENT_VALIDATE, .done = done, .of = of};
    if (r->on_event) r->on_event(r->user, &e);
}

/* Copies of the worst samples' pictures, which outlive the data set. */
static cug_status keep_pictures(cug_sample_scores *s, const cug_images *im) {
    size_t size = (size_t)im->H * (size_t)im->W * (size_t)im->C;
    s->H = im->H, s->W = im->W, s->C = im->C;
    s->pixels = malloc((size_t)s->n_worst * size + 1);
    if (!s->pixels) return cug_fail(CUG_ENOMEM, "out of memory for %d pictures", s->n_worst);
    for (size_t i = 0; i < (size_t)s->n_worst; i++)
        memcpy(s->pixels + i * size, im->pixels + (size_t)s->worst[i].id * size, size);
    return CUG_OK;
}

static cug_status evaluate(source *s, job *j, const cug_eval_request *req, cug_evaluation *e) {
    CUG_TRY(job_open(j, &s->config));
    if (strcmp(j->g->spec, s->g->spec) != 0)
        return cug_fail(CUG_ECKPT_MISMATCH, "%s: its config and its weights are of different models", s->path);
    CUG_TRY(source_scaling(s, &j->scale, &j->shift));
    const cug_loader *part = choose_part(j, req->part);
    if (!part) return cug_fail(CUG_EINVAL, "part '%s': expected test, val or train", req->part);
    if (!part->n) return cug_fail(CUG_EINVAL, "part '%s' of %s is empty", req->part ? req->part : "test", j->d->name);
    cug_loader in_order = *part; /* the training part too: no shuffle, no shifts */
    in_order.shuffle = 0;
    in_order.shift = 0;
    in_order.batch = (int)s->config.eval_batch;
    CUG_TRY(job_open_net(j, &s->config, 0));
    CUG_TRY(source_upload(s, j->net, j->be));
    if (req->samples) CUG_TRY(cug_sample_scores_open(req->samples, j->d->classes, req->worst));
    relay r = {req->on_event, req->user};
    CUG_TRY(job_evaluate(j, &in_order, e, req->samples, on_batch, &r));
    return req->samples ? keep_pictures(req->samples, in_order.images) : CUG_OK;
}

cug_status cug_eval(const cug_eval_request *req, cug_evaluation *e, cug_eval_info *info) {
    source s;
    job j = {0};
    memset(e, 0, sizeof *e);
    memset(info, 0, sizeof *info);
    if (req->samples) memset(req->samples, 0, sizeof *req->samples);
    cug_status st = source_open(&s, req->run, req->weights);
    if (st == CUG_OK) st = apply_request(&s.config, req);
    if (st == CUG_OK) st = evaluate(&s, &j, req, e);
    if (st == CUG_OK) {
        snprintf(info->weights, sizeof info->weights, "%s", s.weights);
        snprintf(info->model, sizeof info->model, "%s", source_model(&s));
        snprintf(info->data, sizeof info->data, "%s", j.d->name);
        snprintf(info->device, sizeof info->device, "%s", j.be->describe(j.dev));
        memcpy(info->class_names, j.d->class_names, sizeof info->class_names);
    } else {
        cug_evaluation_free(e);
        if (req->samples) cug_sample_scores_free(req->samples);
    }
    job_close(&j);
    source_close(&s);
    return st;
}
