/* goals.c - the project's goals of speed beside what this run measured. A missed goal fails nothing: speed is no test.
 */
#include "bench/side.h"
#include "check.h"
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>

typedef enum { AT_LEAST, AT_MOST } bound;
typedef enum { WORST, GEOMETRIC_MEAN } fold; /* what the figure is of its values */

static const struct goal {
    const char *name, *unit;
    double target;
    bound bound;
    fold fold;
    int h200;            /* a time that was set for that GPU alone */
    const char *without; /* why there may be no value */
} goals[GOALS] = {
    [GOAL_LIBRARY_FP32] = {"own convolutions against cuDNN, cnn-d and sprint, fp32", "x", 1.5, AT_LEAST, GEOMETRIC_MEAN,
                           0, "nothing was compared"},
    [GOAL_LIBRARY_TF32] = {"own convolutions against cuDNN, cnn-d and sprint, tf32", "x", 1.5, AT_LEAST, GEOMETRIC_MEAN,
                           0, "nothing was compared"},
    [GOAL_STAGED] = {"cnn-d, staged / resident images a second", "x", 0.97, AT_LEAST, WORST, 0, "not timed"},
    [GOAL_CNN_D_EPOCH] = {"cnn-d epoch, batch 128, fp32, staged, graph", "ms", 40, AT_MOST, WORST, 1, "not timed"},
    [GOAL_SPRINT_EPOCH] = {"sprint epoch, batch 256, bf16, resident, graph", "ms", 10, AT_MOST, WORST, 1, "not timed"},
    [GOAL_ROOF] = {"slowest product, batch 4096, of its roofline", "%", 80, AT_LEAST, WORST, 0, "not timed"},
    [GOAL_LAUNCH] = {"slowest product, training batch, of roofline and a launch", "x", 1.5, AT_MOST, WORST, 0,
                     "not timed"},
    [GOAL_PEERS] = {"against PyTorch with CUDA graphs and compile", "x", 3, AT_LEAST, WORST, 0,
                    "no peer in this program"},
};

/* Under a lock of its own: the report that a part's hanging brings about reads it from the watchdog's thread. */
static struct {
    pthread_mutex_t lock;
    struct value {
        double logs, worst;
        int n;
        char of[120], missing[120];
    } value[GOALS];
} found = {.lock = PTHREAD_MUTEX_INITIALIZER};

void gpu_goal_missing(goal_id id, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    pthread_mutex_lock(&found.lock);
    struct value *v = &found.value[id];
    if (!*v->missing) vsnprintf(v->missing, sizeof v->missing, fmt, ap); /* the first reason stands */
    pthread_mutex_unlock(&found.lock);
    va_end(ap);
}

void gpu_goal_value(goal_id id, double value, const char *fmt, ...) {
    const bound b = goals[id].bound;
    va_list ap;
    if (!isfinite(value) || value <= 0) {
        gpu_goal_missing(id, "a value of %g", value);
        return;
    }
    va_start(ap, fmt);
    pthread_mutex_lock(&found.lock);
    struct value *v = &found.value[id];
    if (!v->n || (b == AT_LEAST ? value < v->worst : value > v->worst)) {
        v->worst = value;
        vsnprintf(v->of, sizeof v->of, fmt, ap);
    }
    v->logs += log(value);
    v->n++;
    pthread_mutex_unlock(&found.lock);
    va_end(ap);
}

/* Why there is no verdict, in `out`; 0: there is one. A part of the values is no figure. */
static int no_verdict(const gpu_check *c, goal_id id, char *out, size_t n) {
    const struct value *v = &found.value[id];
    const char *why = c->small                                       ? "small shapes"
                      : !c->times                                    ? "no timings"
                      : *v->missing                                  ? v->missing
                      : !v->n                                        ? goals[id].without
                      : goals[id].h200 && !strstr(c->device, "H200") ? "the goal is an H200's"
                                                                     : NULL;
    if (why) snprintf(out, n, "not measured (%s)", why);
    return why != NULL;
}

static double figure(const gpu_check *c, goal_id id) {
    const struct value *v = &found.value[id];
    if (c->small || *v->missing || !v->n) return NAN;
    return goals[id].fold == WORST ? v->worst : exp(v->logs / v->n);
}

static void verdict(const gpu_check *c, goal_id id, char *out, size_t n) {
    const double f = figure(c, id);
    if (no_verdict(c, id, out, n)) return;
    const int met = goals[id].bound == AT_LEAST ? f >= goals[id].target : f <= goals[id].target;
    snprintf(out, n, "%s", met ? "met" : "missed");
}

static const char *bound_words(goal_id id) { return goals[id].bound == AT_LEAST ? "at least" : "at most"; }

