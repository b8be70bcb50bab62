/* seconds.h - the clock that intervals are taken from. */
#ifndef CUG_SECONDS_H
#define CUG_SECONDS_H

#include <time.h>

/* Seconds since some moment; never set back. */
static inline double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
