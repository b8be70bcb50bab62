/* library.h - the vendor's library as one more rung, at the head of the ladder: cuDNN for conv2d, cuBLASLt for linear,
 * through the same calls as --conv cudnn and --gemm cublas, with the engine or algorithm that those would run. */
#ifndef LADDER_LIBRARY_H
#define LADDER_LIBRARY_H

#include "cuda/product.h"
#include "ladder.h"

/* A library's way to compute a task. Its rung runs like any other, on a task whose `plan` this is. */
typedef struct ladder_plan {
    ladder_rung rung; /* idea: version, precision and engines; where there is no plan, why */
    int any;          /* engines are welcome that may give other bits on another run */
    /* How far one term of a sum may be off, relative, because the library rounds factors in its own way (docs/
     * PRECISION_AND_LIBRARIES.md); held against the product of factors as they are. 0 in float32. */
    double product_error;
    cug_product product;
    void *workspace;
    size_t workspace_bytes;
    char text[320];
} ladder_plan;

/* Opens both on the current device; one that is missing is done without, which a line on stdout says. */
void ladder_libraries_open(void);
void ladder_libraries_close(void);

/* CUG_OK as well where there is nothing to run: rung.run is NULL, and rung.idea says why; it is "" where the library is
 * missing, or where `any` finds what was found without it. Otherwise the library failed. */
cug_status ladder_plan_make(ladder_plan *out, const ladder *l, const ladder_task *t, cug_precision precision, int any);
/* Frees its memory; what it says of itself stays. */
void ladder_plan_drop(ladder_plan *plan);

#endif
