/* course.h - a training run as `cuglyph train` makes it, small enough to be repeated: a net, a loader in one of its
 * modes, steps announced in stretches. */
#ifndef GPU_COURSE_H
#define GPU_COURSE_H

#include "../../bench/loading.h"
#include "check.h"

typedef struct gpu_course {
    cug_net *net;
    const cug_loader *l;
    load_mode mode;
    size_t per_epoch;
    uint64_t step, total; /* done, in all */
    float lr;
    uint8_t *pixels; /* a batch on the host, and an epoch's order */
    int32_t *labels, *ids, *order;
} gpu_course;

/* g, dev and l must outlive it. `o` without train_sizes: those of l. Weights are drawn from seed 5. */
cug_status course_open(gpu_course *k, const cug_graph *g, const cug_backend *be, cug_device *dev,
                       const cug_net_options *o, const cug_loader *l, load_mode mode, uint64_t total, float lr);
/* The next `steps` steps, or those that are left; fails when one of them met NaN or Inf. Waits for them. */
cug_status course_run(gpu_course *k, uint64_t steps);
void course_close(gpu_course *k);

/* Images of noise for g's input with a bright row that tells the class: something to learn. load_images_free. */
cug_status course_images(cug_images *im, const cug_graph *g, int count);

#endif
