/* concat.h - rows and the channels of each input. */
#ifndef CASES_CONCAT_H
#define CASES_CONCAT_H

#include <cuglyph/concat.h>

static const cug_concat_shape concat_cases[] = {
    {1, 3, {5}, 5},          {2, 1, {1, 1}, 2},
    {2, 7, {3, 16}, 19},     {3, 49, {1, 33, 10}, 44},
    {2, 2, {257, 3}, 260},   {8, 5, {1, 2, 3, 4, 5, 6, 7, 8}, 36},
    {2, 1352, {32, 32}, 64}, {4, 4099, {8, 16, 1, 7}, 32},
};

#define CONCAT_CASES ((int)(sizeof concat_cases / sizeof *concat_cases))

#endif
