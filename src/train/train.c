/* train.c - the training loop: epochs of steps, validation, checkpoints, early stopping, and the final evaluation. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "locale_c.h"
#include "seconds.h"
#include "train/trainer.h"

#define LAST "last.safetensors"
#define BEST "best.safetensors"

double trainer_seconds(const trainer *t) { return t->at.seconds + seconds_now() - t->started; }

uint64_t trainer_steps_in_all(const trainer *t) {
    int64_t n = t->c->epochs * (int64_t)t->batches;
    return (uint64_t)(t->c->max_steps > 0 && t->c->max_steps < n ? t->c->max_steps : n);
}

static void emit(trainer *t, cug_event *e) {
    if (!t->on_event) return;
    double spent = seconds_now() - t->started, rate = spent > 0 ? (double)t->images / spent : 0;
    e->step = t->at.step;
    e->total_steps = trainer_steps_in_all(t);
    e->epochs = t->c->epochs;
    e->images_per_second = rate;
    e->eta_seconds =
        rate > 0 && e->total_steps >= e->step ? (double)(e->total_steps - e->step) * (double)t->c->batch / rate : 0;
    e->seconds = trainer_seconds(t);
    t->on_event(t->user, e);
}

static void note(trainer *t, cug_event_kind kind, const char *text) {
    cug_event e = {.kind = kind, .text = text, .epoch = t->at.epoch + 1};
    emit(t, &e);
}

static void on_eval_batch(void *user, uint64_t done, uint64_t of) {
    trainer *t = user;
    cug_event e = {.kind = CUG_EVENT_VALIDATE, .epoch = t->at.epoch + 1, .done = done, .of = of};
    emit(t, &e);
}

static void make_schedule(trainer *t) {
    const cug_config *c = t->c;
    t->schedule = (cug_schedule){.kind = c->schedule,
                                 .lr = c->lr,
                                 .min_lr = c->min_lr,
                                 .gamma = c->gamma,
                                 .step_epochs = (int)c->step_epochs,
                                 .pct = c->pct,
                                 .div = c->div,
                                 .final_div = c->final_div,
                                 .warmup_steps = (uint64_t)c->warmup,
                                 .total_steps = trainer_steps_in_all(t),
                                 .steps_per_epoch = t->batches};
}

cug_status trainer_prepare(trainer *t) {
    t->batches = cug_loader_batches(&t->j.train);
    make_schedule(t);
    return cug_schedule_check(&t->schedule);
}

cug_status trainer_initial_weights(trainer *t) {
    float *flat = malloc((t->j.g->flat_count + 1) * sizeof *flat);
    if (!flat) return cug_fail(CUG_ENOMEM, "out of memory for %zu parameters", t->j.g->flat_count);
    cug_graph_init(t->j.g, t->c->seed, flat);
    cug_status st = cug_net_upload_f32(t->j.net, flat);
    free(flat);
    return st;
}

/* Looks whether a step so far met NaN or Inf, `done` batches of the epoch being run; if so, says which and where. */
static cug_status check_finite(trainer *t, uint64_t done) {
    int failed;
    uint64_t step;
    CUG_TRY(cug_net_failed(t->j.net, &failed, &step));
    if (!failed) return CUG_OK;
    uint64_t batch = done - (t->at.step - step);
    t->at.step = step;
    cug_batch b = job_batch(&t->j, &t->j.train, (uint32_t)t->at.epoch, (size_t)batch);
    return cug_fail_at(cug_net_locate(t->j.net, &b), "epoch %lld, step %llu", (long long)t->at.epoch + 1,
                       (unsigned long long)step + 1);
}

static cug_status one_step(trainer *t) {
    cug_batch b = {0};
    int plain = t->j.loader == JOB_PLAIN;
    if (plain) b = job_batch(&t->j, &t->j.train, (uint32_t)t->at.epoch, t->at.batch);
    cug_status st = cug_net_train_step(t->j.net, plain ? &b : 0);
    if (st == CUG_OK) return CUG_OK;
    return cug_fail_at(st, "epoch %lld, step %llu", (long long)t->at.epoch + 1, (unsigned long long)t->at.step + 1);
}

