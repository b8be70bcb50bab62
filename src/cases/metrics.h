/* metrics.h - samples and classes. */
#ifndef CASES_METRICS_H
#define CASES_METRICS_H

#include <cuglyph/metrics.h>

static const cug_metrics_shape metrics_cases[] = {{1, 1}, {1, 10}, {7, 2}, {33, 10}, {96, 10}, {128, 47}, {4099, 10}};

#define METRICS_CASES ((int)(sizeof metrics_cases / sizeof *metrics_cases))

#endif
