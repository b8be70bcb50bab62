/* side.h - one implementation under test: an opened device, and the memory in which a case's arguments lie. */
#ifndef CUG_BENCH_SIDE_H
#define CUG_BENCH_SIDE_H

#include "bench/op.h"
#include "bench/stats.h"

typedef struct bench_side {
    const cug_backend *be;
    cug_device *dev;
    cug_exec ex;
    char label[48]; /* "cpu AVX-512", "cuda", "cuda library" */
    cug_precision precision;
    cug_choice choice;
    int threads;
    void *memory, *scratch;
    size_t memory_bytes, scratch_bytes;
    /* the case that is set up: how one set of its arguments is laid out, and how many sets there are */
    const bench_case *c;
    bench_arg arg[BENCH_ARGS];
    size_t at[BENCH_ARGS], set_bytes, sets, next;
    void *graph; /* `graph_calls` calls on consecutive sets, recorded */
    int graph_calls;
    int flush; /* between samples everything else is written over: with a graph the same sets come again */
} bench_side;

/* Opens a device of the backend. CUG_ENOTSUP: it has no such precision, or no library. */
cug_status bench_side_open(bench_side *s, const cug_backend *be, const cug_device_options *o);
void bench_side_close(bench_side *s);

/* Does it have the op for this shape, in its precision? */
int bench_side_has(const bench_side *s, const bench_case *c);

/* Lays the case's arguments out: once (cold_bytes 0), or as often as fit into cold_bytes, so that a call finds its
 * arguments out of the cache. Inputs are filled, outputs are NaN, what a backward needs is computed. */
cug_status bench_side_set_up(bench_side *s, const bench_case *c, size_t cold_bytes);

/* For bench_measure: the user is the side. */
cug_status bench_side_sample(void *side, int calls, double *seconds);
int bench_side_max_calls(const bench_side *s);

/* What the reference makes of a case, kept from side to side. */
typedef struct bench_truth {
    const bench_case *c;
    void *want[BENCH_ARGS];
    double *terms[BENCH_ARGS];
} bench_truth;

/* Runs the reference (float64, one thread; some seconds for a large case). */
cug_status bench_truth_find(bench_truth *t, const bench_case *c);
void bench_truth_free(bench_truth *t);

/* Runs the case once more on fresh arguments and compares: CUG_EMISMATCH with the first element that is wrong. */
cug_status bench_side_check(bench_side *s, const bench_truth *t);

#endif
