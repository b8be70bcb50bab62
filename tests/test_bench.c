/* test_bench.c - the measuring core: statistics against worked-out answers, sampling with a clock of its own, the list
 * of cases, the check of results, and where a step's time goes. Nothing here depends on how fast anything is. */
#include "bench/kernels.h"
#include "bench/profile.h"
#include "bench/steps.h"
#include "seconds.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Order statistics of the 95 % interval of a median: binomial tables (Conover, Practical Nonparametric Statistics). */
Test(bench, median_ranks) {
    static const int known[][2] = {{1, 0},  {5, 0},  {6, 1},   {8, 1},   {9, 2},   {10, 2},
                                   {15, 4}, {20, 6}, {30, 10}, {50, 18}, {100, 40}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        cr_expect_eq(bench_median_rank(known[i][0]), known[i][1], "n = %d: %d", known[i][0],
                     bench_median_rank(known[i][0]));
    cr_expect_eq(bench_median_rank(10000), 4902);
}

Test(bench, statistics) {
    bench_stats s;
    double ten[] = {7, 1, 3, 2, 10, 5, 4, 9, 6, 8};
    cr_assert_eq(bench_stats_of(&s, ten, 10), CUG_OK);
    cr_expect_eq(s.n, 10);
    cr_expect_float_eq(s.median, 5.5, 1e-12);
    cr_expect_float_eq(s.mad, 2.5, 1e-12);
    cr_expect_float_eq(s.p10, 1.9, 1e-12);
    cr_expect_float_eq(s.p90, 9.1, 1e-12);
    cr_expect_eq(s.low, 2);
    cr_expect_eq(s.high, 9);
    cr_expect_float_eq(s.noise, 7 / 11.0, 1e-12);
    double five[] = {3, 1, 2, 5, 4};
    cr_assert_eq(bench_stats_of(&s, five, 5), CUG_OK);
    cr_expect_eq(s.median, 3);
    cr_expect(isinf(s.noise), "five samples have no such interval");
    double one = 4;
    cr_assert_eq(bench_stats_of(&s, &one, 1), CUG_OK);
    cr_expect(s.median == 4 && s.mad == 0);
    double same[] = {2, 2, 2, 2, 2, 2, 2};
    cr_assert_eq(bench_stats_of(&s, same, 7), CUG_OK);
    cr_expect_eq(s.noise, 0);
}

Test(bench, samples_that_are_no_times) {
    bench_stats s;
    double bad[][2] = {{1, NAN}, {1, INFINITY}, {1, -1}};
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(bench_stats_of(&s, bad[i], 2), CUG_EINVAL);
        cr_expect_eq(s.n, 0);
    }
    cr_expect_eq(bench_stats_of(&s, bad[0], 0), CUG_EINVAL);
}

/* Work that takes what the test says: `cost` a call, and every other sample `noise` of it more. */
typedef struct {
    double cost, noise;
    int samples, calls;
} pretended;

static cug_status pretend(void *user, int calls, double *seconds) {
    pretended *p = user;
    *seconds = p->cost * calls * (p->samples % 2 ? 1 + p->noise : 1);
    p->samples++;
    p->calls = calls;
    return CUG_OK;
}

Test(bench, quiet_work_stops_at_once) {
    bench_limits l;
    bench_stats s;
    int calls;
    pretended p = {.cost = 1e-4};
    bench_limits_defaults(&l);
    cr_assert_eq(bench_measure(&s, &calls, pretend, &p, 1000, &l), CUG_OK);
    cr_expect_eq(calls, 20, "2 ms are 20 calls of 0.1 ms, not %d", calls);
    cr_expect_float_eq(s.median, 1e-4, 1e-12);
    cr_expect_lt(s.noise, 1e-9);
    cr_expect(s.n * calls * 1e-4 >= 0.5 - 1e-9 && s.n * calls * 1e-4 < 0.7, "%d samples", s.n);
}

