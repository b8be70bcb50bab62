/* roof_plot.h - the kernels that multiply, as points under the device's roofline. */
#ifndef CUG_BENCH_ROOF_PLOT_H
#define CUG_BENCH_ROOF_PLOT_H

#include "bench/kernels.h"
#include "bench/plot.h"

/* Two roofs, then conv2d, conv_block and linear, forward and backward. Zero it first. */
typedef struct roof_plot {
    plot_series s[PLOT_SERIES];
    bench_roof roof;
    char device[128];
} roof_plot;

void roof_plot_device(roof_plot *p, const char *device, const bench_roof *r);
/* Warm float32 rows of the first device's own kernels; others are left out, and those beyond PLOT_POINTS. */
void roof_plot_row(roof_plot *p, const bench_row *r);
/* CUG_EINVAL: no row had a place in it. */
cug_status roof_plot_write(const roof_plot *p, const char *path);

#endif
