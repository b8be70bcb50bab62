/* test_schedule.c - learning rates at their closed forms. */
#include <criterion/criterion.h>
#include <cuglyph/schedule.h>
#include <math.h>

static cug_schedule make(cug_schedule_kind kind, double lr, uint64_t total, uint64_t per_epoch) {
    cug_schedule s;
    cug_schedule_defaults(&s, kind);
    s.lr = lr;
    s.total_steps = total;
    s.steps_per_epoch = per_epoch;
    cr_assert_eq(cug_schedule_check(&s), CUG_OK, "%s", cug_error());
    return s;
}

static void expect(const cug_schedule *s, uint64_t t, double want) {
    double got = cug_schedule_lr(s, t);
    cr_expect(fabs(got - want) <= 1e-13 * fabs(want) + 1e-18, "%s at step %llu: %.17g, not %.17g",
              cug_schedule_name(s->kind), (unsigned long long)t, got, want);
}

Test(schedule, defaults) {
    cug_schedule s;
    cug_schedule_defaults(&s, CUG_SCHED_ONECYCLE);
    cr_expect_eq(s.kind, CUG_SCHED_ONECYCLE);
    cr_expect_eq(s.pct, 0.3);
    cr_expect_eq(s.div, 25);
    cr_expect_eq(s.final_div, 1e4);
    cr_expect_eq(s.gamma, 0.1);
    cr_expect_eq(s.step_epochs, 1);
    cr_expect_eq(s.min_lr, 0);
    cr_expect_eq(s.warmup_steps, 0);
}

Test(schedule, constant) {
    cug_schedule s = make(CUG_SCHED_CONSTANT, 0.01, 100, 10);
    expect(&s, 0, 0.01);
    expect(&s, 50, 0.01);
    expect(&s, 99, 0.01);
    expect(&s, 1000000, 0.01);
}

Test(schedule, warm_up) {
    static const cug_schedule_kind kinds[] = {CUG_SCHED_CONSTANT, CUG_SCHED_STEP, CUG_SCHED_COSINE};
    for (int i = 0; i < 3; i++) {
        cug_schedule s = make(kinds[i], 0.2, 100, 50);
        s.warmup_steps = 4;
        expect(&s, 0, 0.05);
        expect(&s, 1, 0.10);
        expect(&s, 2, 0.15);
        expect(&s, 3, 0.2);
        expect(&s, 4, 0.2); /* the schedule itself begins at its peak */
    }
}

Test(schedule, step) {
    cug_schedule s = make(CUG_SCHED_STEP, 1, 60, 10);
    expect(&s, 0, 1);
    expect(&s, 9, 1);
    expect(&s, 10, 0.1);
    expect(&s, 59, 1e-5);
    expect(&s, 60, 1e-5); /* past the end: the last step's */
    s.step_epochs = 2;
    s.gamma = 0.5;
    expect(&s, 19, 1);
    expect(&s, 20, 0.5);
    expect(&s, 45, 0.25);
}

Test(schedule, cosine) {
    cug_schedule s = make(CUG_SCHED_COSINE, 0.3, 100, 10);
    expect(&s, 0, 0.3);
    expect(&s, 25, 0.15 * (1 + sqrt(0.5)));
    expect(&s, 50, 0.15);
    expect(&s, 99, 0.15 * (1 + cos(acos(-1) * 0.99)));
    expect(&s, 100, 0.15 * (1 + cos(acos(-1) * 0.99)));
    s.min_lr = 0.1;
    s.warmup_steps = 20;
    expect(&s, 20, 0.3);
    expect(&s, 60, 0.2);  /* half of the 80 steps after warm-up */
    s.warmup_steps = 100; /* nothing but warm-up */
    expect(&s, 99, 0.3);
}

/* PyTorch 2: OneCycleLR(max_lr=0.01, total_steps=10) has phases that end at steps 2 and 9. */
Test(schedule, onecycle) {
    cug_schedule s = make(CUG_SCHED_ONECYCLE, 0.01, 10, 5);
    const double first = 0.01 / 25, last = first / 1e4, pi = acos(-1);
    expect(&s, 0, first);
    expect(&s, 1, (0.01 + first) / 2);
    expect(&s, 2, 0.01);
    expect(&s, 3, last + (0.01 - last) / 2 * (1 + cos(pi / 7)));
    expect(&s, 9, last);
    expect(&s, 11, last);
    cug_schedule l = make(CUG_SCHED_ONECYCLE_LINEAR, 0.01, 10, 5);
    expect(&l, 0, first);
    expect(&l, 1, (0.01 + first) / 2);
    expect(&l, 2, 0.01);
    expect(&l, 3, 0.01 + (last - 0.01) / 7);
    expect(&l, 9, last);
}

