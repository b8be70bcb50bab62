/* test_predict.c - a predictor answers as evaluation does, and for each image alone. */
#include <criterion/criterion.h>
#include <cuglyph/predict.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/synthetic.h"

static void make_run(synthetic *s, const char *device, int cropped, char run[160]) {
    cug_config c;
    cug_train_result r;
    synthetic_make(s);
    synthetic_config(s, &c);
    cr_assert(cug_config_set(&c, "epochs", "1") == CUG_OK);
    cr_assert(cug_config_set(&c, "device", device) == CUG_OK);
    if (cropped) {
        cr_assert(cug_config_set(&c, "crop", "1") == CUG_OK);
        cr_assert(cug_config_set(&c, "model", "input 8x8x1; conv 4 3x3; relu; flatten; linear 4") == CUG_OK);
    }
    snprintf(run, 160, "%s/run", s->dir);
    const cug_train_request req = {.config = &c, .run_path = run};
    cr_assert(cug_train(&req, &r) == CUG_OK, "%s", cug_error());
    cug_config_free(&c);
}

static void agrees(const char *trained_on, const char *device, int cropped) {
    static cug_eval_info info;
    synthetic s;
    char run[160];
    cug_evaluation e;
    cug_sample_scores all;
    cug_dataset *d = NULL;
    cug_predictor *m = NULL;
    make_run(&s, trained_on, cropped, run);
    const cug_predict_options opt = {.run = run, .device = device};
    cug_status st = cug_predictor_open(&m, &opt);
    if (st == CUG_ENOTSUP || st == CUG_ECUDA) {
        synthetic_remove(&s);
        cr_skip_test("no such device here");
    }
    cr_assert(st == CUG_OK, "%s", cug_error());
    const cug_eval_request req = {.run = run, .device = device, .samples = &all, .worst = SYNTHETIC_TEST};
    cr_assert(cug_eval(&req, &e, &info) == CUG_OK, "%s", cug_error());
    cr_assert(cug_dataset_open(&d, s.data, NULL) == CUG_OK, "%s", cug_error());

    const cug_predictor_info *about = cug_predictor_about(m);
    size_t n = (size_t)d->test.count, size = SYNTHETIC_SIDE * SYNTHETIC_SIDE;
    cr_assert(about->H == SYNTHETIC_SIDE && about->W == SYNTHETIC_SIDE && about->C == 1);
    cr_assert_eq(about->classes, SYNTHETIC_CLASSES);
    cr_expect_str_eq(about->class_names[2], "2");
    float *p = malloc(n * SYNTHETIC_CLASSES * sizeof *p), alone[SYNTHETIC_CLASSES];
    int32_t *got = malloc(n * sizeof *got), one;
    cr_assert(cug_predict(m, d->test.pixels, n, p, got) == CUG_OK, "%s", cug_error());
    for (int i = 0; i < all.n_worst; i++) {
        const cug_sample *x = &all.worst[i];
        const float *mine = p + x->id * SYNTHETIC_CLASSES;
        cr_expect_eq(got[x->id], x->predicted, "image %d", x->id);
        cr_expect(fabsf(mine[x->label] - x->p_label) <= 1e-5f, "image %d: %g and %g", x->id, (double)mine[x->label],
                  (double)x->p_label);
    }
    for (size_t i = 0; i < n; i += 37) {
        cr_assert(cug_predict(m, d->test.pixels + i * size, 1, alone, &one) == CUG_OK);
        cr_expect_eq(one, got[i]);
        cr_expect_eq(memcmp(alone, p + i * SYNTHETIC_CLASSES, sizeof alone), 0,
                     "image %zu is answered the same whatever stands beside it", i);
    }
    free(p);
    free(got);
    cug_predictor_close(m);
    cug_dataset_free(d);
    cug_sample_scores_free(&all);
    cug_evaluation_free(&e);
    synthetic_remove(&s);
}

static void agrees_with_evaluation(const char *trained_on, const char *device) { agrees(trained_on, device, 0); }

Test(predict, takes_whole_images_where_a_run_crops_them) { agrees("cpu", NULL, 1); }
Test(predict, agrees_with_evaluation_on_cpu) { agrees_with_evaluation("cpu", NULL); }
Test(predict, agrees_with_evaluation_on_cuda) { agrees_with_evaluation("cpu", "cuda"); }
Test(predict, a_float64_run_on_ref_and_narrowed_to_cpu) {
    agrees_with_evaluation("ref", NULL);
    agrees_with_evaluation("ref", "cpu");
}

Test(predict, what_is_no_run_is_refused) {
    cug_predictor *m = NULL;
    const cug_predict_options none = {.run = "/nonexistent/run"}, nothing = {.run = "/dev/null"};
    cr_expect(cug_predictor_open(&m, &none) != CUG_OK && !m);
    cr_expect(strstr(cug_error(), "/nonexistent/run"), "%s", cug_error());
    cr_expect(cug_predictor_open(&m, &nothing) != CUG_OK && !m);
    cug_predictor_close(NULL);
}
