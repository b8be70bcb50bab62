/* profile.c - ranges into times: the host's clock, or on a GPU marks on the stream. */
#include "bench/profile.h"
#include "seconds.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 16
#define RANGES ((CUG_TIMING_MARKS - 2) / 2) /* of one step; marks 0 and 1 are its own */

typedef struct seen_range {
    int name, leaf;
    double start, stop;
} seen_range;

struct bench_profile {
    const cug_timing *clock; /* NULL: the host's */
    cug_device *dev;
    cug_status failed;
    int listening, depth, n, steps, names;
    int open[DEPTH]; /* ranges pushed and not yet popped; -1: one too many to keep */
    seen_range range[RANGES];
    double step_start, step[PROFILE_STEPS], covered[PROFILE_STEPS];
    char name[BENCH_PARTS][48];
    double seconds[BENCH_PARTS][PROFILE_STEPS];
};

/* The backend's hooks know no user. */
static _Thread_local bench_profile *listener;

static int name_of(bench_profile *p, const char *name) {
    char text[sizeof p->name[0]];
    snprintf(text, sizeof text, "%s", name);
    for (int i = 0; i < p->names; i++)
        if (strcmp(p->name[i], text) == 0) return i;
    if (p->names == BENCH_PARTS) return -1;
    memcpy(p->name[p->names], text, sizeof text);
    return p->names++;
}

/* Moment i of the step: on the host's clock *t, on the device mark i. */
static void moment(bench_profile *p, int i, double *t) {
    *t = seconds_now();
    if (p->clock && p->failed == CUG_OK) p->failed = p->clock->mark(p->dev, i, NULL);
}

static void push(const char *name) {
    bench_profile *p = listener;
    if (!p || !p->listening || p->depth >= DEPTH) return;
    int at = p->n < RANGES ? name_of(p, name) : -1;
    if (at >= 0) {
        p->range[p->n] = (seen_range){.name = at, .leaf = 1};
        at = p->n++;
        moment(p, 2 + 2 * at, &p->range[at].start);
    }
    if (p->depth > 0 && p->open[p->depth - 1] >= 0) p->range[p->open[p->depth - 1]].leaf = 0;
    p->open[p->depth++] = at;
}

static void pop(void) {
    bench_profile *p = listener;
    if (!p || !p->listening || p->depth == 0) return;
    const int at = p->open[--p->depth];
    if (at >= 0) moment(p, 3 + 2 * at, &p->range[at].stop);
}

cug_status bench_profile_open(bench_profile **out, cug_backend *heard, const cug_backend *be) {
    *out = calloc(1, sizeof **out);
    if (!*out) return cug_fail(CUG_ENOMEM, "out of memory for a profile");
    (*out)->clock = be->timing && be->timing->mark ? be->timing : NULL;
    *heard = *be;
    heard->range_push = push;
    heard->range_pop = pop;
    listener = *out;
    return CUG_OK;
}

void bench_profile_close(bench_profile *p) {
    if (listener == p) listener = NULL;
    free(p);
}

cug_status bench_profile_begin(bench_profile *p, cug_device *dev) {
    p->dev = dev;
    p->n = p->depth = 0;
    p->failed = CUG_OK;
    p->listening = p->steps < PROFILE_STEPS;
    if (p->listening) moment(p, 0, &p->step_start);
    return p->failed;
}

/* Work on the host's own time (the loader) lies between marks on the stream as well: the device then waits for it. */
static cug_status duration(const bench_profile *p, int i, double start, double stop, double *seconds) {
    *seconds = stop - start;
    return p->clock ? p->clock->between(p->dev, i, i + 1, seconds) : CUG_OK;
}

cug_status bench_profile_end(bench_profile *p) {
    double end, t;
    if (!p->listening) return CUG_OK;
    p->listening = 0;
    moment(p, 1, &end);
    CUG_TRY(p->failed);
    CUG_TRY(duration(p, 0, p->step_start, end, &p->step[p->steps]));
    for (int i = 0; i < p->n; i++) {
        if (!p->range[i].leaf) continue;
        CUG_TRY(duration(p, 2 + 2 * i, p->range[i].start, p->range[i].stop, &t));
        p->seconds[p->range[i].name][p->steps] += t;
        p->covered[p->steps] += t / p->step[p->steps];
    }
    p->steps++;
    return CUG_OK;
}

static cug_status median_of(const double *x, int n, double *out) {
    double copy[PROFILE_STEPS];
    bench_stats s;
    memcpy(copy, x, (size_t)n * sizeof *x);
    CUG_TRY(bench_stats_of(&s, copy, n));
    *out = s.median;
    return CUG_OK;
}

cug_status bench_profile_parts(const bench_profile *p, bench_part *part, int *parts, double *step, double *covered) {
    *parts = 0;
    if (!p->steps) return cug_fail(CUG_EINVAL, "no step was profiled");
    CUG_TRY(median_of(p->covered, p->steps, covered));
    CUG_TRY(median_of(p->step, p->steps, step));
    for (int i = 0; i < p->names; i++) {
        double t;
        CUG_TRY(median_of(p->seconds[i], p->steps, &t));
        if (t <= 0) continue; /* ranges that hold others */
        snprintf(part[*parts].name, sizeof part[0].name, "%s", p->name[i]);
        part[(*parts)++].seconds = t;
    }
    return CUG_OK;
}
