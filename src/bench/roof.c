/* roof.c - measures peaks: multiply-adds out of registers, copies of several sizes. */
#include "bench/roof.h"
#include "seconds.h"
#include <stdlib.h>
#include <string.h>

#define SINK_BYTES 4096
#define ROUNDS 64 /* of the multiply-add loop, a call */

typedef struct peak {
    bench_side *s;
    void *sink;
    char *from, *to;
    size_t bytes;
    int parts;
    cug_precision precision;
    double flop; /* of one call of ROUNDS */
} peak;

static cug_status start(const bench_side *s, double *t) {
    *t = seconds_now();
    return s->be->timing->mark ? s->be->timing->mark(s->dev, 0, s->ex.stream) : CUG_OK;
}

static cug_status stop(const bench_side *s, double *t) {
    if (s->be->timing->mark) {
        CUG_TRY(s->be->timing->mark(s->dev, 1, s->ex.stream));
        return s->be->timing->between(s->dev, 0, 1, t);
    }
    CUG_TRY(s->be->sync(s->dev, s->ex.stream));
    *t = seconds_now() - *t;
    return CUG_OK;
}

/* `calls` is the length of one call's loop. */
static cug_status sample_fma(void *user, int calls, double *seconds) {
    peak *p = user;
    double flop = 0;
    CUG_TRY(start(p->s, seconds));
    CUG_TRY(p->s->be->timing->fma(p->sink, ROUNDS * calls, p->parts, p->precision, &flop, &p->s->ex));
    p->flop = flop / calls;
    return stop(p->s, seconds);
}

static cug_status sample_copy(void *user, int calls, double *seconds) {
    peak *p = user;
    CUG_TRY(start(p->s, seconds));
    for (int i = 0; i < calls; i++) CUG_TRY(p->s->be->timing->copy(p->to, p->from, p->bytes, p->parts, &p->s->ex));
    return stop(p->s, seconds);
}

/* A peak is what the fastest tenth of the samples reach: the rest were disturbed. */
static cug_status best(peak *p, bench_sample_fn *fn, int max_calls, const bench_limits *l, double *seconds) {
    bench_stats s;
    int calls;
    CUG_TRY(bench_measure(&s, &calls, fn, p, max_calls, l));
    *seconds = s.p10;
    return CUG_OK;
}

static cug_status fma_rate(peak *p, const bench_limits *l, double *rate) {
    double t = 0;
    CUG_TRY(best(p, sample_fma, 1 << 20, l, &t));
    *rate = t > 0 ? p->flop / t : 0;
    return CUG_OK;
}

static cug_status copy_rate(peak *p, size_t bytes, const bench_limits *l, double *rate) {
    double t = 0;
    p->bytes = bytes;
    CUG_TRY(best(p, sample_copy, 10000, l, &t));
    *rate = t > 0 ? 2 * (double)bytes / t : 0;
    return CUG_OK;
}

/* Twice the last cache, within what a test machine has; a cache that is shared with others is said to be larger than it
 * is for us. */
static size_t cold_size(const bench_side *s, int small) {
    const size_t cache = s->be->timing->cache_bytes ? s->be->timing->cache_bytes(s->dev) : 0;
    const size_t least = (size_t)64 << 20, most = (size_t)512 << 20;
    if (small) return (size_t)1 << 20;
    return 2 * cache < least ? least : 2 * cache > most ? most : 2 * cache;
}

static cug_status measure_copies(bench_roof *r, peak *p, int small, const bench_limits *l) {
    const size_t KiB = 1024, MiB = KiB * KiB;
    const size_t sizes[BENCH_COPIES] = {32 * KiB, 512 * KiB, 4 * MiB, 12 * MiB, 48 * MiB, r->cold_bytes};
    int n = 0;
    for (int i = 0; i < BENCH_COPIES; i++) {
        if (sizes[i] > r->cold_bytes) continue;
        r->copy[n].bytes = sizes[i];
        CUG_TRY(copy_rate(p, sizes[i] / 2, l, &r->copy[n++].rate));
    }
    p->parts = 1;
    if (r->flops_core > 0 && !small) CUG_TRY(copy_rate(p, r->cold_bytes / 2, l, &r->copy_core));
    p->parts = 0;
    return CUG_OK;
}

