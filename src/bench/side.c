/* side.c - sets a case up on a device, and times calls of it. */
#include "bench/side.h"
#include "host.h"
#include "seconds.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRAPH_CALLS 256 /* launches in one recording, at most */
#define MAX_SETS 65536

cug_status bench_side_open(bench_side *s, const cug_backend *be, const cug_device_options *o) {
    *s = (bench_side){.be = be, .precision = o->precision, .choice = o->gemm, .threads = o->threads};
    CUG_TRY(be->open(&s->dev, o));
    s->ex.device = s->dev;
    const char *isa = strrchr(be->describe(s->dev), ',');
    if (be == &cug_backend_cpu) {
        s->threads = o->threads ? o->threads : host_cores();
        snprintf(s->label, sizeof s->label, "cpu%s", isa ? isa + 1 : ""); /* "cpu, 2 threads, AVX-512" */
    } else {
        snprintf(s->label, sizeof s->label, "%s%s", be->name, o->gemm == CUG_CHOOSE_LIBRARY ? " library" : "");
    }
    return CUG_OK;
}

static void drop_graph(bench_side *s) {
    if (s->graph) s->be->graph_free(s->dev, s->graph);
    s->graph = NULL;
    s->graph_calls = 0;
}

void bench_side_close(bench_side *s) {
    if (!s->dev) return;
    drop_graph(s);
    s->be->free(s->dev, s->memory);
    s->be->free(s->dev, s->scratch);
    s->be->close(s->dev);
    *s = (bench_side){.be = NULL};
}

int bench_side_has(const bench_side *s, const bench_case *c) {
    const void *table;
    memcpy(&table, (const char *)s->be + c->table, sizeof table);
    if (!table || (!c->products && (s->precision != CUG_PREC_FP32 || s->choice != CUG_CHOOSE_OWN))) return 0;
    if (s->choice == CUG_CHOOSE_LIBRARY && c->table == offsetof(cug_backend, conv_block)) return 0;
    return !c->supports || c->supports(s->be, c);
}

static cug_status grow(bench_side *s, void **p, size_t *have, size_t bytes) {
    if (*p && bytes <= *have) return CUG_OK;
    s->be->free(s->dev, *p);
    *p = NULL;
    *have = 0;
    CUG_TRY(s->be->alloc(s->dev, p, bytes ? bytes : 1));
    *have = bytes;
    return CUG_OK;
}

/* --- arguments ---------------------------------------------------------------------------------------------------- */

size_t bench_arg_bytes(const cug_backend *be, const bench_arg *a) {
    return a->count * cug_dtype_size(a->dtype == CUG_F64 ? be->real : a->dtype);
}

double bench_case_bytes(const cug_backend *be, const bench_case *c) {
    double sum = 0;
    for (int i = 0; i < BENCH_ARGS; i++) {
        bench_arg a = c->arg[i];
        if (c->private_bytes && i == c->private_arg) a.count = c->private_bytes(be, c);
        if (a.role == BENCH_ABSENT || a.aside) continue;
        sum += (a.role == BENCH_INOUT ? 2 : 1) * (double)bench_arg_bytes(be, &a);
    }
    return sum;
}

