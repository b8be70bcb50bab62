/* test_eval.c - evaluation of a run with each sample's outputs, the same on every backend of this build. */
#include <criterion/criterion.h>
#include <cuglyph/train.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/synthetic.h"

/* One run on the CPU, which every backend evaluates: the classes, or one output for two of them. */
static void make_run(synthetic *s, const char *model, const char *classes, char run[160]) {
    cug_config c;
    cug_train_result r;
    synthetic_make(s);
    synthetic_config(s, &c);
    cr_assert(cug_config_set(&c, "epochs", "1") == CUG_OK);
    if (model) cr_assert(cug_config_set(&c, "model", model) == CUG_OK);
    if (classes) cr_assert(cug_config_set(&c, "classes", classes) == CUG_OK);
    snprintf(run, 160, "%s/run", s->dir);
    const cug_train_request req = {.config = &c, .run_path = run};
    cr_assert(cug_train(&req, &r) == CUG_OK, "%s", cug_error());
    cug_config_free(&c);
}

static cug_eval_info info;

static int eval_on(const char *run, const char *device, int64_t batch, int worst, cug_evaluation *e,
                   cug_sample_scores *s) {
    const cug_eval_request req = {
        .run = run, .device = device, .eval_batch = batch, .threads = 2, .samples = s, .worst = worst};
    cug_status st = cug_eval(&req, e, &info);
    if (st == CUG_ENOTSUP || st == CUG_ECUDA) return 0; /* no such device here */
    cr_assert(st == CUG_OK, "%s: %s", device, cug_error());
    return 1;
}

/* What must hold of any evaluation that kept every sample. */
static void check_whole(const char *device, int xent, const cug_evaluation *e, const cug_sample_scores *s) {
    double loss = 0;
    int64_t right = 0;
    cr_assert_eq(s->count, e->count);
    cr_assert_eq(s->n_worst, e->count);
    for (int i = 0; i < s->n_worst; i++) {
        const cug_sample *x = &s->worst[i];
        loss += x->loss;
        right += x->label == x->predicted;
        cr_expect(i == 0 || x->loss <= x[-1].loss, "%s: place %d", device, i);
        cr_expect_eq(x->rank == 0, x->label == x->predicted, "%s: sample %d", device, x->id);
        if (xent)
            cr_expect(fabs(x->loss + log((double)x->p_label)) <= 1e-4 * (1 + x->loss),
                      "%s: cross-entropy %g of probability %g", device, x->loss, (double)x->p_label);
    }
    cr_expect_eq(right, e->correct, "%s", device);
    cr_expect_eq(cug_top_k(s, 1), e->accuracy, "%s: top-1 is the accuracy", device);
    cr_expect_eq(cug_top_k(s, e->classes), 1.0);
    cr_expect(fabs(loss - e->loss * (double)e->count) <= 1e-9 * loss, "%s: %.12g of %.12g", device, loss,
              e->loss * (double)e->count);
}

static void all_devices(const char *model, const char *classes) {
    synthetic s;
    char run[160];
    cug_evaluation want, e;
    cug_sample_scores ref, got;
    make_run(&s, model, classes, run);
    cr_assert(eval_on(run, "ref", 64, 1000, &want, &ref));
    check_whole("ref", !model, &want, &ref);
    static const char *const devices[] = {"cpu", "cuda"};
    for (int d = 0; d < 2; d++)
        for (int64_t batch = 7; batch <= 256; batch *= 6) { /* short last batches, and one of everything */
            if (!eval_on(run, devices[d], batch, 1000, &e, &got)) continue;
            check_whole(devices[d], !model, &e, &got);
            cr_expect_eq(e.correct, want.correct, "%s", devices[d]);
            cr_expect(fabs(cug_scores_calibration_error(&got) - cug_scores_calibration_error(&ref)) < 1e-4, "%s",
                      devices[d]);
            for (int i = 0; i < 5; i++) cr_expect_eq(got.worst[i].id, ref.worst[i].id, "%s, place %d", devices[d], i);
            cug_evaluation_free(&e);
            cug_sample_scores_free(&got);
        }
    cug_evaluation_free(&want);
    cug_sample_scores_free(&ref);
    synthetic_remove(&s);
}

Test(eval, samples_agree_on_every_backend) { all_devices(NULL, NULL); }
Test(eval, samples_of_one_output) { all_devices("input 10x10x1; flatten; linear 1; loss bce_logits", "0,2"); }
Test(eval, samples_under_squared_error) { all_devices("input 10x10x1; flatten; linear 4; loss mse", NULL); }

Test(eval, the_worst_samples_come_with_their_pictures) {
    synthetic s;
    char run[160];
    cug_evaluation e;
    cug_sample_scores got;
    cug_dataset *d = NULL;
    make_run(&s, NULL, NULL, run);
    cr_assert(eval_on(run, "cpu", 64, 9, &e, &got));
    cr_assert(cug_dataset_open(&d, s.data, NULL) == CUG_OK, "%s", cug_error());
    cr_assert_eq(got.n_worst, 9);
    size_t size = (size_t)got.H * (size_t)got.W * (size_t)got.C;
    cr_assert(got.H == SYNTHETIC_SIDE && got.W == SYNTHETIC_SIDE && got.C == 1);
    for (size_t i = 0; i < 9; i++) {
        const cug_sample *x = &got.worst[i];
        cr_expect_eq(memcmp(got.pixels + i * size, d->test.pixels + (size_t)x->id * size, size), 0);
        cr_expect_eq(x->label, d->test.labels[x->id]);
    }
    cug_dataset_free(d);
    cug_evaluation_free(&e);
    cug_sample_scores_free(&got);
    synthetic_remove(&s);
}
