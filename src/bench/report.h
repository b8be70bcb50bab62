/* report.h - results as JSON and CSV, and the comparison of two runs. */
#ifndef CUG_BENCH_REPORT_H
#define CUG_BENCH_REPORT_H

#include "bench/kernels.h"
#include <jansson.h>
#include <stdio.h>

/* A run's results: what ran where, and its rows. Each row has a `key` that names the same measurement in every run, and
 * seconds, seconds_low and seconds_high: median and 95 % interval. */
typedef struct bench_report {
    json_t *root, *rows, *devices;
} bench_report;

/* kind: "kernels", "train", "infer". */
cug_status bench_report_open(bench_report *r, const char *kind, const char *program, int argc, char **argv);
void bench_report_close(bench_report *r);

cug_status bench_report_device(bench_report *r, const char *device, int threads, const bench_roof *roof);
cug_status bench_report_kernel(bench_report *r, const bench_row *row);
/* Steals the reference. */
cug_status bench_report_row(bench_report *r, json_t *row);
/* Adds seconds, seconds_low, seconds_high, noise and samples to a row. */
cug_status bench_report_time(json_t *row, const bench_stats *s);

/* Whole files, replaced only when complete. The CSV has one column for each field of the first row that is no list. */
cug_status bench_report_json(const bench_report *r, const char *path);
cug_status bench_report_csv(const bench_report *r, const char *path);

typedef struct bench_comparison {
    int compared, slower, faster, missing; /* missing: rows that OLD does not have */
} bench_comparison;

/* A row is slower when its interval lies above OLD's and its median is at least 2 % above; faster likewise. Each such
 * row is a line on `out`. CUG_ENOENT, CUG_EINVAL (not such a file, or of another kind of benchmark): *c is zero. */
cug_status bench_report_compare(bench_comparison *c, const bench_report *r, const char *old_path, FILE *out);

#endif
