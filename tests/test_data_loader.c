/* test_data_loader.c - the order of things: stratified split, epoch shuffles, batches entered anywhere. */
#include <criterion/criterion.h>
#include <cuglyph/dataset.h>
#include <cuglyph/random.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* n images of 2x1 pixels that hold their own number; labels repeat the pattern. */
static cug_images numbered(int n, const char *pattern) {
    cug_images im = {n, 2, 1, 1, malloc((size_t)n * 2), malloc((size_t)n * sizeof(int32_t))};
    cr_assert(im.pixels && im.labels);
    for (int i = 0; i < n; i++) {
        im.pixels[2 * i] = (uint8_t)i;
        im.pixels[2 * i + 1] = (uint8_t)(i >> 8);
        im.labels[i] = pattern[(size_t)i % strlen(pattern)] - '0';
    }
    return im;
}

static void drop(cug_images *im) {
    free(im->pixels);
    free(im->labels);
}

/* Splits, checks what must hold of every split, and counts the validation images of classes 0..2. */
static int32_t *split(const cug_images *im, size_t n_val, uint64_t seed, size_t in_class[3]) {
    int32_t *train, *val;
    size_t nt, nv, n = (size_t)im->count, a = 0, b = 0;
    cr_assert_eq(cug_split_stratified(im, n_val, seed, &train, &nt, &val, &nv), CUG_OK, "%s", cug_error());
    cr_assert(nv == n_val && nt == n - n_val);
    memset(in_class, 0, 3 * sizeof *in_class);
    for (int32_t i = 0; i < im->count; i++) /* both ascend, and each image is in just one: a merge finds all */
        if (b < nv && val[b] == i)
            in_class[im->labels[val[b++]]]++;
        else if (a < nt && train[a] == i)
            a++;
        else
            cr_assert_fail("image %d is lost", i);
    cr_assert(a == nt && b == nv);
    free(train);
    return val;
}

