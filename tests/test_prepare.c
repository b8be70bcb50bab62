/* test_prepare.c - a drawn digit becomes an MNIST image: where it lies, how large it is, and what makes no difference.
 */
#include <criterion/criterion.h>
#include <cuglyph/prepare.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 28

/* A picture of one grey level. */
static cug_picture paper(int W, int H, int C, uint8_t level) {
    cug_picture p = {W, H, C, malloc((size_t)W * (size_t)H * (size_t)C)};
    cr_assert_not_null(p.pixels);
    memset(p.pixels, level, (size_t)W * (size_t)H * (size_t)C);
    return p;
}

static void box(cug_picture *p, int x, int y, int w, int h, uint8_t level) {
    for (int r = y; r < y + h; r++)
        for (int c = x; c < x + w; c++)
            for (int k = 0; k < p->C; k++) p->pixels[(r * p->W + c) * p->C + k] = level;
}

/* Something like a 7, its upper left corner at (x, y), `u` pixels a unit: 10 x 16 units. */
static void seven(cug_picture *p, int x, int y, int u, uint8_t level) {
    box(p, x, y, 10 * u, 2 * u, level);
    box(p, x + 6 * u, y + 2 * u, 2 * u, 6 * u, level);
    box(p, x + 4 * u, y + 8 * u, 2 * u, 8 * u, level);
}

static void prepare(uint8_t out[SIDE * SIDE], const cug_picture *p, cug_invert invert) {
    memset(out, 0xAA, SIDE * SIDE);
    cr_assert_eq(cug_prepare_digit(out, SIDE, SIDE, p, invert), CUG_OK, "%s", cug_error());
}

static void bounds(const uint8_t *a, int H, int W, int *x0, int *y0, int *w, int *h) {
    int x1 = -1, y1 = -1;
    *x0 = W, *y0 = H;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            if (!a[y * W + x]) continue;
            if (x < *x0) *x0 = x;
            if (x > x1) x1 = x;
            if (y < *y0) *y0 = y;
            y1 = y;
        }
    *w = x1 - *x0 + 1, *h = y1 - *y0 + 1;
}

static void centre(const uint8_t *a, int H, int W, double *cx, double *cy) {
    double sum = 0, mx = 0, my = 0;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            sum += a[y * W + x];
            mx += (double)x * a[y * W + x];
            my += (double)y * a[y * W + x];
        }
    *cx = mx / sum, *cy = my / sum;
}

Test(prepare, where_it_is_drawn_makes_no_difference) {
    uint8_t first[SIDE * SIDE], other[SIDE * SIDE];
    for (int i = 0; i < 6; i++) {
        static const int at[][2] = {{20, 20}, {1, 1}, {99, 39}, {60, 3}, {7, 38}, {33, 27}};
        cug_picture p = paper(200, 140, 1, 255);
        seven(&p, at[i][0], at[i][1], 6, 0);
        prepare(i ? other : first, &p, CUG_INVERT_AUTO);
        if (i) cr_expect_eq(memcmp(first, other, sizeof first), 0, "place %d", i);
        cug_picture_free(&p);
    }
}

Test(prepare, polarity_contrast_and_colour_make_no_difference) {
    static const struct {
        int C;
        uint8_t paper, ink;
    } looks[] = {{1, 255, 0},  {1, 0, 255},  {3, 255, 0}, {3, 0, 255},
                 {1, 200, 90}, {1, 90, 200}, {3, 100, 0}, {1, 160, 255}};
    uint8_t first[SIDE * SIDE], other[SIDE * SIDE];
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        cug_picture p = paper(150, 150, looks[i].C, looks[i].paper);
        seven(&p, 30, 20, 5, looks[i].ink);
        prepare(i ? other : first, &p, CUG_INVERT_AUTO);
        if (i) cr_expect_eq(memcmp(first, other, sizeof first), 0, "look %zu", i);
        prepare(other, &p, looks[i].ink < looks[i].paper ? CUG_INVERT_YES : CUG_INVERT_NO);
        cr_expect_eq(memcmp(first, other, sizeof first), 0, "look %zu, told", i);
        cug_picture_free(&p);
    }
}

/* Drawn twice as large the digit is the same; the canvas around it is nothing. */
Test(prepare, size_and_canvas_make_no_difference) {
    uint8_t first[SIDE * SIDE], other[SIDE * SIDE];
    static const int canvas[][3] = {{100, 100, 5}, {300, 180, 10}, {90, 400, 5}, {1000, 1000, 50}};
    for (int i = 0; i < 4; i++) {
        cug_picture p = paper(canvas[i][0], canvas[i][1], 1, 255);
        seven(&p, 10, 12, canvas[i][2], 0);
        prepare(i ? other : first, &p, CUG_INVERT_AUTO);
        for (int k = 0; i && k < SIDE * SIDE; k++)
            cr_assert(abs(first[k] - other[k]) <= 1, "canvas %d, pixel %d: %d and %d", i, k, first[k], other[k]);
        cug_picture_free(&p);
    }
}

