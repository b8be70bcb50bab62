/* bias.h - rows and channels of a bias. */
#ifndef CASES_BIAS_H
#define CASES_BIAS_H

#include <cuglyph/bias.h>

static const cug_bias_shape bias_cases[] = {
    {1, 1}, {1, 33}, {7, 1}, {5, 3}, {17, 16}, {63, 10}, {65, 31}, {3, 257}, {1352, 32}, {4097, 1}, {15488, 64},
};

#define BIAS_CASES ((int)(sizeof bias_cases / sizeof *bias_cases))

#endif
