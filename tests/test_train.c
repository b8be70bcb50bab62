/* test_train.c - whole runs: they learn, repeat to the bit, resume as if never stopped, and stop as they should. */
#include <criterion/criterion.h>
#include <cuglyph/run.h>
#include <cuglyph/train.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/synthetic.h"

typedef struct stopper {
    volatile int stop;
    uint64_t at; /* set stop after this step */
} stopper;

static void stop_at(void *user, const cug_event *e) {
    stopper *s = user;
    if (e->kind == CUG_EVENT_STEP && e->step == s->at) s->stop = 1;
}

static cug_status train(const cug_config *c, const char *path, int resume, uint64_t stop_after, cug_train_result *res) {
    stopper s = {0, stop_after};
    const cug_train_request req = {
        .config = c, .run_path = path, .resume = resume, .on_event = stop_at, .user = &s, .stop = &s.stop};
    return cug_train(&req, res);
}

static const char *in(const synthetic *s, const char *name) {
    static char path[4][160];
    static int k;
    k = (k + 1) % 4;
    snprintf(path[k], sizeof path[k], "%s/%s", s->dir, name);
    return path[k];
}

/* Weights and optimizer state of two checkpoints, bit for bit (their clocks differ). */
static void expect_same_weights(const char *a, const char *b) {
    cug_st_file fa, fb;
    cr_assert(cug_st_read(&fa, a) == CUG_OK, "%s", cug_error());
    cr_assert(cug_st_read(&fb, b) == CUG_OK, "%s", cug_error());
    cr_assert_eq(fa.n_tensors, fb.n_tensors);
    cr_assert_gt(fa.n_tensors, 4);
    for (int i = 0; i < fa.n_tensors; i++) {
        cr_expect_str_eq(fa.tensors[i].name, fb.tensors[i].name);
        cr_assert_eq(fa.tensors[i].bytes, fb.tensors[i].bytes);
        cr_expect(memcmp(fa.tensors[i].data, fb.tensors[i].data, fa.tensors[i].bytes) == 0, "%s differs",
                  fa.tensors[i].name);
    }
    cug_st_free(&fa);
    cug_st_free(&fb);
}

static int count_lines(const char *path) {
    size_t n, lines = 0;
    char *text = slurp(path, &n);
    for (size_t i = 0; i < n; i++) lines += text[i] == '\n';
    free(text);
    return (int)lines;
}

Test(train, learns_and_repeats_to_the_bit) {
    synthetic s;
    cug_config c;
    cug_train_result a, b;
    synthetic_make(&s);
    synthetic_config(&s, &c);
    cr_assert(train(&c, in(&s, "a"), 0, 0, &a) == CUG_OK, "%s", cug_error());
    cr_expect_gt(a.test_accuracy, 0.95);
    cr_expect_eq(a.steps, 3 * 17);
    cr_assert(train(&c, in(&s, "b"), 0, 0, &b) == CUG_OK, "%s", cug_error());
    expect_same_weights(in(&s, "a/last.safetensors"), in(&s, "b/last.safetensors"));
    cr_expect_eq(a.test_loss, b.test_loss);

    /* and from the config that the run left behind */
    cug_config again;
    cug_config_defaults(&again);
    cr_assert(cug_config_read(&again, in(&s, "a/config")) == CUG_OK, "%s", cug_error());
    cr_assert(train(&again, in(&s, "c"), 0, 0, &b) == CUG_OK, "%s", cug_error());
    expect_same_weights(in(&s, "a/last.safetensors"), in(&s, "c/last.safetensors"));

    cr_assert(cug_config_set(&c, "seed", "8") == CUG_OK);
    cr_assert(train(&c, in(&s, "d"), 0, 0, &b) == CUG_OK, "%s", cug_error());
    cr_expect_neq(a.test_loss, b.test_loss, "another seed must give another run");
    cug_config_free(&again);
    cug_config_free(&c);
    synthetic_remove(&s);
}

