/* train.h - from a config to a trained, evaluated, resumable run folder; and evaluation of what such a folder holds. */
#ifndef CUGLYPH_TRAIN_H
#define CUGLYPH_TRAIN_H

#include <cuglyph/config.h>
#include <cuglyph/evaluation.h>
#include <cuglyph/net.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- training ---- */

typedef enum {
    CUG_EVENT_START,    /* everything is ready: what will run where */
    CUG_EVENT_STEP,     /* a step is done (each step) */
    CUG_EVENT_VALIDATE, /* a validation or test batch is done */
    CUG_EVENT_EPOCH,    /* an epoch is done and logged */
    CUG_EVENT_FINAL,    /* the test set has been evaluated */
    CUG_EVENT_NOTE,     /* a line for the user */
} cug_event_kind;

typedef struct cug_event {
    cug_event_kind kind;
    const char *text; /* NOTE, START: a line */
    uint64_t step, total_steps;
    int64_t epoch, epochs;         /* epoch counts from 1 */
    uint64_t done, of;             /* batches of this epoch, or of this evaluation */
    double loss, accuracy;         /* of this epoch's training samples so far */
    double val_loss, val_accuracy; /* EPOCH; NaN without a validation part */
    double lr, images_per_second, eta_seconds, seconds;
    int improved;                     /* EPOCH: best so far */
    const cug_evaluation *evaluation; /* FINAL */
} cug_event;

typedef struct cug_train_request {
    const cug_config *config;
    const char *run_path; /* NULL: runs/MODEL-N. With resume: the folder to go on with */
    int resume;
    void (*on_event)(void *user, const cug_event *e); /* may be NULL */
    void *user;
    volatile int *stop; /* when not NULL and set: checkpoint and return CUG_EINTR */
} cug_train_request;

typedef struct cug_train_result {
    char run_path[4096];
    uint64_t steps;
    int64_t epochs;
    int stopped_early;
    double seconds, test_loss, test_accuracy; /* test_*: NaN without a test part */
} cug_train_result;

/* Trains. CUG_EINTR: stopped, "last" checkpoint written. CUG_ENUMERIC: NaN or Inf, the message names step, layer and
 * tensor; the last good checkpoint stays. */
CUG_API cug_status cug_train(const cug_train_request *req, cug_train_result *res);

/* Opens the device that a config's `device` names; "auto" takes the first that works: cuda, then cpu. *note (may be
 * NULL) is a line to show when a faster device was looked for and not found, else "". */
CUG_API cug_status cug_device_open(const cug_config *c, const cug_backend **be, cug_device **dev, const char **note);

/* Evaluates a run (folder) or checkpoint (file). weights: NULL (what the run's final figure used), "best" or "last".
 * part: "test", "val" or "train"; the run's own data, or data/data_dir where not NULL. */
typedef struct cug_eval_request {
    const char *run, *weights, *part, *data, *data_dir, *device, *precision;
    const char *conv, *gemm;     /* NULL: the run's own */
    int64_t eval_batch, threads; /* 0: the run's own */
    int worst;                   /* how many samples of greatest loss `samples` keeps, 0 to 10000 */
    cug_sample_scores *samples;  /* NULL: none; else made (free it): each sample's outputs are looked at too */
    void (*on_event)(void *user, const cug_event *e);
    void *user;
} cug_eval_request;

typedef struct cug_eval_info {
    char weights[16]; /* "best", "last", "file" */
    char model[CUG_NAME_MAX], data[64], device[512];
    char class_names[CUG_MAX_CLASSES][32];
} cug_eval_info;

CUG_API cug_status cug_eval(const cug_eval_request *req, cug_evaluation *e, cug_eval_info *info);

#ifdef __cplusplus
}
#endif
#endif
