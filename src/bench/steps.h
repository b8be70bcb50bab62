/* steps.h - times whole steps of a model, training or evaluation, and says where a step's time goes. */
#ifndef CUG_BENCH_STEPS_H
#define CUG_BENCH_STEPS_H

#include "bench/stats.h"
#include <cuglyph/backend.h>
#include <cuglyph/net.h>

#define BENCH_PARTS 160

/* One piece of a step: a named range (range.h) with none inside it. */
typedef struct bench_part {
    char name[48];  /* "conv1 fwd", "optimizer"; "batch": the loader; "upload" */
    double seconds; /* of a step, median */
    double flop;    /* of a step, dense; 0: not counted */
} bench_part;

typedef struct bench_steps_options {
    const cug_backend *be;
    int ordinal, threads;
    cug_precision precision;
    cug_choice conv, gemm; /* cuda: whose code runs; a library's choice of plan is not in the time */
    const cug_graph *graph;
    int batch;
    int steps;    /* timed together, as one measurement; 0: 1 */
    int training; /* 0: evaluation */
    int split;    /* also find where the time goes */
    uint64_t seed;
    bench_limits limits;
} bench_steps_options;

typedef struct bench_steps {
    char device[256];
    int threads;
    bench_stats step;      /* seconds a step (of o->steps together), batches taken from images in host memory */
    cug_net_memory memory; /* of the device */
    double flop;           /* of a step, dense; backward counts what is wanted */
    double joules;         /* a step; < 0: the device does not report it */
    /* The split is of steps run op by op, with a look at the clock at every border. */
    bench_part part[BENCH_PARTS];
    int parts;
    double split_step; /* such a step, median; 0: not asked for */
    double covered;    /* what the parts make of such a step together, median of the steps' own fractions */
} bench_steps;

/* CUG_EINVAL: the model's parameters or batch do not fit. Images are random, labels follow from their number. */
cug_status bench_steps_run(bench_steps *out, const bench_steps_options *o);

#endif
