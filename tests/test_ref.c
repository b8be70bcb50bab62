/* test_ref.c - the reference against values worked out by hand, and against itself for its manners: guards, aliasing,
 * refusals, the same bits twice. */
#include "support/op_tests.h"
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const cug_backend *const ref = &cug_backend_ref;

#define T(v) cug_tensor1(v, CUG_F64, (int)(sizeof(v) / sizeof(double)))
#define TI(v) cug_tensor1(v, CUG_I32, (int)(sizeof(v) / sizeof(int32_t)))
#define TB(v) cug_tensor1(v, CUG_U8, (int)sizeof(v))

static void expect_close(const char *what, const double *got, const double *want, size_t n, double tol) {
    for (size_t i = 0; i < n; i++)
        cr_expect(isnan(want[i]) ? isnan(got[i]) : fabs(got[i] - want[i]) <= tol, "%s[%zu]: %.12g, not %.12g", what, i,
                  got[i], want[i]);
}

Test(ref, manners) {
    for (int i = 0; i < OP_TESTS; i++) {
        op_world w;
        cr_assert_eq(op_open(&w, stderr, 1, CUG_PREC_FP32), 0);
        op_tests[i].run(&w);
        int failures = op_summary(&w, op_tests[i].name);
        op_close(&w);
        cr_expect_eq(failures, 0, "%s: %d failures", op_tests[i].name, failures);
    }
}

