/* softmax_xent.h - samples, outputs, label smoothing. */
#ifndef CASES_SOFTMAX_XENT_H
#define CASES_SOFTMAX_XENT_H

#include <cuglyph/softmax_xent.h>

static const cug_loss_shape softmax_xent_cases[] = {
    {1, 2, 0},  {1, 10, 0},     {5, 10, 0},   {3, 3, 0.1f},   {7, 10, 0.1f}, {4, 16, 0.25f},   {2, 17, 0},
    {9, 33, 0}, {3, 257, 0.3f}, {2, 1000, 0}, {96, 10, 0.1f}, {128, 10, 0},  {1031, 10, 0.1f},
};

#define SOFTMAX_XENT_CASES ((int)(sizeof softmax_xent_cases / sizeof *softmax_xent_cases))

#endif