/* pct * total - 1 need not be a whole step: 0.25 * 15 - 1 = 2.75. */
Test(schedule, onecycle_between_steps) {
    cug_schedule s = make(CUG_SCHED_ONECYCLE_LINEAR, 1, 15, 5);
    s.pct = 0.25;
    s.div = 10;
    s.final_div = 10;
    expect(&s, 2, 0.1 + 0.9 * 2 / 2.75);
    expect(&s, 3, 1 + (0.01 - 1) * (3 - 2.75) / (14 - 2.75));
    expect(&s, 14, 0.01);
}

/* Degenerate runs still give finite, positive rates. */
Test(schedule, short_runs) {
    for (int kind = CUG_SCHED_CONSTANT; kind <= CUG_SCHED_ONECYCLE_LINEAR; kind++)
        for (uint64_t total = 1; total <= 5; total++)
            for (int pct = 0; pct <= 10; pct += 5) {
                cug_schedule s = make(kind, 0.1, total, 1);
                s.pct = pct / 10.0;
                cr_assert_eq(cug_schedule_check(&s), CUG_OK);
                for (uint64_t t = 0; t < total + 2; t++) {
                    double lr = cug_schedule_lr(&s, t);
                    cr_expect(lr > 0 && lr <= 0.1 * (1 + 1e-15), "%s total %llu pct %g step %llu: %g",
                              cug_schedule_name(kind), (unsigned long long)total, s.pct, (unsigned long long)t, lr);
                }
            }
}

Test(schedule, names) {
    for (int kind = CUG_SCHED_CONSTANT; kind <= CUG_SCHED_ONECYCLE_LINEAR; kind++)
        cr_expect_eq(cug_schedule_find(cug_schedule_name(kind)), kind);
    cr_expect_str_eq(cug_schedule_name(CUG_SCHED_ONECYCLE_LINEAR), "onecycle-linear");
    cr_expect_eq(cug_schedule_find("cosin"), -1);
    cr_expect_eq(cug_schedule_find(""), -1);
    cr_expect_eq(cug_schedule_find(NULL), -1);
    cr_expect_not_null(cug_schedule_name((cug_schedule_kind)99));
}

#define REFUSED(kind_, change)                                                                                         \
    do {                                                                                                               \
        cug_schedule s = make(kind_, 0.1, 100, 10);                                                                    \
        change;                                                                                                        \
        cr_expect_eq(cug_schedule_check(&s), CUG_EINVAL, "%s", #change);                                               \
    } while (0)

Test(schedule, refusals) {
    REFUSED(CUG_SCHED_CONSTANT, s.lr = 0);
    REFUSED(CUG_SCHED_CONSTANT, s.lr = -1);
    REFUSED(CUG_SCHED_CONSTANT, s.lr = NAN);
    REFUSED(CUG_SCHED_CONSTANT, s.lr = INFINITY);
    REFUSED(CUG_SCHED_CONSTANT, s.kind = (cug_schedule_kind)7);
    REFUSED(CUG_SCHED_CONSTANT, s.kind = (cug_schedule_kind)-1);
    REFUSED(CUG_SCHED_CONSTANT, s.warmup_steps = 101);
    REFUSED(CUG_SCHED_STEP, s.gamma = 0);
    REFUSED(CUG_SCHED_STEP, s.gamma = 1.5);
    REFUSED(CUG_SCHED_STEP, s.gamma = NAN);
    REFUSED(CUG_SCHED_STEP, s.step_epochs = 0);
    REFUSED(CUG_SCHED_STEP, s.steps_per_epoch = 0);
    REFUSED(CUG_SCHED_COSINE, s.min_lr = -0.1);
    REFUSED(CUG_SCHED_COSINE, s.min_lr = 0.2);
    REFUSED(CUG_SCHED_COSINE, s.min_lr = NAN);
    REFUSED(CUG_SCHED_COSINE, s.total_steps = 0);
    REFUSED(CUG_SCHED_ONECYCLE, s.total_steps = 0);
    REFUSED(CUG_SCHED_ONECYCLE, s.pct = -0.1);
    REFUSED(CUG_SCHED_ONECYCLE, s.pct = 1.1);
    REFUSED(CUG_SCHED_ONECYCLE, s.pct = NAN);
    REFUSED(CUG_SCHED_ONECYCLE, s.div = 0);
    REFUSED(CUG_SCHED_ONECYCLE, s.div = NAN);
    REFUSED(CUG_SCHED_ONECYCLE_LINEAR, s.final_div = -1);
    REFUSED(CUG_SCHED_ONECYCLE_LINEAR, s.final_div = INFINITY);
    REFUSED(CUG_SCHED_ONECYCLE, s.warmup_steps = 1);
    cr_expect_eq(cug_schedule_check(NULL), CUG_EINVAL);
}
