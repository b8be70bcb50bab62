/* test_data.c - data sets in memory: where they are found, what is refused, statistics, scaling, classes. The facts of
 * MNIST itself are in test_data_mnist.c. */
#include "support/data_files.h"
#include <criterion/criterion.h>
#include <cuglyph/dataset.h>
#include <cuglyph/fetch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* No data set from outside may be found by accident. */
static void begin(void) {
    tdata_begin();
    setenv("CUGLYPH_DATA", tdata_path("env"), 1);
    setenv("XDG_CACHE_HOME", tdata_path("xdg"), 1);
    setenv("HOME", tdata_path("home"), 1);
}

TestSuite(data, .init = begin, .fini = tdata_end, .timeout = 60);

static uint8_t by_three(size_t i) { return (uint8_t)(i % 3); }
static uint8_t up_to_nine(size_t i) { return (uint8_t)(i % 10); }
static uint8_t up_to_ten(size_t i) { return (uint8_t)(i % 11); }
static uint8_t zero(size_t i) { return (uint8_t)(i * 0); }

static void put_idx(const char *path, int ndim, const uint32_t *dims, uint8_t (*fill)(size_t)) {
    size_t n;
    uint8_t *b = tdata_idx(ndim, dims, fill, &n);
    tdata_write(path, b, n);
    free(b);
}

static cug_dataset *opened(const char *name, const char *dir) {
    cug_dataset *d;
    cr_assert_eq(cug_dataset_open(&d, name, dir), CUG_OK, "%s", cug_error());
    return d;
}

Test(data, a_known_set_plain_or_gzip) {
    for (int gz = 0; gz < 2; gz++) {
        tdata_write_set(tdata_path(gz ? "gz" : "plain"), 25, 12, 5, 4, up_to_nine, gz);
        cug_dataset *d = opened("fashion-mnist", tdata_path(gz ? "gz" : "plain"));
        cr_assert_str_eq(d->name, "fashion-mnist");
        cr_assert_str_eq(d->where, tdata_path(gz ? "gz" : "plain"));
        cr_assert_eq(d->classes, 10);
        cr_assert_str_eq(d->class_names[7], "Sneaker");
        cr_assert(d->train.count == 25 && d->test.count == 12);
        cr_assert(d->train.H == 5 && d->train.W == 4 && d->train.C == 1 && d->test.H == 5 && d->test.W == 4);
        for (int i = 0; i < 25; i++) cr_assert_eq(d->train.labels[i], i % 10);
        cr_assert_eq(d->train.pixels[24 * 20 + 19], (uint8_t)(499 * 7 + 499 / 251)); /* the last one */
        cug_dataset_free(d);
    }
    cug_dataset_free(NULL);
}

Test(data, places_are_tried_in_order) {
    const char *base = tdata_path("home/.cache/cuglyph");
    mkdir(tdata_path("home"), 0777), mkdir(tdata_path("home/.cache"), 0777), mkdir(base, 0777);
    cug_dataset *d;
    cr_assert_eq(cug_dataset_open(&d, "mnist", NULL), CUG_ENOENT);
    cr_assert(strstr(cug_error(), tdata_path("env/mnist")) && strstr(cug_error(), tdata_path("xdg/cuglyph/mnist")),
              "%s", cug_error());
    cr_assert(strstr(cug_error(), "cuglyph data fetch mnist"));
    cr_assert_null(d);

    /* from the last place to the first, each with another count of images; empty data_dir counts as none */
    unsetenv("XDG_CACHE_HOME");
    const char *place[] = {"home/.cache/cuglyph", "home/.cache/cuglyph/mnist", "env", "env/mnist"};
    mkdir(tdata_path("env"), 0777);
    for (uint32_t i = 0; i < 4; i++) {
        tdata_write_set(tdata_path(place[i]), 20 + i, 10, 3, 3, up_to_nine, 1);
        d = opened("mnist", i % 2 ? "" : NULL);
        cr_assert_str_eq(d->where, tdata_path(place[i]));
        cr_assert_eq(d->train.count, 20 + (int)i);
        cug_dataset_free(d);
    }
    /* an incomplete place is passed over, and told when nothing else is there */
    unlink(tdata_path("env/mnist/t10k-labels-idx1-ubyte.gz"));
    d = opened("mnist", NULL);
    cr_assert_str_eq(d->where, tdata_path("env"));
    cug_dataset_free(d);
    cr_assert_eq(cug_dataset_open(&d, "mnist", tdata_path("env/mnist")), CUG_ENOENT,
                 "only there, whatever else there is");
    cr_assert(strstr(cug_error(), "only 3 of its 4 files"), "%s", cug_error());
    cr_assert(strstr(cug_error(), "--data-dir"));
    /* a relative XDG path is void */
    setenv("XDG_CACHE_HOME", "relative", 1);
    char cache[PATH_MAX];
    cr_assert_eq(cug_cache_dir(cache, sizeof cache, "mnist"), CUG_OK);
    cr_assert_str_eq(cache, tdata_path("home/.cache/cuglyph/mnist"));
}

