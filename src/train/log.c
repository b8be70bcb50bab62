/* log.c - what a run writes down: one JSON object a line for programs, a table of the epochs for spreadsheets. */
#include "train/trainer.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS (JSON_COMPACT | JSON_REAL_PRECISION(15))

static json_t *real_or_null(double v) { return isfinite(v) ? json_real(v) : json_null(); }

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
    return write_line(t, json_pack("{s:s s:I s:I s:f s:o s:f}", "event", "step", "epoch", (json_int_t)t->at.epoch + 1,
                                   "step", (json_int_t)t->at.step, "lr", lr, "loss",
                                   real_or_null(m->loss_sum / (double)m->count), "accuracy",
                                   (double)m->correct / (double)m->count));
}

cug_status trainer_log_epoch(trainer *t, double lr, const cug_evaluation *val, double images_per_second, int improved) {
    const cug_metrics *m = &t->at.metrics;
    double loss = m->loss_sum / (double)m->count, accuracy = (double)m->correct / (double)m->count;
    double val_loss = val ? val->loss : NAN, val_accuracy = val ? val->accuracy : NAN, seconds = trainer_seconds(t);
    CUG_TRY(write_line(t, json_pack("{s:s s:I s:I s:f s:o s:f s:o s:o s:b s:f s:f}", "event", "epoch", "epoch",
                                    (json_int_t)t->at.epoch, "step", (json_int_t)t->at.step, "lr", lr, "loss",
                                    real_or_null(loss), "accuracy", accuracy, "val_loss", real_or_null(val_loss),
                                    "val_accuracy", real_or_null(val_accuracy), "improved", improved,
                                    "images_per_second", images_per_second, "seconds", seconds)));
    json_t *row = json_pack("[I I f o f o o i f f]", (json_int_t)t->at.epoch, (json_int_t)t->at.step, lr,
                            real_or_null(loss), accuracy, real_or_null(val_loss), real_or_null(val_accuracy), improved,
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
    json_t *rows = json_array(), *classes = json_array();
    for (int i = 0; rows && classes && i < e->classes; i++) {
        json_t *row = json_array();
        for (int k = 0; k < e->classes; k++)
            json_array_append_new(row, json_integer((json_int_t)e->confusion[i * e->classes + k]));
        json_array_append_new(rows, row);
        const cug_class_score *s = &e->per_class[i];
        json_array_append_new(classes, json_pack("{s:s s:I s:f s:f s:f}", "name", t->j.d->class_names[i], "support",
                                                 (json_int_t)s->support, "precision", s->precision, "recall", s->recall,
                                                 "f1", s->f1));
    }
    return json_pack("{s:s s:s s:s s:I s:I s:b s:I s:o s:f s:[ff] s:f s:o s:o}", "event", "final", "data", t->j.d->name,
                     "weights", weights, "epochs", (json_int_t)t->at.epoch, "steps", (json_int_t)t->at.step,
                     "stopped_early", stopped_early, "test_images", (json_int_t)e->count, "test_loss",
                     real_or_null(e->loss), "test_accuracy", e->accuracy, "test_accuracy_95", e->low, e->high,
                     "seconds", trainer_seconds(t), "classes", classes, "confusion", rows);
}

cug_status trainer_log_final(trainer *t, const cug_evaluation *test, const char *weights, int stopped_early) {
    json_t *o = final_json(t, test, weights, stopped_early);
    char path[4200], *pretty = o ? json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : 0;
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
