/* growth.c - the same step at several sizes of the work. */
#include "bench/growth.h"
#include <stdio.h>
#include <string.h>

#define POINTS 5

typedef struct growth {
    const bench_steps_options *o;
    void (*progress)(void *user, const char *series, double gmac, double seconds);
    void *user;
} growth;

/* One point: `steps` steps of a graph at a batch. */
static cug_status point(const growth *g, plot_series *s, const cug_graph *graph, int batch, int steps) {
    bench_steps_options o = *g->o;
    static _Thread_local bench_steps r; /* large */
    o.graph = graph;
    o.batch = batch;
    o.split = 0;
    o.steps = steps;
    if (steps > 1 && o.limits.samples > 3) o.limits.samples = 3; /* long ones average by themselves */
    CUG_TRY(bench_steps_run(&r, &o));
    s->x[s->n] = r.flop / 2 * steps * 1e-9;
    s->y[s->n] = r.step.median;
    if (g->progress) g->progress(g->user, s->name, s->x[s->n], s->y[s->n]);
    s->n++;
    return CUG_OK;
}

/* depth convolutions of `width` filters, 3x3, same size; pooled once. */
static cug_status family(const growth *g, plot_series *s, int width, int depth) {
    char spec[1024];
    cug_graph *graph = NULL;
    size_t used = (size_t)snprintf(spec, sizeof spec, "input 28x28x1; ");
    for (int i = 0; i < depth; i++)
        used += (size_t)snprintf(spec + used, sizeof spec - used, "conv %d 3x3 pad=1; relu; %s", width,
                                 i ? "" : "maxpool 2x2; ");
    snprintf(spec + used, sizeof spec - used, "flatten; linear 10");
    CUG_TRY(cug_model_load(&graph, spec));
    cug_status st = point(g, s, graph, g->o->batch, 1);
    cug_graph_free(graph);
    return st;
}

cug_status bench_growth(plot_series out[GROWTH_SERIES], const bench_steps_options *o, int small,
                        void (*progress)(void *user, const char *series, double gmac, double seconds), void *user) {
    const growth g = {o, progress, user};
    static const char *const names[] = {"images", "batch", "width", "depth", "proportional"};
    memset(out, 0, GROWTH_SERIES * sizeof *out);
    for (int i = 0; i < GROWTH_SERIES; i++) out[i].name = names[i];
    const int points = small ? 2 : POINTS;
    for (int i = 0; i < points; i++) {
        CUG_TRY(point(&g, &out[0], o->graph, o->batch, 1 << (2 * i)));
        const int batch = i < 2 ? o->batch >> (4 - 2 * i) : o->batch << (i - 2); /* 1/16, 1/4, 1, 2, 4 */
        CUG_TRY(point(&g, &out[1], o->graph, batch < 1 ? 1 : batch, 1));
        CUG_TRY(family(&g, &out[2], small ? 2 << i : 4 << i, 2));
        CUG_TRY(family(&g, &out[3], small ? 2 : 16, 1 + (i ? 1 << (i - 1) : 0)));
    }
    plot_series *line = &out[4];
    line->style = PLOT_DASHED;
    line->n = 2;
    line->x[0] = out[0].x[0], line->x[1] = out[0].x[points - 1];
    line->y[0] = out[0].y[0], line->y[1] = line->y[0] * line->x[1] / line->x[0];
    return CUG_OK;
}
