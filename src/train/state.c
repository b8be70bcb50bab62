/* state.c - a training run to and from a checkpoint: flat buffers as tensors, everything else as JSON metadata. */
#include "io/atomic.h"
#include "train/trainer.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXACT (JSON_COMPACT | JSON_REAL_PRECISION(17)) /* 17 digits bring every double back */

static char *progress_json(const progress *p) {
    json_t *o = json_pack("{s:I s:I s:I s:f s:I s:I s:o s:I s:I s:I s:I s:f}", "step", (json_int_t)p->step, "epoch",
                          (json_int_t)p->epoch, "batch", (json_int_t)p->batch, "loss_sum", p->metrics.loss_sum,
                          "correct", (json_int_t)p->metrics.correct, "count", (json_int_t)p->metrics.count, "best",
                          p->has_best ? json_real(p->best) : json_null(), "best_epoch", (json_int_t)p->best_epoch,
                          "bad_epochs", (json_int_t)p->bad_epochs, "log_jsonl", (json_int_t)p->log_jsonl, "log_csv",
                          (json_int_t)p->log_csv, "seconds", p->seconds);
    char *text = o ? json_dumps(o, EXACT) : 0;
    json_decref(o);
    return text;
}

/* `batches`: of an epoch. Steps, epochs and batches of the run must tell the same story. */
static cug_status progress_parse(progress *p, const char *text, size_t batches, const char *path) {
    json_error_t err;
    json_int_t step, epoch, batch, correct, count, best_epoch, bad, jsonl, csv;
    json_t *best = 0, *o = text ? json_loads(text, 0, &err) : 0;
    if (!o || json_unpack(o, "{s:I s:I s:I s:F s:I s:I s:o s:I s:I s:I s:I s:F}", "step", &step, "epoch", &epoch,
                          "batch", &batch, "loss_sum", &p->metrics.loss_sum, "correct", &correct, "count", &count,
                          "best", &best, "best_epoch", &best_epoch, "bad_epochs", &bad, "log_jsonl", &jsonl, "log_csv",
                          &csv, "seconds", &p->seconds) != 0) {
        json_decref(o);
        if (text) return cug_fail(CUG_ECKPT_HEADER, "%s: its training progress cannot be read", path);
        return cug_fail(CUG_ECKPT_HEADER, "%s: no training progress in it; it can be evaluated but not resumed", path);
    }
    p->has_best = json_is_real(best);
    p->best = p->has_best ? json_real_value(best) : 0;
    json_decref(o);
    if (step < 0 || epoch < 0 || batch < 0 || correct < 0 || count < 0 || jsonl < 0 || csv < 0 || best_epoch < 0 ||
        bad < 0)
        return cug_fail(CUG_ECKPT_HEADER, "%s: negative counters in its training progress", path);
    if (epoch > CUG_MAX_EPOCHS || (uint64_t)batch > batches ||
        (uint64_t)step != (uint64_t)epoch * batches + (uint64_t)batch)
        return cug_fail(CUG_ECKPT_MISMATCH,
                        "%s: %lld steps are not %lld epochs of %zu batches and %lld more: not this run's checkpoint",
                        path, (long long)step, (long long)epoch, batches, (long long)batch);
    p->step = (uint64_t)step, p->epoch = epoch, p->batch = (uint64_t)batch;
    p->metrics.correct = correct, p->metrics.count = count;
    p->best_epoch = best_epoch, p->bad_epochs = bad;
    p->log_jsonl = (uint64_t)jsonl, p->log_csv = (uint64_t)csv;
    return CUG_OK;
}

/* What a reader needs to use the weights: how pixels become numbers, and what the outputs mean. */
static char *data_json(const job *j, const cug_config *c) {
    json_t *names = json_array();
    int whole = names != 0;
    for (int i = 0; whole && i < j->d->classes; i++)
        whole = json_array_append_new(names, json_string(j->d->class_names[i])) == 0;
    const cug_images *im = &j->d->train;
    json_t *o = json_pack("{s:s s:[iii] s:s s:f s:f s:f s:f s:o}", "name", j->d->name, "shape", im->H, im->W, im->C,
                          "scaling", cug_scaling_name(c->scale), "scale", (double)j->scale, "shift", (double)j->shift,
                          "mean", j->mean, "sd", j->sd, "classes", names);
    char *text = o && whole ? json_dumps(o, EXACT) : 0;
    json_decref(o);
    return text;
}

