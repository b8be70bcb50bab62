/* stats.h - what a handful of repeated timings says, and how many are enough. */
#ifndef CUG_BENCH_STATS_H
#define CUG_BENCH_STATS_H

#include <cuglyph/status.h>

/* Of n samples x, sorted x[1] <= ... <= x[n]. */
typedef struct bench_stats {
    int n;
    double median;
    double mad;      /* median of |x - median|, not scaled */
    double p10, p90; /* quantiles, linear between order statistics (Hyndman and Fan's type 7) */
    double low,
        high;     /* 95 % interval of the median: x[l] and x[n+1-l], l the largest with P(Bin(n, 1/2) < l) <= 2.5 % */
    double noise; /* (high - low) / (2 median); infinite for fewer than 6 samples, which have no such interval */
} bench_stats;

/* Sorts x. n >= 1, all finite and >= 0: else CUG_EINVAL and *out zero. */
cug_status bench_stats_of(bench_stats *out, double *x, int n);
/* l as above; 0: there is none. */
int bench_median_rank(int n);

/* Sampling goes on until there are `samples` of them, `min_time` seconds have gone into them, and their noise is at
 * most `noise` or `max_time` seconds are over. */
typedef struct bench_limits {
    int samples;
    double min_time, max_time;
    double noise;
    double sample_time; /* a sample is as many calls as take about this long */
    int (*late)(void);  /* not NULL: stop after the sample at hand when it says so */
} bench_limits;

void bench_limits_defaults(bench_limits *l);

/* Seconds that `calls` calls of the work take, one after another. */
typedef cug_status bench_sample_fn(void *user, int calls, double *seconds);

/* Warms up, finds how many calls make a sample (at most max_calls), then samples. *out is of one call's seconds. */
cug_status bench_measure(bench_stats *out, int *calls, bench_sample_fn *fn, void *user, int max_calls,
                         const bench_limits *l);

#endif
