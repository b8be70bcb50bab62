/* trainer.h - the state of one training run, and how it travels through a checkpoint. */
#ifndef CUG_TRAIN_TRAINER_H
#define CUG_TRAIN_TRAINER_H

#include <cuglyph/run.h>
#include <pthread.h>

#include "train/job.h"

#define CUG_MAX_EPOCHS 1000000 /* the option's largest value */

/* Where a run stands: everything, besides weights and optimizer state, that going on exactly needs. */
typedef struct progress {
    uint64_t step;       /* optimizer steps done */
    int64_t epoch;       /* epochs done */
    uint64_t batch;      /* batches done of the current epoch */
    cug_metrics metrics; /* of the current epoch so far */
    int has_best;
    double best; /* monitored value */
    int64_t best_epoch, bad_epochs;
    uint64_t log_jsonl, log_csv; /* bytes of the logs that belong to this state */
    double seconds;              /* of training before this process */
} progress;

/* A checkpoint on its way to disk: besides t's host copies what its thread reads, then what became of it. */
typedef struct saving {
    char *progress, *data; /* JSON */
    const char *file, *also;
    int running;
    pthread_t thread;
    cug_status status;
    char error[1024];
} saving;

typedef struct trainer {
    job j;
    const cug_config *c;
    cug_run *run;
    cug_schedule schedule;
    progress at;
    size_t batches;                      /* an epoch */
    void *params, *state[CUG_MAX_STATE]; /* host copies for checkpoints */
    cug_step_row rows[CUG_NET_ROWS];     /* announced to the net */
    int32_t *order;                      /* an epoch's, for the resident loader */
    uint64_t staged_from;                /* the step that the ring's first batch is for */
    char *config_text;
    saving saving;
    double started; /* monotonic seconds */
    uint64_t started_images, images;
    void (*on_event)(void *user, const cug_event *e);
    void *user;
} trainer;

/* Batches of an epoch and the schedule, from an opened job. */
cug_status trainer_prepare(trainer *t);
/* Into the net, as the config's seed says. */
cug_status trainer_initial_weights(trainer *t);
/* One epoch's steps, from wherever the run stands in it. */
cug_status trainer_run_steps(trainer *t, volatile int *stop, int *interrupted);
/* What the steps of the rest of an epoch need before they run: a stretch of the step table, and the epoch's order. */
cug_status trainer_feed_epoch(trainer *t);
cug_status trainer_feed_steps(trainer *t, uint64_t end);
/* Starts the staged loader, if that is the one. */
cug_status trainer_feed_start(trainer *t);
uint64_t trainer_steps_in_all(const trainer *t);

double trainer_seconds(const trainer *t);

/* Saves weights, optimizer state and progress as RUN/file, and as RUN/also if that is not NULL. They are those of now;
 * a thread writes them while training goes on, as a disk may take as long as a hundred steps. No later step is logged
 * before they are on disk. */
cug_status trainer_save(trainer *t, const char *file, const char *also);
/* Waits until they are; fails if that failed. */
cug_status trainer_saved(trainer *t);
/* The same when nobody wants to know; frees what saving took. */
void trainer_save_end(trainer *t);
/* Loads RUN/file into the net; with `everything` also optimizer state and progress, logs cut back to it. */
cug_status trainer_load(trainer *t, const char *file, int everything);

/* Log lines. */
cug_status trainer_log_start(trainer *t);
cug_status trainer_log_step(trainer *t, double lr);
cug_status trainer_log_epoch(trainer *t, double lr, const cug_evaluation *val, double images_per_second, int improved);
cug_status trainer_log_final(trainer *t, const cug_evaluation *test, const char *weights, int stopped_early);

#endif
