/* test_png_read.c - PNG of every kind read to the values it holds; damaged, cut short and lying files refused. */
#include "support/data_files.h"
#include <criterion/criterion.h>
#include <cuglyph/png.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

TestSuite(png_read, .init = tdata_begin, .fini = tdata_end, .timeout = 60);

enum { W = 13, H = 9 };

typedef struct bytes {
    uint8_t data[1 << 16];
    size_t n;
} bytes;

static void keep(png_structp png, png_bytep p, size_t n) {
    bytes *b = png_get_io_ptr(png);
    cr_assert_lt(b->n + n, sizeof b->data);
    memcpy(b->data + b->n, p, n);
    b->n += n;
}

static void no_flush(png_structp png) { (void)png; }

static int channels_of(int type) {
    return type == PNG_COLOR_TYPE_RGB_ALPHA    ? 4
           : type == PNG_COLOR_TYPE_RGB        ? 3
           : type == PNG_COLOR_TYPE_GRAY_ALPHA ? 2
                                               : 1;
}

static const png_color palette[4] = {{10, 20, 30}, {255, 0, 128}, {0, 0, 0}, {77, 77, 77}};
static const png_byte palette_alpha[3] = {255, 0, 100}; /* the fourth: opaque */
#define TRANSPARENT 1                                   /* the sample that tRNS makes transparent in grey and RGB */

/* Sample c of pixel (x, y), as many bits as the file has; every value occurs. */
static unsigned sample(int x, int y, int c, int type, int depth) {
    unsigned v = (unsigned)(x * 7 + y * 31 + c * 11 + (x * y) % 5);
    if (depth == 16) v = v * 2654435761u >> 13;
    if (type == PNG_COLOR_TYPE_PALETTE) return v % (depth == 1 ? 2 : 4);
    return v & ((1u << depth) - 1);
}

static void encode(bytes *out, int type, int depth, int interlace, int trns) {
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    out->n = 0;
    png_set_write_fn(png, out, keep, no_flush);
    png_set_IHDR(png, info, W, H, depth, type, interlace ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
    const png_color_16 clear = {0, TRANSPARENT, TRANSPARENT, TRANSPARENT, TRANSPARENT};
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, depth == 1 ? 2 : 4);
    if (trns && type == PNG_COLOR_TYPE_PALETTE) png_set_tRNS(png, info, palette_alpha, depth == 1 ? 2 : 3, NULL);
    if (trns && type != PNG_COLOR_TYPE_PALETTE) png_set_tRNS(png, info, NULL, 0, &clear);
    png_write_info(png, info);
    png_byte row[W * 8 + 8], *rows[H];
    uint8_t all[H][sizeof row];
    for (int y = 0; y < H; y++) {
        memset(row, 0, sizeof row);
        int C = channels_of(type);
        for (int x = 0; x < W; x++)
            for (int c = 0; c < C; c++) {
                unsigned v = sample(x, y, c, type, depth);
                size_t at = (size_t)(x * C + c), bit = at * (size_t)depth;
                if (depth == 16) {
                    row[2 * at] = (png_byte)(v >> 8);
                    row[2 * at + 1] = (png_byte)v;
                } else {
                    row[bit / 8] = (png_byte)(row[bit / 8] | v << (8 - (unsigned)depth - bit % 8));
                }
            }
        memcpy(all[y], row, sizeof row);
        rows[y] = all[y];
    }
    png_set_interlace_handling(png);
    png_write_image(png, rows);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
}

static double to_8(unsigned v, int depth) { return v * 255.0 / ((1u << depth) - 1); }

/* What the file says of pixel (x, y) channel c, on white, in double. */
static double expected(int x, int y, int c, int type, int depth, int trns) {
    double v, a = 255;
    if (type == PNG_COLOR_TYPE_PALETTE) {
        unsigned i = sample(x, y, 0, type, depth);
        v = c == 0 ? palette[i].red : c == 1 ? palette[i].green : palette[i].blue;
        if (trns && i < 3) a = palette_alpha[i];
    } else {
        int C = channels_of(type), colour = type & PNG_COLOR_MASK_COLOR, alpha = type & PNG_COLOR_MASK_ALPHA;
        v = to_8(sample(x, y, colour ? c : 0, type, depth), depth);
        if (alpha) a = to_8(sample(x, y, C - 1, type, depth), depth);
        int hidden = trns;
        for (int k = 0; k < C; k++) hidden &= sample(x, y, k, type, depth) == TRANSPARENT;
        if (hidden) a = 0;
    }
    return (v * a + 255 * (255 - a)) / 255;
}

