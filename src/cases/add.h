/* add.h - how many tensors are summed, and their elements. */
#ifndef CASES_ADD_H
#define CASES_ADD_H

#include <cuglyph/add.h>

static const cug_add_shape add_cases[] = {
    {1, 5}, {2, 1}, {2, 17}, {3, 33}, {2, 4099}, {5, 1000}, {8, 63}, {2, 173056}, {4, 65537},
};

#define ADD_CASES ((int)(sizeof add_cases / sizeof *add_cases))

#endif
