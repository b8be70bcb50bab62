/* sprint.c - the recipe, and runs of it in memory: no folder, no checkpoint, no log. */
#include <cuglyph/sprint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "seconds.h"
#include "train/trainer.h"

/* Everything else as in any training. The GPU's version will read it here. */
static const char *const recipe[][2] = {
    {"model", "input 24x24x1; conv 8 5x5 bias=no; maxpool 2; batchnorm; silu; conv 32 3x3 bias=no; maxpool 2; "
              "batchnorm; silu; flatten; "
              "linear 96; silu; linear 10"},
    {"crop", "2"},
    {"scale", "std"},
    {"val", "0"},
    {"epochs", "1"},
    {"batch", "160"},
    {"max-steps", "230"},
    {"lr", "0.02"},
    {"beta1", "0.7"},
    {"beta2", "0.9"},
    {"schedule", "onecycle-linear"},
    {"pct", "0.2"},
    {"smoothing", "0.1"},
    {"init", "glorot_uniform"},
    {"eval-batch", "500"},
};

cug_status cug_sprint_recipe(cug_config *c) {
    for (size_t i = 0; i < sizeof recipe / sizeof *recipe; i++) CUG_TRY(cug_config_set(c, recipe[i][0], recipe[i][1]));
    return CUG_OK;
}

/* Seconds since the process was started, to its clock's tick; 0 where the system does not tell. */
static double process_age(void) {
    char line[1024];
    FILE *f = fopen("/proc/self/stat", "re");
    size_t n = f ? fread(line, 1, sizeof line - 1, f) : 0;
    if (f) fclose(f);
    line[n] = 0;
    const char *at = strrchr(line, ')'); /* the name before may hold anything; then field 3 */
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    if (!at) return 0;
    const double began = (double)strtoull(at, NULL, 10);
    f = fopen("/proc/uptime", "re");
    if (!f) return 0;
    n = fread(line, 1, sizeof line - 1, f);
    fclose(f);
    line[n] = 0;
    char *point; /* its own, whatever the locale says */
    const double seconds = (double)strtoull(line, &point, 10);
    const double hundredths = *point == '.' ? (double)strtoull(point + 1, NULL, 10) : 0;
    return seconds + hundredths / 100 - began / (double)sysconf(_SC_CLK_TCK);
}

static double dense_flop(const cug_graph *g) {
    double flop = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        const cug_node *n = &g->nodes[i];
        int from_input = n->n_in == 1 && n->in[0] == 0;
        flop += 2.0 * (double)cug_node_macs(n) * (from_input ? 2 : 3);
    }
    return flop;
}

static void describe(cug_sprint_info *info, const trainer *t) {
    snprintf(info->device, sizeof info->device, "%s", t->j.be->describe(t->j.dev));
    snprintf(info->data, sizeof info->data, "%s", t->j.d->name);
    info->params = t->j.g->param_count;
    info->steps = trainer_steps_in_all(t);
    size_t images = 0, left = 0;
    for (uint64_t step = 0; step < info->steps; step++) {
        if (step % t->batches == 0) left = t->j.train.n;
        size_t n = left < (size_t)t->j.train.batch ? left : (size_t)t->j.train.batch;
        images += n;
        left -= n;
    }
    info->gflop = dense_flop(t->j.g) * (double)images * 1e-9;
}

/* From bytes in memory to weights. */
static cug_status train_once(trainer *t, const job *opened) {
    int interrupted = 0;
    CUG_TRY(job_open_on(&t->j, t->c, opened));
    CUG_TRY(job_open_net(&t->j, t->c, 1));
    CUG_TRY(trainer_prepare(t));
    CUG_TRY(trainer_initial_weights(t));
    t->started = seconds_now();
    CUG_TRY(cug_net_metrics_reset(t->j.net));
    CUG_TRY(trainer_feed_start(t));
    while (t->at.step < trainer_steps_in_all(t)) {
        CUG_TRY(trainer_run_steps(t, 0, &interrupted));
        t->at.epoch++;
        t->at.batch = 0;
    }
    return CUG_OK;
}

static cug_status one_run(const cug_config *c, const job *opened, cug_sprint_run *r, cug_sprint_info *info) {
    trainer t = {.c = c};
    cug_evaluation e = {0};
    double from = seconds_now();
    cug_status st = train_once(&t, opened);
    r->seconds = seconds_now() - from;
    r->since_process_start = process_age();
    r->seed = c->seed;
    if (st == CUG_OK) {
        if (info) describe(info, &t);
        st = job_evaluate(&t.j, t.j.n_val ? &t.j.val : &t.j.test, &e, 0, 0, 0);
    }
    if (st == CUG_OK) {
        r->of = e.count;
        r->wrong = e.count - e.correct;
        r->loss = e.loss;
    }
    cug_evaluation_free(&e);
    job_close(&t.j);
    free(t.order);
    return st;
}

cug_status cug_sprint(const cug_sprint_request *req, cug_sprint_info *info) {
    cug_config c = *req->config; /* strings stay the caller's */
    job opened = {0};
    memset(info, 0, sizeof *info);
    cug_status st = cug_config_check(&c);
    c.log_every = c.checkpoint_every = 0; /* there is no folder for either */
    if (st == CUG_OK) st = job_open_source(&opened, &c);
    if (st == CUG_OK && !c.val && !opened.d->test.count)
        st = cug_fail(CUG_EINVAL, "%s has no test part; hold training images out with --val N", opened.d->name);
    for (int i = 0; st == CUG_OK && i < req->runs; i++, c.seed++) {
        cug_sprint_run r = {0};
        st = one_run(&c, &opened, &r, i ? 0 : info);
        if (i) r.since_process_start = 0;
        if (st == CUG_OK && req->on_run && req->on_run(req->user, &r)) break;
    }
    job_close(&opened);
    return st;
}
