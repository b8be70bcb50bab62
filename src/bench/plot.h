/* plot.h - a line chart as SVG: both axes logarithmic, a legend, one colour a series. */
#ifndef CUG_BENCH_PLOT_H
#define CUG_BENCH_PLOT_H

#include <cuglyph/status.h>

#define PLOT_SERIES 8
#define PLOT_POINTS 128

typedef enum { PLOT_LINE, PLOT_DASHED, PLOT_MARKS } plot_style; /* marks on a line; a dashed line; marks alone */

typedef struct plot_series {
    const char *name;
    int n;
    double x[PLOT_POINTS], y[PLOT_POINTS]; /* all > 0 */
    plot_style style;
} plot_series;

/* The file is replaced only when complete. CUG_EINVAL: no points, or one that is not a positive number. */
cug_status plot_write(const char *path, const char *title, const char *x_label, const char *y_label,
                      const plot_series *series, int n);

#endif
