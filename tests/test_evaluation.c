/* test_evaluation.c - scores from a confusion matrix, by hand. */
#include <criterion/criterion.h>
#include <cuglyph/evaluation.h>
#include <cuglyph/graph.h>
#include <math.h>
#include <string.h>

#define NEAR(a, b) cr_expect(fabs((a) - (b)) <= 1e-12, "%.17g, expected %.17g", (double)(a), (double)(b))

Test(evaluation, scores_by_hand) {
    /* class 2 has no samples and is predicted once */
    const int64_t confusion[9] = {5, 1, 0, 2, 3, 1, 0, 0, 0};
    const cug_metrics m = {6.0, 8, 12};
    cug_evaluation e;
    cr_assert(cug_evaluation_make(&e, &m, confusion, 3) == CUG_OK);
    NEAR(e.loss, 0.5);
    NEAR(e.accuracy, 8.0 / 12);
    NEAR(e.per_class[0].precision, 5.0 / 7);
    NEAR(e.per_class[0].recall, 5.0 / 6);
    NEAR(e.per_class[0].f1, 10.0 / 13);
    NEAR(e.per_class[1].precision, 3.0 / 4);
    NEAR(e.per_class[1].recall, 3.0 / 6);
    NEAR(e.per_class[1].f1, 6.0 / 10);
    NEAR(e.per_class[2].precision, 0.0);
    NEAR(e.per_class[2].recall, 0.0);
    cr_expect_eq(e.per_class[2].support, 0);
    /* as scikit-learn has it, a class that is only predicted counts in the macro average */
    NEAR(e.macro.precision, (5.0 / 7 + 3.0 / 4) / 3);
    NEAR(e.macro.recall, (5.0 / 6 + 3.0 / 6) / 3);
    NEAR(e.macro.f1, (10.0 / 13 + 0.6) / 3);
    NEAR(e.micro.precision, 8.0 / 12);
    NEAR(e.micro.recall, 8.0 / 12);
    NEAR(e.micro.f1, 8.0 / 12);
    NEAR(e.weighted.precision, (6 * 5.0 / 7 + 6 * 3.0 / 4) / 12);
    NEAR(e.weighted.recall, 8.0 / 12);
    NEAR(e.weighted.f1, (6 * 10.0 / 13 + 6 * 0.6) / 12);
    cug_evaluation_free(&e);
}

Test(evaluation, wilson_interval) {
    double low, high;
    cug_wilson(9900, 10000, &low, &high); /* the published formula, evaluated with 30 digits */
    cr_expect(fabs(low - 0.9878530) < 1e-6 && fabs(high - 0.9917707) < 1e-6, "%.7f %.7f", low, high);
    cug_wilson(0, 10, &low, &high);
    cr_expect(low == 0 && fabs(high - 0.277533) < 1e-6, "%g %.7f", low, high);
    cug_wilson(10, 10, &low, &high);
    cr_expect(high == 1 && fabs(low - 0.722467) < 1e-6, "%.7f %g", low, high);
    cug_wilson(0, 0, &low, &high);
    cr_expect(low == 0 && high == 1);
}

Test(evaluation, a_class_that_never_occurs_is_no_part_of_the_macro_average) {
    const int64_t confusion[9] = {3, 1, 0, 0, 4, 0, 0, 0, 0};
    const cug_metrics m = {1.0, 7, 8};
    cug_evaluation e;
    cr_assert(cug_evaluation_make(&e, &m, confusion, 3) == CUG_OK);
    NEAR(e.macro.recall, (3.0 / 4 + 1) / 2);
    cug_evaluation_free(&e);
}

Test(evaluation, ranks_follow_the_first_maximum) {
    const double z[] = {1, 3, 3, -2, NAN};
    cr_expect_eq(cug_label_rank(z, 5, 1), 0);
    cr_expect_eq(cug_label_rank(z, 5, 2), 1, "the prediction is the first of equals");
    cr_expect_eq(cug_label_rank(z, 5, 0), 2);
    cr_expect_eq(cug_label_rank(z, 5, 3), 3);
    cr_expect_eq(cug_label_rank(z, 5, 4), 4, "NaN is never a hit");
}

Test(evaluation, probabilities_of_each_loss) {
    float p[3];
    const double three[] = {1, 2, 3}, far[] = {-2000, 1000, 0}, one[] = {0.25}, two[] = {1.5, -1}, none[] = {-1, 0};
    cug_probabilities(CUG_LOSS_SOFTMAX_XENT, three, 3, p);
    cr_expect(fabs(p[0] - .09003057) < 1e-7 && fabs(p[1] - .24472847) < 1e-7 && fabs(p[2] - .66524096) < 1e-7);
    cug_probabilities(CUG_LOSS_SOFTMAX_XENT, far, 3, p);
    cr_expect(p[0] == 0 && p[1] == 1 && p[2] == 0, "%g %g %g", p[0], p[1], p[2]);
    cug_probabilities(CUG_LOSS_BCE_LOGITS, one, 1, p);
    cr_expect(fabs(p[1] - .5621765) < 1e-7 && fabs(p[0] - .4378235) < 1e-7, "%g %g", p[0], p[1]);
    cug_probabilities(CUG_LOSS_BCE_LOGITS, two, 2, p);
    cr_expect(fabs(p[0] - .8175745 / (.8175745 + .2689414)) < 1e-6, "%g", p[0]);
    cug_probabilities(CUG_LOSS_MSE, one, 1, p);
    cr_expect(p[0] == .75f && p[1] == .25f);
    cug_probabilities(CUG_LOSS_MSE, two, 2, p);
    cr_expect(p[0] == 1 && p[1] == 0);
    cug_probabilities(CUG_LOSS_MSE, none, 2, p);
    cr_expect(p[0] == .5f && p[1] == .5f);
    const double bad[] = {1, NAN, 0};
    for (int loss = CUG_LOSS_SOFTMAX_XENT; loss <= CUG_LOSS_MSE; loss++) {
        memset(p, 0, sizeof p);
        cug_probabilities(loss, bad, 3, p);
        cr_expect(isnan(p[0]) && isnan(p[1]) && isnan(p[2]), "loss %d: %g %g %g", loss, p[0], p[1], p[2]);
    }
}