Test(data, parts_that_do_not_fit_are_refused) {
    const uint32_t images[] = {6, 3, 3}, wide[] = {6, 3, 4}, flat[] = {6, 9}, six[] = {6}, five[] = {5};
    put_idx(tdata_path("x"), 3, images, up_to_nine);
    put_idx(tdata_path("wide"), 3, wide, up_to_nine);
    put_idx(tdata_path("flat"), 2, flat, up_to_nine);
    put_idx(tdata_path("y"), 1, six, by_three);
    put_idx(tdata_path("y5"), 1, five, by_three);
    tdata_write_set(tdata_path("eleven"), 25, 11, 3, 3, up_to_ten, 0);
    const struct {
        const char *files[4];
        cug_status want;
        const char *says;
    } cases[] = {
        {{"x", "y5"}, CUG_EDATA_COUNT, "5 labels"},
        {{"x", "y", "x", "y5"}, CUG_EDATA_COUNT, "5 labels"},
        {{"x", "y", "wide", "y"}, CUG_EDATA_SHAPE, "3x4x1"},
        {{"flat", "y"}, CUG_EDATA_SHAPE, "rank 3"},
        {{"y", "x"}, CUG_EDATA_SHAPE, "swapped"},
        {{"x", "x"}, CUG_EDATA_SHAPE, "swapped"},
        {{"x", "gone"}, CUG_ENOENT, "gone"},
        {{"x"}, CUG_EINVAL, "two or four"},
        {{"x", "y", "x"}, CUG_EINVAL, "two or four"},
        {{"x", ""}, CUG_EINVAL, "two or four"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[8192] = "idx:";
        for (int f = 0; f < 4 && cases[i].files[f]; f++) {
            const char *file = cases[i].files[f];
            snprintf(name + strlen(name), sizeof name - strlen(name), "%s%s", f ? "," : "",
                     *file ? tdata_path(file) : "");
        }
        cug_dataset *d = (cug_dataset *)&d;
        cug_status st = cug_dataset_open(&d, name, NULL);
        cr_expect_eq(st, cases[i].want, "case %zu: %s (%s)", i, cug_status_name(st), cug_error());
        cr_expect(strstr(cug_error(), cases[i].says), "case %zu says: %s", i, cug_error());
        cr_expect_null(d);
    }
    cug_dataset *d;
    cr_assert_eq(cug_dataset_open(&d, "mnist", tdata_path("eleven")), CUG_EDATA_LABEL);
    cr_assert(strstr(cug_error(), "label 10 at place 10"), "%s", cug_error());
    cr_assert_eq(cug_dataset_open(&d, "emnist", NULL), CUG_EINVAL);
    cr_assert_eq(cug_dataset_open(&d, NULL, NULL), CUG_EINVAL);
}

Test(data, one_known_set_under_anothers_name_is_refused) {
    static const uint8_t fashion[] = {9, 0, 0, 3, 0, 2, 7, 2, 5, 5};
    const uint32_t ten[] = {10};
    tdata_write_set(tdata_path("d"), 10, 10, 3, 3, up_to_nine, 0);
    size_t n;
    uint8_t *b = tdata_idx(1, ten, up_to_nine, &n);
    memcpy(b + 8, fashion, 10);
    tdata_write(tdata_path("d/train-labels-idx1-ubyte"), b, n);
    free(b);
    cug_dataset *d;
    cr_assert_eq(cug_dataset_open(&d, "mnist", tdata_path("d")), CUG_EINVAL);
    cr_assert(strstr(cug_error(), "holds fashion-mnist, not mnist"), "%s", cug_error());
    cug_dataset_free(opened("fashion-mnist", tdata_path("d")));
}

Test(data, idx_sets_count_their_classes_and_may_lack_a_test_part) {
    char name[8192];
    const uint32_t images[] = {7, 2, 3, 3}, labels[] = {7};
    put_idx(tdata_path("x"), 4, images, up_to_nine);
    put_idx(tdata_path("y"), 1, labels, by_three);
    put_idx(tdata_path("y0"), 1, labels, zero);
    snprintf(name, sizeof name, "idx:%s,%s", tdata_path("x"), tdata_path("y"));
    cug_dataset *d = opened(name, NULL);
    cr_assert_eq(d->classes, 3);
    cr_assert_str_eq(d->class_names[2], "2");
    cr_assert(d->train.count == 7 && d->train.H == 2 && d->train.W == 3 && d->train.C == 3);
    cr_assert(d->test.count == 0 && d->test.H == 2 && d->test.C == 3);
    cug_dataset_free(d);
    /* the larger label is in the test part */
    snprintf(name, sizeof name, "idx:%s,%s,%s,%s", tdata_path("x"), tdata_path("y0"), tdata_path("x"), tdata_path("y"));
    d = opened(name, NULL);
    cr_assert_eq(d->classes, 3);
    cug_dataset_free(d);
}

Test(data, keeping_classes_renumbers_in_the_order_given) {
    tdata_write_set(tdata_path("d"), 35, 13, 2, 2, up_to_nine, 0);
    cug_dataset *d = opened("fashion-mnist", tdata_path("d")), *whole = opened("fashion-mnist", tdata_path("d"));
    static const char *const wrong[] = {"",   ",",   "1,", ",1",  "1,,2", "10",
                                        "-1", "1,1", "a",  "1 2", "1;2",  "99999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_eq(cug_dataset_keep_classes(d, wrong[i]), CUG_EINVAL, "\"%s\"", wrong[i]);
        cr_assert(d->train.count == 35 && d->classes == 10, "changed by \"%s\"", wrong[i]);
    }
    cr_assert_eq(cug_dataset_keep_classes(d, "7,2"), CUG_OK);
    cr_assert_eq(d->classes, 2);
    cr_assert_str_eq(d->class_names[0], "Sneaker");
    cr_assert_str_eq(d->class_names[1], "Pullover");
    cr_assert_str_eq(d->class_names[2], "");
    cr_assert(d->train.count == 7 && d->test.count == 3); /* 2 7 12 17 22 27 32; 2 7 12 */
    for (int i = 0; i < 7; i++) {
        int from = 2 + 5 * i;
        cr_assert_eq(d->train.labels[i], from % 10 == 7 ? 0 : 1);
        cr_assert_eq(memcmp(d->train.pixels + 4 * i, whole->train.pixels + 4 * from, 4), 0);
    }
    cug_dataset_free(d);
    cug_dataset_free(whole);
}