Test(prepare, twenty_pixels_high_mass_in_the_middle) {
    uint8_t out[SIDE * SIDE];
    for (int u = 1; u <= 12; u++) {
        cug_picture p = paper(200, 260, 1, 250);
        seven(&p, 3 * u, 2 * u, u, 10);
        prepare(out, &p, CUG_INVERT_AUTO);
        int x0, y0, w, h, most = 0;
        double cx, cy;
        bounds(out, SIDE, SIDE, &x0, &y0, &w, &h);
        centre(out, SIDE, SIDE, &cx, &cy);
        for (int i = 0; i < SIDE * SIDE; i++) most = out[i] > most ? out[i] : most;
        cr_expect_eq(h, 20, "u %d: %d", u, h);
        cr_expect(w == 12 || w == 13, "u %d: 10/16 of 20 is 12.5, got %d", u, w);
        cr_expect(fabs(cx - 14) <= .5 + 1e-2 && fabs(cy - 14) <= .5 + 1e-2, "u %d: centre of mass %g, %g", u, cx, cy);
        cr_expect_eq(most, 255);
        cug_picture_free(&p);
    }
}

Test(prepare, aspect_is_kept_also_of_a_line) {
    static const int lines[][2] = {{2, 100}, {100, 2}, {1, 1}, {40, 40}, {50, 25}};
    uint8_t out[SIDE * SIDE];
    for (int i = 0; i < 5; i++) {
        int w = lines[i][0], h = lines[i][1], longer = w > h ? w : h, x0, y0, got_w, got_h;
        cug_picture p = paper(140, 140, 1, 255);
        box(&p, 20, 20, w, h, 0);
        prepare(out, &p, CUG_INVERT_AUTO);
        bounds(out, SIDE, SIDE, &x0, &y0, &got_w, &got_h);
        cr_expect_eq(got_w, w * 20 / longer < 1 ? 1 : w * 20 / longer, "%d x %d", w, h);
        cr_expect_eq(got_h, h * 20 / longer < 1 ? 1 : h * 20 / longer, "%d x %d", w, h);
        cug_picture_free(&p);
    }
}

/* Lines two pixels wide in a digit of 200 cover a fifth of an image's pixel: they are still drawn at full strength. */
Test(prepare, thin_lines_are_stretched_to_white) {
    uint8_t out[SIDE * SIDE];
    int most = 0;
    cug_picture p = paper(260, 260, 1, 255);
    box(&p, 30, 30, 150, 200, 0);
    box(&p, 32, 32, 146, 196, 255);
    prepare(out, &p, CUG_INVERT_AUTO);
    for (int i = 0; i < SIDE * SIDE; i++) most = out[i] > most ? out[i] : most;
    cr_expect_eq(most, 255);
    cug_picture_free(&p);
}

/* An image as MNIST has it is what it was: the box and the centre are its own. */
Test(prepare, is_its_own_fixed_point) {
    uint8_t once[SIDE * SIDE], twice[SIDE * SIDE];
    cug_picture p = paper(200, 200, 1, 255), again = {SIDE, SIDE, 1, once};
    seven(&p, 20, 20, 8, 0);
    prepare(once, &p, CUG_INVERT_AUTO);
    prepare(twice, &again, CUG_INVERT_NO);
    cr_expect_eq(memcmp(once, twice, sizeof once), 0);
    cug_picture_free(&p);
}

Test(prepare, other_sizes_in_proportion) {
    static const int sizes[][2] = {{10, 10}, {56, 56}, {32, 64}, {5, 5}, {29, 29}};
    uint8_t out[64 * 64];
    for (int i = 0; i < 5; i++) {
        int H = sizes[i][0], W = sizes[i][1], x0, y0, w, h;
        cug_picture p = paper(200, 200, 1, 255);
        seven(&p, 20, 20, 8, 0);
        cr_assert_eq(cug_prepare_digit(out, H, W, &p, CUG_INVERT_AUTO), CUG_OK, "%s", cug_error());
        bounds(out, H, W, &x0, &y0, &w, &h);
        cr_expect_eq(h, (int)round((H < W ? H : W) * 20 / 28.0), "%d x %d", H, W);
        cug_picture_free(&p);
    }
}