/* The epoch's loss and accuracy so far, into the log and a checkpoint when it is time for one. */
static cug_status log_and_save(trainer *t, cug_event *e) {
    const cug_config *c = t->c;
    int log = c->log_every > 0 && t->at.step % (uint64_t)c->log_every == 0;
    int save = c->checkpoint_every > 0 && t->at.step % (uint64_t)c->checkpoint_every == 0;
    if (log || save || !cug_net_queues(t->j.net)) CUG_TRY(check_finite(t, t->at.batch + 1));
    if (!log && !save) return CUG_OK;
    CUG_TRY(cug_net_metrics_read(t->j.net, &t->at.metrics, 0));
    e->loss = t->at.metrics.loss_sum / (double)t->at.metrics.count;
    e->accuracy = (double)t->at.metrics.correct / (double)t->at.metrics.count;
    if (log) CUG_TRY(trainer_log_step(t, e->lr));
    if (!save) return CUG_OK;
    t->at.batch++; /* as after this step */
    cug_status st = trainer_save(t, LAST, 0);
    t->at.batch--;
    return st;
}

cug_status trainer_run_steps(trainer *t, volatile int *stop, int *interrupted) {
    cug_event e = {.kind = CUG_EVENT_STEP, .epoch = t->at.epoch + 1, .of = t->batches, .loss = NAN, .accuracy = NAN};
    uint64_t end = t->at.step + (t->batches - t->at.batch), from = t->at.step;
    if (end > trainer_steps_in_all(t)) end = trainer_steps_in_all(t);
    CUG_TRY(trainer_feed_epoch(t));
    for (; t->at.step < end; t->at.batch++) {
        if (stop && *stop) {
            *interrupted = 1;
            break;
        }
        uint64_t row = (t->at.step - from) % CUG_NET_ROWS;
        if (row == 0) CUG_TRY(trainer_feed_steps(t, end));
        CUG_TRY(one_step(t));
        t->at.step++;
        t->images += (uint64_t)t->rows[row].n;
        e.lr = (double)t->rows[row].lr;
        CUG_TRY(log_and_save(t, &e));
        e.done = t->at.batch + 1;
        emit(t, &e);
    }
    CUG_TRY(check_finite(t, t->at.batch));
    return cug_net_metrics_read(t->j.net, &t->at.metrics, 0);
}

/* Is the validation result the best so far? Updates the run's record of it. */
static int judge(trainer *t, const cug_evaluation *val) {
    int by_loss = strcmp(t->c->monitor, "val_loss") == 0;
    double v = by_loss ? val->loss : val->accuracy;
    int better = !t->at.has_best || (by_loss ? v < t->at.best - t->c->min_delta : v > t->at.best + t->c->min_delta);
    if (better) {
        t->at.has_best = 1;
        t->at.best = v;
        t->at.best_epoch = t->at.epoch;
        t->at.bad_epochs = 0;
    } else {
        t->at.bad_epochs++;
    }
    return better;
}

/* Everything that follows an epoch's last step. The order keeps a crash harmless: logs, then best, then last, which
 * alone says that the epoch is done. */