Test(data_loader, split_is_stratified_by_largest_remainders) {
    static const struct {
        int n;
        const char *pattern;
        size_t n_val, want[3];
    } cases[] = {
        {10, "0010210021", 4, {2, 1, 1}}, /* 5 3 2 -> 2.0 1.2 0.8 */
        {10, "0010210021", 1, {1, 0, 0}}, /* 0.5 0.3 0.2 */
        {10, "0010210021", 9, {4, 3, 2}}, /* 4.5 2.7 1.8: the remainders of 2 and 1 come before that of 0 */
        {9, "012", 4, {2, 1, 1}},         /* 1.33 three times: the lower class at a tie */
        {9, "012", 5, {2, 2, 1}},         /* 1.67 three times */
        {1000, "0", 77, {77, 0, 0}},      {10, "0010210021", 0, {0, 0, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cug_images im = numbered(cases[i].n, cases[i].pattern);
        size_t got[3];
        free(split(&im, cases[i].n_val, 5, got));
        cr_assert(memcmp(got, cases[i].want, sizeof got) == 0, "case %zu: %zu %zu %zu", i, got[0], got[1], got[2]);
        drop(&im);
    }
}

Test(data_loader, split_depends_on_the_seed_alone) {
    cug_images im = numbered(3000, "0120");
    size_t c[3];
    int32_t *a = split(&im, 300, 1, c), *b = split(&im, 300, 1, c), *other = split(&im, 300, 2, c);
    cr_assert_eq(memcmp(a, b, 300 * sizeof *a), 0);
    int shared = 0, late = 0;
    for (int i = 0, j = 0; i < 300 && j < 300;)
        if (a[i] == other[j])
            shared++, i++, j++;
        else if (a[i] < other[j])
            i++;
        else
            j++;
    for (int i = 0; i < 300; i++) late += a[i] >= 1500;
    cr_assert(shared < 90, "%d of 300 in common, 30 expected by chance", shared);
    cr_assert(late > 100 && late < 200, "%d of 300 from the second half", late);
    free(a), free(b), free(other);
    int32_t *t, *v;
    size_t nt, nv;
    cr_assert_eq(cug_split_stratified(&im, 3000, 1, &t, &nt, &v, &nv), CUG_EINVAL);
    cr_assert(t == NULL && v == NULL && nt == 0 && nv == 0);
    drop(&im);
}

/* All of an epoch, batch after batch; checks pixels and labels against the ids. */
static void epoch_of(const cug_loader *l, uint32_t epoch, int32_t *out) {
    int32_t *ids = malloc((size_t)l->batch * sizeof *ids), *labels = malloc((size_t)l->batch * sizeof *labels);
    uint8_t *pixels = malloc((size_t)l->batch * 2);
    cr_assert(ids && labels && pixels);
    size_t at = 0;
    for (size_t b = 0; b < cug_loader_batches(l); b++) {
        int n = -1;
        cug_loader_batch(l, epoch, b, ids, pixels, labels, &n);
        cr_assert(n == l->batch || (b + 1 == cug_loader_batches(l) && n > 0 && n < l->batch));
        for (int i = 0; i < n; i++) {
            cr_assert_eq(pixels[2 * i] | pixels[2 * i + 1] << 8, ids[i]);
            cr_assert_eq(labels[i], l->images->labels[ids[i]]);
            out[at++] = ids[i];
        }
    }
    cr_assert_eq(at, l->n);
    free(ids), free(labels), free(pixels);
}

static void check_permutation(const int32_t *order, const int32_t *part, size_t n, int count) {
    uint8_t *seen = calloc((size_t)count, 1);
    cr_assert(seen);
    for (size_t i = 0; i < n; i++) {
        cr_assert(order[i] >= 0 && order[i] < count && !seen[order[i]], "image %d twice", order[i]);
        seen[order[i]] = 1;
    }
    for (size_t i = 0; part && i < n; i++) cr_assert(seen[part[i]], "image %d never", part[i]);
    free(seen);
}

Test(data_loader, an_epoch_is_a_permutation_of_the_part) {
    enum { COUNT = 1000 };
    cug_images im = numbered(COUNT, "0123456789");
    int32_t part[COUNT], order[COUNT];
    static const int sizes[] = {1, 2, 3, 64, 65, 500, COUNT}, batches[] = {1, 7, 64, 2000};
    for (int i = 0; i < COUNT; i++) part[i] = COUNT - 1 - i;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t b = 0; b < sizeof batches / sizeof *batches; b++)
            for (int shuffle = 0; shuffle < 2; shuffle++) {
                cug_loader l = {&im, part, (size_t)sizes[s], batches[b], shuffle, 3, 0};
                cr_assert_eq(cug_loader_batches(&l), (size_t)((sizes[s] + batches[b] - 1) / batches[b]));
                epoch_of(&l, 4, order);
                check_permutation(order, part, l.n, COUNT);
                for (int i = 0; !shuffle && i < sizes[s]; i++) cr_assert_eq(order[i], part[i]);
            }
    cug_loader all = {&im, NULL, COUNT, 32, 0, 0, 0};
    epoch_of(&all, 0, order);
    for (int i = 0; i < COUNT; i++) cr_assert_eq(order[i], i);
    drop(&im);
}

Test(data_loader, order_differs_by_epoch_and_seed_and_by_nothing_else) {
    enum { COUNT = 5000 };
    cug_images im = numbered(COUNT, "01");
    static int32_t a[COUNT], b[COUNT];
    const struct {
        uint64_t seed;
        uint32_t epoch;
        int batch, same;
    } cases[] = {{7, 0, 128, 1}, {7, 0, 100, 1}, {7, 1, 128, 0}, {8, 0, 128, 0}, {7 | 1ull << 40, 0, 128, 0}};
    cug_loader l = {&im, NULL, COUNT, 128, 1, 7, 0};
    epoch_of(&l, 0, a);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cug_loader m = {&im, NULL, COUNT, cases[i].batch, 1, cases[i].seed, 0};
        epoch_of(&m, cases[i].epoch, b);
        int equal = 0;
        for (int k = 0; k < COUNT; k++) equal += a[k] == b[k];
        if (cases[i].same)
            cr_assert_eq(equal, COUNT);
        else
            cr_assert(equal < 10, "case %zu: %d places equal, 1 expected by chance", i, equal);
    }
    drop(&im);
}

Test(data_loader, any_batch_can_be_entered_without_those_before) {
    enum { COUNT = 777, BATCH = 50 };
    cug_images im = numbered(COUNT, "012");
    cug_loader l = {&im, NULL, COUNT, BATCH, 1, 11, 0};
    int32_t order[COUNT], ids[BATCH];
    epoch_of(&l, 9, order);
    for (size_t b = cug_loader_batches(&l); b-- > 0;) { /* backwards, without pixels and labels */
        int n = -1;
        cug_loader_batch(&l, 9, b, ids, NULL, NULL, &n);
        cr_assert_eq(n, b == 15 ? 27 : BATCH);
        cr_assert_eq(memcmp(ids, order + b * BATCH, (size_t)n * sizeof *ids), 0);
    }
    drop(&im);
}

