/* test_step_modes.c - a GPU trains to the same bits whichever way batches reach it and steps are launched; each way
 * stops, resumes and finds NaN like the plain one. Skipped where cuda does not open. */
#include <criterion/criterion.h>
#include <cuglyph/train.h>
#include <stdlib.h>
#include <string.h>

#include "support/synthetic.h"

/* Three modes of loading, with and without graphs. */
static const char *const modes[][2] = {{"plain", "true"},   {"plain", "false"},   {"staged", "true"},
                                       {"staged", "false"}, {"resident", "true"}, {"resident", "false"}};
#define MODES (sizeof modes / sizeof *modes)
#define EPOCHS 3

static int have_cuda(void) {
    const cug_backend *be = cug_backend_find("cuda");
    cug_device *dev = NULL;
    if (!be || be->open(&dev, NULL) != CUG_OK) return 0;
    be->close(dev);
    return 1;
}

typedef struct stopper {
    volatile int stop;
    uint64_t at;             /* set stop after this step */
    double val_loss[EPOCHS]; /* of each epoch that ended */
} stopper;

static void stop_at(void *user, const cug_event *e) {
    stopper *s = user;
    if (e->kind == CUG_EVENT_STEP && e->step == s->at) s->stop = 1;
    if (e->kind == CUG_EVENT_EPOCH) s->val_loss[e->epoch - 1] = e->val_loss;
}

/* What a run measured: each epoch's validation loss and the test loss. Resumed runs fill in what they measured. */
typedef struct measures {
    double loss[EPOCHS + 1];
} measures;

static cug_status train(const synthetic *s, const cug_config *c, const char *name, int resume, uint64_t stop_after,
                        measures *found) {
    char path[160];
    stopper stop = {0, stop_after, {0}};
    cug_train_result r;
    snprintf(path, sizeof path, "%s/%s", s->dir, name);
    const cug_train_request req = {
        .config = c, .run_path = path, .resume = resume, .on_event = stop_at, .user = &stop, .stop = &stop.stop};
    cug_status st = cug_train(&req, &r);
    if (st != CUG_OK || !found) return st;
    memcpy(found->loss, stop.val_loss, sizeof stop.val_loss);
    found->loss[EPOCHS] = r.test_loss;
    return st;
}

static void set(cug_config *c, const char *key, const char *value) {
    cr_assert(cug_config_set(c, key, value) == CUG_OK, "%s", cug_error());
}

/* Three epochs of five steps, the last of them short, and an evaluation after each: every size is run, recorded and
 * launched again. */
static void configure(const synthetic *s, cug_config *c, size_t mode) {
    synthetic_config(s, c);
    set(c, "device", "cuda");
    set(c, "limit", "153");
    set(c, "val", "33");
    set(c, "eval-batch", "16");
    set(c, "batch", "28");
    set(c, "epochs", "3"); /* EPOCHS */
    set(c, "log-every", "4");
    set(c, "loader", modes[mode][0]);
    set(c, "no-graph", modes[mode][1]);
}

static void expect_same_weights(const synthetic *s, const char *a, const char *b) {
    cug_st_file f[2];
    const char *const name[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        char path[160];
        snprintf(path, sizeof path, "%s/%s/last.safetensors", s->dir, name[i]);
        cr_assert(cug_st_read(&f[i], path) == CUG_OK, "%s", cug_error());
    }
    cr_assert_eq(f[0].n_tensors, f[1].n_tensors);
    cr_assert_gt(f[0].n_tensors, 4);
    for (int i = 0; i < f[0].n_tensors; i++) {
        cr_assert_eq(f[0].tensors[i].bytes, f[1].tensors[i].bytes);
        cr_expect(memcmp(f[0].tensors[i].data, f[1].tensors[i].data, f[0].tensors[i].bytes) == 0,
                  "%s: %s and %s differ", f[0].tensors[i].name, a, b);
    }
    cug_st_free(&f[0]);
    cug_st_free(&f[1]);
}

