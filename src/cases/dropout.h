/* dropout.h - samples, features, probability, layer number. Threshold and scale come from p. */
#ifndef CASES_DROPOUT_H
#define CASES_DROPOUT_H

#include <cuglyph/dropout.h>

static const struct {
    int N, F;
    double p;
    uint32_t node;
} dropout_cases[] = {
    {1, 1, 0.5, 0},      {1, 4, 0.5, 1},          {3, 5, 0.25, 2},  {2, 7, 0.75, 9},
    {5, 128, 0.5, 3},    {4, 33, 0, 4},           {7, 63, 0.1, 5},  {2, 1600, 0.3, 255},
    {3, 800, 0.999, 70}, {1, 257, 0.5, 16777215}, {65, 31, 0.2, 1}, {128, 1600, 0.5, 6},
};

#define DROPOUT_CASES ((int)(sizeof dropout_cases / sizeof *dropout_cases))

#endif