/* mean and sd the plain way, in long double */
static void check_stats(const cug_images *im, const int32_t *idx, size_t n) {
    size_t size = (size_t)im->H * (size_t)im->W * (size_t)im->C;
    long double sum = 0, around = 0;
    size_t count = idx ? n : (size_t)im->count;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; k < size; k++) {
                long double v = im->pixels[(idx ? (size_t)idx[i] : i) * size + k] / 255.0L;
                long double m = sum / (long double)(count * size);
                if (pass)
                    around += (v - m) * (v - m);
                else
                    sum += v;
            }
    double want_mean = (double)(sum / (long double)(count * size));
    double want_sd = (double)sqrtl(around / (long double)(count * size)), mean = NAN, sd = NAN;
    cug_images_stats(im, idx, n, &mean, &sd);
    cr_assert(fabs(mean - want_mean) <= 1e-14, "mean %.17g, not %.17g", mean, want_mean);
    cr_assert(fabs(sd - want_sd) <= 1e-14, "sd %.17g, not %.17g", sd, want_sd);
}

Test(data, statistics_are_exact) {
    enum { COUNT = 500, SIDE = 50 }; /* 1,250,000 pixels: past the 16 sums of 65,535 */
    static uint8_t pixels[COUNT * SIDE * SIDE];
    cug_images im = {COUNT, SIDE, SIDE, 1, pixels, NULL};
    const int32_t some[] = {3, 39, 3, 0};
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * i % 251);
    check_stats(&im, NULL, 0);
    check_stats(&im, some, 4);
    memset(pixels, 255, sizeof pixels);
    check_stats(&im, NULL, 0);
    double mean, sd;
    for (int v = 0; v < 256; v += 51) { /* equal pixels: nothing but 0 will do, std scaling divides by it */
        memset(pixels, v, sizeof pixels);
        cug_images_stats(&im, NULL, 0, &mean, &sd);
        cr_assert(sd == 0 && mean == v / 255.0, "%d: %g %g", v, mean, sd);
    }
    pixels[7] = 254; /* one differs */
    check_stats(&im, NULL, 0);
    cug_images_stats(&im, some, 0, &mean, &sd);
    cr_assert(mean == 0 && sd == 0, "of no images");
}

