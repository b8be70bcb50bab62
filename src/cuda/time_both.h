/* time_both.h - the time of one product by the project's kernels and by a library, on memory of their own. */
#ifndef CUG_CUDA_TIME_BOTH_H
#define CUG_CUDA_TIME_BOTH_H

#include "cuda/product.h"

/* The project's own kernels: queues the product on args->stream; workspace of at least cug_own_workspace. */
cug_status cug_own_run(const cug_device *dev, const cug_product *p, const cug_product_args *args);
size_t cug_own_workspace(const cug_product *p);

typedef cug_status cug_product_run(void *user, const cug_product *p, const cug_product_args *args);

/* Microseconds of one call each, on the device's compute stream: both are warmed up, then take turns; the median of
 * several samples, each long enough for the clock. Memory is allocated meanwhile and freed. */
cug_status cug_time_both(cug_device *dev, const cug_product *p, size_t library_workspace, cug_product_run *library,
                         void *user, double *own_us, double *library_us);

#endif