Test(train, resumes_from_any_step_as_if_never_stopped) {
    synthetic s;
    cug_config c;
    cug_train_result r;
    synthetic_make(&s);
    synthetic_config(&s, &c);
    cr_assert(train(&c, in(&s, "whole"), 0, 0, &r) == CUG_OK, "%s", cug_error());
    static const uint64_t stops[] = {1, 5, 16, 17, 18, 34, 50, 51};
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        char name[32];
        snprintf(name, sizeof name, "part%zu", i);
        cug_status st = train(&c, in(&s, name), 0, stops[i], &r);
        if (stops[i] < 51) cr_assert(st == CUG_EINTR, "stop after step %d: %s", (int)stops[i], cug_error());
        cr_assert(train(&c, in(&s, name), 1, 0, &r) == CUG_OK, "%s", cug_error());
        cr_expect_eq(r.steps, 51);
        char a[64], b[64];
        snprintf(a, sizeof a, "%s/last.safetensors", name);
        expect_same_weights(in(&s, "whole/last.safetensors"), in(&s, a));
        snprintf(a, sizeof a, "%s/best.safetensors", name);
        expect_same_weights(in(&s, "whole/best.safetensors"), in(&s, a));
        snprintf(b, sizeof b, "%s/log.csv", name);
        cr_expect_eq(count_lines(in(&s, b)), count_lines(in(&s, "whole/log.csv")));
        snprintf(b, sizeof b, "%s/log.jsonl", name);
        cr_expect_eq(count_lines(in(&s, b)), count_lines(in(&s, "whole/log.jsonl")));
    }
    cug_config_free(&c);
    synthetic_remove(&s);
}

static int any_but_zero(const cug_st_file *f, const char *name) {
    const cug_st_tensor *t = cug_st_find(f, name);
    cr_assert(t, "%s", name);
    for (size_t i = 0; i < t->bytes; i++)
        if (((const char *)t->data)[i]) return 1;
    return 0;
}

/* A second moment is Adam's: the layers at the ends and biases have it, weights between them have none. */
Test(train, muon_takes_hidden_weights_and_resumes_exactly) {
    synthetic s;
    cug_config c;
    cug_train_result r;
    cug_st_file f;
    synthetic_make(&s);
    synthetic_config(&s, &c);
    cr_assert(cug_config_set(&c, "optimizer", "muon") == CUG_OK);
    cr_assert(cug_config_set(&c, "schedule", "cosine") == CUG_OK);
    cr_assert(cug_config_set(&c, "model",
                             "input 10x10x1; conv 8 3x3; relu; conv 6 3x3; relu; flatten; linear 16; relu; dropout "
                             "0.25; linear 4") == CUG_OK);
    cr_assert(train(&c, in(&s, "whole"), 0, 0, &r) == CUG_OK, "%s", cug_error());
    cr_expect_gt(r.test_accuracy, 0.95);
    cr_assert(cug_st_read(&f, in(&s, "whole/last.safetensors")) == CUG_OK, "%s", cug_error());
    static const char *const adam[] = {"conv1.weight", "conv1.bias", "conv2.bias",
                                       "fc1.bias",     "fc2.weight", "fc2.bias"};
    static const char *const muon[] = {"conv2.weight", "fc1.weight"};
    char name[64];
    for (size_t i = 0; i < sizeof adam / sizeof *adam; i++) {
        snprintf(name, sizeof name, "optimizer.1.%s", adam[i]);
        cr_expect(any_but_zero(&f, name), "%s", name);
    }
    for (size_t i = 0; i < sizeof muon / sizeof *muon; i++) {
        snprintf(name, sizeof name, "optimizer.1.%s", muon[i]);
        cr_expect_not(any_but_zero(&f, name), "%s", name);
        snprintf(name, sizeof name, "optimizer.0.%s", muon[i]);
        cr_expect(any_but_zero(&f, name), "%s", name);
    }
    cug_st_free(&f);
    cr_assert(train(&c, in(&s, "part"), 0, 20, &r) == CUG_EINTR);
    cr_assert(train(&c, in(&s, "part"), 1, 0, &r) == CUG_OK, "%s", cug_error());
    expect_same_weights(in(&s, "whole/last.safetensors"), in(&s, "part/last.safetensors"));

    cr_assert(cug_config_set(&c, "freeze", "conv2,fc1") == CUG_OK);
    cr_expect(train(&c, in(&s, "frozen"), 0, 0, &r) == CUG_ECONFIG_VALUE);
    cr_expect(strstr(cug_error(), "use adamw"), "%s", cug_error());
    cug_config_free(&c);
    synthetic_remove(&s);
}