Test(data, crop_keeps_the_middle) {
    enum { N = 3, H = 5, W = 7, C = 2, OFF = 2 };
    uint8_t pixels[N * H * W * C], whole[sizeof pixels];
    for (size_t i = 0; i < sizeof pixels; i++) whole[i] = pixels[i] = (uint8_t)(i * 37 % 251);
    cug_images im = {.count = N, .H = H, .W = W, .C = C, .pixels = pixels};
    cr_assert(cug_images_crop(&im, OFF) == CUG_OK, "%s", cug_error());
    cr_assert(im.count == N && im.H == H - 2 * OFF && im.W == W - 2 * OFF && im.C == C);
    for (int n = 0, at = 0; n < N; n++)
        for (int y = 0; y < im.H; y++)
            for (int x = 0; x < im.W; x++)
                for (int c = 0; c < C; c++, at++)
                    cr_expect_eq(pixels[at], whole[((n * H + y + OFF) * W + x + OFF) * C + c], "%d %d %d", n, y, x);
    cr_expect(cug_images_crop(&im, 1) == CUG_EINVAL && im.H == 1 && im.W == 3, "nothing would stay");
    cr_expect(cug_images_crop(&im, 0) == CUG_OK && im.H == 1);
}

Test(data, scaling_factors_map_the_ends) {
    float scale, shift;
    cug_scaling_factors(CUG_SCALE_UNIT, 0.5, 0.25, &scale, &shift);
    cr_assert(fabsf(255 * scale + shift - 1) <= 1e-6f && shift == 0);
    cug_scaling_factors(CUG_SCALE_SIGNED, 0.5, 0.25, &scale, &shift);
    cr_assert(fabsf(255 * scale + shift - 1) <= 1e-6f && shift == -1);
    cug_scaling_factors(CUG_SCALE_STD, 0.13066, 0.30811, &scale, &shift);
    cr_assert(fabs(255 * (double)scale + (double)shift - (1 - 0.13066) / 0.30811) <= 1e-6);
    cr_assert(fabs((double)shift + 0.13066 / 0.30811) <= 1e-7);
    cug_scaling_factors(CUG_SCALE_STD, 0.4, 0, &scale, &shift); /* sd 0 counts as 1 */
    cr_assert(fabsf(scale - 1 / 255.0f) <= 1e-9f && fabsf(shift + 0.4f) <= 1e-7f);
    for (int s = CUG_SCALE_UNIT; s <= CUG_SCALE_STD; s++)
        cr_assert_eq(cug_scaling_find(cug_scaling_name((cug_scaling)s)), s);
    cr_assert(cug_scaling_find("STD") == -1 && cug_scaling_find("") == -1 && cug_scaling_find(NULL) == -1);
}

Test(data, dense_targets_sum_to_one) {
    const int32_t labels[] = {2, 0, 1};
    float out[9];
    cug_one_hot(labels, 3, 3, 0, out);
    const float want[] = {0, 0, 1, 1, 0, 0, 0, 1, 0};
    cr_assert_eq(memcmp(out, want, sizeof want), 0);
    cug_one_hot(labels, 3, 3, 0.3f, out);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            cr_assert(fabsf(out[3 * i + k] - (k == labels[i] ? 0.8f : 0.1f)) <= 1e-6f, "%d %d", i, k);
}

Test(data, the_set_in_the_repository_is_as_its_readme_says) {
#define SEGMENTS "data/segments/"
    static const struct {
        const char *path, *sha256;
    } files[] = {
        {SEGMENTS "train-images-idx3-ubyte.gz", "926f6946bf605211ea22407e8071d4857ea9c4d9e6d419dac23f9e5714d84e7e"},
        {SEGMENTS "train-labels-idx1-ubyte.gz", "3a8ac82624123196723e191ac638a9c667db4c592ecd8b4b1a7b6467a7c93c47"},
        {SEGMENTS "t10k-images-idx3-ubyte.gz", "0e69dee5ee0655fe61d8dccbec3a1ea8ee7e00a3f488e02ecb9617441de7d2c4"},
        {SEGMENTS "t10k-labels-idx1-ubyte.gz", "ddb246908e8acd362418c073ed07980383f184d8b76f237510e6ffd0d2f463b2"},
    };
    char hex[65], name[512];
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(cug_sha256_raw(files[i].path, hex, NULL), CUG_OK, "%s (run the tests from the repository's root)",
                     cug_error());
        cr_assert_str_eq(hex, files[i].sha256);
    }
    snprintf(name, sizeof name, "idx:%s,%s,%s,%s", files[0].path, files[1].path, files[2].path, files[3].path);
    cug_dataset *d = opened(name, NULL);
    cr_assert(d->classes == 10 && d->train.count == 500 && d->test.count == 200 && d->train.H == 28 &&
              d->train.W == 28);
    int count[10] = {0};
    for (int i = 0; i < 500; i++) count[d->train.labels[i]]++;
    for (int c = 0; c < 10; c++) cr_assert_eq(count[c], 50);
    cug_dataset_free(d);
}
