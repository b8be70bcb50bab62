/* choose.h - whose code runs each product of conv2d and linear on this device: --conv and --gemm. */
#ifndef CUG_CUDA_CHOOSE_H
#define CUG_CUDA_CHOOSE_H

#include "cuda/product.h"
#include <cuglyph/conv_block.h>

typedef struct cug_chooser cug_chooser;

/* Opens the libraries that opt asks for; *out stays NULL when it asks for none. A library that `auto` finds missing is
 * done without and said so in cug_choose_note; one asked for by name: CUG_ENOENT. Last of the device's opening. */
cug_status cug_choose_open(cug_chooser **out, cug_device *dev, const cug_device_options *opt);
/* Remembers new timings, closes the libraries. Nothing may be queued any more. NULL is safe. */
void cug_choose_close(cug_chooser *c);
/* For the device's description: ", conv auto: cuDNN 9.19.0" or the like; "" with own kernels alone. */
const char *cug_choose_note(const cug_chooser *c);

/* Asked while a plan is made, when nothing is recorded: settles who runs the product, by timing both where that is
 * wanted and not yet known, and answers the workspace the library needs; 0 where the project's kernels run. */
size_t cug_choose_workspace(const cug_device *dev, const cug_product *p);

/* Settles it as well: 1 when the library runs the product. dev may be NULL. */
int cug_choose_library(const cug_device *dev, const cug_product *p);

/* 1: the fused block is to run; 0: its ops apart, because a library runs the convolution. By name, that is where the
 * library takes the convolution at all; with auto, both ways are timed, forward and backward together. */
int cug_choose_block(const cug_device *dev, const cug_conv_block_shape *s);

/* Queues the product with the library if that was chosen: *ran is then 1. Otherwise nothing happens. */
cug_status cug_choose_run(const cug_device *dev, const cug_product *p, const cug_product_args *args, int *ran);

/* What was settled so far, for reports: the i-th, NULL past the end. */
typedef struct cug_decision {
    cug_product p;
    int library;
    double own_us, library_us; /* 0: nobody measured */
    size_t workspace;
    const char *why; /* own: why not the library; "" otherwise */
} cug_decision;
const cug_decision *cug_choose_at(const cug_device *dev, int i);

#endif