Test(prepare, the_strongest_ink_decides_what_is_paper) {
    uint8_t clean[SIDE * SIDE], dirty[SIDE * SIDE];
    cug_picture p = paper(120, 120, 1, 255);
    seven(&p, 20, 20, 5, 0);
    prepare(clean, &p, CUG_INVERT_AUTO);
    box(&p, 2, 2, 9, 9, 255 - 31); /* less than 1/8 of 255: a shadow */
    prepare(dirty, &p, CUG_INVERT_AUTO);
    cr_expect_eq(memcmp(clean, dirty, sizeof clean), 0);
    box(&p, 2, 2, 9, 9, 255 - 33);
    prepare(dirty, &p, CUG_INVERT_AUTO);
    cr_expect_neq(memcmp(clean, dirty, sizeof clean), 0, "more than 1/8 is ink");
    cug_picture_free(&p);
}

Test(prepare, an_empty_sheet_is_refused) {
    uint8_t out[SIDE * SIDE];
    memset(out, 0x5A, sizeof out);
    cug_picture p = paper(50, 50, 3, 255), one = paper(1, 1, 1, 9);
    cr_expect_eq(cug_prepare_digit(out, SIDE, SIDE, &p, CUG_INVERT_AUTO), CUG_EBLANK);
    cr_expect_eq(cug_prepare_digit(out, SIDE, SIDE, &one, CUG_INVERT_AUTO), CUG_EBLANK);
    box(&p, 10, 10, 20, 20, 240); /* 15 levels */
    cr_expect_eq(cug_prepare_digit(out, SIDE, SIDE, &p, CUG_INVERT_AUTO), CUG_EBLANK);
    box(&p, 10, 10, 20, 20, 239);
    cr_expect_eq(cug_prepare_digit(out, SIDE, SIDE, &p, CUG_INVERT_NO), CUG_EBLANK, "the ink is on the other side");
    cr_expect(strstr(cug_error(), "--invert"), "%s", cug_error());
    cr_expect_eq(cug_prepare_digit(out, 3, SIDE, &p, CUG_INVERT_AUTO), CUG_EINVAL);
    for (size_t i = 0; i < sizeof out; i++) cr_assert_eq(out[i], 0x5A, "untouched");
    cr_expect_eq(cug_prepare_digit(out, SIDE, SIDE, &p, CUG_INVERT_AUTO), CUG_OK);
    cug_picture_free(&p);
    cug_picture_free(&one);
}

Test(prepare, grey_is_luma) {
    uint8_t out[3];
    uint8_t colours[] = {255, 0, 0, 0, 255, 0, 0, 0, 255};
    const cug_picture p = {3, 1, 3, colours};
    cr_assert_eq(cug_prepare_resize(out, 1, 3, 1, &p, CUG_INVERT_AUTO), CUG_OK);
    cr_expect(out[0] == 76 && out[1] == 150 && out[2] == 29, "BT.601: %d %d %d", out[0], out[1], out[2]);
}

Test(prepare, resize_is_the_mean_over_the_area) {
    uint8_t in[] = {0, 100, 200, 50, 60, 70}, out[64];
    const cug_picture p = {3, 2, 1, in};
    cr_assert_eq(cug_prepare_resize(out, 2, 3, 1, &p, CUG_INVERT_NO), CUG_OK);
    cr_expect_eq(memcmp(in, out, 6), 0, "equal sizes keep every byte");
    cr_assert_eq(cug_prepare_resize(out, 2, 3, 1, &p, CUG_INVERT_YES), CUG_OK);
    cr_expect(out[0] == 255 && out[2] == 55 && out[5] == 185);
    cr_assert_eq(cug_prepare_resize(out, 1, 2, 1, &p, CUG_INVERT_NO), CUG_OK);
    /* left: columns 0 and half of 1: (0 + 50 + .5 * (100 + 60)) / 3 = 43.33; right: (200 + 70 + 80) / 3 = 116.67 */
    cr_expect(out[0] == 43 && out[1] == 117, "%d %d", out[0], out[1]);
    cr_assert_eq(cug_prepare_resize(out, 4, 6, 1, &p, CUG_INVERT_NO), CUG_OK);
    cr_expect(out[0] == 0 && out[1] == 0 && out[2] == 100 && out[12] == 50 && out[23] == 70);
    cr_assert_eq(cug_prepare_resize(out, 2, 3, 3, &p, CUG_INVERT_NO), CUG_OK);
    for (int i = 0; i < 18; i++) cr_expect_eq(out[i], in[i / 3], "grey repeated");
    cr_expect_eq(cug_prepare_resize(out, 2, 3, 2, &p, CUG_INVERT_NO), CUG_EINVAL);
}
