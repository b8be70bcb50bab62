/* plot.c - writes the chart. Text keeps 4.5:1 of contrast on white; colours are Okabe and Ito's, which colour-blind
 * readers can tell apart, and marks differ as well. */
#include "bench/plot.h"
#include <cuglyph/checkpoint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 760
#define HEIGHT 460
#define LEFT 76
#define RIGHT 190 /* the legend's */
#define TOP 48
#define BOTTOM 60

static const char *const colours[PLOT_SERIES] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                 "#56b4e9", "#e69f00", "#000000", "#7f7f7f"};

typedef struct axis {
    double lo, hi; /* log10 */
    double from, to;
} axis;

static double place(const axis *a, double v) {
    return a->from + (log10(v) - a->lo) / (a->hi - a->lo) * (a->to - a->from);
}

/* Widened to whole tenths of a decade, at least half a decade. */
static void close_axis(axis *a, double from, double to) {
    const double middle = (a->lo + a->hi) / 2;
    if (a->hi - a->lo < 0.5) a->lo = middle - 0.25, a->hi = middle + 0.25;
    a->lo = floor(a->lo * 10 - 0.5) / 10;
    a->hi = ceil(a->hi * 10 + 0.5) / 10;
    a->from = from;
    a->to = to;
}

static void text(FILE *f, const char *s) {
    for (; *s; s++) {
        if (*s == '&')
            fputs("&amp;", f);
        else if (*s == '<')
            fputs("&lt;", f);
        else
            fputc(*s, f);
    }
}

/* 1 2 5 10 ..., with the usual prefixes. */
static void number(char *out, size_t n, double v) {
    static const struct {
        double of;
        const char *prefix;
    } scales[] = {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}, {1e-3, "m"}, {1e-6, "u"}, {1e-9, "n"}};
    size_t i = 0;
    while (i + 1 < sizeof scales / sizeof *scales && v < scales[i].of * 0.9999) i++;
    snprintf(out, n, "%g%s", round(v / scales[i].of * 1e3) / 1e3, scales[i].prefix);
}

static void ticks(FILE *f, const axis *a, int vertical) {
    static const int steps[] = {1, 2, 5};
    const int all = a->hi - a->lo < 3.2; /* else whole decades alone */
    char label[32];
    for (int d = (int)floor(a->lo); d <= (int)ceil(a->hi); d++)
        for (int k = 0; k < (all ? 3 : 1); k++) {
            const double v = steps[k] * pow(10, d), l = log10(v);
            if (l < a->lo - 1e-9 || l > a->hi + 1e-9) continue;
            const double at = place(a, v);
            number(label, sizeof label, v);
            if (vertical)
                fprintf(f,
                        "<path d=\"M%d %.1fH%d\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%.1f\" "
                        "text-anchor=\"end\">%s</text>\n",
                        LEFT, at, WIDTH - RIGHT, LEFT - 8, at + 4, label);
            else
                fprintf(f,
                        "<path d=\"M%.1f %dV%d\" stroke=\"#ddd\"/><text x=\"%.1f\" y=\"%d\" "
                        "text-anchor=\"middle\">%s</text>\n",
                        at, TOP, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 18, label);
        }
}

static void mark(FILE *f, double x, double y, int kind, const char *colour) {
    if (kind % 4 == 0)
        fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>\n", x, y, colour);
    else if (kind % 4 == 1)
        fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"7\" height=\"7\" fill=\"%s\"/>\n", x - 3.5, y - 3.5, colour);
    else if (kind % 4 == 2)
        fprintf(f, "<path d=\"M%.1f %.1fl5 8h-10z\" fill=\"%s\"/>\n", x, y - 5, colour);
    else
        fprintf(f, "<path d=\"M%.1f %.1fl5 5l-5 5l-5 -5z\" fill=\"%s\"/>\n", x, y - 5, colour);
}

static void draw_series(FILE *f, const plot_series *s, int i, const axis *x, const axis *y) {
    const int legend_y = TOP + 14 + 22 * i, legend_x = WIDTH - RIGHT + 14;
    if (s->style != PLOT_MARKS) {
        fputs("<path d=\"", f);
        for (int k = 0; k < s->n; k++) fprintf(f, "%c%.1f %.1f", k ? 'L' : 'M', place(x, s->x[k]), place(y, s->y[k]));
        fprintf(f, "M%d %dh28\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"%s/>\n", legend_x, legend_y, colours[i],
                s->style == PLOT_DASHED ? " stroke-dasharray=\"6 5\"" : "");
    }
    if (s->style != PLOT_DASHED) {
        for (int k = 0; k < s->n; k++) mark(f, place(x, s->x[k]), place(y, s->y[k]), i, colours[i]);
        mark(f, legend_x + 14, legend_y, i, colours[i]);
    }
    fprintf(f, "<text x=\"%d\" y=\"%d\">", legend_x + 36, legend_y + 4);
    text(f, s->name);
    fputs("</text>\n", f);
}

static cug_status ranges(const plot_series *s, int n, axis *x, axis *y) {
    int points = 0;
    x->lo = y->lo = HUGE_VAL;
    x->hi = y->hi = -HUGE_VAL;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < s[i].n; k++, points++) {
            if (!(s[i].x[k] > 0 && s[i].y[k] > 0 && isfinite(s[i].x[k]) && isfinite(s[i].y[k])))
                return cug_fail(CUG_EINVAL, "plot: point %d of %s is (%g, %g); both must be positive", k + 1, s[i].name,
                                s[i].x[k], s[i].y[k]);
            x->lo = fmin(x->lo, log10(s[i].x[k])), x->hi = fmax(x->hi, log10(s[i].x[k]));
            y->lo = fmin(y->lo, log10(s[i].y[k])), y->hi = fmax(y->hi, log10(s[i].y[k]));
        }
    return points ? CUG_OK : cug_fail(CUG_EINVAL, "plot: nothing to draw");
}

cug_status plot_write(const char *path, const char *title, const char *x_label, const char *y_label,
                      const plot_series *series, int n) {
    axis x, y;
    char *bytes = NULL;
    size_t count = 0;
    if (n < 1 || n > PLOT_SERIES) return cug_fail(CUG_EINVAL, "plot: %d series, 1 to %d can be drawn", n, PLOT_SERIES);
    CUG_TRY(ranges(series, n, &x, &y));
    close_axis(&x, LEFT, WIDTH - RIGHT);
    close_axis(&y, HEIGHT - BOTTOM, TOP);
    FILE *f = open_memstream(&bytes, &count);
    if (!f) return cug_fail(CUG_ENOMEM, "out of memory for a plot");
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
            "font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n"
            "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n<text x=\"%d\" y=\"26\" font-size=\"16\">",
            WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT);
    text(f, title);
    fputs("</text>\n", f);
    ticks(f, &x, 0);
    ticks(f, &y, 1);
    fprintf(f, "<path d=\"M%d %dV%dH%d\" fill=\"none\" stroke=\"#222\"/>\n", LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT);
    for (int i = 0; i < n; i++) draw_series(f, &series[i], i, &x, &y);
    fprintf(f, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16);
    text(f, x_label);
    fprintf(f, "</text>\n<text transform=\"translate(20 %d) rotate(-90)\" text-anchor=\"middle\">",
            (TOP + HEIGHT - BOTTOM) / 2);
    text(f, y_label);
    fputs("</text>\n</svg>\n", f);
    cug_status st =
        fclose(f) == 0 ? cug_write_atomic(path, bytes, count) : cug_fail(CUG_ENOMEM, "out of memory for a plot");
    free(bytes);
    return st;
}