Test(train, moved_images_are_another_run_that_resumes_as_well) {
    synthetic s;
    cug_config c;
    cug_train_result r, plain;
    synthetic_make(&s);
    synthetic_config(&s, &c);
    cr_assert(train(&c, in(&s, "plain"), 0, 0, &plain) == CUG_OK, "%s", cug_error());
    cr_assert(cug_config_set(&c, "shift", "1") == CUG_OK);
    cr_assert(train(&c, in(&s, "whole"), 0, 0, &r) == CUG_OK, "%s", cug_error());
    cr_expect_neq(r.test_loss, plain.test_loss);
    cr_expect_gt(r.test_accuracy, 0.9, "moved by one pixel of ten, the classes are still told apart");
    cr_assert(train(&c, in(&s, "part"), 0, 20, &r) == CUG_EINTR);
    cr_assert(train(&c, in(&s, "part"), 1, 0, &r) == CUG_OK, "%s", cug_error());
    expect_same_weights(in(&s, "whole/last.safetensors"), in(&s, "part/last.safetensors"));
    cr_assert(cug_config_set(&c, "shift", "10") == CUG_OK);
    cr_expect(train(&c, in(&s, "far"), 0, 0, &r) == CUG_ECONFIG_VALUE, "%s", cug_error());
    cug_config_free(&c);
    synthetic_remove(&s);
}

Test(train, resume_cuts_log_lines_newer_than_the_checkpoint) {
    synthetic s;
    cug_config c;
    cug_train_result r;
    synthetic_make(&s);
    synthetic_config(&s, &c);
    cr_assert(train(&c, in(&s, "run"), 0, 20, &r) == CUG_EINTR);
    int lines = count_lines(in(&s, "run/log.jsonl"));
    FILE *f = fopen(in(&s, "run/log.jsonl"), "a");
    fputs("{\"event\":\"written after the checkpo", f);
    fclose(f);
    cr_assert(train(&c, in(&s, "run"), 1, 21, &r) == CUG_EINTR, "%s", cug_error());
    cr_expect_eq(count_lines(in(&s, "run/log.jsonl")), lines);
    char *text = slurp(in(&s, "run/log.jsonl"), 0);
    cr_expect_null(strstr(text, "written after"));
    free(text);
    cug_config_free(&c);
    synthetic_remove(&s);
}

Test(train, a_finished_run_can_be_trained_longer) {
    synthetic s;
    cug_config c, kept;
    cug_train_result r;
    synthetic_make(&s);
    synthetic_config(&s, &c);
    cr_assert(train(&c, in(&s, "whole"), 0, 0, &r) == CUG_OK, "%s", cug_error());
    cr_assert(cug_config_set(&c, "epochs", "1") == CUG_OK);
    cr_assert(train(&c, in(&s, "run"), 0, 0, &r) == CUG_OK, "%s", cug_error());
    cr_assert(cug_config_set(&c, "epochs", "3") == CUG_OK);
    cr_assert(train(&c, in(&s, "run"), 1, 0, &r) == CUG_OK, "%s", cug_error());
    expect_same_weights(in(&s, "whole/last.safetensors"), in(&s, "run/last.safetensors"));
    cug_config_defaults(&kept);
    cr_assert(cug_config_read(&kept, in(&s, "run/config")) == CUG_OK, "%s", cug_error());
    cr_expect_eq(kept.epochs, 3, "the config tells what the run was");
    cug_config_free(&kept);
    cug_config_free(&c);
    synthetic_remove(&s);
}