/* Moved as by hand, for any batch size; unmoved at 0; another epoch moves otherwise. */
Test(loader, shifts_move_each_image_by_its_own_draw) {
    static uint8_t pixels[40 * 6 * 5 * 2], got[40 * 6 * 5 * 2], want[6 * 5 * 2];
    static int32_t labels[40], ids[40], part[] = {3, 39, 8, 8, 21, 0, 17};
    const cug_images im = {40, 6, 5, 2, pixels, labels};
    size_t size = 6 * 5 * 2;
    int moved = 0, differs = 0;
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 13 + 1);
    for (uint32_t epoch = 0; epoch < 3; epoch++)
        for (int batch = 1; batch <= 7; batch += 3) {
            const cug_loader l = {&im, part, 7, batch, 1, 5, 3};
            for (size_t b = 0; b < cug_loader_batches(&l); b++) {
                int n = 0;
                cug_loader_batch(&l, epoch, b, ids, got, NULL, &n);
                for (int i = 0; i < n; i++) {
                    int dy = 99, dx = 99, later_y, later_x;
                    cug_shift_draw(5, epoch, ids[i], 3, &dy, &dx);
                    cug_shift_draw(5, epoch + 1, ids[i], 3, &later_y, &later_x);
                    differs += dy != later_y || dx != later_x;
                    moved += dy || dx;
                    cr_assert(dy >= -3 && dy <= 3 && dx >= -3 && dx <= 3);
                    for (int y = 0; y < 6; y++)
                        for (int x = 0; x < 5; x++)
                            for (int c = 0; c < 2; c++) {
                                int inside = y - dy >= 0 && y - dy < 6 && x - dx >= 0 && x - dx < 5;
                                want[(y * 5 + x) * 2 + c] =
                                    inside ? pixels[(size_t)ids[i] * size + (size_t)(((y - dy) * 5 + x - dx) * 2 + c)]
                                           : 0;
                            }
                    cr_assert_eq(memcmp(got + (size_t)i * size, want, size), 0, "image %d by %d, %d", ids[i], dy, dx);
                }
            }
        }
    cr_expect(moved > 50 && differs > 50, "%d moved, %d differ from the next epoch, of 63", moved, differs);
}

/* As the header says, so that a run can be repeated by a later version. */
Test(loader, shifts_are_philox_of_seed_epoch_and_sample) {
    for (uint32_t i = 0; i < 50; i++) {
        const uint32_t counter[4] = {0, 1000 + i, i % 4, CUG_RNG_SHIFT};
        uint32_t r[4];
        int dy, dx;
        cug_philox(77, counter, r);
        cug_shift_draw(77, i % 4, (int32_t)(1000 + i), 2, &dy, &dx);
        cr_expect(dy == (int)((double)r[0] * 5 / 4294967296.0) - 2 && dx == (int)((double)r[1] * 5 / 4294967296.0) - 2);
    }
}

Test(loader, shifts_are_equally_likely_each_way) {
    int count[5][5] = {{0}};
    enum { DRAWS = 50000 };
    for (int id = 0; id < DRAWS; id++) {
        int dy, dx;
        cug_shift_draw(1, 4, id, 2, &dy, &dx);
        count[dy + 2][dx + 2]++;
    }
    double chi = 0;
    for (int i = 0; i < 25; i++) chi += pow(count[i / 5][i % 5] - DRAWS / 25.0, 2) / (DRAWS / 25.0);
    cr_expect(chi < 51.2, "chi square of 24 degrees of freedom: %g (0.1 %% lie over 51.2)", chi);
}

Test(loader, an_image_moved_out_of_sight_is_black) {
    uint8_t in[6] = {1, 2, 3, 4, 5, 6}, out[6];
    cug_shift_image(out, in, 2, 3, 1, 0, 3);
    for (int i = 0; i < 6; i++) cr_expect_eq(out[i], 0);
    cug_shift_image(out, in, 2, 3, 1, -2, 0);
    for (int i = 0; i < 6; i++) cr_expect_eq(out[i], 0);
    cug_shift_image(out, in, 2, 3, 1, 1, -1);
    cr_expect(!out[0] && !out[1] && !out[2] && out[3] == 2 && out[4] == 3 && !out[5]);
}
