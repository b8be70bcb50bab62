/* test_cuda_precision.c - factors in TF32 and bfloat16: where the reference rounds, who refuses, and that training with
 * them is repeatable and learns as float32 does. */
#include <criterion/criterion.h>
#include <cuglyph/gradcheck.h>
#include <cuglyph/train.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/op_check.h"
#include "support/synthetic.h"

static const cug_precision rounded[] = {CUG_PREC_TF32, CUG_PREC_BF16};

/* x, w and dy lie next to the precisions' edges; b, and what is summed into db, keep all their digits. */
Test(cuda_precision, the_reference_rounds_factors_alone) {
    static const double xs[] = {1 + 0x1p-11, 1 + 3 * 0x1p-11, 1 + 0x1p-12, 1 + 0x1p-8, 1 + 3 * 0x1p-8,
                                1 + 0x1p-9,  -1 - 0x1p-11,    3.4025e38,   0x1.8p-140},
                        tf32[] = {1 + 0x1p-10, 1 + 0x1p-9,   1,        1 + 0x1p-8, 1 + 3 * 0x1p-8,
                                  1 + 0x1p-9,  -1 - 0x1p-10, INFINITY, 0},
                        bf16[] = {1, 1, 1, 1, 1 + 0x1p-6, 1, -1, INFINITY, 0};
    for (int p = 0; p < 2; p++) {
        cug_device *dev = NULL;
        cr_assert(cug_backend_ref.open(&dev, &(cug_device_options){.precision = rounded[p]}) == CUG_OK);
        const cug_exec ex = {.device = dev};
        for (size_t i = 0; i < sizeof xs / sizeof *xs; i++) {
            double x = xs[i], w = 1 + 0x1p-20, b = 0x1p-40, y, dx, dw, db, dy = 1 + 0x1p-20;
            double want = op_rounded(x, rounded[p]);
            cr_expect_eq(want, p ? bf16[i] : tf32[i], "%zu", i);
            const cug_linear_shape one = {1, 1, 1};
            cug_conv2d_shape s = {.N = 1, .H = 1, .W = 1, .C = 1, .K = 1, .R = 1, .S = 1, .stride_h = 1, .stride_w = 1};
            cr_assert_eq(cug_conv2d_shape_init(&s), CUG_OK);
            cug_tensor t[] = {cug_tensor1(&y, CUG_F64, 1),  cug_tensor1(&x, CUG_F64, 1),  cug_tensor1(&w, CUG_F64, 1),
                              cug_tensor1(&b, CUG_F64, 1),  cug_tensor1(&dx, CUG_F64, 1), cug_tensor1(&dw, CUG_F64, 1),
                              cug_tensor1(&db, CUG_F64, 1), cug_tensor1(&dy, CUG_F64, 1)};
            for (int conv = 0; conv < 2; conv++) {
                cug_status st = conv ? cug_backend_ref.conv2d->fwd(&t[0], &t[1], &t[2], &t[3], &s, &ex)
                                     : cug_backend_ref.linear->fwd(&t[0], &t[1], &t[2], &t[3], &one, &ex);
                cr_assert_eq(st, CUG_OK);
                st = conv ? cug_backend_ref.conv2d->bwd(&t[4], &t[5], &t[6], &t[7], &t[1], &t[2], &s, 0, &ex)
                          : cug_backend_ref.linear->bwd(&t[4], &t[5], &t[6], &t[7], &t[1], &t[2], &one, 0, &ex);
                cr_assert_eq(st, CUG_OK);
                cr_expect_eq(y, want + 0x1p-40, "%d %d %zu: %.17g", p, conv, i, y);
                cr_expect(dx == 1 && dw == want && db == 1 + 0x1p-20, "%d %d %zu", p, conv, i);
            }
        }
        cug_backend_ref.close(dev);
    }
}

Test(cuda_precision, is_refused_where_it_cannot_be) {
    for (int p = 0; p < 2; p++) {
        const cug_device_options o = {.precision = rounded[p]};
        cug_device *dev = (cug_device *)1;
        cr_expect_eq(cug_backend_cpu.open(&dev, &o), CUG_ENOTSUP);
        cr_expect(!dev && strstr(cug_error(), cug_precision_name(rounded[p])) && !strchr(cug_error(), '\n'));
        setenv("EMU_ARCH", "75", 1); /* an emulated device is one without them, from here on */
        const cug_backend *cuda = cug_backend_find("cuda");
        if (!cuda || cuda->open(&dev, NULL) != CUG_OK) continue;
        const int old = strstr(cuda->describe(dev), "capability 7.") != NULL;
        cuda->close(dev);
        cr_assert_eq(cuda->open(&dev, &o) == CUG_OK, !old);
        if (old)
            cr_expect(strstr(cug_error(), "compute capability 8.0") && !strchr(cug_error(), '\n'), "%s", cug_error());
        if (!old) cuda->close(dev);
    }
}