static cug_status end_epoch(trainer *t) {
    cug_evaluation val = {0};
    const cug_evaluation *v = 0;
    cug_status st;
    int improved = 0;
    double lr = cug_schedule_lr(&t->schedule, t->at.step ? t->at.step - 1 : 0);
    double spent = seconds_now() - t->started, rate = spent > 0 ? (double)t->images / spent : 0;
    cug_metrics m = t->at.metrics;
    if (t->j.n_val) {
        CUG_GOTO(job_evaluate(&t->j, &t->j.val, &val, 0, on_eval_batch, t));
        v = &val;
        if (!isfinite(val.loss)) {
            st = cug_fail(CUG_ENUMERIC, "epoch %lld: the validation loss is NaN or Inf", (long long)t->at.epoch + 1);
            goto cleanup;
        }
    }
    t->at.epoch++;
    t->at.batch = 0;
    if (v) improved = judge(t, v);
    CUG_GOTO(trainer_log_epoch(t, lr, v, rate, improved));
    t->at.metrics = (cug_metrics){0};
    CUG_GOTO(improved ? trainer_save(t, BEST, LAST) : trainer_save(t, LAST, 0));
    cug_event e = {.kind = CUG_EVENT_EPOCH,
                   .epoch = t->at.epoch,
                   .loss = m.loss_sum / (double)m.count,
                   .accuracy = (double)m.correct / (double)m.count,
                   .val_loss = v ? val.loss : NAN,
                   .val_accuracy = v ? val.accuracy : NAN,
                   .lr = lr,
                   .improved = improved};
    emit(t, &e);
cleanup:
    cug_evaluation_free(&val);
    return st;
}

static int stopped_early(const trainer *t) { return t->c->patience > 0 && t->at.bad_epochs >= t->c->patience; }

static cug_status run_epochs(trainer *t, volatile int *stop, int *interrupted) {
    while (t->at.epoch < t->c->epochs && t->at.step < trainer_steps_in_all(t) && !stopped_early(t)) {
        if (t->at.batch == 0) CUG_TRY(cug_net_metrics_reset(t->j.net));
        CUG_TRY(trainer_run_steps(t, stop, interrupted));
        if (*interrupted || t->at.batch < t->batches) break;
        CUG_TRY(end_epoch(t));
    }
    /* resumed just before an epoch's end: its steps are done, its validation is not */
    if (!*interrupted && t->at.batch == t->batches) CUG_TRY(end_epoch(t));
    return CUG_OK;
}

static cug_status finish(trainer *t, cug_train_result *res) {
    const char *weights = t->c->patience > 0 && t->at.has_best ? "best" : "last";
    if (strcmp(weights, "best") == 0) CUG_TRY(trainer_load(t, BEST, 0));
    res->test_loss = res->test_accuracy = NAN;
    if (!t->j.d->test.count) return CUG_OK;
    cug_evaluation test = {0};
    CUG_TRY(job_evaluate(&t->j, &t->j.test, &test, 0, on_eval_batch, t));
    cug_status st = trainer_log_final(t, &test, weights, stopped_early(t));
    if (st == CUG_OK) {
        cug_event e = {.kind = CUG_EVENT_FINAL, .epoch = t->at.epoch, .evaluation = &test};
        emit(t, &e);
        res->test_loss = test.loss;
        res->test_accuracy = test.accuracy;
    }
    cug_evaluation_free(&test);
    return st;
}

static cug_status host_buffers(trainer *t) {
    size_t bytes = t->j.g->flat_count * cug_dtype_size(t->j.be->real) + 1;
    t->params = malloc(bytes);
    int ok = t->params != 0;
    for (int i = 0; i < cug_net_state_count(t->j.net); i++) ok &= (t->state[i] = malloc(bytes)) != 0;
    return ok ? CUG_OK
              : cug_fail(CUG_ENOMEM, "out of memory for a checkpoint's copy of %zu parameters", t->j.g->flat_count);
}

/* The config as the run keeps it: the model spelt out, so that the folder needs nothing else. */
static cug_status keep_config(trainer *t) {
    cug_config copy = *t->c;
    copy.model = t->j.g->spec;
    return cug_config_print(&copy, &t->config_text);
}

static cug_status write_config(const trainer *t) {
    char path[4200];
    cug_run_file(t->run, "config", path, sizeof path);
    return cug_write_atomic(path, t->config_text, strlen(t->config_text));
}

