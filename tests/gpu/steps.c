/* steps.c - whole training steps: the same bits whichever way they run, the reference's losses, and how fast. */
#include "course.h"
#include "seconds.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_MODEL "input 12x12x1; conv 8 3x3; relu; maxpool 2; flatten; linear 16; relu; linear 10"
#define MAX_STEPS 20

enum { STAGED_GRAPH = 4, RESIDENT_GRAPH = 6 };

/* The ways of a run; the first is the one that the others are held to. */
static const struct {
    load_mode mode;
    int no_graph;
    const char *name;
} ways[] = {{LOAD_PLAIN, 1, "plain, op by op"},
            {LOAD_PLAIN, 1, "the same again"},
            {LOAD_PLAIN, 0, "plain, graph"},
            {LOAD_STAGED, 1, "staged, op by op"},
            [STAGED_GRAPH] = {LOAD_STAGED, 0, "staged, graph"},
            {LOAD_RESIDENT, 1, "resident, op by op"},
            [RESIDENT_GRAPH] = {LOAD_RESIDENT, 0, "resident, graph"}};
enum { WAYS = sizeof ways / sizeof *ways };

static cug_net_options options(cug_opt_kind kind, int no_graph) {
    cug_net_options o = {.scale = 1 / 255.0f, .classes = 10, .seed = 3, .no_graph = no_graph};
    o.opt = (cug_opt_params){.kind = kind, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    return o;
}

static cug_loader all_of(const cug_images *im, int batch) {
    return (cug_loader){.images = im, .n = (size_t)im->count, .batch = batch, .shuffle = 1, .seed = 1};
}

/* The parameters and the sum of losses after `steps` steps of Adam. */
static cug_status train(gpu_check *c, const cug_graph *g, const cug_loader *l, int way, uint64_t steps, void *params,
                        cug_metrics *m) {
    const cug_net_options o = options(CUG_OPT_ADAM, ways[way].no_graph);
    gpu_course k = {0};
    cug_status st = CUG_OK;
    CUG_GOTO(course_open(&k, g, c->be, c->dev, &o, l, ways[way].mode, steps, 0.001f));
    CUG_GOTO(cug_net_metrics_reset(k.net));
    CUG_GOTO(course_run(&k, steps));
    CUG_GOTO(cug_net_metrics_read(k.net, m, NULL));
    CUG_GOTO(cug_net_download(k.net, params, NULL));
cleanup:
    course_close(&k);
    return st;
}

/* Epochs of four full batches (small: two) and a short one, so that graphs of both sizes are recorded and launched. */
static void check_repeat(gpu_check *c, const char *name, const char *model) {
    const int batch = c->small ? 8 : 128, full = c->small ? 2 : 4;
    const uint64_t steps = c->small ? 9 : 20;
    cug_status st = CUG_OK;
    cug_graph *g = NULL;
    cug_images im = {0};
    cug_metrics sums[WAYS];
    unsigned char *first = NULL, *other = NULL;
    const char *where = "";
    size_t bytes = 0, differ = 0;
    int wrong = 0;
    if (!gpu_part(c, 40, "determinism: %s", name)) return;
    CUG_GOTO(cug_model_load(&g, model));
    CUG_GOTO(course_images(&im, g, full * batch + batch / 2 + 1));
    const cug_loader l = all_of(&im, batch);
    bytes = g->flat_count * cug_dtype_size(c->be->real);
    first = malloc(bytes);
    other = malloc(bytes);
    if (!first || !other) {
        st = cug_fail(CUG_ENOMEM, "out of memory for %zu bytes of parameters", bytes);
        goto cleanup;
    }
    for (int way = 0; way < WAYS; way++) {
        unsigned char *now = way ? other : first;
        memset(now, way, bytes);
        CUG_GOTO(train(c, g, &l, way, steps, now, &sums[way]));
        size_t off = 0;
        for (size_t i = 0; way && i < bytes; i++) off += first[i] != other[i];
        off += memcmp(&sums[0], &sums[way], sizeof *sums) != 0;
        fprintf(c->log, "  %-20s loss %.9g, %zu bytes differ\n", ways[way].name,
                sums[way].loss_sum / (double)sums[way].count, off);
        if (off && !wrong++) where = ways[way].name;
        differ += off;
    }
cleanup:
    if (st != CUG_OK)
        gpu_end(c, GPU_FAILED, "%s", cug_error());
    else if (wrong)
        gpu_end(c, GPU_FAILED, "%d of %d runs differ, the first: %s; %zu bytes", wrong, WAYS, where, differ);
    else
        gpu_end(c, GPU_OK, "%d runs of %d steps, every loader, graph or not: the same %zu bytes", WAYS, (int)steps,
                bytes);
    free(first);
    free(other);
    load_images_free(&im);
    cug_graph_free(g);
}

void check_repeats(gpu_check *c) {
    if (c->small) {
        check_repeat(c, "a small model", SMALL_MODEL);
        return;
    }
    check_repeat(c, "cnn-d", "cnn-d");
    check_repeat(c, "mlp", "mlp");
}

/* The loss of each of `steps` steps of SGD. */
static cug_status losses(const cug_graph *g, const cug_backend *be, cug_device *dev, const cug_loader *l,
                         load_mode mode, int steps, double *loss) {
    const cug_net_options o = options(CUG_OPT_SGD, 0);
    gpu_course k = {0};
    cug_status st = CUG_OK;
    CUG_GOTO(course_open(&k, g, be, dev, &o, l, mode, (uint64_t)steps, 0.05f));
    for (int i = 0; i < steps; i++) {
        cug_metrics m;
        CUG_GOTO(cug_net_metrics_reset(k.net));
        CUG_GOTO(course_run(&k, 1));
        CUG_GOTO(cug_net_metrics_read(k.net, &m, NULL));
        loss[i] = m.loss_sum / (double)m.count;
    }
cleanup:
    course_close(&k);
    return st;
}

static void check_step(gpu_check *c, const char *name, const char *model) {
    const int steps = c->small ? 5 : MAX_STEPS, batch = c->small ? 8 : 32;
    double want[MAX_STEPS] = {0}, got[MAX_STEPS] = {0}, worst = 0;
    cug_status st = CUG_OK;
    cug_device *ref = NULL;
    cug_graph *g = NULL;
    cug_images im = {0};
    if (!gpu_part(c, 60, "steps against ref: %s", name)) return;
    CUG_GOTO(cug_model_load(&g, model));
    CUG_GOTO(course_images(&im, g, steps * batch));
    const cug_loader l = all_of(&im, batch);
    CUG_GOTO(cug_backend_ref.open(&ref, &(cug_device_options){0}));
    CUG_GOTO(losses(g, &cug_backend_ref, ref, &l, LOAD_PLAIN, steps, want));
    CUG_GOTO(losses(g, c->be, c->dev, &l, LOAD_STAGED, steps, got));
    for (int i = 0; i < steps; i++) {
        double d = fabs(got[i] - want[i]) / fabs(want[i]);
        fprintf(c->log, "  step %2d: loss %.9g, ref %.9g, off by %.2e\n", i, got[i], want[i], d);
        if (!(d <= worst) && !isnan(worst)) worst = d; /* a NaN stays */
    }
cleanup:
    if (st == CUG_OK)
        gpu_end(c, worst <= 1e-4 ? GPU_OK : GPU_FAILED, "%d SGD steps of %d, loss %.4f to %.4f, off by at most %.1e",
                steps, batch, want[0], want[steps - 1], worst);
    else
        gpu_end(c, GPU_FAILED, "%s", cug_error());
    load_images_free(&im);
    cug_graph_free(g);
    cug_backend_ref.close(ref);
}

void check_steps(gpu_check *c) {
    if (c->small) {
        check_step(c, "a small model", SMALL_MODEL);
        return;
    }
    check_step(c, "cnn-d", "cnn-d");
    check_step(c, "mlp", "mlp");
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median over rounds of steps; a round ends when the host has read its last step's record, and fails on NaN. */
static cug_status time_way(gpu_check *c, cug_device *dev, const cug_graph *g, const cug_loader *l, int way,
                           double *per_second) {
    enum { MAX_ROUNDS = 32 };
    const int rounds = c->times < MAX_ROUNDS ? c->times : MAX_ROUNDS, steps = c->small ? 1 : 50, warm = 3;
    const cug_net_options o = options(CUG_OPT_ADAM, ways[way].no_graph);
    double seconds[MAX_ROUNDS];
    gpu_course k = {0};
    cug_status st = CUG_OK;
    int measured = 0;
    CUG_GOTO(course_open(&k, g, c->be, dev, &o, l, ways[way].mode, (uint64_t)(warm + rounds * steps), 0.001f));
    CUG_GOTO(course_run(&k, (uint64_t)warm)); /* loads the kernels, records the graph */
    while (measured < rounds && !(measured && gpu_late())) {
        const double start = seconds_now();
        CUG_GOTO(course_run(&k, (uint64_t)steps));
        seconds[measured++] = seconds_now() - start;
    }
    qsort(seconds, (size_t)measured, sizeof *seconds, by_size);
    *per_second = l->batch * (double)steps / seconds[measured / 2];
cleanup:
    course_close(&k);
    return st;
}

/* Whole batches alone: an image more and every epoch would end with a short one. Images a second of each way; a
 * precision besides float32 is timed as graphs alone. 0: not all of them were timed. */
static int time_model(gpu_check *c, const char *model, int batch, cug_precision precision, double rate[WAYS]) {
    const char *name = cug_precision_name(precision);
    cug_status st = CUG_OK;
    cug_device *dev = NULL;
    cug_graph *g = NULL;
    cug_images im = {0};
    if (!gpu_part(c, 25, "training time: %s, %s", model, name)) return 0;
    CUG_GOTO(cug_model_load(&g, model));
    CUG_GOTO(c->be->open(&dev, &(cug_device_options){.precision = precision}));
    CUG_GOTO(course_images(&im, g, batch * (c->small ? 4 : 64)));
    const cug_loader l = all_of(&im, batch);
    for (int way = 0; way < WAYS; way++) {
        if (way == 1 || (precision != CUG_PREC_FP32 && ways[way].no_graph)) continue;
        CUG_GOTO(time_way(c, dev, g, &l, way, &rate[way]));
        gpu_figure(c, rate[way], "images/s", "%s, %s, batch %d, Adam, %s", model, name, batch, ways[way].name);
    }
cleanup:
    gpu_end(c, st == CUG_OK ? GPU_OK : GPU_FAILED, "%s", st == CUG_OK ? "medians" : cug_error());
    load_images_free(&im);
    cug_graph_free(g);
    if (dev) c->be->close(dev);
    return st == CUG_OK;
}

/* Milliseconds of an epoch of MNIST. */
static double epoch_ms(double images_per_second) { return 60000 / images_per_second * 1e3; }

void time_training(gpu_check *c) {
    double rate[WAYS] = {0};
    if (time_model(c, "cnn-d", c->small ? 2 : 128, CUG_PREC_FP32, rate)) {
        gpu_goal_value(GOAL_STAGED, rate[STAGED_GRAPH] / rate[RESIDENT_GRAPH], "cnn-d");
        gpu_goal_value(GOAL_CNN_D_EPOCH, epoch_ms(rate[STAGED_GRAPH]), "cnn-d");
    } else {
        gpu_goal_missing(GOAL_STAGED, "cnn-d was not timed to the end");
        gpu_goal_missing(GOAL_CNN_D_EPOCH, "cnn-d was not timed to the end");
    }
    time_model(c, "mlp", c->small ? 2 : 128, CUG_PREC_FP32, rate);
    if (!gpu_has_mma())
        gpu_goal_missing(GOAL_SPRINT_EPOCH, "no tensor cores on bfloat16");
    else if (time_model(c, "sprint", c->small ? 2 : 256, CUG_PREC_BF16, rate))
        gpu_goal_value(GOAL_SPRINT_EPOCH, epoch_ms(rate[RESIDENT_GRAPH]), "sprint");
    else
        gpu_goal_missing(GOAL_SPRINT_EPOCH, "sprint was not timed to the end");
}
