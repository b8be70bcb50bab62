/* source.c - opens what a training run left behind. */
#include "train/source.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

static cug_status locate(source *s, const char *run, const char *weights) {
    if (!is_folder(run)) {
        snprintf(s->path, sizeof s->path, "%s", run);
        snprintf(s->weights, sizeof s->weights, "file");
        return CUG_OK;
    }
    if (weights && strcmp(weights, "best") != 0 && strcmp(weights, "last") != 0)
        return cug_fail(CUG_EINVAL, "weights '%s': expected best or last", weights);
    if (weights)
        snprintf(s->weights, sizeof s->weights, "%s", weights);
    else
        final_weights(run, s->weights);
    snprintf(s->path, sizeof s->path, "%s/%s.safetensors", run, s->weights);
    struct stat sb;
    if (stat(s->path, &sb) != 0)
        return cug_fail(CUG_ENOENT, "%s: no such checkpoint; has this run trained to the end of an epoch?", s->path);
    return CUG_OK;
}

cug_status source_open(source *s, const char *run, const char *weights) {
    memset(s, 0, sizeof *s);
    cug_config_defaults(&s->config);
    CUG_TRY(locate(s, run, weights));
    CUG_TRY(cug_checkpoint_load(s->path, &s->g, &s->snap));
    const char *config = cug_snapshot_meta(&s->snap, "config");
    if (!config)
        return cug_fail(CUG_ECKPT_MISMATCH, "%s: holds no training config, so its data and scaling are unknown",
                        s->path);
    CUG_TRY(cug_config_parse(&s->config, config, strlen(config), s->path));
    /* a float64 checkpoint came from ref, the only float64 device */
    return s->snap.real == CUG_F64 ? cug_config_set(&s->config, "device", "ref") : CUG_OK;
}

void source_close(source *s) {
    cug_snapshot_free(&s->snap);
    cug_graph_free(s->g);
    cug_config_free(&s->config);
}

const char *source_model(const source *s) {
    const char *model = cug_snapshot_meta(&s->snap, "model");
    return model ? model : s->g->name;
}

json_t *source_data(const source *s) {
    const char *text = cug_snapshot_meta(&s->snap, "data");
    return text ? json_loads(text, 0, 0) : 0;
}

cug_status source_scaling(const source *s, float *scale, float *shift) {
    json_t *o = source_data(s);
    const json_t *a = json_object_get(o, "scale"), *b = json_object_get(o, "shift");
    int ok = json_is_number(a) && json_is_number(b);
    if (ok) {
        *scale = (float)json_number_value(a);
        *shift = (float)json_number_value(b);
    }
    json_decref(o);
    return ok ? CUG_OK
              : cug_fail(CUG_ECKPT_MISMATCH, "%s: does not say how its pixels were scaled; it is not a training run's",
                         s->path);
}

cug_status source_upload(const source *s, cug_net *net, const cug_backend *be) {
    if (s->snap.real == be->real) return cug_net_upload(net, s->snap.params, 0);
    size_t n = s->g->flat_count;
    if (be->real == CUG_F64) return cug_net_upload_f32(net, s->snap.params);
    float *narrow = malloc((n + 1) * sizeof *narrow);
    if (!narrow) return cug_fail(CUG_ENOMEM, "out of memory for %zu parameters", n);
    for (size_t i = 0; i < n; i++) narrow[i] = (float)((const double *)s->snap.params)[i];
    cug_status st = cug_net_upload_f32(net, narrow);
    free(narrow);
    return st;
}
