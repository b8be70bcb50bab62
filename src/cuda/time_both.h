/* time_both.h - the time of one product by the project's kernels and by a library, on memory of their own. */
#ifndef CUG_CUDA_TIME_BOTH_H
#define CUG_CUDA_TIME_BOTH_H

#include "cuda/product.h"

/* The project's own kernels: queues the product on args->stream; workspace of at least cug_own_workspace. */
cug_status cug_own_run(const cug_device *dev, const cug_product *p, const cug_product_args *args);
size_t cug_own_workspace(const cug_product *p);

/* One of two rivals, 0 and 1: queues its work once on the device's compute stream. */
typedef cug_status cug_contender(void *user, int who);

/* Microseconds of one call of each, on the device's compute stream: both are warmed up, then take turns; the median of
 * several samples, each long enough for the clock. */
cug_status cug_time_contest(cug_device *dev, cug_contender *run, void *user, double us[2]);
/* n pieces of device memory, none where bytes[i] is 0, filled with ordinary numbers. On failure, too, the caller frees
 * what is in mem. */
cug_status cug_time_memory(cug_device *dev, int n, const size_t *bytes, void **mem);

typedef cug_status cug_product_run(void *user, const cug_product *p, const cug_product_args *args);

/* us[0]: the project's kernels, us[1]: `library`; on memory of their own, freed again. */
cug_status cug_time_both(cug_device *dev, const cug_product *p, size_t library_workspace, cug_product_run *library,
                         void *user, double us[2]);
/* us[0]: forward and backward of the fused block, us[1]: of its ops apart, the convolution by whom it is settled. */
cug_status cug_time_block(cug_device *dev, const cug_conv_block_shape *s, double us[2]);

#endif