static cug_sample sample(int id, int right, float confidence, double loss) {
    return (cug_sample){
        .id = id, .label = 1, .predicted = right ? 1 : 0, .rank = !right, .p_predicted = confidence, .loss = loss};
}

/* Two samples of confidence .9 (one right), one of .55 (right), one of exactly 1/3 (wrong): three bins, by hand. */
Test(evaluation, calibration_error_by_hand) {
    cug_sample_scores s;
    cr_assert(cug_sample_scores_open(&s, 3, 0) == CUG_OK);
    cr_expect(isnan(cug_scores_calibration_error(&s)), "no samples, no error");
    const cug_sample all[] = {sample(0, 1, .9f, 0), sample(1, 0, .9f, 0), sample(2, 1, .55f, 0),
                              sample(3, 0, 5 / 15.f, 0)};
    for (int i = 0; i < 4; i++) cr_assert(cug_sample_scores_add(&s, &all[i]) == CUG_OK);
    cr_expect(s.bins[13].count == 2 && s.bins[13].correct == 1, ".9 lies in (13/15, 14/15]");
    cr_expect(s.bins[8].count == 1 && s.bins[8].correct == 1);
    cr_expect_eq(s.bins[5].count, 1, "1/3 in float32 lies just above 5/15");
    double third = (double)(5 / 15.f);
    cr_expect(fabs(cug_scores_calibration_error(&s) - (2 * .4 + .45 + third) / 4) < 1e-7, "%.9g",
              cug_scores_calibration_error(&s));
    cr_expect(cug_top_k(&s, 1) == .5 && cug_top_k(&s, 2) == 1 && cug_top_k(&s, 99) == 1);
    const cug_sample one = sample(4, 1, 1.f, 0), zero = sample(5, 0, 0.f, 0), nan = sample(6, 0, NAN, NAN);
    cr_assert(cug_sample_scores_add(&s, &one) == CUG_OK && cug_sample_scores_add(&s, &zero) == CUG_OK);
    cr_expect(s.bins[14].count == 1 && s.bins[0].count == 1);
    cr_assert(cug_sample_scores_add(&s, &nan) == CUG_OK);
    cr_expect(isnan(cug_scores_calibration_error(&s)), "NaN does not pass for calibrated");
    cug_sample_scores_free(&s);
}

Test(evaluation, the_worst_samples_in_order) {
    static const double loss[] = {.1, 5, NAN, .2, 5, 7, 0, .3};
    static const int want[] = {2, 5, 1, 4, 7};
    cug_sample_scores s;
    cr_assert(cug_sample_scores_open(&s, 2, 5) == CUG_OK);
    for (int i = 0; i < 8; i++) {
        const cug_sample x = sample(i, 1, .5f, loss[i]);
        cr_assert(cug_sample_scores_add(&s, &x) == CUG_OK);
    }
    cr_assert_eq(s.n_worst, 5);
    for (int i = 0; i < 5; i++) cr_expect_eq(s.worst[i].id, want[i], "place %d: sample %d", i, s.worst[i].id);
    cug_sample bad = sample(9, 1, .5f, 1);
    bad.rank = 2;
    cr_expect(cug_sample_scores_add(&s, &bad) == CUG_EDATA_LABEL);
    cr_expect_eq(s.count, 8);
    cug_sample_scores_free(&s);
    cr_expect(cug_sample_scores_open(&s, 2, -1) == CUG_EINVAL);
}

Test(evaluation, outputs_of_a_sample) {
    const double z[] = {0, 2, 1}, one[] = {-3};
    cug_sample s = {.id = 7, .label = 2, .predicted = 1};
    cr_assert(cug_sample_outputs(&s, CUG_LOSS_SOFTMAX_XENT, z, 3) == CUG_OK);
    cr_expect(s.rank == 1 && fabs(s.p_predicted - .66524096) < 1e-7 && fabs(s.p_label - .24472847) < 1e-7);
    s = (cug_sample){.label = 1, .predicted = 0};
    cr_assert(cug_sample_outputs(&s, CUG_LOSS_BCE_LOGITS, one, 1) == CUG_OK);
    cr_expect(s.rank == 1 && fabs(s.p_label - .04742587) < 1e-7, "%g", s.p_label);
    s.label = 2;
    cr_expect(cug_sample_outputs(&s, CUG_LOSS_BCE_LOGITS, one, 1) == CUG_EDATA_LABEL);
}
