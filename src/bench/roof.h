/* roof.h - what the device can do at most, measured: the roofline of Williams, Waterman and Patterson (2009) with one
 * slope for each level of the memory hierarchy. */
#ifndef CUG_BENCH_ROOF_H
#define CUG_BENCH_ROOF_H

#include "bench/side.h"

#define BENCH_COPIES 6

typedef struct bench_roof {
    double flops[3];   /* a second, by cug_precision, all cores; 0: no such products */
    double flops_core; /* one core, float32; 0: not told apart (GPU) */
    struct {
        size_t bytes;     /* read and written together: the working set */
        double rate;      /* bytes a second, read and written counted */
    } copy[BENCH_COPIES]; /* from cache-sized to memory-sized */
    double copy_core;     /* the largest, on one core; 0: not told apart */
    size_t cold_bytes;    /* memory that sets of cold arguments are spread over */
} bench_roof;

/* Some seconds. A backend without peaks (timing.h) has an empty roof. */
cug_status bench_roof_measure(bench_roof *r, bench_side *s, int small, const bench_limits *l);
/* The same device at another precision. CUG_ENOTSUP: it has no peak for it; *r is unchanged. */
cug_status bench_roof_add(bench_roof *r, bench_side *s, const bench_limits *l);

/* Seconds that the work cannot be done faster than: the larger of flop at the peak and bytes at the rate of copies of
 * that size (cold: from memory). 0: nothing known. */
double bench_roof_seconds(const bench_roof *r, cug_precision p, double flop, double bytes, int cold);

/* float32 peak now, as a fraction of the one measured: less than 1 when the clock was lowered or others use the
 * machine. A higher one becomes the peak: it was the first measurement that was disturbed. About 10 ms. 1 where there
 * is none. */
cug_status bench_roof_clock(bench_roof *r, bench_side *s, double *fraction);

#endif