Test(png_read, every_colour_type_depth_and_interlacing) {
    static const struct {
        int type, depths[5];
    } kinds[] = {{PNG_COLOR_TYPE_GRAY, {1, 2, 4, 8, 16}},
                 {PNG_COLOR_TYPE_RGB, {8, 16}},
                 {PNG_COLOR_TYPE_PALETTE, {1, 2, 4, 8}},
                 {PNG_COLOR_TYPE_GRAY_ALPHA, {8, 16}},
                 {PNG_COLOR_TYPE_RGB_ALPHA, {8, 16}}};
    static bytes b;
    int files = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int d = 0; d < 5 && kinds[k].depths[d]; d++)
            for (int way = 0; way < 4; way++) {
                int type = kinds[k].type, depth = kinds[k].depths[d], trns = way & 1;
                if (trns && (type & PNG_COLOR_MASK_ALPHA)) continue;
                cug_picture p;
                encode(&b, type, depth, way & 2, trns);
                cr_assert_eq(cug_png_parse(&p, b.data, b.n, "x"), CUG_OK, "%s", cug_error());
                cr_assert(p.W == W && p.H == H);
                cr_assert_eq(p.C, type & PNG_COLOR_MASK_COLOR ? 3 : 1);
                for (int y = 0; y < H; y++)
                    for (int x = 0; x < W; x++)
                        for (int c = 0; c < p.C; c++) {
                            double got = p.pixels[(y * W + x) * p.C + c], want = expected(x, y, c, type, depth, trns);
                            cr_assert(got >= want - 1.01 && got <= want + 1.01,
                                      "type %d, depth %d, way %d, pixel %d,%d,%d: %g, expected %g", type, depth, way, x,
                                      y, c, got, want); /* two roundings: 16 bits to 8, then the paper */
                        }
                cug_picture_free(&p);
                files++;
            }
    cr_assert_eq(files, 11 * 4 + 4 * 2);
}

Test(png_read, opaque_bytes_come_back_exactly) {
    uint8_t pixels[5 * 7 * 3];
    cug_picture p;
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37);
    for (int C = 1; C <= 3; C += 2) {
        cr_assert_eq(cug_png_write(tdata_path("p.png"), pixels, 7, 5, C), CUG_OK);
        cr_assert_eq(cug_png_read(&p, tdata_path("p.png")), CUG_OK, "%s", cug_error());
        cr_assert(p.W == 7 && p.H == 5 && p.C == C);
        cr_assert_eq(memcmp(p.pixels, pixels, (size_t)(35 * C)), 0);
        cug_picture_free(&p);
    }
}

static void refused(const void *data, size_t n, cug_status want, const char *says) {
    cug_picture p;
    memset(&p, 0xff, sizeof p);
    cr_expect_eq(cug_png_parse(&p, data, n, "the file"), want, "%s", cug_error());
    cr_expect(!p.pixels && !p.W && !p.H && !p.C);
    cr_expect(strncmp(cug_error(), "the file: ", 10) == 0 && strstr(cug_error(), says), "%s", cug_error());
}

Test(png_read, cut_short_anywhere_is_refused) {
    static bytes b;
    encode(&b, PNG_COLOR_TYPE_RGB, 8, 0, 0);
    for (size_t n = 0; n < b.n - 12; n++)
        refused(b.data, n, CUG_EPNG, n < 8 ? "not a PNG" : "PNG"); /* IEND: 12 bytes */
}

Test(png_read, damage_and_lies_are_refused) {
    static bytes b;
    encode(&b, PNG_COLOR_TYPE_GRAY, 8, 0, 0);
    b.data[8 + 8 + 2] ^= 0x40; /* width, and so the checksum is wrong */
    refused(b.data, b.n, CUG_EPNG, "IHDR");
    encode(&b, PNG_COLOR_TYPE_GRAY, 8, 0, 0);
    b.data[8 + 25 + 12] ^= 1; /* inside IDAT */
    refused(b.data, b.n, CUG_EPNG, "PNG that cannot be read");
    refused("GIF89a..........", 16, CUG_EPNG, "save it as PNG");
}

/* A header that promises more than the limits allow: refused before memory is taken. */
static void claims(uint32_t w, uint32_t h, const char *says) {
    static bytes b;
    encode(&b, PNG_COLOR_TYPE_GRAY, 8, 0, 0);
    uint8_t *ihdr = b.data + 12;
    for (int i = 0; i < 4; i++) {
        ihdr[4 + i] = (uint8_t)(w >> (24 - 8 * i));
        ihdr[8 + i] = (uint8_t)(h >> (24 - 8 * i));
    }
    uint32_t crc = (uint32_t)~0u; /* CRC-32 of type and data, as RFC 2083 */
    for (int i = 0; i < 17; i++) {
        crc ^= ihdr[i];
        for (int k = 0; k < 8; k++) crc = crc & 1 ? 0xEDB88320u ^ crc >> 1 : crc >> 1;
    }
    crc = ~crc;
    for (int i = 0; i < 4; i++) ihdr[17 + i] = (uint8_t)(crc >> (24 - 8 * i));
    refused(b.data, b.n, CUG_EPNG, says);
}

Test(png_read, sizes_over_the_limits_are_refused) {
    claims(CUG_PNG_MAX_SIDE + 1, 1, "IHDR");
    claims(1, 0x7fffffff, "IHDR");
    claims(CUG_PNG_MAX_SIDE, CUG_PNG_MAX_SIDE, "too many pixels");
    claims(CUG_PNG_MAX_SIDE, CUG_PNG_MAX_PIXELS / CUG_PNG_MAX_SIDE + 1, "too many pixels");
    claims(0, 5, "IHDR");
    claims(4000, 4000, "image data"); /* allowed, but the data is not there */
}

Test(png_read, what_is_no_file) {
    cug_picture p;
    cr_expect_eq(cug_png_read(&p, tdata_path("none.png")), CUG_ENOENT);
    cr_expect_eq(cug_png_read(&p, tdata_dir), CUG_EINVAL, "a folder");
    tdata_write(tdata_path("empty.png"), "", 0);
    cr_expect_eq(cug_png_read(&p, tdata_path("empty.png")), CUG_EPNG);
}
