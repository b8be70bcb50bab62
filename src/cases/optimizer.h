/* optimizer.h - settings of every update rule, and parameter buffers cut into runs. */
#ifndef CASES_OPTIMIZER_H
#define CASES_OPTIMIZER_H

#include <cuglyph/optimizer.h>

#define MUON_REST .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f

static const struct {
    const char *name;
    cug_opt_params p;
} optimizer_cases[] = {
    {"sgd", {.kind = CUG_OPT_SGD}},
    {"sgd l2", {.kind = CUG_OPT_SGD, .l2 = 0.01f}},
    {"sgd l1", {.kind = CUG_OPT_SGD, .l1 = 0.02f}},
    {"sgd clip_value", {.kind = CUG_OPT_SGD, .clip_value = 0.25f}},
    {"sgd clip_norm", {.kind = CUG_OPT_SGD, .clip_norm = 0.5f}},
    {"sgd clip_norm above the norm", {.kind = CUG_OPT_SGD, .clip_norm = 1e6f}},
    {"sgd all at once", {.kind = CUG_OPT_SGD, .l1 = 0.02f, .l2 = 0.01f, .clip_value = 0.05f, .clip_norm = 2}},
    {"momentum", {.kind = CUG_OPT_MOMENTUM, .momentum = 0.9f}},
    {"momentum l2", {.kind = CUG_OPT_MOMENTUM, .momentum = 0.9f, .l2 = 0.01f}},
    {"nesterov", {.kind = CUG_OPT_NESTEROV, .momentum = 0.9f}},
    {"nesterov l1", {.kind = CUG_OPT_NESTEROV, .momentum = 0.5f, .l1 = 0.02f}},
    {"adam", {.kind = CUG_OPT_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f}},
    {"adam .7 .9 clip_value", {.kind = CUG_OPT_ADAM, .beta1 = 0.7f, .beta2 = 0.9f, .eps = 1e-8f, .clip_value = 0.25f}},
    {"adam l2", {.kind = CUG_OPT_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .l2 = 0.01f}},
    {"adamw", {.kind = CUG_OPT_ADAMW, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .weight_decay = 0.1f}},
    {"muon", {.kind = CUG_OPT_MUON, .momentum = 0.95f, MUON_REST, .matrix_lr_scale = 20}},
    {"muon all at once",
     {.kind = CUG_OPT_MUON,
      .momentum = 0.5f,
      MUON_REST,
      .matrix_lr_scale = 3,
      .weight_decay = 0.1f,
      .l1 = 0.02f,
      .l2 = 0.01f,
      .clip_value = 0.25f,
      .clip_norm = 1}},
};
#define OPTIMIZER_CASES ((int)(sizeof optimizer_cases / sizeof *optimizer_cases))

/* Runs of one flat buffer, some of them matrices for Muon; what no run lists is frozen. Sizes of a small net's weights
 * and biases. */
typedef struct {
    size_t count; /* of the buffer */
    int n_runs;
    cug_param_run runs[5];
} optimizer_buffer;

static const optimizer_buffer optimizer_buffers[] = {
    {1, 1, {{0, 1, 1, 1, 1}}},
    {37, 1, {{0, 37, 0, 0, 0}}},
    {200, 3, {{0, 33, 1, 3, 11}, {64, 10, 0, 0, 0}, {128, 65, 1, 13, 5}}}, /* 33..63, 74..127 and 193..199 frozen */
    {5000, 2, {{64, 4099, 1, 0, 0}, {4992, 8, 0, 2, 4}}},
    {7232, 4, {{0, 3888, 1, 24, 162}, {3904, 24, 0, 0, 0}, {3968, 2814, 1, 67, 42}, {6784, 441, 1, 21, 21}}},
    {101824,
     4,
     {{0, 100352, 1, 128, 784}, {100352, 128, 0, 0, 0}, {100480, 1280, 1, 10, 128}, {101760, 10, 0, 0, 0}}}, /* mlp */
};
#define OPTIMIZER_BUFFERS ((int)(sizeof optimizer_buffers / sizeof *optimizer_buffers))

#endif