Test(bench, noisy_work_goes_on_until_the_limit) {
    bench_limits l;
    bench_stats s;
    int calls;
    pretended p = {.cost = 1e-3, .noise = 0.5};
    bench_limits_defaults(&l);
    cr_assert_eq(bench_measure(&s, &calls, pretend, &p, 1000, &l), CUG_OK);
    cr_expect_gt(s.noise, l.noise);
    cr_expect(s.n * calls * 1.25e-3 >= 1.9, "it stopped after %d samples of %d", s.n, calls);
    pretended slow = {.cost = 5};
    cr_assert_eq(bench_measure(&s, &calls, pretend, &slow, 1000, &l), CUG_OK);
    cr_expect_eq(calls, 1);
    cr_expect_eq(s.n, 10, "ten samples, however long they take");
}

static int always(void) { return 1; }

static cug_status fail_third(void *user, int calls, double *seconds) {
    int *n = user;
    *seconds = 0.01 * calls;
    return ++*n == 3 ? cug_fail(CUG_EIO, "third") : CUG_OK;
}

Test(bench, sampling_ends_when_told_or_failed) {
    bench_limits l;
    bench_stats s;
    int calls, n = 0;
    pretended p = {.cost = 1e-3};
    bench_limits_defaults(&l);
    cr_expect_eq(bench_measure(&s, &calls, fail_third, &n, 10, &l), CUG_EIO);
    l.late = always;
    cr_assert_eq(bench_measure(&s, &calls, pretend, &p, 10, &l), CUG_OK);
    cr_expect_eq(s.n, 1);
}

/* Every op of the table is there; no two cases have one name; work and bytes are positive; forward and backward of a
 * convolution have the multiply-adds of its formula. */
Test(bench, list_of_cases) {
    static char seen[2000][96];
    int n = 0, deepbench = 0;
    size_t tables[64] = {0};
    bench_cursor at = {0};
    bench_case c;
    for (; bench_case_next(&at, &c); n++) {
        cr_assert_lt(n, 2000);
        snprintf(seen[n], sizeof seen[0], "%s %s %s/%s", c.op, c.pass, c.source, c.name);
        for (int i = 0; i < n; i++) cr_expect(strcmp(seen[i], seen[n]) != 0, "twice: %s", seen[n]);
        cr_expect(c.run && c.source && *c.shape && bench_case_bytes(&cug_backend_cpu, &c) > 0, "%s", seen[n]);
        int muon = c.opt.params.kind == CUG_OPT_MUON; /* products, in float32 alone */
        cr_expect((c.products || muon) == (c.flop > 0), "%s", seen[n]);
        deepbench += strcmp(c.source, "deepbench") == 0;
        for (int i = 0; i < 64; i++)
            if (!tables[i] || tables[i] == c.table) {
                tables[i] = c.table;
                break;
            }
        if (strcmp(seen[n], "conv2d bwd models/cnn-d conv2") == 0)
            cr_expect_float_eq(c.flop, 4.0 * 128 * 11 * 11 * 64 * 9 * 32, 1, "%g", c.flop);
        if (strcmp(seen[n], "conv2d bwd models/cnn-d conv1") == 0) /* the first layer: no input gradient */
            cr_expect_float_eq(c.flop, 2.0 * 128 * 26 * 26 * 32 * 9, 1, "%g", c.flop);
    }
    cr_expect_geq(n, 500);
    cr_expect_geq(deepbench, 60);
    const size_t first = offsetof(cug_backend, conv2d), last = offsetof(cug_backend, step);
    for (size_t t = first; t <= last; t += sizeof(void *)) {
        int found = 0;
        for (int i = 0; i < 64; i++) found |= tables[i] == t;
        cr_expect(found, "no benchmark for entry %zu of the backend's ops", (t - first) / sizeof(void *));
    }
}