/* The state as it is now, on the host. */
static cug_status take(trainer *t, saving *s) {
    CUG_TRY(cug_net_download(t->j.net, t->params, t->state));
    CUG_TRY(cug_run_log_sizes(t->run, &t->at.log_jsonl, &t->at.log_csv));
    progress now = t->at;
    now.seconds = trainer_seconds(t);
    s->progress = progress_json(&now);
    s->data = data_json(&t->j, t->c);
    return s->progress && s->data ? CUG_OK : cug_fail(CUG_ENOMEM, "out of memory for a checkpoint's metadata");
}

static cug_status write_file(trainer *t, const char *file) {
    char path[4200], k_config[] = "config", k_data[] = "data", k_model[] = "model", k_progress[] = "progress";
    cug_st_pair meta[] = {{k_config, t->config_text},
                          {k_data, t->saving.data},
                          {k_model, t->j.g->name},
                          {k_progress, t->saving.progress}};
    cug_snapshot s = {.real = t->j.be->real,
                      .params = t->params,
                      .n_state = cug_net_state_count(t->j.net),
                      .meta = meta,
                      .n_meta = (int)(sizeof meta / sizeof *meta)};
    for (int i = 0; i < s.n_state; i++) s.state[i] = t->state[i];
    return cug_checkpoint_save(cug_run_file(t->run, file, path, sizeof path), t->j.g, &s);
}

/* Logs, then the file, then its second name, each on disk before the next. */
static cug_status write_all(trainer *t) {
    char from[4200], to[4200];
    const saving *s = &t->saving;
    CUG_TRY(cug_run_log_flush(t->run));
    CUG_TRY(write_file(t, s->file));
    if (!s->also) return CUG_OK;
    cug_run_file(t->run, s->file, from, sizeof from);
    cug_run_file(t->run, s->also, to, sizeof to);
    return cug_atomic_link(from, to, "checkpoint") == CUG_OK ? CUG_OK : write_file(t, s->also);
}

static void *writer(void *user) {
    trainer *t = user;
    t->saving.status = write_all(t);
    snprintf(t->saving.error, sizeof t->saving.error, "%s", cug_error());
    return 0;
}

cug_status trainer_saved(trainer *t) {
    saving *s = &t->saving;
    if (!s->running) return CUG_OK;
    pthread_join(s->thread, 0);
    s->running = 0;
    return s->status == CUG_OK ? CUG_OK : cug_fail(s->status, "%s", s->error);
}

cug_status trainer_save(trainer *t, const char *file, const char *also) {
    saving *s = &t->saving;
    CUG_TRY(trainer_saved(t));
    trainer_save_end(t);
    s->file = file, s->also = also;
    CUG_TRY(take(t, s));
    s->running = pthread_create(&s->thread, 0, writer, t) == 0;
    return s->running ? CUG_OK : write_all(t);
}

void trainer_save_end(trainer *t) {
    if (t->saving.running) pthread_join(t->saving.thread, 0);
    free(t->saving.progress);
    free(t->saving.data);
    t->saving = (saving){0};
}

cug_status trainer_load(trainer *t, const char *file, int everything) {
    char path[4200];
    cug_graph *g = 0;
    cug_snapshot s = {0};
    cug_status st;
    CUG_TRY(trainer_saved(t));
    cug_run_file(t->run, file, path, sizeof path);
    CUG_GOTO(cug_checkpoint_load(path, &g, &s));
    if (strcmp(g->spec, t->j.g->spec) != 0 || s.real != t->j.be->real ||
        (everything && s.n_state != cug_net_state_count(t->j.net))) {
        st = cug_fail(CUG_ECKPT_MISMATCH, "%s: made by another model, device type or optimizer than %s/config says",
                      path, cug_run_path(t->run));
        goto cleanup;
    }
    CUG_GOTO(cug_net_upload(t->j.net, s.params, everything ? s.state : 0));
    if (everything) {
        CUG_GOTO(progress_parse(&t->at, cug_snapshot_meta(&s, "progress"), t->batches, path));
        CUG_GOTO(cug_run_log_truncate(t->run, t->at.log_jsonl, t->at.log_csv));
        CUG_GOTO(cug_net_metrics_write(t->j.net, &t->at.metrics));
    }
cleanup:
    cug_snapshot_free(&s);
    cug_graph_free(g);
    return st;
}