static int have_tensor_cores(void) {
    const cug_backend *be = cug_backend_find("cuda");
    cug_device *dev = NULL;
    if (!be || be->open(&dev, &(cug_device_options){.precision = CUG_PREC_TF32}) != CUG_OK) return 0;
    be->close(dev);
    return 1;
}

static cug_status open_in_float32(cug_device **out, const cug_device_options *opt) {
    cug_device_options o = *opt;
    o.precision = CUG_PREC_FP32;
    return cug_backend_find("cuda")->open(out, &o);
}

/* Op by op and over a whole step; and a backend that does not round what the reference does is found out. */
Test(cuda_precision, gradients_agree_with_a_reference_that_rounds_alike) {
    static const char *const models[] = {
        "input 8x8x2; conv 4 3x3 pad=same; leaky_relu; residual { conv 4 3x3 pad=same; tanh }; branch { { conv 3 1x1; "
        "sigmoid } { avgpool 3 stride=1 pad=1 } }; maxpool 2; bias; dropout 0.3; relu; flatten; linear 5",
        "input 9x9x3; conv 8 3x3; relu; maxpool 2; flatten; linear 33; relu; linear 5"};
    if (!have_tensor_cores()) cr_skip_test("no device with tensor cores on TF32 and bfloat16");
    const cug_backend *cuda = cug_backend_find("cuda");
    cug_backend unrounded = *cuda;
    unrounded.open = open_in_float32;
    for (int p = 0; p < 2; p++)
        for (int m = 0; m < 2; m++) {
            cug_graph *g = NULL;
            cug_check_table t;
            cug_gradcheck_options o;
            cug_gradcheck_defaults(&o);
            o.precision = rounded[p];
            cr_assert(cug_spec_parse(&g, models[m], "spec") == CUG_OK, "%s", cug_error());
            for (o.batch = 1; o.batch <= 5; o.batch += 4) {
                cr_expect(cug_gradcheck_parity(&t, g, &cug_backend_ref, cuda, &o) == CUG_OK, "%s", cug_error());
                cug_check_table_free(&t);
                cr_expect(cug_gradcheck_parity(&t, g, &cug_backend_ref, &unrounded, &o) == CUG_EMISMATCH);
                cug_check_table_free(&t);
            }
            cug_graph_free(g);
        }
}

static cug_train_result train(const synthetic *s, cug_precision p, const char *name) {
    char path[160];
    cug_config c;
    cug_train_result r;
    synthetic_config(s, &c);
    snprintf(path, sizeof path, "%s/%s", s->dir, name);
    cr_assert(cug_config_set(&c, "device", "cuda") == CUG_OK);
    cr_assert(cug_config_set(&c, "precision", cug_precision_name(p)) == CUG_OK, "%s", cug_error());
    const cug_train_request req = {.config = &c, .run_path = path};
    cr_assert(cug_train(&req, &r) == CUG_OK, "%s", cug_error());
    cug_config_free(&c);
    return r;
}

static int same_weights(const synthetic *s, const char *a, const char *b) {
    char path[160];
    cug_st_file f[2];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s/last.safetensors", s->dir, i ? b : a);
        cr_assert(cug_st_read(&f[i], path) == CUG_OK, "%s", cug_error());
    }
    cr_assert(f[0].n_tensors == f[1].n_tensors && f[0].n_tensors > 4);
    int same = 1;
    for (int i = 0; i < f[0].n_tensors; i++)
        same &= f[0].tensors[i].bytes == f[1].tensors[i].bytes &&
                memcmp(f[0].tensors[i].data, f[1].tensors[i].data, f[0].tensors[i].bytes) == 0;
    cug_st_free(&f[0]);
    cug_st_free(&f[1]);
    return same;
}

Test(cuda_precision, trains_as_float32_does_and_to_the_same_bytes_twice) {
    if (!have_tensor_cores()) cr_skip_test("no device with tensor cores on TF32 and bfloat16");
    synthetic s;
    synthetic_make(&s);
    const cug_train_result plain = train(&s, CUG_PREC_FP32, "fp32");
    for (int p = 0; p < 2; p++) {
        const char *name = cug_precision_name(rounded[p]);
        char again[16];
        snprintf(again, sizeof again, "%s-2", name);
        const cug_train_result r = train(&s, rounded[p], name), twice = train(&s, rounded[p], again);
        fprintf(stderr, "  %s: test accuracy %.4f, loss %.6f; fp32: %.4f, %.6f\n", name, r.test_accuracy, r.test_loss,
                plain.test_accuracy, plain.test_loss);
        cr_expect(fabs(r.test_accuracy - plain.test_accuracy) <= 0.002);
        cr_expect(fabs(r.test_loss - plain.test_loss) <= 0.05 * plain.test_loss + 1e-3);
        cr_expect(twice.test_loss == r.test_loss && same_weights(&s, name, again), "%s: two runs differ", name);
        cr_expect(!same_weights(&s, name, "fp32"), "%s: nothing was rounded", name);
    }
    synthetic_remove(&s);
}
