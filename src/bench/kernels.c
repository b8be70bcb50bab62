/* kernels.c - the loop over cases, devices and caches. */
#include "bench/kernels.h"
#include "seconds.h"
#include <stdio.h>
#include <string.h>

#define SIDES 6                /* precisions x {own, library} */
#define SMALL_FLOP 40e3        /* of `small` */
#define SMALL_BYTES (64 << 10) /* likewise */
#define CLOCK_EVERY 1.0        /* seconds between looks at the clock */

void bench_kernels_defaults(bench_kernels_options *o) {
    memset(o, 0, sizeof *o);
    o->check = 1;
    bench_limits_defaults(&o->limits);
}

typedef struct session {
    const bench_kernels_options *o;
    bench_side side[SIDES];
    int sides;
    bench_roof roof;
    bench_truth truth;
    double clock, clock_at;
    long rows, fitting;
} session;

static int wanted(const bench_kernels_options *o, const bench_case *c) {
    char full[48];
    snprintf(full, sizeof full, "%s %s", c->op, c->pass);
    if (o->op && strcmp(o->op, c->op) != 0 && strcmp(o->op, full) != 0) return 0;
    if (o->shape && !strstr(c->name, o->shape) && !strstr(c->shape, o->shape)) return 0;
    if (o->batch && (!c->products || strcmp(c->source, "models") != 0)) return 0;
    if (o->source && strcmp(o->source, c->source) != 0) return 0;
    return !o->small || (c->flop <= SMALL_FLOP && bench_case_bytes(&cug_backend_cpu, c) <= SMALL_BYTES);
}

/* Looks again now and then: what was measured between two looks gets the lower one. */
static cug_status look_at_clock(session *w) {
    if (seconds_now() - w->clock_at < CLOCK_EVERY && w->clock > 0) return CUG_OK;
    CUG_TRY(bench_roof_clock(&w->roof, &w->side[0], &w->clock));
    w->clock_at = seconds_now();
    return CUG_OK;
}

static cug_status measure(session *w, bench_side *s, const bench_case *c, int cold, bench_row *r) {
    *r = (bench_row){.precision = cug_precision_name(s->precision),
                     .cache = cold ? "cold" : "warm",
                     .threads = s->threads,
                     .flop = c->flop,
                     .bytes = bench_case_bytes(s->be, c)};
    snprintf(r->op, sizeof r->op, "%s", c->op);
    snprintf(r->pass, sizeof r->pass, "%s", c->pass);
    snprintf(r->name, sizeof r->name, "%s", c->name);
    snprintf(r->shape, sizeof r->shape, "%s", c->shape);
    snprintf(r->source, sizeof r->source, "%s", c->source);
    snprintf(r->implementation, sizeof r->implementation, "%s", s->label);
    CUG_TRY(look_at_clock(w));
    r->clock = w->clock;
    CUG_TRY(bench_side_set_up(s, c, cold ? w->roof.cold_bytes : 0));
    CUG_TRY(bench_measure(&r->time, &r->calls, bench_side_sample, s, bench_side_max_calls(s), &w->o->limits));
    CUG_TRY(look_at_clock(w));
    if (w->clock < r->clock) r->clock = w->clock;
    const double least = bench_roof_seconds(&w->roof, s->precision, r->flop, r->bytes, cold);
    r->roof = r->time.median > 0 ? least / r->time.median : 0;
    return CUG_OK;
}

/* The library's row of the same precision and cache. */
static const bench_row *library_row(const bench_row *rows, int n, const bench_row *own) {
    for (int i = 0; i < n; i++)
        if (strstr(rows[i].implementation, "library") && strcmp(rows[i].precision, own->precision) == 0 &&
            strcmp(rows[i].cache, own->cache) == 0)
            return &rows[i];
    return NULL;
}

static cug_status run_case(session *w, const bench_case *c) {
    bench_row rows[2 * SIDES];
    int n = 0, known = 0;
    for (int i = 0; i < w->sides; i++) {
        bench_side *s = &w->side[i];
        if (!bench_side_has(s, c)) continue;
        const int first = n;
        for (int cold = 0; cold <= w->o->cold; cold++) CUG_TRY(measure(w, s, c, cold, &rows[n++]));
        if (!w->o->check) continue;
        if (!known++) CUG_TRY(bench_truth_find(&w->truth, c));
        CUG_TRY(bench_side_check(s, &w->truth));
        for (int k = first; k < n; k++) rows[k].checked = 1;
    }
    for (int i = 0; i < n; i++) {
        const bench_row *l = library_row(rows, n, &rows[i]);
        if (l && l != &rows[i] && rows[i].time.median > 0) rows[i].library = l->time.median / rows[i].time.median;
        CUG_TRY(w->o->on_row(w->o->user, &rows[i]));
        w->rows++;
    }
    return CUG_OK;
}