cug_status bench_roof_measure(bench_roof *r, bench_side *s, int small, const bench_limits *limits) {
    bench_limits l = *limits;
    peak p = {.s = s};
    cug_status st = CUG_OK;
    void *from = NULL, *to = NULL;
    memset(r, 0, sizeof *r);
    if (!s->be->timing) return CUG_OK;
    if (l.max_time > 0.3) l.max_time = 0.3;
    if (l.min_time > 0.1) l.min_time = 0.1;
    r->cold_bytes = cold_size(s, small);
    CUG_GOTO(s->be->alloc(s->dev, &p.sink, SINK_BYTES));
    CUG_GOTO(s->be->alloc(s->dev, &from, r->cold_bytes / 2));
    CUG_GOTO(s->be->alloc(s->dev, &to, r->cold_bytes / 2));
    CUG_GOTO(s->be->fill(s->dev, from, 1, r->cold_bytes / 2, s->ex.stream));
    CUG_GOTO(s->be->fill(s->dev, to, 2, r->cold_bytes / 2, s->ex.stream));
    p.from = from, p.to = to;
    CUG_GOTO(fma_rate(&p, &l, &r->flops[CUG_PREC_FP32]));
    if (!s->be->timing->mark) { /* a CPU: its cores can be told apart */
        p.parts = 1;
        CUG_GOTO(fma_rate(&p, &l, &r->flops_core));
        p.parts = 0;
    }
    CUG_GOTO(measure_copies(r, &p, small, &l));
cleanup:
    s->be->free(s->dev, p.sink);
    s->be->free(s->dev, from);
    s->be->free(s->dev, to);
    return st;
}

cug_status bench_roof_add(bench_roof *r, bench_side *s, const bench_limits *limits) {
    bench_limits l = *limits;
    peak p = {.s = s, .precision = s->precision};
    double rate = 0;
    if (!s->be->timing) return CUG_ENOTSUP;
    if (l.max_time > 0.3) l.max_time = 0.3;
    if (l.min_time > 0.1) l.min_time = 0.1;
    CUG_TRY(s->be->alloc(s->dev, &p.sink, SINK_BYTES));
    cug_status st = fma_rate(&p, &l, &rate);
    s->be->free(s->dev, p.sink);
    if (st == CUG_OK) r->flops[s->precision] = rate;
    return st;
}

double bench_roof_seconds(const bench_roof *r, cug_precision p, double flop, double bytes, int cold) {
    double rate = 0;
    for (int i = 0; i < BENCH_COPIES; i++) {
        const int fits = cold ? r->copy[i].bytes == r->cold_bytes : (double)r->copy[i].bytes >= bytes;
        if (r->copy[i].rate > rate && (fits || r->copy[i].bytes == r->cold_bytes)) rate = r->copy[i].rate;
    }
    const double compute = r->flops[p] > 0 ? flop / r->flops[p] : 0, move = rate > 0 ? bytes / rate : 0;
    if (flop > 0 && r->flops[p] <= 0) return 0; /* a peak that is not known bounds nothing */
    return compute > move ? compute : move;
}

cug_status bench_roof_clock(bench_roof *r, bench_side *s, double *fraction) {
    const bench_limits l = {.samples = 5, .min_time = 0, .max_time = 0, .noise = 1e9, .sample_time = 1e-3};
    peak p = {.s = s};
    double rate = 0;
    *fraction = 1;
    if (r->flops[CUG_PREC_FP32] <= 0) return CUG_OK;
    CUG_TRY(s->be->alloc(s->dev, &p.sink, SINK_BYTES));
    cug_status st = fma_rate(&p, &l, &rate);
    s->be->free(s->dev, p.sink);
    if (rate > r->flops[CUG_PREC_FP32]) r->flops[CUG_PREC_FP32] = rate;
    *fraction = rate / r->flops[CUG_PREC_FP32];
    return st;
}
