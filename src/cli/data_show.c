/* data_show.c - cuglyph data show: images in the terminal, or as a grid in a PNG. */
#include "cli/cli.h"
#include "cli/data.h"
#include <cuglyph/dataset.h>
#include <cuglyph/png.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { TERMINAL_COUNT = 10, PNG_COUNT = 100, PNG_SCALE = 3, SEPARATOR = 96, MAX_CELL = 32, MAX_PNG_BYTES = 1 << 28 };

typedef enum { ASCII, COLOUR_256, COLOUR_24BIT } style;

typedef struct rgb {
    uint8_t r, g, b;
} rgb;

/* The pixel as a colour; what is not RGB shows its first channel as grey. Below the last row: black. */
static rgb pixel(const cug_images *im, int image, int y, int x) {
    if (y >= im->H) return (rgb){0, 0, 0};
    const uint8_t *p =
        im->pixels + (((size_t)image * (size_t)im->H + (size_t)y) * (size_t)im->W + (size_t)x) * (size_t)im->C;
    return im->C == 3 ? (rgb){p[0], p[1], p[2]} : (rgb){p[0], p[0], p[0]};
}

/* The class meant by a number or a name; -1: none. */
static int find_class(const cug_dataset *d, const char *text) {
    long long c;
    for (int i = 0; i < d->classes; i++)
        if (strcasecmp(text, d->class_names[i]) == 0) return i;
    return cli_int(text, 0, d->classes - 1, &c) ? -1 : (int)c;
}