/* splitmix64 (Steele, Lea, Flood, 2014). */
static uint64_t draw(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void fill_real(cug_dtype real, unsigned char *out, const bench_arg *a, uint64_t seed, int absolute) {
    for (size_t i = 0; i < a->count; i++) {
        double v = (double)((int64_t)(draw(&seed) % 129) - 64) / 64;
        if (absolute || a->fill == BENCH_POSITIVE) v = fabs(v);
        const float f = (float)v;
        if (real == CUG_F64)
            memcpy(out + i * sizeof v, &v, sizeof v);
        else
            memcpy(out + i * sizeof f, &f, sizeof f);
    }
}

static void fill_whole(unsigned char *out, const bench_arg *a, uint64_t seed) {
    const size_t size = cug_dtype_size(a->dtype);
    for (size_t i = 0; i < a->count; i++) {
        const uint64_t r = draw(&seed);
        int64_t v = (int64_t)(a->fill == BENCH_NUMBERS ? i % a->limit : r % (a->limit ? a->limit : 1));
        if (a->fill == BENCH_PIXELS) v = r % 5 ? 0 : (int64_t)(r >> 8 & 255);
        const int32_t v32 = (int32_t)v;
        const uint8_t v8 = (uint8_t)v;
        memcpy(out + i * size, size == 8 ? (const void *)&v : size == 4 ? (const void *)&v32 : (const void *)&v8, size);
    }
}

/* What argument i holds before a call, in a backend's types; the same numbers on every backend. Outputs are NaN. */
static void contents(cug_dtype real, unsigned char *out, const bench_arg *a, int i, int absolute) {
    const size_t bytes = a->count * cug_dtype_size(a->dtype == CUG_F64 ? real : a->dtype);
    if (a->role == BENCH_OUT)
        memset(out, 0xFF, bytes);
    else if (a->fill == BENCH_DATA)
        memcpy(out, a->data, bytes);
    else if (a->dtype == CUG_F64)
        fill_real(real, out, a, (uint64_t)i + 1, absolute);
    else
        fill_whole(out, a, (uint64_t)i + 1);
}

static void bind(const bench_side *s, size_t set, cug_tensor *t, const cug_tensor **arg) {
    char *base = (char *)s->memory + set * s->set_bytes;
    for (int i = 0; i < BENCH_ARGS; i++) {
        const bench_arg *a = &s->arg[i];
        arg[i] = NULL;
        if (a->role == BENCH_ABSENT) continue;
        t[i] = cug_tensor1(base + s->at[i], a->dtype == CUG_F64 ? s->be->real : a->dtype, (int)a->count);
        arg[i] = &t[i];
    }
}

/* Inputs into the first set; every other set is a copy of it. */
static cug_status fill_sets(bench_side *s) {
    cug_tensor t[BENCH_ARGS];
    const cug_tensor *arg[BENCH_ARGS];
    for (int i = 0; i < BENCH_ARGS; i++) {
        const size_t bytes = bench_arg_bytes(s->be, &s->arg[i]);
        if (s->arg[i].role == BENCH_ABSENT || !bytes) continue;
        unsigned char *host = malloc(bytes);
        if (!host) return cug_fail(CUG_ENOMEM, "out of memory for %zu bytes", bytes);
        contents(s->be->real, host, &s->arg[i], i, 0);
        cug_status st = s->be->upload(s->dev, (char *)s->memory + s->at[i], host, bytes, s->ex.stream);
        free(host);
        CUG_TRY(st);
    }
    bind(s, 0, t, arg);
    if (s->c->prime) CUG_TRY(s->c->prime(s->be, arg, s->c, &s->ex));
    for (size_t k = 1; k < s->sets; k++)
        CUG_TRY(s->be->copy(s->dev, (char *)s->memory + k * s->set_bytes, s->memory, s->set_bytes, s->ex.stream));
    return s->be->sync(s->dev, s->ex.stream);
}

cug_status bench_side_set_up(bench_side *s, const bench_case *c, size_t cold_bytes) {
    drop_graph(s);
    s->c = c;
    s->set_bytes = s->next = 0;
    for (int i = 0; i < BENCH_ARGS; i++) {
        s->arg[i] = c->arg[i];
        if (c->private_bytes && i == c->private_arg) s->arg[i].count = c->private_bytes(s->be, c);
        if (s->arg[i].role == BENCH_ABSENT) continue;
        s->at[i] = s->set_bytes;
        s->set_bytes += (bench_arg_bytes(s->be, &s->arg[i]) + 255) / 256 * 256;
    }
    s->sets = cold_bytes / (s->set_bytes ? s->set_bytes : 1);
    s->sets = s->sets < 1 ? 1 : s->sets > MAX_SETS ? MAX_SETS : s->sets;
    s->flush = cold_bytes > 0;
    if (s->flush && s->sets < 2) s->sets = 2;
    const size_t scratch = c->workspace ? c->workspace(s->be, s->dev, c) : 0;
    CUG_TRY(grow(s, &s->memory, &s->memory_bytes, s->sets * s->set_bytes));
    CUG_TRY(grow(s, &s->scratch, &s->scratch_bytes, scratch));
    s->ex.workspace = s->scratch;
    s->ex.workspace_bytes = scratch;
    return fill_sets(s);
}

/* --- timing ------------------------------------------------------------------------------------------------------- */

int bench_side_max_calls(const bench_side *s) {
    if (!s->be->graph_begin) return 100000;
    return s->flush && s->sets < GRAPH_CALLS ? (int)s->sets : GRAPH_CALLS; /* cold: each set once a sample */
}

static cug_status call_once(bench_side *s) {
    cug_tensor t[BENCH_ARGS];
    const cug_tensor *arg[BENCH_ARGS];
    bind(s, s->next, t, arg);
    s->next = s->next + 1 < s->sets ? s->next + 1 : 0;
    return s->c->run(s->be, arg, s->c, &s->ex);
}

static cug_status call_many(bench_side *s, int calls) {
    for (int i = 0; i < calls; i++) CUG_TRY(call_once(s));
    return CUG_OK;
}

/* On a GPU the calls are one recorded graph, as in training: what it takes to queue a call is not the kernel's time.
 * The first call is made as it is, which loads the kernel; a recording may not. */
static cug_status record(bench_side *s, int calls) {
    if (s->graph && s->graph_calls == calls) return CUG_OK;
    if (!s->graph) CUG_TRY(call_once(s));
    drop_graph(s);
    s->next = 0;
    CUG_TRY(s->be->graph_begin(s->dev, s->ex.stream));
    cug_status st = call_many(s, calls);
    cug_status ended = s->be->graph_end(s->dev, st == CUG_OK ? &s->graph : NULL, s->ex.stream);
    s->graph_calls = calls;
    return st == CUG_OK ? ended : st;
}

/* Writes every argument's memory once more, in place, which leaves the cache with other lines. */
static cug_status flush(bench_side *s) {
    const size_t half = s->sets / 2 * s->set_bytes;
    CUG_TRY(s->be->copy(s->dev, (char *)s->memory + half, s->memory, half, s->ex.stream));
    return s->be->copy(s->dev, s->memory, (char *)s->memory + half, half, s->ex.stream);
}

cug_status bench_side_sample(void *side, int calls, double *seconds) {
    bench_side *s = side;
    const cug_timing *clock = s->be->timing && s->be->timing->mark ? s->be->timing : NULL;
    if (s->be->graph_begin) {
        CUG_TRY(record(s, calls));
        if (s->flush) CUG_TRY(flush(s));
    }
    const double start = seconds_now();
    if (clock) CUG_TRY(clock->mark(s->dev, 0, s->ex.stream));
    if (s->graph)
        CUG_TRY(s->be->graph_launch(s->dev, s->graph, s->ex.stream));
    else
        CUG_TRY(call_many(s, calls));
    if (clock) {
        CUG_TRY(clock->mark(s->dev, 1, s->ex.stream));
        return clock->between(s->dev, 0, 1, seconds);
    }
    CUG_TRY(s->be->sync(s->dev, s->ex.stream));
    *seconds = seconds_now() - start;
    return CUG_OK;
}

/* --- results ------------------------------------------------------------------------------------------------------ */

typedef struct truth_run {
    cug_tensor t[BENCH_ARGS];
    const cug_tensor *arg[BENCH_ARGS];
} truth_run;

static void truth_close(truth_run *r) {
    for (int i = 0; i < BENCH_ARGS; i++)
        if (r->arg[i]) free(r->t[i].ptr);
}

/* The reference's arguments in host memory; with `like`, absolute values, and what was primed taken from there. */
static cug_status truth_open(truth_run *r, const bench_case *c, const truth_run *like) {
    for (int i = 0; i < BENCH_ARGS; i++) {
        bench_arg a = c->arg[i];
        if (a.role == BENCH_ABSENT) continue;
        const size_t bytes = bench_arg_bytes(&cug_backend_ref, &a);
        r->t[i] = cug_tensor1(malloc(bytes ? bytes : 1), a.dtype, (int)a.count);
        r->arg[i] = &r->t[i];
        if (!r->t[i].ptr) return cug_fail(CUG_ENOMEM, "out of memory for the reference, %zu bytes", bytes);
        contents(CUG_F64, r->t[i].ptr, &a, i, like != NULL);
        if (like && a.primed) memcpy(r->t[i].ptr, like->t[i].ptr, bytes);
    }
    return CUG_OK;
}

static cug_status truth_call(truth_run *r, const truth_run *truth, const bench_case *c, cug_device *dev) {
    cug_exec ex = {.device = dev};
    const cug_backend *ref = &cug_backend_ref;
    cug_status st;
    if (c->reference) return c->reference(ref, r->arg, truth->arg, c, &ex);
    ex.workspace_bytes = c->workspace ? c->workspace(ref, dev, c) : 0;
    CUG_TRY(ref->alloc(dev, &ex.workspace, ex.workspace_bytes ? ex.workspace_bytes : 1));
    if (c->prime && r == truth) CUG_GOTO(c->prime(ref, r->arg, c, &ex));
    st = c->run(ref, r->arg, c, &ex);
cleanup:
    ref->free(dev, ex.workspace);
    return st;
}

static int wants_terms(const bench_case *c) {
    int any = 0;
    for (int i = 0; i < BENCH_ARGS; i++) any |= c->arg[i].role >= BENCH_OUT && c->arg[i].by_terms && !c->arg[i].primed;
    return any;
}

void bench_truth_free(bench_truth *t) {
    for (int i = 0; i < BENCH_ARGS; i++) {
        free(t->want[i]);
        free(t->terms[i]);
    }
    *t = (bench_truth){.c = NULL};
}

cug_status bench_truth_find(bench_truth *t, const bench_case *c) {
    truth_run plain = {.arg = {NULL}}, absolute = {.arg = {NULL}};
    cug_device *dev = NULL;
    cug_status st;
    bench_truth_free(t);
    CUG_GOTO(cug_backend_ref.open(&dev, &(cug_device_options){0}));
    CUG_GOTO(truth_open(&plain, c, NULL));
    CUG_GOTO(truth_call(&plain, &plain, c, dev));
    if (wants_terms(c)) {
        CUG_GOTO(truth_open(&absolute, c, &plain));
        CUG_GOTO(truth_call(&absolute, &plain, c, dev));
    }
    for (int i = 0; i < BENCH_ARGS; i++) { /* results are kept, the rest is freed */
        if (c->arg[i].role < BENCH_OUT || c->arg[i].primed) continue;
        t->want[i] = plain.t[i].ptr;
        plain.t[i].ptr = NULL;
        if (!c->arg[i].by_terms) continue;
        t->terms[i] = absolute.t[i].ptr;
        absolute.t[i].ptr = NULL;
    }
    t->c = c;
cleanup:
    truth_close(&plain);
    truth_close(&absolute);
    cug_backend_ref.close(dev);
    return st;
}

/* As tests/support/op_check.h judges: sums may be 8 unit roundoffs of their terms off for one element in a thousand. */
static cug_status compare_reals(const bench_side *s, const bench_arg *a, const unsigned char *got, const double *want,
                                const double *terms) {
    const double u = s->be->real == CUG_F64 ? 0x1p-53 : 0x1p-24;
    size_t far = 0, far_max = a->count / 1000 > 10 ? a->count / 1000 : 10;
    for (size_t i = 0; i < a->count; i++) {
        float f = 0;
        double v = 0;
        if (s->be->real == CUG_F64) {
            memcpy(&v, got + i * sizeof v, sizeof v);
        } else {
            memcpy(&f, got + i * sizeof f, sizeof f);
            v = (double)f;
        }
        const double tol = a->atol + a->rtol * fabs(want[i]), sum = terms ? 4 * u * terms[i] : 0;
        if (fabs(v - want[i]) <= tol + sum) continue; /* false for a NaN */
        if (terms && far++ < far_max && fabs(v - want[i]) <= tol + 2 * sum) continue;
        return cug_fail(CUG_EMISMATCH, "%s %s [%s] on %s: %s[%zu] is %.9g, the reference says %.9g", s->c->op,
                        s->c->pass, s->c->name, s->label, a->name, i, v, want[i]);
    }
    return CUG_OK;
}

static cug_status compare_arg(const bench_side *s, const bench_truth *t, int i) {
    const bench_arg *a = &s->arg[i];
    const size_t bytes = bench_arg_bytes(s->be, a);
    if (a->role < BENCH_OUT || a->primed) return CUG_OK;
    unsigned char *got = malloc(bytes ? bytes : 1);
    if (!got) return cug_fail(CUG_ENOMEM, "out of memory for %zu bytes", bytes);
    cug_status st = s->be->download(s->dev, got, (char *)s->memory + s->at[i], bytes, s->ex.stream);
    if (st == CUG_OK && a->dtype == CUG_F64)
        st = compare_reals(s, a, got, t->want[i], t->terms[i]);
    else if (st == CUG_OK && memcmp(got, t->want[i], bytes) != 0)
        st = cug_fail(CUG_EMISMATCH, "%s %s [%s] on %s: %s differs from the reference", s->c->op, s->c->pass,
                      s->c->name, s->label, a->name);
    free(got);
    return st;
}

cug_status bench_side_check(bench_side *s, const bench_truth *t) {
    CUG_TRY(bench_side_set_up(s, t->c, 0));
    CUG_TRY(call_once(s));
    CUG_TRY(s->be->sync(s->dev, s->ex.stream));
    for (int i = 0; i < BENCH_ARGS; i++) CUG_TRY(compare_arg(s, t, i));
    return CUG_OK;
}