void gpu_goals_table(const gpu_check *c) {
    pthread_mutex_lock(&found.lock);
    gpu_say("\n%-78s %-14s %s\n", "goal", "figure", "verdict");
    for (goal_id id = 0; id < GOALS; id++) {
        const struct goal *g = &goals[id];
        const struct value *v = &found.value[id];
        const double f = figure(c, id);
        char name[128], text[48] = "-", word[160];
        snprintf(name, sizeof name, "%s: %s %g %s", g->name, bound_words(id), g->target, g->unit);
        if (isfinite(f)) snprintf(text, sizeof text, "%.4g %s", f, g->unit);
        verdict(c, id, word, sizeof word);
        gpu_say("%-78s %-14s %s\n", name, text, word);
        if (isfinite(f) && v->n > 1) gpu_say("    of %d, the worst %.4g %s: %s\n", v->n, v->worst, g->unit, v->of);
    }
    gpu_say("\n");
    pthread_mutex_unlock(&found.lock);
}

void gpu_goals_json(const gpu_check *c, FILE *f) {
    pthread_mutex_lock(&found.lock);
    fputs("  \"goals\": [\n", f);
    for (goal_id id = 0; id < GOALS; id++) {
        const double value = figure(c, id);
        char word[160];
        fputs("    {\"goal\": ", f);
        gpu_json_text(f, goals[id].name);
        fputs(", \"figure\": ", f);
        if (isfinite(value))
            fprintf(f, "%.9g", value);
        else
            fputs("null", f);
        fputs(", \"unit\": ", f);
        gpu_json_text(f, goals[id].unit);
        fprintf(f, ", \"target\": %g, \"bound\": \"%s\"", goals[id].target, bound_words(id));
        if (isfinite(value)) {
            fprintf(f, ", \"values\": %d, \"worst\": ", found.value[id].n);
            gpu_json_text(f, found.value[id].of);
        }
        verdict(c, id, word, sizeof word);
        fputs(", \"verdict\": ", f);
        gpu_json_text(f, word);
        fputs(id + 1 < GOALS ? "},\n" : "}\n", f);
    }
    fputs("  ]\n", f);
    pthread_mutex_unlock(&found.lock);
}

/* --- the time of a launch ------------------------------------------------------------------------------------------
 */

typedef struct launches {
    const cug_backend *be;
    cug_device *dev;
    void *sink, *graph;
    int n;
} launches;

static cug_status sample_launches(void *user, int calls, double *seconds) {
    const launches *l = user;
    CUG_TRY(l->be->timing->mark(l->dev, 0, NULL));
    for (int i = 0; i < calls; i++) CUG_TRY(l->be->graph_launch(l->dev, l->graph, NULL));
    CUG_TRY(l->be->timing->mark(l->dev, 1, NULL));
    return l->be->timing->between(l->dev, 0, 1, seconds);
}

static cug_status record_launches(launches *l) {
    const cug_exec ex = {.device = l->dev};
    cug_status st = CUG_OK;
    double flop;
    CUG_TRY(l->be->timing->fma(l->sink, 0, 0, CUG_PREC_FP32, &flop, &ex)); /* loads it */
    CUG_TRY(l->be->graph_begin(l->dev, NULL));
    for (int i = 0; i < l->n && st == CUG_OK; i++) st = l->be->timing->fma(l->sink, 0, 0, CUG_PREC_FP32, &flop, &ex);
    const cug_status ended = l->be->graph_end(l->dev, st == CUG_OK ? &l->graph : NULL, NULL);
    return st == CUG_OK ? ended : st;
}

/* The multiply-adds of the peak, no round of them, on every multiprocessor. */
cug_status gpu_launch_seconds(gpu_check *c, double *seconds) {
    launches l = {.be = c->be, .dev = c->dev, .n = c->small ? 2 : 200};
    bench_limits limits;
    bench_stats s;
    cug_status st = CUG_OK;
    int calls;
    bench_limits_defaults(&limits);
    limits.samples = c->times < 10 ? c->times : 10;
    limits.min_time = limits.max_time = c->small ? 0 : 0.03;
    limits.sample_time = c->small ? 0 : 1e-3;
    CUG_GOTO(c->be->alloc(c->dev, &l.sink, 4096));
    CUG_GOTO(record_launches(&l));
    CUG_GOTO(bench_measure(&s, &calls, sample_launches, &l, 100, &limits));
    *seconds = s.median / l.n;
    gpu_figure(c, *seconds * 1e6, "us", "an empty kernel in a graph of %d", l.n);
cleanup:
    c->be->graph_free(c->dev, l.graph);
    c->be->free(c->dev, l.sink);
    return st;
}