/* The numbers of the images to show, at most o->count; their count in *n. */
static cug_status choose(const data_options *o, const cug_dataset *d, const cug_images *im, int32_t *ids, int *n) {
    int only = -1;
    const char *part = o->test ? "test" : "training";
    if (o->class_name && (only = find_class(d, o->class_name)) < 0)
        return cug_fail(CUG_EINVAL, "%s has no class \"%s\"; cuglyph data info lists them", d->name, o->class_name);
    if (o->start >= im->count)
        return cug_fail(CUG_EINVAL, "%s has %d %s images: none from number %lld on", d->name, im->count, part,
                        o->start);
    *n = 0;
    for (int i = (int)o->start; i < im->count && *n < o->count; i++)
        if (only < 0 || im->labels[i] == only) ids[(*n)++] = i;
    if (*n == 0)
        return cug_fail(CUG_EINVAL, "no %s image from number %lld on has class %s", part, o->start, o->class_name);
    return CUG_OK;
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

/* Two rows of pixels in one line of text. */
static void put_line(style s, const cug_images *im, int image, int y) {
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

static int caption(const cug_dataset *d, const cug_images *im, int id, char *out, size_t n) {
    return snprintf(out, n, "%d: %s", id, d->class_names[im->labels[id]]);
}

static void show_terminal(const data_options *o, const cug_dataset *d, const cug_images *im, const int32_t *ids,
                          int n) {
    char text[64];
    int cell = im->W;
    for (int i = 0; i < n; i++) {
        int len = caption(d, im, ids[i], text, sizeof text);
        if (len > cell) cell = len < MAX_CELL ? len : MAX_CELL;
    }
    int columns = o->rows ? (n + (int)o->rows - 1) / (int)o->rows : (data_columns(STDOUT_FILENO) + 1) / (cell + 1);
    if (columns < 1) columns = 1;
    style s = terminal_style();
    for (int first = 0; first < n; first += columns) {
        int in_row = n - first < columns ? n - first : columns;
        for (int y = 0; y < im->H; y += 2) {
            for (int i = 0; i < in_row; i++) {
                put_line(s, im, ids[first + i], y);
                if (i + 1 < in_row) printf("%*s", cell - im->W + 1, "");
            }
            putchar('\n');
        }
        for (int i = 0; i < in_row; i++) {
            caption(d, im, ids[first + i], text, sizeof text);
            printf("%-*.*s%s", i + 1 < in_row ? cell : 0, cell, text, i + 1 < in_row ? " " : "\n");
        }
    }
}

/* --- PNG --------------------------------------------------------------------------------------------------------- */

/* Copies one image, enlarged, to (left, top) of a picture of `channels`. */
static void draw(uint8_t *picture, size_t stride, int channels, size_t left, size_t top, const cug_images *im,
                 int image, size_t scale) {
    for (size_t y = 0; y < (size_t)im->H * scale; y++)
        for (size_t x = 0; x < (size_t)im->W * scale; x++) {
            rgb c = pixel(im, image, (int)(y / scale), (int)(x / scale));
            uint8_t *to = picture + (top + y) * stride + (left + x) * (size_t)channels;
            to[0] = c.r;
            if (channels == 3) to[1] = c.g, to[2] = c.b;
        }
}

static cug_status write_png(const data_options *o, const cug_dataset *d, const cug_images *im, const int32_t *ids,
                            int n) {
    size_t scale = (size_t)(o->scale ? o->scale : PNG_SCALE), columns = 1;
    if (o->rows)
        columns = (size_t)((n + o->rows - 1) / o->rows);
    else
        while (columns * columns < (size_t)n) columns++;
    size_t rows = ((size_t)n + columns - 1) / columns, channels = im->C == 3 ? 3 : 1;
    /* extents are below 2^31, so these sums and products fit 64 bits one by one; the limit is checked by division */
    size_t width = columns * ((size_t)im->W * scale + 1) - 1, height = rows * ((size_t)im->H * scale + 1) - 1;
    if (width > MAX_PNG_BYTES / channels || height > MAX_PNG_BYTES / channels / width)
        return cug_fail(CUG_EINVAL, "a picture of %zu x %zu pixels is too large; lower --count or --scale", width,
                        height);
    uint8_t *picture = malloc(width * height * channels);
    if (!picture) return cug_fail(CUG_ENOMEM, "out of memory for a picture of %zu x %zu pixels", width, height);
    memset(picture, SEPARATOR, width * height * channels);
    for (size_t i = 0; i < (size_t)n; i++)
        draw(picture, width * channels, (int)channels, i % columns * ((size_t)im->W * scale + 1),
             i / columns * ((size_t)im->H * scale + 1), im, ids[i], scale);
    cug_status st = cug_png_write(o->png, picture, (int)width, (int)height, (int)channels);
    free(picture);
    if (st != CUG_OK) return st;
    printf("%s: %zu x %zu pixels; image numbers and labels, row by row:\n", o->png, width, height);
    for (int i = 0; i < n; i++)
        printf("%d: %s%s", ids[i], d->class_names[im->labels[ids[i]]],
               i + 1 == n || (size_t)(i + 1) % columns == 0 ? "\n" : "  ");
    return CUG_OK;
}

int data_show(const data_options *options) {
    data_options o = *options;
    cug_dataset *d = NULL;
    int32_t *ids = NULL;
    int n = 0;
    if (o.scale && !o.png) return cli_usage("data show", "--scale goes with --png");
    if (!o.count) o.count = o.png ? PNG_COUNT : TERMINAL_COUNT;
    cug_status st;
    CUG_GOTO(cug_dataset_open(&d, o.name, o.data_dir));
    const cug_images *im = o.test ? &d->test : &d->train;
    ids = malloc((size_t)o.count * sizeof *ids);
    if (!ids) {
        st = cug_fail(CUG_ENOMEM, "out of memory");
        goto cleanup;
    }
    CUG_GOTO(choose(&o, d, im, ids, &n));
    if (o.png)
        st = write_png(&o, d, im, ids, n);
    else
        show_terminal(&o, d, im, ids, n);
cleanup:
    free(ids);
    cug_dataset_free(d);
    return st == CUG_OK ? 0 : cli_fail(st);
}
