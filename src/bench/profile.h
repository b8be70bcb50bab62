/* profile.h - listens to a backend's ranges and keeps how long each one took. */
#ifndef CUG_BENCH_PROFILE_H
#define CUG_BENCH_PROFILE_H

#include "bench/steps.h"

#define PROFILE_STEPS 256 /* at most */

typedef struct bench_profile bench_profile;

/* `heard` becomes a copy of be whose ranges are listened to on this thread until profile_close; one at a time. */
cug_status bench_profile_open(bench_profile **out, cug_backend *heard, const cug_backend *be);
void bench_profile_close(bench_profile *p); /* NULL is safe */

/* A step: between the two, what is pushed and popped on `heard` is kept. end waits for the device. After PROFILE_STEPS
 * steps nothing more is kept. */
cug_status bench_profile_begin(bench_profile *p, cug_device *dev);
cug_status bench_profile_end(bench_profile *p);

/* Innermost ranges, those of one name in a step added up, in order of their first appearance; medians over the steps.
 * *covered: what they make of a step together, the median of each step's own fraction. */
cug_status bench_profile_parts(const bench_profile *p, bench_part *part, int *parts, double *step, double *covered);

#endif
