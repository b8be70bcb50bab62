/* test_cuda_train.c - `cuglyph train` of cnn-d and mlp on the GPU, real or emulated: the losses are the reference's
 * step by step, and cnn-d's weights the same bytes however the run was made. Skipped where cuda does not open. */
#include <criterion/criterion.h>
#include <cuglyph/train.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/scratch.h"

/* FEW: a graph is recorded in the second step and launched alone in the third. */
enum { SIDE = 28, IMAGES = 700, STEPS = 20, FEW = 3 };

/* A data set for cnn-d: noise, and a bright row that tells the class. */
static void put32(FILE *f, uint32_t v) {
    for (int s = 24; s >= 0; s -= 8) fputc((int)(v >> s & 0xFF), f);
}

static void make_data(const char *dir, char *data, size_t n) {
    char path[2][300];
    uint64_t seed = 11;
    snprintf(path[0], sizeof path[0], "%s/images", dir);
    snprintf(path[1], sizeof path[1], "%s/labels", dir);
    FILE *x = fopen(path[0], "wb"), *y = fopen(path[1], "wb");
    cr_assert(x && y);
    put32(x, 0x803), put32(x, IMAGES), put32(x, SIDE), put32(x, SIDE);
    put32(y, 0x801), put32(y, IMAGES);
    for (int i = 0; i < IMAGES; i++) {
        const int label = i * 7 % 10;
        fputc(label, y);
        for (int at = 0; at < SIDE * SIDE; at++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            fputc((int)(seed >> 58) + (at / SIDE == 2 * label + 3 ? 180 : 0), x);
        }
    }
    cr_assert(fclose(x) == 0 && fclose(y) == 0);
    snprintf(data, n, "idx:%s,%s", path[0], path[1]);
}

typedef struct record {
    double running[STEPS]; /* the epoch's mean loss up to each step */
    int n;
} record;

static void on_event(void *user, const cug_event *e) {
    record *r = user;
    if (e->kind == CUG_EVENT_STEP && r->n < STEPS) r->running[r->n++] = e->loss;
}

static void train(record *r, const char *model, const char *dir, const char *data, const char *name, const char *device,
                  const char *loader, const char *no_graph, int steps) {
    char path[384], number[16];
    snprintf(number, sizeof number, "%d", steps);
    const char *const set[][2] = {
        {"model", model},   {"data", data},         {"val", "0"},     {"batch", "32"},      {"epochs", "1"},
        {"seed", "5"},      {"optimizer", "sgd"},   {"lr", "0.05"},   {"device", device},   {"log-every", "1"},
        {"loader", loader}, {"no-graph", no_graph}, {"threads", "2"}, {"max-steps", number}};
    cug_config c;
    cug_train_result result;
    *r = (record){.n = 0};
    cug_config_defaults(&c);
    for (size_t i = 0; i < sizeof set / sizeof *set; i++)
        cr_assert(cug_config_set(&c, set[i][0], set[i][1]) == CUG_OK, "%s", cug_error());
    snprintf(path, sizeof path, "%s/%s", dir, name);
    const cug_train_request req = {.config = &c, .run_path = path, .on_event = on_event, .user = r};
    cr_assert(cug_train(&req, &result) == CUG_OK, "%s: %s", name, cug_error());
    cr_assert_eq(r->n, steps, "%s: %d steps", name, r->n);
    cug_config_free(&c);
}

/* Whole batches of one size: the mean up to step i is the mean of the steps' losses. */
static double loss_of(const record *r, int i) { return (i + 1) * r->running[i] - (i ? i * r->running[i - 1] : 0); }

static void expect_same_weights(const char *dir, const char *a, const char *b) {
    const char *const name[2] = {a, b};
    char path[384];
    cug_st_file f[2];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s/last.safetensors", dir, name[i]);
        cr_assert(cug_st_read(&f[i], path) == CUG_OK, "%s", cug_error());
    }
    cr_assert_eq(f[0].n_tensors, f[1].n_tensors);
    cr_assert_geq(f[0].n_tensors, 8, "weights and biases of four layers");
    for (int i = 0; i < f[0].n_tensors; i++)
        cr_expect(f[0].tensors[i].bytes == f[1].tensors[i].bytes &&
                      !memcmp(f[0].tensors[i].data, f[1].tensors[i].data, f[0].tensors[i].bytes),
                  "%s: %s is not %s", b, f[0].tensors[i].name, a);
    for (int i = 0; i < 2; i++) cug_st_free(&f[i]);
}

static int have_cuda(void) {
    const cug_backend *be = cug_backend_find("cuda");
    cug_device *dev = NULL;
    if (!be || be->open(&dev, NULL) != CUG_OK) return 0;
    be->close(dev);
    return 1;
}

static void expect_losses_of_reference(const char *model) {
    char data[640];
    record want, got;
    if (!have_cuda()) return;
    const char *dir = scratch_make();
    make_data(dir, data, sizeof data);
    train(&want, model, dir, data, "ref", "ref", "auto", "false", STEPS);
    train(&got, model, dir, data, "cuda", "cuda", "auto", "false", STEPS);
    double worst = 0;
    for (int i = 0; i < STEPS; i++) {
        double a = loss_of(&want, i), b = loss_of(&got, i), d = fabs(a - b) / fabs(a);
        cr_expect(d <= 1e-4, "step %d: loss %.9g, ref %.9g", i + 1, b, a);
        if (d > worst) worst = d;
    }
    cr_expect_gt(worst, 0, "float32 and float64 to the last bit: the same backend twice?");
    cr_expect_lt(loss_of(&want, STEPS - 1), 0.8 * loss_of(&want, 0), "nothing was learned");
    fprintf(stderr, "  %s, 20 SGD steps of 32: loss %.4f to %.4f, off by at most %.1e\n", model, loss_of(&want, 0),
            loss_of(&want, STEPS - 1), worst);
    scratch_remove();
}

Test(cuda_train, cnn_d_has_the_losses_of_the_reference, .timeout = 600) { expect_losses_of_reference("cnn-d"); }
Test(cuda_train, mlp_has_the_losses_of_the_reference, .timeout = 600) { expect_losses_of_reference("mlp"); }

Test(cuda_train, cnn_d_ends_in_the_same_bytes_however_it_runs, .timeout = 600) {
    static const char *const ways[][3] = {{"first", "staged", "false"},         {"again", "staged", "false"},
                                          {"staged", "staged", "true"},         {"resident", "resident", "false"},
                                          {"resident-ops", "resident", "true"}, {"plain", "plain", "false"},
                                          {"plain-ops", "plain", "true"}};
    char data[640];
    record first, r;
    if (!have_cuda()) return;
    const char *dir = scratch_make();
    make_data(dir, data, sizeof data);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        train(i ? &r : &first, "cnn-d", dir, data, ways[i][0], "cuda", ways[i][1], ways[i][2], FEW);
        if (i == 0) continue;
        expect_same_weights(dir, ways[0][0], ways[i][0]);
        cr_expect_eq(memcmp(&first, &r, sizeof r), 0, "%s: other losses", ways[i][0]);
    }
    scratch_remove();
}
