/* eval.c - evaluates what a run folder or a checkpoint file holds. */
#include <cuglyph/run.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "train/job.h"

typedef struct source {
    char path[4300]; /* the checkpoint */
    char weights[16];
    cug_graph *g;
    cug_snapshot snap;
    cug_config config;
} source;

static int is_folder(const char *path) {
    struct stat sb;
    return stat(path, &sb) == 0 && S_ISDIR(sb.st_mode);
}

/* The weights behind the run's final figure: metrics.json says which; a run without one has only "last". */
static void final_weights(const char *run, char out[16]) {
    char path[4300];
    snprintf(path, sizeof path, "%s/metrics.json", run);
    json_t *o = json_load_file(path, 0, 0);
    const char *w = json_string_value(json_object_get(o, "weights"));
    snprintf(out, 16, "%s", w && strcmp(w, "best") == 0 ? "best" : "last");
    json_decref(o);
}

static cug_status locate(source *s, const cug_eval_request *req) {
    if (!is_folder(req->run)) {
        snprintf(s->path, sizeof s->path, "%s", req->run);
        snprintf(s->weights, sizeof s->weights, "file");
        return CUG_OK;
    }
    if (req->weights && strcmp(req->weights, "best") != 0 && strcmp(req->weights, "last") != 0)
        return cug_fail(CUG_EINVAL, "weights '%s': expected best or last", req->weights);
    if (req->weights)
        snprintf(s->weights, sizeof s->weights, "%s", req->weights);
    else
        final_weights(req->run, s->weights);
    snprintf(s->path, sizeof s->path, "%s/%s.safetensors", req->run, s->weights);
    struct stat sb;
    if (stat(s->path, &sb) != 0)
        return cug_fail(CUG_ENOENT, "%s: no such checkpoint; has this run trained to the end of an epoch?", s->path);
    return CUG_OK;
}

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

static cug_status open_source(source *s, const cug_eval_request *req) {
    CUG_TRY(locate(s, req));
    CUG_TRY(cug_checkpoint_load(s->path, &s->g, &s->snap));
    const char *config = cug_snapshot_meta(&s->snap, "config");
    if (!config)
        return cug_fail(CUG_ECKPT_MISMATCH, "%s: holds no training config, so its data and scaling are unknown",
                        s->path);
    CUG_TRY(cug_config_parse(&s->config, config, strlen(config), s->path));
    if (req->data && strcmp(req->data, s->config.data) != 0) CUG_TRY(cug_config_set(&s->config, "data-dir", ""));
    CUG_TRY(set_text(&s->config, "data", req->data));
    CUG_TRY(set_text(&s->config, "data-dir", req->data_dir));
    CUG_TRY(set_text(&s->config, "device", req->device));
    CUG_TRY(set_text(&s->config, "precision", req->precision));
    if ((s->config.conv || s->config.gemm) && !gpu_meant(s->config.device))
        s->config.conv = s->config.gemm = CUG_CHOOSE_OWN;
    CUG_TRY(set_text(&s->config, "conv", req->conv));
    CUG_TRY(set_text(&s->config, "gemm", req->gemm));
    CUG_TRY(set_number(&s->config, "eval-batch", req->eval_batch));
    CUG_TRY(set_number(&s->config, "threads", req->threads));
    /* a float64 checkpoint came from ref, the only float64 device */
    if (s->snap.real == CUG_F64 && !req->device) return cug_config_set(&s->config, "device", "ref");
    return CUG_OK;
}

/* The pixels' scaling is the training run's, whatever data is looked at now. */
static cug_status stored_scaling(const source *s, job *j) {
    json_t *o = json_loads(cug_snapshot_meta(&s->snap, "data") ? cug_snapshot_meta(&s->snap, "data") : "", 0, 0);
    json_t *scale = json_object_get(o, "scale"), *shift = json_object_get(o, "shift");
    int ok = json_is_number(scale) && json_is_number(shift);
    if (ok) {
        j->scale = (float)json_number_value(scale);
        j->shift = (float)json_number_value(shift);
    }
    json_decref(o);
    return ok ? CUG_OK : cug_fail(CUG_ECKPT_MISMATCH, "%s: holds no pixel scaling", s->path);
}

static const cug_loader *choose_part(job *j, const char *part) {
    if (!part || strcmp(part, "test") == 0) return &j->test;
    if (strcmp(part, "val") == 0) return &j->val;
    return strcmp(part, "train") == 0 ? &j->train : 0;
}

static cug_status convert_params(const source *s, const job *j) {
    if (s->snap.real == j->be->real) return cug_net_upload(j->net, s->snap.params, 0);
    size_t n = j->g->flat_count;
    if (j->be->real == CUG_F64) return cug_net_upload_f32(j->net, s->snap.params);
    float *narrow = malloc((n + 1) * sizeof *narrow);
    if (!narrow) return cug_fail(CUG_ENOMEM, "out of memory for %zu parameters", n);
    for (size_t i = 0; i < n; i++) narrow[i] = (float)((const double *)s->snap.params)[i];
    cug_status st = cug_net_upload_f32(j->net, narrow);
    free(narrow);
    return st;
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

static cug_status evaluate(source *s, job *j, const cug_eval_request *req, cug_evaluation *e) {
    CUG_TRY(job_open(j, &s->config));
    if (strcmp(j->g->spec, s->g->spec) != 0)
        return cug_fail(CUG_ECKPT_MISMATCH, "%s: its config and its weights are of different models", s->path);
    CUG_TRY(stored_scaling(s, j));
    const cug_loader *part = choose_part(j, req->part);
    if (!part) return cug_fail(CUG_EINVAL, "part '%s': expected test, val or train", req->part);
    if (!part->n) return cug_fail(CUG_EINVAL, "part '%s' of %s is empty", req->part ? req->part : "test", j->d->name);
    cug_loader in_order = *part; /* the training part too: no shuffle, the evaluation batch size */
    in_order.shuffle = 0;
    in_order.batch = (int)s->config.eval_batch;
    CUG_TRY(job_open_net(j, &s->config, 0));
    CUG_TRY(convert_params(s, j));
    relay r = {req->on_event, req->user};
    return job_evaluate(j, &in_order, e, on_batch, &r);
}

cug_status cug_eval(const cug_eval_request *req, cug_evaluation *e, cug_eval_info *info) {
    source s = {0};
    job j = {0};
    memset(e, 0, sizeof *e);
    memset(info, 0, sizeof *info);
    cug_config_defaults(&s.config);
    cug_status st = open_source(&s, req);
    if (st == CUG_OK) st = evaluate(&s, &j, req, e);
    if (st == CUG_OK) {
        const char *model = cug_snapshot_meta(&s.snap, "model");
        snprintf(info->weights, sizeof info->weights, "%s", s.weights);
        snprintf(info->model, sizeof info->model, "%s", model ? model : s.g->name);
        snprintf(info->data, sizeof info->data, "%s", j.d->name);
        snprintf(info->device, sizeof info->device, "%s", j.be->describe(j.dev));
        memcpy(info->class_names, j.d->class_names, sizeof info->class_names);
    }
    job_close(&j);
    cug_snapshot_free(&s.snap);
    cug_graph_free(s.g);
    cug_config_free(&s.config);
    return st;
}
