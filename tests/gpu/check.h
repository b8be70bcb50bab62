/* check.h - gpu-check: one program that shows on a machine with a GPU what the emulator cannot (docs/GPU_CHECK.md). */
#ifndef GPU_CHECK_H
#define GPU_CHECK_H

#include <cuda_runtime_api.h>
#include <cuglyph/backend.h>
#include <cuglyph/net.h>
#include <stdint.h>
#include <stdio.h>

typedef enum { GPU_OK, GPU_FAILED, GPU_SKIPPED } gpu_verdict;

typedef struct gpu_check {
    const char *program; /* argv[0] */
    const char *out;     /* folder of the results */
    int small;           /* small shapes alone; no sanitizer, no MNIST */
    int times;           /* repetitions of a timing; 0: no timings */
    const cug_backend *be;
    cug_device *dev;
    FILE *log;
    uint64_t seed;
    const char *device; /* its name */
    double copy_rate;   /* bytes a second of pinned copies to the device; 0: not measured */
    double spent;       /* seconds of the nine minutes that were gone before this program began: its build */
} gpu_check;

/* --- report.c: what was found, on the screen, in the log and as JSON -------------------------------------------------
 */

/* Opens the log and starts the clock and its watchdog. 0, or -1 with cug_error(). */
int gpu_report_open(gpu_check *c);
/* A fact of the machine, for the head of the JSON. */
void gpu_fact(gpu_check *c, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Begins a part that may take `limit` seconds: gpu_late() tells when they are over, and a part that then goes on for
 * ten more ends the program with a report of that. 0: no time is left for it (it is reported as skipped). */
int gpu_part(gpu_check *c, double limit, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int gpu_late(void);
/* Ends it with its line. */
void gpu_end(gpu_check *c, gpu_verdict v, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A measured number, within a part. */
void gpu_figure(gpu_check *c, double value, const char *unit, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Closing table and JSON; returns the failures. */
int gpu_report_close(gpu_check *c);

/* For goals.c: a line on the screen and in the log; a string of JSON. */
void gpu_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void gpu_json_text(FILE *f, const char *s);

/* --- goals.c: the goals of speed, and the values that parts of the run measure for them ------------------------------
 */
typedef enum {
    GOAL_LIBRARY_FP32, /* library's time / own, of each convolution; the next one: tf32 */
    GOAL_LIBRARY_TF32,
    GOAL_STAGED,       /* images/s, staged / resident */
    GOAL_CNN_D_EPOCH,  /* ms */
    GOAL_SPRINT_EPOCH, /* ms */
    GOAL_ROOF,         /* % of the roofline that a product reaches, batch 4096 */
    GOAL_LAUNCH,       /* a product's time / (roofline + an empty kernel), training batch */
    GOAL_PEERS,
    GOALS
} goal_id;

/* One of the goal's values, and what it is of. One that is not a positive number leaves the goal without a verdict. */
void gpu_goal_value(goal_id id, double value, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Not all of its values could be measured: no verdict. */
void gpu_goal_missing(goal_id id, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Seconds that a launch takes which does nothing, within a graph of many: a figure of the part that is open. */
cug_status gpu_launch_seconds(gpu_check *c, double *seconds);
/* The table of "goal, figure, verdict"; the same as a member of the JSON. */
void gpu_goals_table(const gpu_check *c);
void gpu_goals_json(const gpu_check *c, FILE *f);

cudaStream_t gpu_stream(const gpu_check *c); /* the device's compute stream */
uint32_t gpu_random(uint64_t *seed);
int gpu_has_mma(void); /* door_check.c: tensor cores on TF32 and bfloat16 */

/* --- the parts ------------------------------------------------------------------------------------------------------
 */
void check_doors(gpu_check *c);     /* door_check.c */
void check_ops(gpu_check *c);       /* models.c: every op over its shape table, against ref */
void check_gradients(gpu_check *c); /* models.c: whole models against ref */
void time_libraries(gpu_check *c);  /* libraries.c: own kernels against the libraries */
void check_libraries(gpu_check *c); /* libraries.c: cuDNN and cuBLASLt against ref */
void check_loader(gpu_check *c);    /* loader.c: batches in every mode, the same bytes */
void check_repeats(gpu_check *c);   /* steps.c: the same run again, with every loader, graph or not: the same bytes */
void check_steps(gpu_check *c);     /* steps.c: training steps against ref */
void check_sanitizer(gpu_check *c); /* sanitizer.c */
void time_ops(gpu_check *c);        /* time_ops.c */
void time_kernels(gpu_check *c);    /* bench.c */
void time_loader(gpu_check *c);     /* loader.c */
void time_training(gpu_check *c);   /* steps.c */
void check_mnist(gpu_check *c);     /* mnist.c */

#endif
