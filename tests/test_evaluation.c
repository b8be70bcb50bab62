/* test_evaluation.c - scores from a confusion matrix, by hand. */
#include <criterion/criterion.h>
#include <cuglyph/train.h>
#include <math.h>

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
    NEAR(e.macro_f1, (10.0 / 13 + 0.6) / 2);
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
