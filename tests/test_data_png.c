/* test_data_png.c - pictures written by us, read back by libpng. */
#include "support/data_files.h"
#include <criterion/criterion.h>
#include <cuglyph/png.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(png, .init = tdata_begin, .fini = tdata_end, .timeout = 60);

Test(png, comes_back_as_it_went) {
    static const int sizes[][3] = {{1, 1, 1}, {1, 1, 3}, {28, 28, 1}, {7, 3, 3}, {301, 200, 1}, {301, 200, 3}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        int w = sizes[s][0], h = sizes[s][1], c = sizes[s][2];
        size_t n = (size_t)w * (size_t)h * (size_t)c;
        uint8_t *pixels = malloc(n), *back = calloc(n, 1);
        cr_assert(pixels && back);
        for (size_t i = 0; i < n; i++) pixels[i] = (uint8_t)(i * 31 + i / 100);
        cr_assert_eq(cug_png_write(tdata_path("p.png"), pixels, w, h, c), CUG_OK, "%s", cug_error());
        png_image image = {.version = PNG_IMAGE_VERSION};
        cr_assert(png_image_begin_read_from_file(&image, tdata_path("p.png")));
        cr_assert(image.width == (unsigned)w && image.height == (unsigned)h);
        cr_assert_eq(image.format, (unsigned)(c == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY));
        cr_assert(png_image_finish_read(&image, NULL, back, 0, NULL));
        cr_assert_eq(memcmp(pixels, back, n), 0);
        free(pixels), free(back);
    }
    cr_assert_eq(tdata_entries(tdata_dir), 1, "only the picture is left");
}

Test(png, refuses_and_leaves_nothing) {
    const uint8_t grey[4] = {0};
    cr_assert_eq(cug_png_write(tdata_path("p.png"), grey, 2, 2, 2), CUG_EINVAL);
    cr_assert_eq(cug_png_write(tdata_path("p.png"), grey, 0, 2, 1), CUG_EINVAL);
    cr_assert_eq(cug_png_write(tdata_path("p.png"), grey, 2, -1, 1), CUG_EINVAL);
    cr_assert_eq(cug_png_write(tdata_path("p.png"), NULL, 2, 2, 1), CUG_EINVAL);
    cr_assert_eq(cug_png_write(tdata_path("p.png"), grey, 2000000, 1, 1), CUG_EINVAL, "libpng's own limit, by longjmp");
    cr_assert(strstr(cug_error(), "p.png"), "%s", cug_error());
    cr_assert_eq(cug_png_write(tdata_path("none/p.png"), grey, 2, 2, 1), CUG_ENOENT);
    cr_assert_eq(cug_png_write(tdata_path(""), grey, 2, 2, 1), CUG_EINVAL);
    cr_assert_eq(tdata_entries(tdata_dir), 0);
    mkdir(tdata_path("p.png"), 0777); /* a folder has the name */
    cr_assert_eq(cug_png_write(tdata_path("p.png"), grey, 2, 2, 1), CUG_EINVAL);
    cr_assert_eq(tdata_entries(tdata_dir), 1);
}