Test(bench, roofline) {
    bench_roof r = {.flops = {100e9, 0, 400e9}, .cold_bytes = 1 << 20};
    r.copy[0].bytes = 1 << 10, r.copy[0].rate = 50e9;
    r.copy[1].bytes = 1 << 20, r.copy[1].rate = 10e9;
    cr_expect_float_eq(bench_roof_seconds(&r, CUG_PREC_FP32, 1e6, 100, 0), 1e-5,
                       1e-12); /* the arithmetic takes longer */
    cr_expect_float_eq(bench_roof_seconds(&r, CUG_PREC_BF16, 1e6, 100, 0), 2.5e-6, 1e-12);
    cr_expect_float_eq(bench_roof_seconds(&r, CUG_PREC_FP32, 0, 1000, 0), 2e-8, 1e-14); /* fits the fast copies' size */
    cr_expect_float_eq(bench_roof_seconds(&r, CUG_PREC_FP32, 0, 1000, 1), 1e-7, 1e-14); /* cold: as memory does */
    cr_expect_float_eq(bench_roof_seconds(&r, CUG_PREC_FP32, 0, 1e6, 0), 1e-4, 1e-10);
    cr_expect_float_eq(bench_roof_seconds(&r, CUG_PREC_FP32, 0, 1e9, 0), 0.1, 1e-7); /* larger than any: memory */
    cr_expect_eq(bench_roof_seconds(&r, CUG_PREC_TF32, 1e6, 100, 0), 0);             /* no peak: nothing known */
}

typedef struct {
    int rows, devices, unchecked, cold;
} tally;

static cug_status count_row(void *user, const bench_row *r) {
    tally *t = user;
    t->rows++;
    t->unchecked += !r->checked;
    t->cold += strcmp(r->cache, "cold") == 0;
    cr_expect(r->time.n >= 1 && r->time.median >= 0 && r->calls >= 1 && r->bytes > 0, "%s %s [%s]", r->op, r->pass,
              r->name);
    return CUG_OK;
}

static cug_status count_device(void *user, const bench_side *s, const bench_roof *r) {
    ((tally *)user)->devices++;
    cr_expect(r->flops[CUG_PREC_FP32] > 0 && r->copy[0].rate > 0, "%s has no peaks", s->label);
    return CUG_OK;
}

static void quick(bench_kernels_options *o, const cug_backend *be, tally *t) {
    bench_kernels_defaults(o);
    o->be = be;
    o->small = 1;
    o->cold = 1;
    o->on_row = count_row;
    o->on_device = count_device;
    o->user = t;
    o->limits = (bench_limits){.samples = 1};
}

/* Every small case on every backend of this machine (in the emulated build: the CUDA kernels), warm and cold, timed
 * once and held against the reference. */
Test(bench, every_backend_small) {
    for (int i = 0; cug_backend_at(i); i++) {
        const cug_backend *be = cug_backend_at(i);
        cug_device *dev = NULL;
        tally t = {0};
        bench_kernels_options o;
        if (be == &cug_backend_ref || be->open(&dev, &(cug_device_options){0}) != CUG_OK) continue;
        be->close(dev);
        quick(&o, be, &t);
        cr_expect_eq(bench_kernels(&o), CUG_OK, "%s: %s", be->name, cug_error());
        cr_expect_geq(t.rows, 400, "%s: %d rows", be->name, t.rows);
        cr_expect_eq(2 * t.cold, t.rows);
        cr_expect_eq(t.unchecked, 0);
        cr_expect_eq(t.devices, 1);
    }
}

