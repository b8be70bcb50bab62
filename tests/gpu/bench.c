/* bench.c - the benchmark of kernels (`cuglyph bench kernels`) on this GPU: the models' layers, or the small cases,
 * each result held against the reference after timing. */
#include "bench/kernels.h"
#include "check.h"
#include <string.h>

#define LARGE_BATCH 4096

typedef struct bench_part_run {
    gpu_check *c;
    long rows;
    goal_id goal;
    double launch; /* seconds of an empty kernel */
    char batch[24];
} bench_part_run;

static cug_status on_device(void *user, const bench_side *s, const bench_roof *r) {
    gpu_check *c = ((bench_part_run *)user)->c;
    (void)s;
    for (int p = 0; p < 3; p++)
        if (r->flops[p] > 0)
            gpu_figure(c, r->flops[p] * 1e-9, "GFLOP/s", "peak %s", cug_precision_name((cug_precision)p));
    for (int i = 0; i < BENCH_COPIES && r->copy[i].rate > 0; i++)
        gpu_figure(c, r->copy[i].rate * 1e-9, "GB/s", "copies of %zu KiB, read and write", r->copy[i].bytes >> 10);
    return CUG_OK;
}

/* The goals are of own products of the two models that a GPU is measured by. */
static int in_goal(const bench_row *r) {
    const int product =
        strcmp(r->op, "conv2d") == 0 || strcmp(r->op, "conv_block") == 0 || strcmp(r->op, "linear") == 0;
    return product && strcmp(r->source, "models") == 0 && !strstr(r->implementation, "library") &&
           (strstr(r->name, "cnn-d") || strstr(r->name, "sprint"));
}

static void add_to_goal(const bench_part_run *b, const bench_row *r) {
    const double least = r->roof * r->time.median;
    if (!in_goal(r)) return;
    if (b->goal == GOAL_ROOF)
        gpu_goal_value(b->goal, 100 * r->roof, "%s %s %s, %s", r->op, r->pass, r->name, r->precision);
    else if (r->roof > 0)
        gpu_goal_value(b->goal, r->time.median / (least + b->launch), "%s %s %s, %s", r->op, r->pass, r->name,
                       r->precision);
    else
        gpu_goal_missing(b->goal, "%s %s %s: no roofline", r->op, r->pass, r->name);
}

/* Small cases are too many, and their times on an emulator of no interest. */
static cug_status on_row(void *user, const bench_row *r) {
    bench_part_run *b = user;
    b->rows++;
    add_to_goal(b, r);
    if (b->c->small) return CUG_OK;
    gpu_figure(b->c, r->time.median * 1e6, "us", "%s %s %s%s, %s %s", r->op, r->pass, r->name, b->batch,
               r->implementation, r->precision);
    if (r->roof > 0)
        gpu_figure(b->c, 100 * r->roof, "% of roofline", "%s %s %s%s, %s %s", r->op, r->pass, r->name, b->batch,
                   r->implementation, r->precision);
    return CUG_OK;
}

static void on_note(void *user, const char *text) { fprintf(((bench_part_run *)user)->c->log, "        %s\n", text); }

static bench_kernels_options options(gpu_check *c, bench_part_run *b) {
    bench_kernels_options o;
    bench_kernels_defaults(&o);
    o.be = c->be;
    o.small = c->small;
    o.limits.samples = c->times < 10 ? c->times : 10;
    o.limits.min_time = o.limits.max_time = c->small ? 0 : 0.03;
    o.limits.sample_time = c->small ? 0 : 1e-3;
    o.limits.late = gpu_late;
    o.on_device = on_device;
    o.on_row = on_row;
    o.on_note = on_note;
    o.user = b;
    return o;
}

/* Ends the part; what was not measured to the end is no figure for a goal. */
static void end(const bench_part_run *b, cug_status st, const char *what) {
    const int late = gpu_late();
    if (st != CUG_OK || late) gpu_goal_missing(b->goal, st != CUG_OK ? "the benchmark failed" : "the time was over");
    if (st != CUG_OK)
        gpu_end(b->c, GPU_FAILED, "%s", cug_error());
    else
        gpu_end(b->c, GPU_OK, "%ld measured, %s%s", b->rows, what, late ? "; the time was over" : "");
}

static void time_usual(gpu_check *c) {
    bench_part_run b = {.c = c, .goal = GOAL_LAUNCH};
    bench_kernels_options o = options(c, &b);
    /* the reference alone takes some 35 seconds of it */
    if (!gpu_part(c, 90, "bench kernels: %s", c->small ? "small cases" : "the models' layers")) {
        gpu_goal_missing(b.goal, "no time was left");
        return;
    }
    o.source = c->small ? NULL : "models";
    cug_status st = gpu_launch_seconds(c, &b.launch);
    if (st == CUG_OK) st = bench_kernels(&o);
    end(&b, st, "all equal to the reference");
}

/* Not compared with the reference, which takes minutes for so many: the same kernels are, at the usual batch. Small:
 * the layers that are small enough for it at batch 1. */
static void time_large(gpu_check *c) {
    static const char *const models[] = {"cnn-d", "sprint"};
    bench_part_run b = {.c = c, .goal = GOAL_ROOF};
    bench_kernels_options o = options(c, &b);
    cug_status st = CUG_OK;
    o.batch = c->small ? 1 : LARGE_BATCH;
    if (!gpu_part(c, 60, "bench kernels: cnn-d's and sprint's products, batch %d", o.batch)) {
        gpu_goal_missing(b.goal, "no time was left");
        return;
    }
    snprintf(b.batch, sizeof b.batch, ", batch %d", o.batch);
    o.check = 0;
    o.own = 1;
    for (int i = 0; i < 2 && st == CUG_OK; i++) {
        o.shape = models[i];
        st = bench_kernels(&o);
    }
    end(&b, st, "none compared with the reference");
}

void time_kernels(gpu_check *c) {
    time_usual(c);
    time_large(c);
}
