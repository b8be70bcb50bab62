/* activation.h - element counts; each is run with every kind, and LEAKY_RELU with every slope. */
#ifndef CASES_ACTIVATION_H
#define CASES_ACTIVATION_H

#include <cuglyph/activation.h>

static const size_t activation_counts[] = {1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 1000, 4099, 86528, 692224};
#define ACTIVATION_CASES ((int)(sizeof activation_counts / sizeof *activation_counts))

static const struct {
    const char *name;
    cug_act_kind kind;
    float slope;
} activation_kinds[] = {
    {"relu", CUG_ACT_RELU, 0},
    {"leaky relu 0.25", CUG_ACT_LEAKY_RELU, 0.25f}, /* a power of two: exact on integers */
    {"leaky relu 0.01", CUG_ACT_LEAKY_RELU, 0.01f},
    {"leaky relu 0", CUG_ACT_LEAKY_RELU, 0},
    {"leaky relu 1", CUG_ACT_LEAKY_RELU, 1},
    {"sigmoid", CUG_ACT_SIGMOID, 0},
    {"tanh", CUG_ACT_TANH, 0},
    {"silu", CUG_ACT_SILU, 0},
    {"gelu", CUG_ACT_GELU, 0},
};
#define ACTIVATION_KINDS ((int)(sizeof activation_kinds / sizeof *activation_kinds))

#endif
