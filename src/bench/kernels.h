/* kernels.h - times ops one by one: every op, shape, implementation and precision that the options leave. */
#ifndef CUG_BENCH_KERNELS_H
#define CUG_BENCH_KERNELS_H

#include "bench/roof.h"

#define BENCH_LIST 16

typedef struct bench_row {
    char op[24], pass[12], name[48], shape[96], source[12];
    char implementation[48]; /* "cpu", "cuda", "cuda library" */
    const char *precision;   /* "fp32", "tf32", "bf16" */
    const char *cache;       /* "warm", "cold" */
    int threads, calls;
    bench_stats time; /* seconds a call */
    double flop, bytes;
    double roof;    /* fraction of the roofline reached; 0: not known */
    double library; /* the library's time over this one's, of the same case; 0: no library */
    double clock;   /* the device's float32 peak beside this measurement, as a fraction of that at the start */
    int checked;    /* against the reference: 1 right, 0 not done */
} bench_row;

typedef struct bench_kernels_options {
    const cug_backend *be;
    int ordinal;
    const char *op, *shape, *source;    /* NULL: all; op: exact, or "OP PASS"; shape: part of name or shape */
    int threads[BENCH_LIST], n_threads; /* n 0: {0}, one a core */
    int precisions;                     /* bit 1 << cug_precision; 0: all that there are */
    int cold;                           /* also with arguments out of the cache */
    int small;                          /* small shapes alone */
    int batch;                          /* the models' products alone, at this batch size; 0: all, at their own */
    int own;                            /* own kernels alone, no library */
    int check;                          /* results against the reference */
    bench_limits limits;
    /* A device is ready and its peaks are known; then its rows, in order. A status other than CUG_OK ends it all. */
    cug_status (*on_device)(void *user, const bench_side *s, const bench_roof *r);
    cug_status (*on_row)(void *user, const bench_row *r);
    void (*on_note)(void *user, const char *text); /* what is left out and why */
    volatile int *stop;                            /* may be NULL; set: CUG_EINTR after the case at hand */
    void *user;
} bench_kernels_options;

void bench_kernels_defaults(bench_kernels_options *o);

/* CUG_EMISMATCH: a result was wrong (its row was not reported). CUG_EINVAL: no benchmark fits the filters. */
cug_status bench_kernels(const bench_kernels_options *o);

#endif