static cug_status begin(trainer *t, const cug_train_request *req) {
    char path[4200];
    if (req->resume && access(cug_run_file(t->run, LAST, path, sizeof path), F_OK) == 0) {
        CUG_TRY(trainer_load(t, LAST, 1)); /* a config that does not fit the checkpoint replaces none */
        return write_config(t);            /* it may go on for longer than it began */
    }
    CUG_TRY(write_config(t));
    if (req->resume) {
        CUG_TRY(cug_run_log_truncate(t->run, 0, 0)); /* stopped before its first checkpoint */
    } else {
        CUG_TRY(cug_run_environment(t->run, t->j.be->describe(t->j.dev)));
    }
    CUG_TRY(trainer_initial_weights(t));
    return trainer_log_start(t);
}

static void announce(trainer *t, int resumed) {
    char line[512];
    if (*t->j.device_note) note(t, CUG_EVENT_NOTE, t->j.device_note);
    cug_net_memory m;
    cug_net_memory_used(t->j.net, &m);
    cug_print(line, sizeof line, "%s: %zu parameters, %s, %zu training + %zu validation images, %s, %.1f MB",
              t->j.g->name, t->j.g->param_count, t->j.d->name, t->j.n_train, t->j.n_val, t->j.be->describe(t->j.dev),
              (double)m.total / 1e6);
    note(t, CUG_EVENT_START, line);
    if (!resumed) return;
    snprintf(line, sizeof line, "resumed at epoch %lld, step %llu", (long long)t->at.epoch + 1,
             (unsigned long long)t->at.step);
    note(t, CUG_EVENT_NOTE, line);
}

static cug_status open_all(trainer *t, const cug_train_request *req) {
    CUG_TRY(cug_config_check(t->c));
    CUG_TRY(job_open(&t->j, t->c));
    CUG_TRY(job_open_net(&t->j, t->c, 1));
    CUG_TRY(trainer_prepare(t));
    CUG_TRY(host_buffers(t));
    CUG_TRY(keep_config(t));
    if (req->resume)
        CUG_TRY(cug_run_open(&t->run, req->run_path));
    else
        CUG_TRY(cug_run_create(&t->run, req->run_path, t->j.g->name));
    t->started = seconds_now();
    return begin(t, req);
}

cug_status cug_train(const cug_train_request *req, cug_train_result *res) {
    trainer t = {.c = req->config, .on_event = req->on_event, .user = req->user};
    int interrupted = 0;
    memset(res, 0, sizeof *res);
    cug_status st = open_all(&t, req);
    if (t.run) snprintf(res->run_path, sizeof res->run_path, "%s", cug_run_path(t.run));
    if (st == CUG_OK) {
        t.started = seconds_now();
        st = trainer_feed_start(
            &t); /* before the line that says on what it runs: it may have been refused pinned memory */
        if (st == CUG_OK) announce(&t, req->resume);
        if (st == CUG_OK) st = run_epochs(&t, req->stop, &interrupted);
    }
    if (st == CUG_OK && (interrupted || t.at.batch)) st = trainer_save(&t, LAST, 0);
    if (st == CUG_OK && interrupted) st = trainer_saved(&t);
    if (st == CUG_OK && interrupted)
        st = cug_fail(CUG_EINTR, "stopped at epoch %lld, step %llu; go on with: cuglyph train --resume %s",
                      (long long)t.at.epoch + 1, (unsigned long long)t.at.step, res->run_path);
    if (st == CUG_OK) st = finish(&t, res);
    if (st == CUG_OK) st = trainer_saved(&t);
    trainer_save_end(&t);
    res->steps = t.at.step;
    res->epochs = t.at.epoch;
    res->stopped_early = stopped_early(&t);
    res->seconds = t.started > 0 ? trainer_seconds(&t) : 0;
    free(t.params);
    for (int i = 0; i < CUG_MAX_STATE; i++) free(t.state[i]);
    free(t.config_text);
    cug_run_close(t.run);
    job_close(&t.j); /* ends the ring's thread, which reads t */
    free(t.order);
    return st;
}
