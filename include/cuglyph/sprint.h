/* sprint.h - the shortest honest way from raw MNIST to 99 % of its test images: one recipe, kept in one place, and runs
 * of it that differ by their seed alone. */
#ifndef CUGLYPH_SPRINT_H
#define CUGLYPH_SPRINT_H

#include <cuglyph/train.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sets a config to the recipe, over its defaults: model, crop, batch, steps, optimizer, schedule, loss. docs/SPRINT.md
 * says how it was found. */
CUG_API cug_status cug_sprint_recipe(cug_config *c);

typedef struct cug_sprint_run {
    uint64_t seed;
    int64_t wrong, of; /* images judged: the test set's, or with val > 0 those held out of the training set */
    double loss;
    double seconds; /* from the data set's bytes in memory to the last step's weights: cropping, statistics, split,
                     * making the net, initial weights and every step; on a GPU until the last step is done */
    double since_process_start; /* to the same moment; of the first run of a process */
} cug_sprint_run;

typedef struct cug_sprint_request {
    const cug_config *config; /* its seed is the first */
    int runs;
    int (*on_run)(void *user, const cug_sprint_run *r); /* after each run; other than 0: no further run */
    void *user;
} cug_sprint_request;

typedef struct cug_sprint_info {
    char device[512], data[64];
    size_t params;
    uint64_t steps;
    double gflop; /* of a run's training, counted densely: 2 x MAC forward, as much again for each gradient (weights;
                   * inputs, but for the first layer's), every image that a step looked at */
} cug_sprint_info;

/* Reads the data set and opens the device once, then makes `runs` runs with seeds that count up from the config's.
 * Writes no file. Statuses as cug_train. *info is filled before the first on_run. */
CUG_API cug_status cug_sprint(const cug_sprint_request *req, cug_sprint_info *info);

#ifdef __cplusplus
}
#endif
#endif
