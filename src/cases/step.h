/* step.h - batches gathered from a set: N, bytes of a sample, samples there, entries of the order. The last ones run
 * past the order's end. */
#ifndef CASES_STEP_H
#define CASES_STEP_H

#include <cuglyph/step.h>

static const cug_gather_shape step_cases[] = {{1, 1, 1, 2},     {3, 16, 5, 9},    {7, 100, 11, 21},
                                              {4, 784, 10, 12}, {2, 3072, 17, 6}, {5, 49, 8, 7}};

#define STEP_CASES ((int)(sizeof step_cases / sizeof *step_cases))

/* N, H, W, C, entries of the array of shifts; half of the array is before the batch, and some batches run past it. */
static const cug_shift_shape shift_cases[] = {{1, 1, 1, 1, 2}, {9, 5, 3, 1, 17}, {6, 28, 28, 1, 30}, {4, 7, 9, 3, 5}};

#define SHIFT_CASES ((int)(sizeof shift_cases / sizeof *shift_cases))

#endif
