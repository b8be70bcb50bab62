/* test_shape.c - op shapes: derived extents, limits, refusals. */
#include <criterion/criterion.h>
#include <cuglyph/backend.h>
#include <limits.h>
#include <math.h>

Test(shape, conv2d_extents) {
    static const struct {
        int h, r, stride, before, after, p;
    } cases[] = {{28, 3, 1, 0, 0, 26}, {28, 3, 1, 1, 1, 28}, {28, 5, 2, 2, 2, 14}, {8, 3, 2, 0, 1, 4},
                 {7, 7, 3, 0, 0, 1},   {5, 2, 3, 0, 0, 2},   {5, 3, 9, 0, 0, 1},   {1, 3, 1, 1, 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cug_conv2d_shape s = {
            1, cases[i].h, 9, 1, 1, cases[i].r, 2, cases[i].stride, 1, cases[i].before, cases[i].after, 0, 0, 0, 0};
        cr_expect_eq(cug_conv2d_shape_init(&s), CUG_OK);
        cr_expect_eq(s.P, cases[i].p, "case %zu: P %d", i, s.P);
        cr_expect_eq(s.Q, 8);
        cug_conv2d_shape t = {
            1, 9, cases[i].h, 1, 1, 2, cases[i].r, 1, cases[i].stride, 0, 0, cases[i].before, cases[i].after, 0, 0};
        cr_expect_eq(cug_conv2d_shape_init(&t), CUG_OK);
        cr_expect_eq(t.Q, cases[i].p, "case %zu: Q %d", i, t.Q);
    }
}

#define CONV_REFUSED(change)                                                                                           \
    do {                                                                                                               \
        cug_conv2d_shape s = {2, 8, 8, 3, 4, 3, 3, 1, 1, 0, 0, 0, 0, 0, 0};                                            \
        change;                                                                                                        \
        cr_expect_eq(cug_conv2d_shape_init(&s), CUG_EINVAL, "%s", #change);                                            \
    } while (0)

Test(shape, conv2d_refusals) {
    CONV_REFUSED(s.N = 0);
    CONV_REFUSED(s.H = -1);
    CONV_REFUSED(s.W = 0);
    CONV_REFUSED(s.C = 0);
    CONV_REFUSED(s.K = 0);
    CONV_REFUSED(s.R = 0);
    CONV_REFUSED(s.S = 0);
    CONV_REFUSED(s.stride_h = 0);
    CONV_REFUSED(s.stride_w = -2);
    CONV_REFUSED(s.pad_top = -1);
    CONV_REFUSED(s.pad_right = -1);
    CONV_REFUSED(s.R = 9);
    CONV_REFUSED(s.S = 9);
    CONV_REFUSED(s.N = INT_MAX);
    CONV_REFUSED(s.K = INT_MAX);
    CONV_REFUSED((s.H = INT_MAX, s.W = INT_MAX, s.C = INT_MAX));
    CONV_REFUSED((s.pad_top = INT_MAX, s.pad_bottom = INT_MAX));
    CONV_REFUSED((s.C = 1 << 14, s.H = s.W = 1 << 8, s.N = 2)); /* 2^31 elements exactly */
    cr_expect_eq(cug_conv2d_shape_init(NULL), CUG_EINVAL);
}

#define POOL_REFUSED(change)                                                                                           \
    do {                                                                                                               \
        cug_pool2d_shape s = {CUG_POOL_MAX, 2, 8, 8, 3, 3, 3, 2, 2, 1, 1, 1, 1, 0, 0};                                 \
        change;                                                                                                        \
        cr_expect_eq(cug_pool2d_shape_init(&s), CUG_EINVAL, "%s", #change);                                            \
    } while (0)

Test(shape, pool2d) {
    cug_pool2d_shape good = {CUG_POOL_AVG, 2, 8, 9, 3, 3, 3, 2, 2, 1, 1, 0, 0, 0, 0};
    cr_expect_eq(cug_pool2d_shape_init(&good), CUG_OK);
    cr_expect_eq(good.P, 4);
    cr_expect_eq(good.Q, 4);
    POOL_REFUSED(s.kind = (cug_pool_kind)2);
    POOL_REFUSED(s.N = 0);
    POOL_REFUSED(s.C = -3);
    POOL_REFUSED(s.R = 0);
    POOL_REFUSED(s.R = 16);
    POOL_REFUSED((s.S = 16, s.W = 20));
    POOL_REFUSED(s.stride_h = 0);
    POOL_REFUSED(s.pad_top = 3); /* a window of nothing but padding */
    POOL_REFUSED(s.pad_bottom = 3);
    POOL_REFUSED(s.pad_left = -1);
    POOL_REFUSED(s.pad_right = 3);
    POOL_REFUSED((s.H = 1, s.pad_top = 0, s.pad_bottom = 1));
    POOL_REFUSED((s.N = INT_MAX, s.C = INT_MAX));
    cr_expect_eq(cug_pool2d_shape_init(NULL), CUG_EINVAL);
}

Test(shape, linear) {
    cug_linear_shape good = {128, 784, 10}, bad[] = {{0, 1, 1},
                                                     {1, 0, 1},
                                                     {1, 1, 0},
                                                     {-1, 1, 1},
                                                     {1 << 16, 1 << 15, 1},
                                                     {1 << 16, 1, 1 << 15},
                                                     {1, 1 << 16, 1 << 15}};
    cr_expect_eq(cug_linear_shape_init(&good), CUG_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_eq(cug_linear_shape_init(&bad[i]), CUG_EINVAL, "case %zu", i);
    cr_expect_eq(cug_linear_shape_init(NULL), CUG_EINVAL);
}

Test(shape, dropout_threshold) {
    cr_expect_eq(cug_dropout_threshold(0), 0u);
    cr_expect_eq(cug_dropout_threshold(0.5), 0x80000000u);
    cr_expect_eq(cug_dropout_threshold(0.25), 0x40000000u);
    cr_expect_eq(cug_dropout_threshold(0.1), 429496730u); /* rounded, not cut */
    cr_expect_eq(cug_dropout_threshold(nextafter(1, 0)), UINT32_MAX);
}

Test(shape, optimizer_states) {
    cr_expect_eq(cug_opt_state_count(CUG_OPT_SGD), 0);
    cr_expect_eq(cug_opt_state_count(CUG_OPT_MOMENTUM), 1);
    cr_expect_eq(cug_opt_state_count(CUG_OPT_NESTEROV), 1);
    cr_expect_eq(cug_opt_state_count(CUG_OPT_ADAM), 2);
    cr_expect_eq(cug_opt_state_count(CUG_OPT_ADAMW), 2);
    cr_expect_eq(cug_opt_state_count(CUG_OPT_MUON), 2);
}
