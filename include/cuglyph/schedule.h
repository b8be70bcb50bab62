/* schedule.h - the learning rate of each step, a function of the step's number alone. */
#ifndef CUGLYPH_SCHEDULE_H
#define CUGLYPH_SCHEDULE_H

#include <cuglyph/status.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    CUG_SCHED_CONSTANT,
    CUG_SCHED_STEP,            /* lr * gamma^floor(epoch / step_epochs) */
    CUG_SCHED_COSINE,          /* min_lr + (lr - min_lr)/2 (1 + cos(pi i/n)), i of the n steps after warm-up; min_lr
                                * itself would come at step n, so no step is spent on it */
    CUG_SCHED_ONECYCLE,        /* cosine arcs: lr/div up to lr over pct of the steps, down to lr/(div*final_div) */
    CUG_SCHED_ONECYCLE_LINEAR, /* the same with straight lines. Smith and Topin, 2018; PyTorch's OneCycleLR */
} cug_schedule_kind;

typedef struct cug_schedule {
    cug_schedule_kind kind;
    double lr;                  /* peak */
    double min_lr;              /* COSINE; default 0 */
    double gamma;               /* STEP; default 0.1 */
    int step_epochs;            /* STEP; default 1 */
    double pct, div, final_div; /* ONECYCLE; defaults 0.3, 25, 1e4 */
    uint64_t warmup_steps;      /* linear from lr/warmup_steps to lr, before (not for ONECYCLE) */
    uint64_t total_steps, steps_per_epoch;
} cug_schedule;

/* Sets every field: the defaults of a kind, zero for lr and the step counts, which the caller fills in. */
CUG_API void cug_schedule_defaults(cug_schedule *s, cug_schedule_kind kind);
/* CUG_EINVAL with the reason for values that make no sense. */
CUG_API cug_status cug_schedule_check(const cug_schedule *s);
/* Learning rate of step t (0 is the first); past total_steps the last step's. */
CUG_API double cug_schedule_lr(const cug_schedule *s, uint64_t t);

CUG_API const char *
cug_schedule_name(cug_schedule_kind k);          /* "constant" "step" "cosine" "onecycle" "onecycle-linear" */
CUG_API int cug_schedule_find(const char *name); /* -1: no such */

#ifdef __cplusplus
}
#endif
#endif