/* With this option besides. */
static void same_bits(const char *key, const char *value) {
    synthetic s;
    measures first, now;
    synthetic_make(&s);
    for (size_t m = 0; m < MODES; m++) {
        static const uint64_t stops[] = {1, 5, 8};
        cug_config c;
        char whole[32], part[32];
        configure(&s, &c, m);
        set(&c, key, value);
        snprintf(whole, sizeof whole, "whole%zu", m);
        cr_assert(train(&s, &c, whole, 0, 0, m ? &now : &first) == CUG_OK, "%s", cug_error());
        for (int e = 0; m == 0 && e <= EPOCHS; e++) cr_assert(first.loss[e] > 0, "loss %d is %g", e, first.loss[e]);
        for (int e = 0; m > 0 && e <= EPOCHS; e++)
            cr_expect(now.loss[e] == first.loss[e], "mode %zu, evaluation %d: loss %.17g, not %.17g", m, e, now.loss[e],
                      first.loss[e]);
        if (m > 0) expect_same_weights(&s, "whole0", whole);
        for (size_t i = m % 2; i < sizeof stops / sizeof *stops; i += 2) {
            snprintf(part, sizeof part, "part%zu-%zu", m, i);
            cr_assert(train(&s, &c, part, 0, stops[i], 0) == CUG_EINTR, "%s", cug_error());
            cr_assert(train(&s, &c, part, 1, 0, 0) == CUG_OK, "%s", cug_error());
            expect_same_weights(&s, whole, part);
        }
        cug_config_free(&c);
    }
    synthetic_remove(&s);
}

Test(step_modes, give_the_same_bits_and_resume_exactly) {
    if (have_cuda()) same_bits("shift", "0");
}

Test(step_modes, move_images_alike) {
    if (have_cuda()) same_bits("shift", "2");
}

/* Its scratch is the net's, and its products are recorded like a layer's. */
Test(step_modes, muon_alike) {
    if (have_cuda()) same_bits("optimizer", "muon");
}

/* Their calls are recorded and launched again like kernels; on the emulator, the stand-ins' calls. */
Test(step_modes, libraries_give_the_same_bits_recorded_or_not) {
    const cug_backend *be = cug_backend_find("cuda");
    cug_device *dev = NULL;
    const cug_device_options libraries = {.conv = CUG_CHOOSE_LIBRARY, .gemm = CUG_CHOOSE_LIBRARY};
    if (!be || be->open(&dev, &libraries) != CUG_OK) return;
    be->close(dev);
    synthetic s;
    synthetic_make(&s);
    for (size_t m = 0; m < 4; m += 3) { /* plain and launched op by op; staged and recorded */
        cug_config c;
        const char *const whole = m ? "recorded" : "op by op";
        configure(&s, &c, m);
        set(&c, "conv", "cudnn");
        set(&c, "gemm", "cublas");
        cr_assert(train(&s, &c, whole, 0, 0, NULL) == CUG_OK, "%s", cug_error());
        if (m) {
            expect_same_weights(&s, "op by op", whole);
            cr_assert(train(&s, &c, "part", 0, 5, NULL) == CUG_EINTR, "%s", cug_error());
            cr_assert(train(&s, &c, "part", 1, 0, NULL) == CUG_OK, "%s", cug_error());
            expect_same_weights(&s, whole, "part");
        }
        cug_config_free(&c);
    }
    synthetic_remove(&s);
}

/* Looked for at log lines alone, and still the step and layer that the CPU names. */
Test(step_modes, find_nan_in_the_step_where_it_began) {
    if (!have_cuda()) return;
    synthetic s;
    synthetic_make(&s);
    int first = 0;
    for (size_t m = 0; m <= MODES; m++) {
        cug_config c;
        char name[32], what[16], layer[32];
        int step = 0;
        configure(&s, &c, m < MODES ? m : 0);
        if (m == MODES) set(&c, "device", "cpu");
        if (m == MODES) set(&c, "loader", "auto");
        set(&c, "optimizer", "sgd");
        set(&c, "lr", "1e6");
        set(&c, "log-every", "100");
        set(&c, "model", "input 10x10x1; flatten; linear 16; linear 4; loss mse");
        snprintf(name, sizeof name, "nan%zu", m);
        cr_assert(train(&s, &c, name, 0, 0, 0) == CUG_ENUMERIC, "%s", cug_error());
        cr_assert_eq(
            sscanf(cug_error(), "epoch 1, step %d: %15s first seen in the output of layer %31s", &step, what, layer), 3,
            "%s", cug_error());
        if (m == 0) first = step;
        cr_expect_eq(step, first, "mode %zu: %s", m, cug_error());
        cr_expect(step >= 2 && step < 5, "found in step %d, not where the epoch ends", step);
        cug_config_free(&c);
    }
    synthetic_remove(&s);
}

Test(step_modes, a_loader_that_the_device_lacks_is_refused) {
    synthetic s;
    cug_config c;
    synthetic_make(&s);
    for (int i = 0; i < 2; i++) {
        const char *loader = i ? "resident" : "staged";
        synthetic_config(&s, &c);
        set(&c, "loader", loader);
        cr_expect(train(&s, &c, loader, 0, 0, 0) == CUG_ENOTSUP);
        cr_expect(strstr(cug_error(), loader) && !strchr(cug_error(), '\n'), "%s", cug_error());
        cug_config_free(&c);
    }
    synthetic_remove(&s);
}
