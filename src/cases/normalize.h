/* normalize.h - element counts and the three usual scalings (NUMBERS: MNIST's mean .13066, standard deviation .30811).
 */
#ifndef CASES_NORMALIZE_H
#define CASES_NORMALIZE_H

#include <cuglyph/normalize.h>

static const size_t normalize_counts[] = {1, 3, 15, 16, 17, 63, 256, 784, 2355, 100352};
#define NORMALIZE_CASES ((int)(sizeof normalize_counts / sizeof *normalize_counts))

static const struct {
    const char *name;
    float scale, shift;
} normalize_kinds[] = {
    {"unit", 1 / 255.0f, 0},
    {"signed", 2 / 255.0f, -1},
    {"std", (float)(1 / (255 * 0.30811)), (float)(-0.13066 / 0.30811)},
    {"identity", 1, 0},
};
#define NORMALIZE_KINDS ((int)(sizeof normalize_kinds / sizeof *normalize_kinds))

#endif
