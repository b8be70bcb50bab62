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
    double copy_rate; /* bytes a second of pinned copies to the device; 0: not measured */
    double spent;     /* seconds of the nine minutes that were gone before this program began: its build */
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
