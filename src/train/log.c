/* log.c - what a run writes down: one JSON object a line for programs, a table of the epochs for spreadsheets. */
#include "train/report.h"
#include "train/trainer.h"
#include <math.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS (JSON_COMPACT | REPORT_DIGITS)

static cug_status write_line(trainer *t, json_t *o) {
    char *text = o ? json_dumps(o, DIGITS) : 0;
    json_decref(o);
    if (!text) return cug_fail(CUG_ENOMEM, "out of memory for a log line");
    cug_status st = cug_run_log(t->run, text);
    free(text);
    return st;
}

cug_status trainer_log_start(trainer *t) {
    json_t *o =
        json_pack("{s:s s:s s:s s:I s:I s:I s:I}", "event", "start", "model", t->j.g->name, "device",
                  t->j.be->describe(t->j.dev), "parameters", (json_int_t)t->j.g->param_count, "train_images",
                  (json_int_t)t->j.n_train, "val_images", (json_int_t)t->j.n_val, "seed", (json_int_t)t->c->seed);
    CUG_TRY(write_line(t, o));
    return cug_run_csv(t->run, "epoch,step,lr,loss,accuracy,val_loss,val_accuracy,improved,images_per_second,seconds");
}

cug_status trainer_log_step(trainer *t, double lr) {
    const cug_metrics *m = &t->at.metrics;
    CUG_TRY(trainer_saved(t));
    return write_line(t, json_pack("{s:s s:I s:I s:f s:o s:f}", "event", "step", "epoch", (json_int_t)t->at.epoch + 1,
                                   "step", (json_int_t)t->at.step, "lr", lr, "loss",
                                   report_real(m->loss_sum / (double)m->count), "accuracy",
                                   (double)m->correct / (double)m->count));
}

cug_status trainer_log_epoch(trainer *t, double lr, const cug_evaluation *val, double images_per_second, int improved) {
    const cug_metrics *m = &t->at.metrics;
    double loss = m->loss_sum / (double)m->count, accuracy = (double)m->correct / (double)m->count;
    CUG_TRY(trainer_saved(t));
    double val_loss = val ? val->loss : NAN, val_accuracy = val ? val->accuracy : NAN, seconds = trainer_seconds(t);
    CUG_TRY(write_line(t, json_pack("{s:s s:I s:I s:f s:o s:f s:o s:o s:b s:f s:f}", "event", "epoch", "epoch",
                                    (json_int_t)t->at.epoch, "step", (json_int_t)t->at.step, "lr", lr, "loss",
                                    report_real(loss), "accuracy", accuracy, "val_loss", report_real(val_loss),
                                    "val_accuracy", report_real(val_accuracy), "improved", improved,
                                    "images_per_second", images_per_second, "seconds", seconds)));
    json_t *row = json_pack("[I I f o f o o i f f]", (json_int_t)t->at.epoch, (json_int_t)t->at.step, lr,
                            report_real(loss), accuracy, report_real(val_loss), report_real(val_accuracy), improved,
                            round(images_per_second), seconds);
    char *text = row ? json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(9)) : 0;
    json_decref(row);
    if (!text) return cug_fail(CUG_ENOMEM, "out of memory for a log line");
    text[strlen(text) - 1] = 0; /* the row without its brackets is a CSV line */
    for (char *null = strstr(text, "null"); null; null = strstr(text, "null"))
        memmove(null, null + 4, strlen(null + 4) + 1);
    cug_status st = cug_run_csv(t->run, text + 1);
    free(text);
    return st;
}

static json_t *final_json(const trainer *t, const cug_evaluation *e, const char *weights, int stopped_early) {
    json_t *o =
        json_pack("{s:s s:s s:s s:I s:I s:b s:I s:o s:f s:[ff] s:f}", "event", "final", "data", t->j.d->name, "weights",
                  weights, "epochs", (json_int_t)t->at.epoch, "steps", (json_int_t)t->at.step, "stopped_early",
                  stopped_early, "test_images", (json_int_t)e->count, "test_loss", report_real(e->loss),
                  "test_accuracy", e->accuracy, "test_accuracy_95", e->low, e->high, "seconds", trainer_seconds(t));
    if (o && report_scores(o, e, (const char(*)[32])t->j.d->class_names) == 0) return o;
    json_decref(o);
    return 0;
}

/* SHA-256 of the flat parameters as they lie in memory: two runs with the same digest have the same weights. */
static cug_status weights_digest(trainer *t, char hex[SHA256_DIGEST_STRING_LENGTH]) {
    CUG_TRY(cug_net_download(t->j.net, t->params, 0));
    SHA256Data(t->params, t->j.g->flat_count * cug_dtype_size(t->j.be->real), hex);
    return CUG_OK;
}

cug_status trainer_log_final(trainer *t, const cug_evaluation *test, const char *weights, int stopped_early) {
    char digest[SHA256_DIGEST_STRING_LENGTH];
    CUG_TRY(trainer_saved(t));
    CUG_TRY(weights_digest(t, digest));
    json_t *o = final_json(t, test, weights, stopped_early);
    int whole = o && json_object_set_new(o, "weights_sha256", json_string(digest)) == 0;
    char path[4200], *pretty = whole ? json_dumps(o, JSON_INDENT(2) | REPORT_DIGITS) : 0;
    if (!pretty) {
        json_decref(o);
        return cug_fail(CUG_ENOMEM, "out of memory for the final metrics");
    }
    cug_status st = write_line(t, o);
    cug_run_file(t->run, "metrics.json", path, sizeof path);
    if (st == CUG_OK) st = cug_write_atomic(path, pretty, strlen(pretty));
    free(pretty);
    return st;
}
