/* stats.c - medians and their intervals, and sampling until they are narrow. */
#include "bench/stats.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_SAMPLES 20000
#define WARM_UP 0.02 /* seconds: caches, branch predictors, clocks */

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int bench_median_rank(int n) {
    double below = 0, log_choose = 0; /* P(Bin(n, 1/2) <= k - 1), and log C(n, k) */
    for (int k = 0; k <= n / 2; k++) {
        below += exp(log_choose - n * log(2.0));
        if (below > 0.025) return k;
        log_choose += log((double)(n - k) / (k + 1));
    }
    return 0;
}

static double quantile(const double *x, int n, double p) {
    const double at = p * (n - 1);
    const int i = (int)at;
    return i + 1 < n ? x[i] + (at - i) * (x[i + 1] - x[i]) : x[n - 1];
}

cug_status bench_stats_of(bench_stats *out, double *x, int n) {
    memset(out, 0, sizeof *out);
    if (n < 1) return cug_fail(CUG_EINVAL, "statistics of no samples");
    for (int i = 0; i < n; i++)
        if (!(x[i] >= 0 && isfinite(x[i])))
            return cug_fail(CUG_EINVAL, "sample %d of %d is not a time: %g", i + 1, n, x[i]);
    double *far = malloc((size_t)n * sizeof *far);
    if (!far) return cug_fail(CUG_ENOMEM, "out of memory for %d samples", n);
    qsort(x, (size_t)n, sizeof *x, by_size);
    out->n = n;
    out->median = quantile(x, n, 0.5);
    out->p10 = quantile(x, n, 0.1);
    out->p90 = quantile(x, n, 0.9);
    for (int i = 0; i < n; i++) far[i] = fabs(x[i] - out->median);
    qsort(far, (size_t)n, sizeof *far, by_size);
    out->mad = quantile(far, n, 0.5);
    free(far);
    const int l = bench_median_rank(n);
    out->low = l ? x[l - 1] : 0;
    out->high = l ? x[n - l] : HUGE_VAL;
    if (l)
        out->noise = out->median > 0 ? (out->high - out->low) / (2 * out->median) : 0;
    else
        out->noise = HUGE_VAL;
    return CUG_OK;
}

void bench_limits_defaults(bench_limits *l) {
    *l = (bench_limits){.samples = 10, .min_time = 0.5, .max_time = 2, .noise = 0.005, .sample_time = 2e-3};
}

/* Calls until WARM_UP is over; *calls is then what fills a sample. */
static cug_status warm_up(int *calls, bench_sample_fn *fn, void *user, int max_calls, const bench_limits *l) {
    double one = 0, spent = 0;
    int n = 1;
    CUG_TRY(fn(user, 1, &one)); /* the first touches memory, loads kernels: not of interest */
    const double enough = l->sample_time < WARM_UP ? l->sample_time : WARM_UP;
    for (spent = 0; spent < WARM_UP * (l->sample_time > 0);) {
        double t = 0;
        CUG_TRY(fn(user, n, &t));
        spent += t;
        one = t / n;
        if (t < enough / 2 && n < max_calls) n *= 2;
        if (l->late && l->late()) break;
        if (t <= 0 && n >= max_calls) break; /* a clock that does not see it */
    }
    const double want = one > 0 ? l->sample_time / one : max_calls;
    *calls = want < 1 ? 1 : want < max_calls ? (int)want : max_calls;
    return CUG_OK;
}

static int enough(const bench_stats *s, double spent, const bench_limits *l) {
    if (l->late && l->late()) return 1;
    if (s->n < l->samples || spent < l->min_time) return 0;
    return s->noise <= l->noise || spent >= l->max_time;
}

cug_status bench_measure(bench_stats *out, int *calls, bench_sample_fn *fn, void *user, int max_calls,
                         const bench_limits *l) {
    double *x = malloc(MAX_SAMPLES * sizeof *x), spent = 0, next_look = 0;
    cug_status st = x ? CUG_OK : cug_fail(CUG_ENOMEM, "out of memory for %d samples", MAX_SAMPLES);
    if (st == CUG_OK) st = warm_up(calls, fn, user, max_calls > 1 ? max_calls : 1, l);
    for (int n = 0; st == CUG_OK && n < MAX_SAMPLES;) {
        double t = 0;
        st = fn(user, *calls, &t);
        x[n++] = t / *calls;
        spent += t;
        /* Sorting all samples after each new one would grow with their square. */
        if (st == CUG_OK && (n <= l->samples || spent >= next_look)) {
            st = bench_stats_of(out, x, n);
            next_look = spent * 1.1;
            if (st == CUG_OK && enough(out, spent, l)) break;
        }
    }
    free(x);
    return st;
}