Test(train, early_stopping_restores_the_best_weights) {
    synthetic s;
    cug_config c;
    cug_train_result r;
    synthetic_make(&s);
    synthetic_config(&s, &c);
    cr_assert(cug_config_set(&c, "epochs", "40") == CUG_OK);
    cr_assert(cug_config_set(&c, "patience", "2") == CUG_OK);
    cr_assert(cug_config_set(&c, "lr", "0.05") == CUG_OK);
    cr_assert(train(&c, in(&s, "run"), 0, 0, &r) == CUG_OK, "%s", cug_error());
    cr_expect(r.stopped_early);
    cr_expect_lt(r.epochs, 40);
    cug_evaluation e;
    static cug_eval_info info;
    const char *run = in(&s, "run");
    for (int explicit_best = 0; explicit_best < 2; explicit_best++) {
        const cug_eval_request req = {.run = run, .weights = explicit_best ? "best" : NULL};
        cr_assert(cug_eval(&req, &e, &info) == CUG_OK, "%s", cug_error());
        cr_expect_str_eq(info.weights, "best");
        cr_expect_eq(e.loss, r.test_loss, "eval must give the training run's figure exactly");
        cr_expect_eq(e.accuracy, r.test_accuracy);
        cug_evaluation_free(&e);
    }
    const cug_eval_request last = {.run = run, .weights = "last"};
    cr_assert(cug_eval(&last, &e, &info) == CUG_OK, "%s", cug_error());
    cr_expect_neq(e.loss, r.test_loss, "two epochs later the weights are others");
    cug_evaluation_free(&e);
    cug_config_free(&c);
    synthetic_remove(&s);
}

Test(train, nan_stops_with_layer_and_step_named) {
    synthetic s;
    cug_config c;
    cug_train_result r;
    synthetic_make(&s);
    synthetic_config(&s, &c);
    cr_assert(cug_config_set(&c, "optimizer", "sgd") == CUG_OK);
    cr_assert(cug_config_set(&c, "lr", "1e6") == CUG_OK);
    cr_assert(cug_config_set(&c, "model", "input 10x10x1; flatten; linear 16; linear 4; loss mse") == CUG_OK);
    cr_assert(train(&c, in(&s, "run"), 0, 0, &r) == CUG_ENUMERIC, "%s", cug_error());
    int step = 0;
    char what[16], layer[32];
    cr_expect_eq(
        sscanf(cug_error(), "epoch 1, step %d: %15s first seen in the output of layer %31s", &step, what, layer), 3,
        "%s", cug_error());
    cr_expect(step >= 2 && step <= 6, "step %d: squares of weights near 1e6 overflow float32 in a few steps", step);
    cr_expect(strncmp(layer, "fc", 2) == 0, "layer %s", layer);
    cug_config_free(&c);
    synthetic_remove(&s);
}

Test(train, frozen_layers_keep_their_weights) {
    synthetic s;
    cug_config c;
    cug_train_result r;
    synthetic_make(&s);
    synthetic_config(&s, &c);
    cr_assert(cug_config_set(&c, "freeze", "conv1") == CUG_OK);
    cr_assert(train(&c, in(&s, "run"), 0, 0, &r) == CUG_OK, "%s", cug_error());
    cug_graph *g = NULL;
    cug_snapshot snap = {0};
    cr_assert(cug_checkpoint_load(in(&s, "run/last.safetensors"), &g, &snap) == CUG_OK, "%s", cug_error());
    float *init = malloc(g->flat_count * sizeof *init);
    cug_graph_init(g, 7, init);
    for (int i = 0; i < g->n_segments; i++) {
        const cug_segment *seg = &g->segments[i];
        int same = memcmp(init + seg->offset, (float *)snap.params + seg->offset, seg->count * sizeof(float)) == 0;
        cr_expect_eq(same, strncmp(seg->name, "conv1.", 6) == 0, "%s", seg->name);
    }
    free(init);
    cug_snapshot_free(&snap);
    cug_graph_free(g);
    cug_config_free(&c);
    synthetic_remove(&s);
}

