/* models.h - the layers of the zoo's models at their batch sizes: what a benchmark is mostly about. Too large for the
 * tests' many variations, so in a table of their own; P and Q are left to the shapes' makers. */
#ifndef CASES_MODELS_H
#define CASES_MODELS_H

#include <stddef.h>

/* Square images and windows, stride 1; pool 2: followed by 2x2 max pooling. */
static const struct {
    const char *name;
    int N, H, C, K, R, pad, pool;
    int first; /* of its model: nobody wants the input's gradient */
} model_convs[] = {
    {"cnn-d conv1", 128, 28, 1, 32, 3, 0, 2, 1},  {"cnn-d conv2", 128, 13, 32, 64, 3, 0, 2, 0},
    {"cnn-e conv1", 128, 28, 1, 16, 3, 1, 0, 1},  {"cnn-e conv2", 128, 28, 16, 16, 3, 1, 2, 0},
    {"lenet-5 conv1", 128, 28, 1, 6, 5, 2, 0, 1}, {"lenet-5 conv2", 128, 14, 6, 16, 5, 0, 0, 0},
    {"sprint conv1", 256, 28, 1, 24, 5, 0, 2, 1}, {"sprint conv2", 256, 12, 24, 32, 3, 0, 2, 0},
    {"cifar conv1", 128, 32, 3, 32, 3, 0, 2, 1},  {"cifar conv2", 128, 15, 32, 64, 3, 0, 2, 0},
    {"cifar conv3", 128, 6, 64, 64, 3, 0, 0, 0},
};
#define MODEL_CONVS ((int)(sizeof model_convs / sizeof *model_convs))

static const struct {
    const char *name;
    int N, I, O;
    int first;
} model_linears[] = {
    {"mlp fc1", 128, 784, 128, 1},   {"mlp, cnn-d fc2", 128, 128, 10, 0}, {"cnn-d fc1", 128, 1600, 128, 0},
    {"cnn-b fc1", 32, 5408, 64, 0},  {"lenet-5 fc1", 128, 400, 120, 0},   {"sprint fc1", 256, 800, 256, 0},
    {"sprint fc2", 256, 256, 10, 0},
};
#define MODEL_LINEARS ((int)(sizeof model_linears / sizeof *model_linears))

/* Samples a batch, and parameters with their name. */
static const struct {
    const char *name;
    size_t count;
} model_parameters[] = {{"mlp", 101770}, {"cnn-d", 225034}, {"cnn-b", 347146}};
#define MODEL_PARAMETERS ((int)(sizeof model_parameters / sizeof *model_parameters))

#endif
