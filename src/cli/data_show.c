/* data_show.c - cuglyph data show: images in the terminal, or as a grid in a PNG. */
#include "cli/cli.h"
#include "cli/data.h"
#include "cli/picture.h"
#include <cuglyph/dataset.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { TERMINAL_COUNT = 10, PNG_COUNT = 100, PNG_SCALE = 3, MAX_CELL = 32 };

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

static picture_set pictures(const cug_images *im) { return (picture_set){im->pixels, im->H, im->W, im->C}; }

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
    const picture_set set = pictures(im);
    for (int first = 0; first < n; first += columns) {
        int in_row = n - first < columns ? n - first : columns;
        for (int y = 0; y < im->H; y += 2) {
            for (int i = 0; i < in_row; i++) {
                picture_line(&set, ids[first + i], y);
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

static cug_status write_png(const data_options *o, const cug_dataset *d, const cug_images *im, const int32_t *ids,
                            int n) {
    const picture_set set = pictures(im);
    size_t columns = picture_columns((size_t)n, (size_t)o->rows), width = 0, height = 0;
    CUG_TRY(picture_grid(o->png, &set, ids, (size_t)n, columns, (size_t)(o->scale ? o->scale : PNG_SCALE), &width,
                         &height));
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
