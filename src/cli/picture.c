/* picture.c - images in the terminal, and as a grid in a PNG. */
#include "cli/picture.h"
#include "cli/cli.h"
#include <cuglyph/png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SEPARATOR = 96, MAX_PNG_BYTES = 1 << 28 };

typedef enum { ASCII, COLOUR_256, COLOUR_24BIT } style;

typedef struct rgb {
    uint8_t r, g, b;
} rgb;

/* The pixel as a colour; what is not RGB shows its first channel as grey. Below the last row: black. */
static rgb pixel(const picture_set *im, int image, int y, int x) {
    if (y >= im->H) return (rgb){0, 0, 0};
    const uint8_t *p =
        im->pixels + (((size_t)image * (size_t)im->H + (size_t)y) * (size_t)im->W + (size_t)x) * (size_t)im->C;
    return im->C == 3 ? (rgb){p[0], p[1], p[2]} : (rgb){p[0], p[0], p[0]};
}

/* --- terminal ---------------------------------------------------------------------------------------------------- */

static style terminal_style(void) {
    const char *v, *colour = getenv("COLORTERM");
    if (!cli_fancy_stdout()) return ASCII;
    /* half blocks need UTF-8: the first of these that is set says */
    if (!((v = getenv("LC_ALL")) && *v) && !((v = getenv("LC_CTYPE")) && *v)) v = getenv("LANG");
    if (!v || (!strcasestr(v, "UTF-8") && !strcasestr(v, "UTF8"))) return ASCII;
    return colour && (!strcmp(colour, "truecolor") || !strcmp(colour, "24bit")) ? COLOUR_24BIT : COLOUR_256;
}

static int to_256(rgb c) {
    if (c.r == c.g && c.g == c.b) return c.r < 5 ? 16 : c.r > 246 ? 231 : 232 + (c.r - 3) * 24 / 245;
    return 16 + 36 * ((c.r * 5 + 127) / 255) + 6 * ((c.g * 5 + 127) / 255) + (c.b * 5 + 127) / 255;
}

/* Sets the colour of the upper half (38: foreground) or lower half (48: background). */
static void put_colour(style s, int which, rgb c) {
    if (s == COLOUR_24BIT)
        printf("\033[%d;2;%d;%d;%dm", which, c.r, c.g, c.b);
    else
        printf("\033[%d;5;%dm", which, to_256(c));
}

static int same(rgb a, rgb b) { return a.r == b.r && a.g == b.g && a.b == b.b; }

void picture_line(const picture_set *im, int image, int y) {
    const style s = terminal_style();
    static const char shades[] = " .:-=+*#%@";
    rgb was_up = {0}, was_down = {0};
    for (int x = 0; x < im->W; x++) {
        rgb up = pixel(im, image, y, x), down = pixel(im, image, y + 1, x);
        if (s == ASCII) {
            int sum = up.r + up.g + up.b + down.r + down.g + down.b;
            putchar(shades[sum * 10 / (6 * 255 + 1)]);
            continue;
        }
        if (x == 0 || !same(up, was_up)) put_colour(s, 38, up);
        if (x == 0 || !same(down, was_down)) put_colour(s, 48, down);
        fputs("\u2580", stdout);
        was_up = up;
        was_down = down;
    }
    if (s != ASCII) fputs("\033[0m", stdout);
}

/* --- PNG --------------------------------------------------------------------------------------------------------- */

/* Copies one image, enlarged, to (left, top) of a picture of `channels`. */
static void draw(uint8_t *picture, size_t stride, int channels, size_t left, size_t top, const picture_set *im,
                 int image, size_t scale) {
    for (size_t y = 0; y < (size_t)im->H * scale; y++)
        for (size_t x = 0; x < (size_t)im->W * scale; x++) {
            rgb c = pixel(im, image, (int)(y / scale), (int)(x / scale));
            uint8_t *to = picture + (top + y) * stride + (left + x) * (size_t)channels;
            to[0] = c.r;
            if (channels == 3) to[1] = c.g, to[2] = c.b;
        }
}

size_t picture_columns(size_t n, size_t rows) {
    size_t columns = 1;
    if (rows) return (n + rows - 1) / rows;
    while (columns * columns < n) columns++;
    return columns;
}

cug_status picture_grid(const char *path, const picture_set *set, const int32_t *ids, size_t n, size_t columns,
                        size_t scale, size_t *width_out, size_t *height_out) {
    size_t rows = (n + columns - 1) / columns, channels = set->C == 3 ? 3 : 1;
    /* extents are below 2^31, so these sums and products fit 64 bits one by one; the limit is checked by division */
    size_t width = columns * ((size_t)set->W * scale + 1) - 1, height = rows * ((size_t)set->H * scale + 1) - 1;
    if (width > MAX_PNG_BYTES / channels || height > MAX_PNG_BYTES / channels / width)
        return cug_fail(CUG_EINVAL, "a picture of %zu x %zu pixels is too large; take fewer or a lower scale", width,
                        height);
    uint8_t *picture = malloc(width * height * channels);
    if (!picture) return cug_fail(CUG_ENOMEM, "out of memory for a picture of %zu x %zu pixels", width, height);
    memset(picture, SEPARATOR, width * height * channels);
    for (size_t i = 0; i < n; i++)
        draw(picture, width * channels, (int)channels, i % columns * ((size_t)set->W * scale + 1),
             i / columns * ((size_t)set->H * scale + 1), set, ids ? ids[i] : (int)i, scale);
    cug_status st = cug_png_write(path, picture, (int)width, (int)height, (int)channels);
    free(picture);
    if (width_out) *width_out = width;
    if (height_out) *height_out = height;
    return st;
}
