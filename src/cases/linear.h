/* linear.h - dense layer shapes: samples, inputs, outputs. */
#ifndef CASES_LINEAR_H
#define CASES_LINEAR_H

#include <cuglyph/linear.h>

typedef struct {
    const char *name;
    int large; /* a full batch */
    cug_linear_shape s;
} linear_case;

static const linear_case linear_cases[] = {
    {"one number", 0, {1, 1, 1}},
    {"one sample", 0, {1, 33, 10}},
    {"one input", 0, {5, 1, 7}},
    {"one output", 0, {5, 7, 1}},
    {"primes", 0, {7, 13, 11}},
    {"a multiple of 16", 0, {16, 32, 48}},
    {"one past a multiple", 0, {17, 33, 65}},
    {"one short of a multiple", 0, {15, 31, 63}},
    {"a vector and part of a half one", 0, {9, 84, 52}},
    {"many outputs", 0, {3, 5, 257}},
    {"many inputs", 0, {2, 1025, 3}},
    {"many samples", 0, {131, 6, 5}},
    {"logistic", 0, {5, 784, 1}},
    {"mlp fc1", 0, {4, 784, 128}},
    {"mlp, cnn-d fc2", 0, {5, 128, 10}},
    {"cnn-b fc1", 0, {2, 5408, 64}},
    {"cnn-c, cnn-d fc1", 0, {3, 1600, 64}},
    {"sprint fc1", 0, {3, 800, 256}},
    {"sprint fc2", 0, {5, 256, 10}},
    {"mlp fc1, batch 128", 1, {128, 784, 128}},
    {"cnn-d fc1, batch 96", 1, {96, 1600, 128}},
    {"cnn-d fc2, batch 128", 1, {128, 128, 10}},
};

#define LINEAR_CASES ((int)(sizeof linear_cases / sizeof *linear_cases))

#endif
