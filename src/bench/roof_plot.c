/* roof_plot.c - FLOP a byte against FLOP a second. */
#include "bench/roof_plot.h"
#include <stdio.h>
#include <string.h>

void roof_plot_device(roof_plot *p, const char *device, const bench_roof *r) {
    if (*p->device) return; /* the first one's roof is drawn */
    snprintf(p->device, sizeof p->device, "%.100s", device);
    p->roof = *r;
}

void roof_plot_row(roof_plot *p, const bench_row *r) {
    static const char *const names[PLOT_SERIES - 2] = {"conv2d fwd",     "conv2d bwd", "conv_block fwd",
                                                       "conv_block bwd", "linear fwd", "linear bwd"};
    char name[40];
    if (strcmp(r->cache, "warm") != 0 || strcmp(r->precision, "fp32") != 0 || strstr(r->implementation, "library"))
        return;
    snprintf(name, sizeof name, "%s %s", r->op, r->pass);
    for (int i = 0; i < PLOT_SERIES - 2; i++) {
        plot_series *s = &p->s[i + 2];
        if (strcmp(name, names[i]) != 0 || s->n == PLOT_POINTS || !(r->time.median > 0)) continue;
        s->name = names[i];
        s->style = PLOT_MARKS;
        s->x[s->n] = r->flop / r->bytes;
        s->y[s->n++] = r->flop / r->time.median;
    }
}

/* From the least intensity to the most: up the slope, then level. */
static void roof_line(plot_series *s, const char *name, double rate, double peak, double from, double to) {
    const double ridge = peak / rate;
    *s = (plot_series){.name = name, .style = PLOT_DASHED};
    const double x[3] = {from, ridge, to};
    for (int i = 0; i < 3; i++) {
        if (x[i] < from || x[i] > to) continue;
        s->x[s->n] = x[i];
        s->y[s->n++] = x[i] * rate < peak ? x[i] * rate : peak;
    }
}

cug_status roof_plot_write(const roof_plot *p, const char *path) {
    plot_series used[PLOT_SERIES];
    double from = 1e300, to = 0, slow = 0, fast = 0;
    char title[200];
    int n = 0;
    for (int i = 2; i < PLOT_SERIES; i++)
        for (int k = 0; k < p->s[i].n; k++) {
            from = p->s[i].x[k] < from ? p->s[i].x[k] : from;
            to = p->s[i].x[k] > to ? p->s[i].x[k] : to;
        }
    if (to <= 0)
        return cug_fail(CUG_EINVAL, "%s: no warm float32 convolution or matrix product was measured to be drawn", path);
    for (int i = 0; i < BENCH_COPIES; i++) {
        if (p->roof.copy[i].rate > fast) fast = p->roof.copy[i].rate;
        if (p->roof.copy[i].rate > 0) slow = p->roof.copy[i].rate; /* the last is the largest */
    }
    const double peak = p->roof.flops[CUG_PREC_FP32];
    if (peak > 0 && slow > 0) {
        roof_line(&used[n++], "roof, memory", slow, peak, from, to);
        roof_line(&used[n++], "roof, cache", fast, peak, from, to);
    }
    for (int i = 2; i < PLOT_SERIES; i++)
        if (p->s[i].n) used[n++] = p->s[i];
    snprintf(title, sizeof title, "Kernels under the roofline, float32: %s", p->device);
    return plot_write(path, title, "dense FLOP a byte", "FLOP/s", used, n);
}