static cug_status run_cases(session *w) {
    bench_cursor at = {.batch = w->o->batch};
    bench_case c;
    while (bench_case_next(&at, &c)) {
        if (!wanted(w->o, &c)) continue;
        w->fitting++;
        if (w->o->stop && *w->o->stop) return cug_fail(CUG_EINTR, "stopped; the rows above are complete");
        if (w->o->limits.late && w->o->limits.late()) return CUG_OK;
        CUG_TRY(run_case(w, &c));
    }
    if (!w->fitting)
        return cug_fail(CUG_EINVAL, "no benchmark fits these filters; `cuglyph bench kernels --list` shows them all");
    return CUG_OK;
}

static void note(const session *w, const char *what) {
    char text[700];
    snprintf(text, sizeof text, "%s: %.600s", what, cug_error());
    if (w->o->on_note) w->o->on_note(w->o->user, text);
}

/* A backend says in its description what it was asked for and does; one that says the same as without does not have it.
 */
static int differs(const bench_side *s, const char *plain) { return strcmp(s->be->describe(s->dev), plain) != 0; }

static cug_status describe_plain(const session *w, int threads, char *text, size_t n) {
    const cug_device_options o = {.ordinal = w->o->ordinal, .threads = threads};
    bench_side s;
    CUG_TRY(bench_side_open(&s, w->o->be, &o));
    snprintf(text, n, "%s", s.be->describe(s.dev));
    bench_side_close(&s);
    return CUG_OK;
}

static cug_status open_side(session *w, const cug_device_options *o, const char *plain) {
    bench_side *s = &w->side[w->sides];
    const int lib = o->gemm == CUG_CHOOSE_LIBRARY, special = lib || o->precision != CUG_PREC_FP32;
    cug_status st = bench_side_open(s, w->o->be, o);
    if (st == CUG_OK && special && !differs(s, plain)) {
        bench_side_close(s);
        st = cug_fail(CUG_ENOTSUP, "%s has no %s in this build", w->o->be->name,
                      lib ? "library" : cug_precision_name(o->precision));
    }
    if (st == CUG_OK) {
        w->sides++;
        return CUG_OK;
    }
    if (st != CUG_ENOTSUP || !special || (w->o->precisions && !lib)) return st; /* not what was asked for by name */
    if (w->o->be->graph_begin) note(w, "left out"); /* a CPU has no such thing to be missed */
    return CUG_OK;
}

static cug_status open_sides(session *w, int threads) {
    char plain[1024];
    CUG_TRY(describe_plain(w, threads, plain, sizeof plain));
    for (int p = 0; p < 3; p++)
        for (int lib = 0; lib < (w->o->own ? 1 : 2); lib++) {
            const cug_choice choice = lib ? CUG_CHOOSE_LIBRARY : CUG_CHOOSE_OWN;
            const cug_device_options o = {.ordinal = w->o->ordinal,
                                          .threads = threads,
                                          .precision = (cug_precision)p,
                                          .conv = choice,
                                          .gemm = choice};
            if (w->o->precisions && !(w->o->precisions >> p & 1)) continue;
            CUG_TRY(open_side(w, &o, plain));
        }
    return CUG_OK;
}

static cug_status find_roof(session *w) {
    CUG_TRY(bench_roof_measure(&w->roof, &w->side[0], w->o->small, &w->o->limits));
    for (int i = 0; i < w->sides; i++) {
        if (w->side[i].choice != CUG_CHOOSE_OWN || w->side[i].precision == CUG_PREC_FP32) continue;
        cug_status st = bench_roof_add(&w->roof, &w->side[i], &w->o->limits);
        if (st == CUG_ENOTSUP)
            note(w, "no peak");
        else
            CUG_TRY(st);
    }
    w->clock = 0;
    return w->o->on_device ? w->o->on_device(w->o->user, &w->side[0], &w->roof) : CUG_OK;
}

cug_status bench_kernels(const bench_kernels_options *o) {
    cug_status st = CUG_OK;
    const int one = 0, *threads = o->n_threads ? o->threads : &one;
    session w = {.o = o};
    for (int i = 0; st == CUG_OK && i < (o->n_threads ? o->n_threads : 1); i++) {
        st = open_sides(&w, threads[i]);
        if (st == CUG_OK) st = find_roof(&w);
        if (st == CUG_OK) st = run_cases(&w);
        while (w.sides) bench_side_close(&w.side[--w.sides]);
    }
    bench_truth_free(&w.truth);
    return st;
}