/* A batch of one's own goes into the models' products and nothing else. */
Test(bench, models_at_another_batch) {
    bench_cursor usual = {0}, other = {.batch = 4096};
    bench_case a, b;
    int products = 0;
    while (bench_case_next(&usual, &a)) {
        cr_assert(bench_case_next(&other, &b));
        cr_expect(strcmp(a.op, b.op) == 0 && strcmp(a.pass, b.pass) == 0 && strcmp(a.name, b.name) == 0, "%s", b.name);
        const int own = a.products && strcmp(a.source, "models") == 0;
        cr_expect_eq(own, strcmp(a.shape, b.shape) != 0, "%s %s %s", a.op, a.name, b.shape);
        cr_expect_eq(own, strncmp(b.shape, "4096x", 5) == 0 && strncmp(a.shape, "4096x", 5) != 0, "%s", b.shape);
        if (own) cr_expect_float_eq(b.flop / a.flop, 4096 / atof(a.shape), 1e-9, "%s %s", a.op, a.name);
        products += own;
    }
    cr_expect(!bench_case_next(&other, &b));
    cr_expect_geq(products, 40);
}

/* With a batch those products alone are timed. */
Test(bench, a_batch_selects_the_models_products) {
    tally t = {0};
    bench_kernels_options o;
    quick(&o, &cug_backend_cpu, &t);
    o.cold = 0;
    o.batch = 1;
    cr_expect_eq(bench_kernels(&o), CUG_OK, "%s", cug_error());
    cr_expect(t.rows > 0 && t.rows < 40, "%d rows", t.rows);
    o.op = "update";
    cr_expect_eq(bench_kernels(&o), CUG_EINVAL);
}

/* A backend whose gradients have the wrong sign at one place is caught after timing. */
static cug_status wrong_bwd(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                            const cug_tensor *x, const cug_tensor *w, const cug_conv2d_shape *s, unsigned accumulate,
                            const cug_exec *ex) {
    CUG_TRY(cug_backend_cpu.conv2d->bwd(dx, dw, db, dy, x, w, s, accumulate, ex));
    float *last = (float *)dw->ptr + cug_tensor_count(dw) - 1;
    *last = -*last;
    return CUG_OK;
}

Test(bench, wrong_results_are_caught) {
    cug_conv2d_ops ops = *cug_backend_cpu.conv2d;
    cug_backend broken = cug_backend_cpu;
    tally t = {0};
    bench_kernels_options o;
    ops.bwd = wrong_bwd;
    broken.conv2d = &ops;
    quick(&o, &broken, &t);
    o.op = "conv2d";
    cr_expect_eq(bench_kernels(&o), CUG_EMISMATCH);
    cr_expect(strstr(cug_error(), "conv2d bwd") && strstr(cug_error(), "dw["), "%s", cug_error());
    o.op = "conv2d fwd";
    cr_expect_eq(bench_kernels(&o), CUG_OK, "%s", cug_error());
    o.op = "conv2d";
    o.check = 0;
    cr_expect_eq(bench_kernels(&o), CUG_OK, "%s", cug_error());
}

Test(bench, filters) {
    tally t = {0};
    bench_kernels_options o;
    quick(&o, &cug_backend_cpu, &t);
    o.op = "conv2d fwd";
    o.shape = "one pixel";
    o.cold = 0;
    cr_expect_eq(bench_kernels(&o), CUG_OK, "%s", cug_error());
    cr_expect_eq(t.rows, 1);
    o.threads[0] = 1, o.threads[1] = 2, o.n_threads = 2;
    cr_expect_eq(bench_kernels(&o), CUG_OK);
    cr_expect_eq(t.rows, 3);
    o.op = "conv2e";
    cr_expect_eq(bench_kernels(&o), CUG_EINVAL);
    o.op = NULL;
    o.precisions = 1 << CUG_PREC_BF16;
    cr_expect_eq(bench_kernels(&o), CUG_ENOTSUP, "asked for by name, not here: %s", cug_error());
}

