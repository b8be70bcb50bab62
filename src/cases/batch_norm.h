/* batch_norm.h - rows, channels, eps and momentum of a batch normalisation. */
#ifndef CASES_BATCH_NORM_H
#define CASES_BATCH_NORM_H

#include <cuglyph/batch_norm.h>

static const cug_batch_norm_shape batch_norm_cases[] = {
    {2, 1, 1e-5f, 0.1f},      {2, 33, 1e-5f, 0.1f},    {7, 1, 1e-3f, 0.0f},     {5, 3, 1e-5f, 1.0f},
    {17, 16, 1e-5f, 0.1f},    {63, 10, 0.5f, 0.1f},    {65, 31, 1e-5f, 0.1f},   {3, 257, 1e-5f, 0.1f},
    {19200, 12, 1e-5f, 0.1f}, {3072, 36, 1e-5f, 0.1f}, /* those of the sprint recipe */
    {1352, 32, 1e-5f, 0.1f},  {4097, 1, 1e-5f, 0.01f}, {1537, 12, 1e-5f, 0.1f}, {9600, 16, 1e-5f, 0.1f},
};

#define BATCH_NORM_CASES ((int)(sizeof batch_norm_cases / sizeof *batch_norm_cases))

#endif
