/* png.c - pictures on libpng, whose errors come by longjmp and leave here as statuses. */
#include "io/atomic.h"
#include <cuglyph/png.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>

typedef struct writer {
    cug_atomic *file;
    cug_status st; /* of the last write */
    char why[128];
} writer;

static void on_error(png_structp png, png_const_charp text) {
    writer *w = png_get_error_ptr(png);
    snprintf(w->why, sizeof w->why, "%s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) { (void)png, (void)text; }

static void on_write(png_structp png, png_bytep bytes, size_t n) {
    writer *w = png_get_io_ptr(png);
    w->st = cug_atomic_write(w->file, bytes, n);
    if (w->st != CUG_OK) png_error(png, "write");
}

static void on_flush(png_structp png) { (void)png; }

/* All that may longjmp; its own function, so that no local of the caller is at risk. 0 on success. */
static int encode(png_structp png, png_infop info, const uint8_t *pixels, int width, int height, int channels) {
    if (setjmp(png_jmpbuf(png))) return -1;
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, 8,
                 channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
    png_write_info(png, info);
    for (int y = 0; y < height; y++) png_write_row(png, pixels + (size_t)y * (size_t)width * (size_t)channels);
    png_write_end(png, info);
    return 0;
}

cug_status cug_png_write(const char *path, const uint8_t *pixels, int width, int height, int channels) {
    if (!path || !pixels || width < 1 || height < 1 || (channels != 1 && channels != 3))
        return cug_fail(CUG_EINVAL, "a picture of %d x %d with %d channels cannot be written: it takes 1 or 3 channels",
                        width, height, channels);
    png_structp png = NULL;
    png_infop info = NULL;
    cug_atomic file = {.fd = -1};
    writer w = {.file = &file};
    cug_status st;
    CUG_GOTO(cug_atomic_open(&file, path, "picture"));
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, on_error, on_warning);
    info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        st = cug_fail(CUG_ENOMEM, "%s: out of memory for libpng", path);
        goto cleanup;
    }
    png_set_write_fn(png, &w, on_write, on_flush);
    if (encode(png, info, pixels, width, height, channels)) {
        st = w.st != CUG_OK ? w.st : cug_fail(CUG_EINVAL, "%s: libpng: %s", path, w.why);
        goto cleanup;
    }
    st = cug_atomic_commit(&file);
cleanup:
    png_destroy_write_struct(&png, &info);
    cug_atomic_close(&file);
    return st;
}