/* Nested ranges count once, equal names are added up, and parts are a step's fractions. */
Test(bench, profile) {
    bench_profile *p;
    cug_backend heard;
    bench_part part[BENCH_PARTS];
    int n;
    double step, covered;
    cr_assert_eq(bench_profile_open(&p, &heard, &cug_backend_cpu), CUG_OK);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(bench_profile_begin(p, NULL), CUG_OK);
        heard.range_push("step");
        for (int k = 0; k < 4; k++) {
            heard.range_push(k % 2 ? "odd" : "even");
            for (double end = seconds_now() + 1e-3; seconds_now() < end;) {}
            heard.range_pop();
        }
        heard.range_pop();
        cr_assert_eq(bench_profile_end(p), CUG_OK);
    }
    heard.range_push("outside a step");
    heard.range_pop();
    cr_assert_eq(bench_profile_parts(p, part, &n, &step, &covered), CUG_OK);
    cr_assert_eq(n, 2);
    cr_expect_str_eq(part[0].name, "even");
    cr_expect(part[0].seconds >= 2e-3 && part[1].seconds >= 2e-3, "two of each, of a millisecond");
    cr_expect(step >= 4e-3 && covered > 0 && covered <= 1 + 1e-9);
    bench_profile_close(p);
    heard.range_push("nobody listens");
    heard.range_pop();
}

static const bench_part *part_of(const bench_steps *s, const char *name) {
    for (int i = 0; i < s->parts; i++)
        if (strcmp(s->part[i].name, name) == 0) return &s->part[i];
    return NULL;
}

/* The pieces of a step make 95 % of it or more, and its work is theirs. */
static void check_split(const cug_backend *be, int training, const char *const *names) {
    static bench_steps s;
    cug_graph *g = NULL;
    cug_device *dev = NULL;
    if (be->open(&dev, &(cug_device_options){0}) != CUG_OK) return;
    be->close(dev);
    cr_assert_eq(
        cug_model_load(&g, "input 12x12x1; conv 8 3x3; relu; maxpool 2x2; flatten; linear 16; relu; linear 10"),
        CUG_OK);
    const int batch = be == &cug_backend_cpu ? 512 : 64; /* a look at the clock must be little beside a piece */
    const bench_steps_options o = {
        .be = be, .graph = g, .batch = batch, .training = training, .split = 1, .seed = 1, .limits = {.samples = 3}};
    cr_assert_eq(bench_steps_run(&s, &o), CUG_OK, "%s: %s", be->name, cug_error());
    for (int i = 0; names[i]; i++) cr_expect(part_of(&s, names[i]), "%s: no part '%s'", be->name, names[i]);
    double flop = 0;
    for (int i = 0; i < s.parts; i++) flop += s.part[i].flop;
    const double conv = 10 * 10 * 8 * 9, fc = 5 * 5 * 8 * 16 + 16 * 10; /* no gradient of the images */
    const double want = batch * (training ? 4 * conv + 6 * fc : 2 * conv + 2 * fc);
    cr_expect_float_eq(s.flop, want, 1, "%g, not %g", s.flop, want);
    cr_expect_float_eq(flop, want, 1, "the parts' %g, not %g", flop, want);
    cr_expect(s.covered >= 0.95 && s.covered <= 1.0 + 1e-6, "%s: the parts make %.1f %% of a step", be->name,
              100 * s.covered);
    cr_expect(s.step.n >= 3 && s.step.median > 0 && s.memory.total > s.memory.params);
    cug_graph_free(g);
}

Test(bench, split_of_a_training_step) {
    static const char *const names[] = {"batch",   "upload",        "normalize", "loss",    "fc1 fwd",
                                        "fc2 bwd", "gradient norm", "optimizer", "metrics", NULL};
    for (int i = 0; cug_backend_at(i); i++)
        if (cug_backend_at(i) != &cug_backend_ref) check_split(cug_backend_at(i), 1, names);
}

Test(bench, split_of_an_evaluation_step) {
    static const char *const names[] = {"batch", "upload", "normalize", "fc1 fwd", "fc2 fwd", "loss", "metrics", NULL};
    for (int i = 0; cug_backend_at(i); i++)
        if (cug_backend_at(i) != &cug_backend_ref) check_split(cug_backend_at(i), 0, names);
}
