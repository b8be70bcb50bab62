/* growth.h - what more work costs: more images, larger batches, wider and deeper networks. */
#ifndef CUG_BENCH_GROWTH_H
#define CUG_BENCH_GROWTH_H

#include "bench/plot.h"
#include "bench/steps.h"

#define GROWTH_SERIES 5

/* o->graph and o->batch: where it starts; the batch grows around it, images are steps of it. Width and depth are of a
 * family of small networks of 3x3 convolutions on 28x28 images. x: dense multiply-adds in GMAC, y: seconds. The last
 * series is what `images` would be if time were proportional, from its first point. small: two points each. */
cug_status bench_growth(plot_series out[GROWTH_SERIES], const bench_steps_options *o, int small,
                        void (*progress)(void *user, const char *series, double gmac, double seconds), void *user);

#endif