/* x = 1..9 in a 3x3 image, w = 2x2 {1,2;3,4}: cross-correlation, so w is not flipped. */
Test(ref, conv2d_by_hand) {
    double x[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, w[4] = {1, 2, 3, 4}, b[1] = {10}, y[4];
    cug_conv2d_shape s = {1, 3, 3, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 0, 0};
    cr_assert_eq(cug_conv2d_shape_init(&s), CUG_OK);
    cug_tensor ty = T(y), tx = T(x), tw = T(w), tb = T(b);
    cr_assert_eq(ref->conv2d->fwd(&ty, &tx, &tw, &tb, &s, NULL), CUG_OK);
    expect_close("y", y, (double[]){47, 57, 77, 87}, 4, 0);
    double dy[4] = {1, 0, 0, -1}, dx[9], dw[4], db[1];
    cug_tensor tdy = T(dy), tdx = T(dx), tdw = T(dw), tdb = T(db);
    cr_assert_eq(ref->conv2d->bwd(&tdx, &tdw, &tdb, &tdy, &tx, &tw, &s, 0, NULL), CUG_OK);
    expect_close("dx", dx, (double[]){1, 2, 0, 3, 3, -2, 0, -3, -4}, 9, 0);
    expect_close("dw", dw, (double[]){-4, -4, -4, -4}, 4, 0);
    expect_close("db", db, (double[]){0}, 1, 0);
}

/* Padding on the left and at the bottom only, stride 2 across, two channels, two filters. */
Test(ref, conv2d_padding_and_channels) {
    double x[8] = {1, 10, 2, 20, 3, 30, 4, 40};          /* 2x2x2: channel 1 is ten times channel 0 */
    double w[12] = {1, 0, 2, 0, 3, 0, 0, 1, 0, 2, 0, 3}; /* K 2, R 1, S 3, C 2 */
    cug_conv2d_shape s = {1, 2, 2, 2, 2, 1, 3, 1, 2, 0, 1, 2, 0, 0, 0};
    cr_assert_eq(cug_conv2d_shape_init(&s), CUG_OK);
    cr_assert(s.P == 3 && s.Q == 1);
    double out[6];
    cug_tensor ty = cug_tensor1(out, CUG_F64, 6), tx = T(x), tw = T(w);
    cr_assert_eq(ref->conv2d->fwd(&ty, &tx, &tw, NULL, &s, NULL), CUG_OK);
    expect_close("y", out, (double[]){3, 30, 9, 90, 0, 0}, 6, 0); /* only the third tap meets a real pixel */
}

Test(ref, max_pool_ties_and_nan) {
    double x[16] = {1, 1, 2, 3, 1, 1, 3, 3, NAN, 5, -INFINITY, -INFINITY, NAN, 9, -INFINITY, -INFINITY}, y[4];
    uint8_t argmax[4];
    cug_pool2d_shape s = {CUG_POOL_MAX, 1, 4, 4, 1, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0};
    cr_assert_eq(cug_pool2d_shape_init(&s), CUG_OK);
    cug_tensor ty = T(y), tx = T(x), ta = TB(argmax);
    cr_assert_eq(ref->pool2d->fwd(&ty, &ta, &tx, &s, NULL), CUG_OK);
    cr_expect(y[0] == 1 && argmax[0] == 0, "the first of equal values wins");
    cr_expect(y[1] == 3 && argmax[1] == 1, "%g from %d", y[1], argmax[1]);
    cr_expect(isnan(y[2]) && argmax[2] == 0, "the first NaN wins");
    cr_expect(y[3] == -INFINITY && argmax[3] == 0, "-Inf is a value like any other");
    double dy[4] = {1, 2, 3, 4}, dx[16];
    cug_tensor tdy = T(dy), tdx = T(dx);
    cr_assert_eq(ref->pool2d->bwd(&tdx, &tdy, &ta, &s, 0, NULL), CUG_OK);
    expect_close("dx", dx, (double[]){1, 0, 0, 2, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0, 0}, 16, 0);
}

/* A late NaN takes over from a number, and a still later one does not take over from it. */
Test(ref, max_pool_late_nan) {
    double x[4] = {7, NAN, 9, NAN}, y[1];
    uint8_t argmax[1];
    cug_pool2d_shape s = {CUG_POOL_MAX, 1, 2, 2, 1, 2, 2, 1, 1, 0, 0, 0, 0, 0, 0};
    cr_assert_eq(cug_pool2d_shape_init(&s), CUG_OK);
    cug_tensor ty = T(y), tx = T(x), ta = TB(argmax);
    cr_assert_eq(ref->pool2d->fwd(&ty, &ta, &tx, &s, NULL), CUG_OK);
    cr_expect(isnan(y[0]) && argmax[0] == 1);
}

/* Padding never wins (all values negative) and is not counted in a mean. */
Test(ref, pool_padding) {
    double x[4] = {-1, -2, -3, -4}, y[9];
    uint8_t argmax[9];
    cug_pool2d_shape s = {CUG_POOL_MAX, 1, 2, 2, 1, 2, 2, 1, 1, 1, 1, 1, 1, 0, 0};
    cr_assert_eq(cug_pool2d_shape_init(&s), CUG_OK);
    cug_tensor ty = T(y), tx = T(x), ta = TB(argmax);
    cr_assert_eq(ref->pool2d->fwd(&ty, &ta, &tx, &s, NULL), CUG_OK);
    expect_close("max", y, (double[]){-1, -1, -2, -1, -1, -2, -3, -3, -4}, 9, 0);
    cr_expect(!memcmp(argmax, (uint8_t[]){3, 2, 2, 1, 0, 0, 1, 0, 0}, 9));
    s.kind = CUG_POOL_AVG;
    cr_assert_eq(ref->pool2d->fwd(&ty, NULL, &tx, &s, NULL), CUG_OK);
    expect_close("mean", y, (double[]){-1, -1.5, -2, -2, -2.5, -3, -3, -3.5, -4}, 9, 0);
    double dy[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, dx[4] = {100, 100, 100, 100};
    cug_tensor tdy = T(dy), tdx = T(dx);
    cr_assert_eq(ref->pool2d->bwd(&tdx, &tdy, NULL, &s, CUG_ACC_DX, NULL), CUG_OK);
    expect_close("dx", dx, (double[]){105.25, 108.25, 114.25, 117.25}, 4, 0);
}

Test(ref, linear_by_hand) {
    double x[6] = {1, 2, 3, 4, 5, 6}, w[6] = {1, 0, -1, 2, 2, 2}, b[2] = {0.5, -0.5}, y[4];
    cug_linear_shape s = {2, 3, 2};
    cug_tensor tx = T(x), tw = T(w), tb = T(b), ty = T(y);
    cr_assert_eq(ref->linear->fwd(&ty, &tx, &tw, &tb, &s, NULL), CUG_OK);
    expect_close("y", y, (double[]){-1.5, 11.5, -1.5, 29.5}, 4, 0);
    double dy[4] = {1, 2, 3, 4}, dx[6], dw[6] = {1, 1, 1, 1, 1, 1}, db[2] = {1, 1};
    cug_tensor tdy = T(dy), tdx = T(dx), tdw = T(dw), tdb = T(db);
    cr_assert_eq(ref->linear->bwd(&tdx, &tdw, &tdb, &tdy, &tx, &tw, &s, CUG_ACC_DW, NULL), CUG_OK);
    expect_close("dx", dx, (double[]){5, 4, 3, 11, 8, 5}, 6, 0);
    expect_close("dw", dw, (double[]){14, 18, 22, 19, 25, 31}, 6, 0);
    expect_close("db", db, (double[]){5, 7}, 2, 0);
}

Test(ref, activation_values) {
    double x[6] = {-2, -0.0, 0.5, NAN, 1000, -1000}, y[6];
    cug_tensor tx = T(x), ty = T(y);
    cug_activation_shape s = {CUG_ACT_RELU, 0, 6};
    cr_assert_eq(ref->activation->fwd(&ty, &tx, &s, NULL), CUG_OK);
    expect_close("relu", y, (double[]){0, 0, 0.5, NAN, 1000, 0}, 6, 0);
    s = (cug_activation_shape){CUG_ACT_LEAKY_RELU, 0.25f, 6};
    cr_assert_eq(ref->activation->fwd(&ty, &tx, &s, NULL), CUG_OK);
    expect_close("leaky", y, (double[]){-0.5, 0, 0.5, NAN, 1000, -250}, 6, 0);
    s.kind = CUG_ACT_SIGMOID;
    cr_assert_eq(ref->activation->fwd(&ty, &tx, &s, NULL), CUG_OK);
    expect_close("sigmoid", y, (double[]){0.11920292202211755, 0.5, 0.6224593312018546, NAN, 1, 0}, 6, 1e-15);
    s.kind = CUG_ACT_TANH;
    cr_assert_eq(ref->activation->fwd(&ty, &tx, &s, NULL), CUG_OK);
    expect_close("tanh", y, (double[]){-0.9640275800758169, 0, 0.46211715726000973, NAN, 1, -1}, 6, 1e-15);
    s.kind = CUG_ACT_SILU; /* x times the sigmoid above */
    cr_assert_eq(ref->activation->fwd(&ty, &tx, &s, NULL), CUG_OK);
    expect_close("silu", y, (double[]){-0.2384058440442351, 0, 0.3112296656009273, NAN, 1000, 0}, 6, 1e-15);
    s.kind = CUG_ACT_GELU; /* x times the normal distribution: Phi(-2) = 0.02275..., Phi(0.5) = 0.69146... */
    cr_assert_eq(ref->activation->fwd(&ty, &tx, &s, NULL), CUG_OK);
    expect_close("gelu", y, (double[]){-0.0455002638963584, 0, 0.34573123063700656, NAN, 1000, 0}, 6, 1e-15);
}

Test(ref, activations_that_read_x_have_their_limits) {
    double x[3] = {INFINITY, -INFINITY, NAN}, dy[3] = {2, 2, 2}, y[3], dx[3];
    cug_tensor tx = T(x), ty = T(y), tdy = T(dy), tdx = T(dx);
    for (cug_act_kind kind = CUG_ACT_SILU; kind <= CUG_ACT_GELU; kind++) {
        cug_activation_shape s = {kind, 0, 3};
        cr_assert_eq(ref->activation->fwd(&ty, &tx, &s, NULL), CUG_OK);
        cr_expect(isinf(y[0]) && y[0] > 0 && y[1] == 0 && isnan(y[2]), "%g %g %g", y[0], y[1], y[2]);
        cr_assert_eq(ref->activation->bwd(&tdx, &tdy, &tx, &s, 0, NULL), CUG_OK);
        expect_close("gradients", dx, (double[]){2, 0, NAN}, 3, 0);
    }
}

/* --- losses ------------------------------------------------------------------------------------------------------- */

typedef struct {
    double loss[2], dz[6];
    int32_t pred[2];
} loss_result;

static loss_result run_loss(const cug_loss_ops *op, const double *z, int32_t a, int32_t b, int K, float smoothing) {
    loss_result r;
    int32_t labels[2] = {a, b};
    cug_loss_shape s = {2, K, smoothing};
    double copy[6];
    memcpy(copy, z, sizeof(double) * 2 * (size_t)K);
    cug_tensor loss = T(r.loss), dz = cug_tensor1(r.dz, CUG_F64, 2 * K), pred = TI(r.pred), lab = TI(labels);
    cug_tensor tz = cug_tensor1(copy, CUG_F64, 2 * K);
    cr_assert_eq(op->fwd_bwd(&loss, &dz, &pred, &tz, &lab, &s, NULL), CUG_OK, "%s", cug_error());
    return r;
}

/* softmax(1,2,3) = .09003 .24473 .66524. */
Test(ref, softmax_by_hand) {
    const double z[6] = {1, 2, 3, 3, 3, 1}, p[3] = {0.09003057317038046, 0.24472847105479767, 0.6652409557748219};
    loss_result r = run_loss(ref->softmax_xent, z, 2, 0, 3, 0);
    expect_close("loss", r.loss, (double[]){-log(p[2]), log(2 + exp(-2))}, 2, 1e-15);
    expect_close("dz", r.dz, (double[]){p[0] / 2, p[1] / 2, (p[2] - 1) / 2}, 3, 1e-15);
    cr_expect(r.pred[0] == 2 && r.pred[1] == 0, "%d %d", r.pred[0], r.pred[1]); /* 3 and 3 tie: the first */
    r = run_loss(ref->softmax_xent, z, 2, 0, 3, 0.3f);
    const double e = (double)0.3f, lse = 3 - log(p[2]);
    cr_expect_float_eq(r.loss[0], lse - (1 - e) * 3 - e * 2, 1e-14); /* the mean of the logits is 2 */
    expect_close("dz", r.dz, (double[]){(p[0] - e / 3) / 2, (p[1] - e / 3) / 2, (p[2] - 1 + e - e / 3) / 2}, 3, 1e-15);
}

Test(ref, softmax_of_large_logits) {
    const double z[6] = {1e4, 0, -1e4, -1e308, 1e308, 0};
    loss_result r = run_loss(ref->softmax_xent, z, 1, 1, 3, 0);
    expect_close("loss", r.loss, (double[]){1e4, 0}, 2, 0);
    expect_close("dz", r.dz, (double[]){0.5, -0.5, 0, 0, 0, 0}, 6, 0);
}

Test(ref, bce_by_hand) {
    const double s1 = 1 / (1 + exp(-1.0)), z[2] = {1, -800};
    loss_result r = run_loss(ref->bce_logits, z, 1, 1, 1, 0);
    expect_close("loss", r.loss, (double[]){-log(s1), 800}, 2, 1e-12);
    expect_close("dz", r.dz, (double[]){(s1 - 1) / 2, -0.5}, 2, 1e-15);
    cr_expect(r.pred[0] == 1 && r.pred[1] == 0);
    r = run_loss(ref->bce_logits, z, 0, 0, 1, 0.5f); /* smoothed targets .25 */
    expect_close("loss", r.loss, (double[]){-0.25 * log(s1) - 0.75 * log(1 - s1), 200}, 2, 1e-12);
    const double z2[4] = {1, -1, 0, 0}; /* two questions each */
    r = run_loss(ref->bce_logits, z2, 0, 1, 2, 0);
    expect_close("loss", r.loss, (double[]){-log(s1), log(2)}, 2, 1e-15);
    expect_close("dz", r.dz, (double[]){(s1 - 1) / 4, (1 - s1) / 4, 0.125, -0.125}, 4, 1e-15);
}

Test(ref, mse_by_hand) {
    const double z[4] = {0.5, 0.25, -1, 2};
    loss_result r = run_loss(ref->mse, z, 0, 1, 2, 0);
    expect_close("loss", r.loss, (double[]){(0.25 + 0.0625) / 2, (1 + 1) / 2.0}, 2, 0);
    expect_close("dz", r.dz, (double[]){-0.25, 0.125, -0.5, 0.5}, 4, 0);
    r = run_loss(ref->mse, (double[]){0.5, 0.75}, 0, 1, 1, 0);
    cr_expect(r.pred[0] == 0 && r.pred[1] == 1, "one output is read against 0.5");
    expect_close("loss", r.loss, (double[]){0.25, 0.0625}, 2, 0);
}

Test(ref, losses_refuse_labels) {
    const cug_loss_ops *all[3] = {ref->softmax_xent, ref->bce_logits, ref->mse};
    for (int k = 0; k < 3; k++) {
        loss_result r = run_loss(all[k], (double[]){1, 2, 3, 1, NAN, 3}, 3, 1, 3, 0.1f);
        cr_expect(isnan(r.loss[0]) && isnan(r.loss[1]), "loss %d", k);
        expect_close("dz", r.dz, (double[]){0, 0, 0}, 3, 0);
    }
    loss_result r = run_loss(ref->bce_logits, (double[]){1, 2}, 2, -1, 1, 0);
    cr_expect(isnan(r.loss[0]) && isnan(r.loss[1]) && r.dz[0] == 0 && r.dz[1] == 0);
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

/* About p of the elements are dropped, the rest scaled; another step, sample or layer drops others; the same the same.
 */
Test(ref, dropout_statistics) {
    enum { N = 40, F = 1000 };
    static double x[N * F], y[3][N * F];
    int32_t ids[N];
    for (int i = 0; i < N * F; i++) x[i] = 1;
    for (int i = 0; i < N; i++) ids[i] = i * 17;
    cug_step step = {.seed = 11, .step = 0};
    cug_dropout_shape s = {N, F, cug_dropout_threshold(0.3), (float)(1 / 0.7), 2};
    cug_tensor tx = T(x), ti = TI(ids);
    for (int k = 0; k < 3; k++) {
        cug_tensor ty = T(y[k]);
        if (k == 1) step.step = 1;
        if (k == 2) step.step = 0, s.node = 3;
        cr_assert_eq(ref->dropout->fwd(&ty, &tx, &ti, &step, &s, NULL), CUG_OK);
        int dropped = 0, same = 0, rows = 0;
        for (int i = 0; i < N * F; i++) {
            cr_assert(y[k][i] == 0 || y[k][i] == (double)s.scale);
            dropped += y[k][i] == 0;
            same += y[k][i] == y[0][i];
            if (i >= F) rows += y[k][i] == y[k][i - F];
        }
        cr_expect_float_eq(dropped / (double)(N * F), 0.3, 0.0115); /* 5 standard errors */
        if (k)
            cr_expect_float_eq(same / (double)(N * F), 0.7 * 0.7 + 0.3 * 0.3, 0.0125); /* as independent ones agree */
        cr_expect_float_eq(rows / (double)((N - 1) * F), 0.58, 0.0127);
    }
    double one[4 * F], again[4 * F]; /* a batch in another order drops the same of each sample */
    int32_t reversed[4] = {ids[3], ids[2], ids[1], ids[0]};
    cug_tensor t1 = T(one), t2 = T(again), tx4 = cug_tensor1(x, CUG_F64, 4 * F), tr = TI(reversed);
    cug_tensor ti4 = cug_tensor1(ids, CUG_I32, 4);
    s.N = 4;
    cr_assert_eq(ref->dropout->fwd(&t1, &tx4, &ti4, &step, &s, NULL), CUG_OK);
    cr_assert_eq(ref->dropout->fwd(&t2, &tx4, &tr, &step, &s, NULL), CUG_OK);
    for (int i = 0; i < 4; i++) cr_expect(!memcmp(one + i * F, again + (3 - i) * F, F * sizeof(double)));
}

/* float32 backends owe the exact value rounded once: what one fused multiply-add gives. */
Test(ref, normalize_rounds_once) {
    uint8_t u[256];
    double y[256];
    static const float kinds[3][2] = {{1 / 255.0f, 0}, {2 / 255.0f, -1}, {0.012727573f, -0.42406926f}};
    for (int i = 0; i < 256; i++) u[i] = (uint8_t)i;
    for (int k = 0; k < 3; k++) {
        cug_normalize_shape s = {256, kinds[k][0], kinds[k][1]};
        cug_tensor tu = TB(u), ty = T(y);
        cr_assert_eq(ref->normalize->fwd(&ty, &tu, &s, NULL), CUG_OK);
        for (int i = 0; i < 256; i++)
            cr_expect_eq((float)y[i], fmaf(kinds[k][0], (float)i, kinds[k][1]), "kind %d, pixel %d", k, i);
    }
}

Test(ref, metrics_by_hand) {
    double loss[5] = {0.5, 0.25, 1, 2, 4};
    int32_t pred[5] = {0, 1, 1, 2, 5}, labels[5] = {0, 1, 0, 2, 5};
    int64_t confusion[9] = {0};
    cug_metrics m = {1, 2, 3};
    cug_metrics_shape s = {5, 3};
    cug_tensor tc = cug_tensor1(confusion, CUG_I64, 9), tl = T(loss), tp = TI(pred), tt = TI(labels);
    cr_assert_eq(ref->metrics->add(&m, &tc, &tl, &tp, &tt, &s, NULL), CUG_OK);
    cr_expect(m.loss_sum == 8.75 && m.correct == 5 && m.count == 8, "%g %lld %lld", m.loss_sum, (long long)m.correct,
              (long long)m.count);
    cr_expect(!memcmp(confusion, (int64_t[]){1, 1, 0, 0, 1, 0, 0, 0, 1}, sizeof confusion)); /* [label][pred] */
}