/* ORACLES.md: 20 SGD steps, batch 32, loss within 1e-4 relative of ref; here the logged running loss of both. */
Test(train, cpu_follows_ref_over_twenty_steps) {
    synthetic s;
    cug_train_result r;
    synthetic_make(&s);
    double loss[2][2];
    static const char *const device[] = {"ref", "cpu"};
    for (int d = 0; d < 2; d++) {
        cug_config c;
        synthetic_config(&s, &c);
        cr_assert(cug_config_set(&c, "device", device[d]) == CUG_OK);
        cr_assert(cug_config_set(&c, "optimizer", "sgd") == CUG_OK);
        cr_assert(cug_config_set(&c, "max-steps", "20") == CUG_OK);
        cr_assert(train(&c, in(&s, device[d]), 0, 0, &r) == CUG_OK, "%s", cug_error());
        char name[64];
        snprintf(name, sizeof name, "%s/log.csv", device[d]);
        char *text = slurp(in(&s, name), NULL);
        double epoch, step, lr;
        cr_assert(sscanf(strchr(text, '\n') + 1, "%lf,%lf,%lf,%lf", &epoch, &step, &lr, &loss[d][0]) == 4);
        loss[d][1] = r.test_loss;
        free(text);
        cug_config_free(&c);
    }
    for (int i = 0; i < 2; i++)
        cr_expect(fabs(loss[0][i] - loss[1][i]) <= 1e-4 * fabs(loss[0][i]), "ref %.9g, cpu %.9g", loss[0][i],
                  loss[1][i]);
    synthetic_remove(&s);
}

Test(train, reuse_and_fusion_change_nothing_that_matters) {
    synthetic s;
    cug_train_result plain, other;
    synthetic_make(&s);
    cug_config c;
    synthetic_config(&s, &c);
    cr_assert(train(&c, in(&s, "plain"), 0, 0, &plain) == CUG_OK, "%s", cug_error());
    cr_assert(cug_config_set(&c, "no-reuse", "true") == CUG_OK);
    cr_assert(train(&c, in(&s, "no-reuse"), 0, 0, &other) == CUG_OK, "%s", cug_error());
    expect_same_weights(in(&s, "plain/last.safetensors"), in(&s, "no-reuse/last.safetensors"));
    cr_assert(cug_config_set(&c, "no-fuse", "true") == CUG_OK);
    cr_assert(train(&c, in(&s, "no-fuse"), 0, 0, &other) == CUG_OK, "%s", cug_error());
    cr_expect(fabs(plain.test_loss - other.test_loss) <= 1e-2 * plain.test_loss, "%g %g", plain.test_loss,
              other.test_loss);
    cug_config_free(&c);
    synthetic_remove(&s);
}

Test(train, a_run_in_use_is_locked) {
    synthetic s;
    cug_config c;
    cug_train_result r;
    cug_run *held = NULL;
    synthetic_make(&s);
    synthetic_config(&s, &c);
    cr_assert(train(&c, in(&s, "run"), 0, 5, &r) == CUG_EINTR);
    cr_assert(cug_run_open(&held, in(&s, "run")) == CUG_OK);
    cr_expect(train(&c, in(&s, "run"), 1, 0, &r) == CUG_EBUSY, "%s", cug_error());
    cug_run_close(held);
    cr_expect(train(&c, in(&s, "run"), 0, 0, &r) == CUG_EINVAL, "a finished folder is not trained over");
    cr_expect(train(&c, in(&s, "run"), 1, 0, &r) == CUG_OK, "%s", cug_error());
    cug_config_free(&c);
    synthetic_remove(&s);
}

Test(train, wrong_pairs_of_model_and_data_are_refused) {
    synthetic s;
    cug_config c;
    cug_train_result r;
    synthetic_make(&s);
    synthetic_config(&s, &c);
    static const char *const models[] = {"input 28x28x1; flatten; linear 4", "input 10x10x1; flatten; linear 10"};
    for (int i = 0; i < 2; i++) {
        cr_assert(cug_config_set(&c, "model", models[i]) == CUG_OK);
        cr_expect(train(&c, in(&s, "run"), 0, 0, &r) == CUG_EDATA_SHAPE, "%s", cug_error());
    }
    cr_assert(cug_config_set(&c, "model", SYNTHETIC_MODEL) == CUG_OK);
    cr_assert(cug_config_set(&c, "val", "600") == CUG_OK);
    cr_expect(train(&c, in(&s, "run"), 0, 0, &r) == CUG_ECONFIG_VALUE, "%s", cug_error());
    cug_config_free(&c);
    synthetic_remove(&s);
}
