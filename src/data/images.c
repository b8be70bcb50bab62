/* images.c - what is done to labelled images in memory: choosing classes, statistics, scaling, dense targets. */
#include "data/large_alloc.h"
#include <cuglyph/dataset.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keeps the images whose class has a place in new_class (-1: drop), in their order, moving them down in place. */
static void keep_in_part(cug_images *im, const int new_class[CUG_MAX_CLASSES]) {
    size_t size = (size_t)im->H * (size_t)im->W * (size_t)im->C;
    int kept = 0;
    for (int i = 0; i < im->count; i++) {
        int c = new_class[im->labels[i]];
        if (c < 0) continue;
        if (kept != i) memcpy(im->pixels + (size_t)kept * size, im->pixels + (size_t)i * size, size);
        im->labels[kept++] = c;
    }
    im->count = kept;
}

/* A row of a few bytes: the library's copy takes longer to begin than to end. */
static inline void copy_row(uint8_t *to, const uint8_t *from, size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) memcpy(to + i, from + i, 8);
    for (; i < n; i++) to[i] = from[i];
}

/* The images without n pixels of each side, one after the other from `to` on, which may be where they are. */
static void keep_middle(uint8_t *to, const cug_images *im, int n) {
    const size_t C = (size_t)im->C, from_row = (size_t)im->W * C, margin = (size_t)n;
    const size_t rows = (size_t)im->H - 2 * margin, row = (size_t)(im->W - 2 * n) * C;
    for (size_t i = 0; i < (size_t)im->count; i++) {
        const uint8_t *from = im->pixels + (i * (size_t)im->H + margin) * from_row + margin * C;
        for (size_t y = 0; y < rows; y++, to += row, from += from_row) copy_row(to, from, row);
    }
}

static cug_status can_crop(const cug_images *im, int n) {
    if (n >= 0 && n < (im->H + 1) / 2 && n < (im->W + 1) / 2) return CUG_OK;
    return cug_fail(CUG_EINVAL, "crop = %d: nothing would stay of images of %dx%d; take less", n, im->H, im->W);
}

cug_status cug_images_crop(cug_images *im, int n) {
    CUG_TRY(can_crop(im, n));
    if (n) keep_middle(im->pixels, im, n);
    im->H -= 2 * n;
    im->W -= 2 * n;
    return CUG_OK;
}

static cug_status copy_part(cug_images *to, const cug_images *from, int n) {
    *to = (cug_images){.C = from->C};
    if (!from->count) return CUG_OK;
    CUG_TRY(can_crop(from, n));
    to->H = from->H - 2 * n, to->W = from->W - 2 * n;
    size_t labels = (size_t)from->count * sizeof *to->labels;
    to->pixels = cug_large_alloc((size_t)from->count * (size_t)to->H * (size_t)to->W * (size_t)to->C);
    to->labels = malloc(labels);
    if (!to->pixels || !to->labels) return cug_fail(CUG_ENOMEM, "out of memory for a copy of %d images", from->count);
    to->count = from->count;
    keep_middle(to->pixels, from, n);
    memcpy(to->labels, from->labels, labels);
    return CUG_OK;
}

cug_status cug_dataset_copy(cug_dataset **out, const cug_dataset *d, int crop) {
    cug_dataset *copy = *out = malloc(sizeof *copy);
    if (!copy) return cug_fail(CUG_ENOMEM, "out of memory for a data set");
    *copy = *d;
    copy->train = copy->test = (cug_images){0};
    cug_status st = copy_part(&copy->train, &d->train, crop);
    if (st == CUG_OK) st = copy_part(&copy->test, &d->test, crop);
    if (st == CUG_OK) return CUG_OK;
    cug_dataset_free(copy);
    *out = NULL;
    return st;
}

static int holds_class(const cug_images *im, int class_number) {
    for (int i = 0; i < im->count; i++)
        if (im->labels[i] == class_number) return 1;
    return 0;
}

cug_status cug_dataset_keep_classes(cug_dataset *d, const char *list) {
    int new_class[CUG_MAX_CLASSES], old_class[CUG_MAX_CLASSES], n = 0;
    for (int c = 0; c < CUG_MAX_CLASSES; c++) new_class[c] = -1;
    for (const char *p = list;;) {
        char *end;
        long c = *p >= '0' && *p <= '9' ? strtol(p, &end, 10) : -1;
        if (c < 0 || (*end && *end != ','))
            return cug_fail(CUG_EINVAL, "classes \"%s\": not a list of class numbers such as 0,1", list);
        if (c >= d->classes)
            return cug_fail(CUG_EINVAL, "classes \"%s\": %s has no class %ld, only 0..%d", list, d->name, c,
                            d->classes - 1);
        if (new_class[c] >= 0) return cug_fail(CUG_EINVAL, "classes \"%s\": %ld stands there twice", list, c);
        if (!holds_class(&d->train, (int)c))
            return cug_fail(CUG_EINVAL, "classes \"%s\": no training image has class %ld", list, c);
        old_class[n] = (int)c;
        new_class[c] = n++;
        if (!*end) break;
        p = end + 1;
    }
    char names[CUG_MAX_CLASSES][sizeof d->class_names[0]];
    memcpy(names, d->class_names, sizeof names);
    memset(d->class_names, 0, sizeof d->class_names);
    for (int c = 0; c < n; c++) memcpy(d->class_names[c], names[old_class[c]], sizeof names[0]);
    d->classes = n;
    keep_in_part(&d->train, new_class);
    keep_in_part(&d->test, new_class);
    return CUG_OK;
}

/* Adds the bytes and their squares, in 16 sums of 32 bits that vectorise: 65536 terms fit (65536 * 255^2 < 2^32). */
static void add_sums(const uint8_t *p, size_t n, uint64_t *sum, uint64_t *squares) {
    enum { LANES = 16 };
    while (n) {
        uint32_t s[LANES] = {0}, q[LANES] = {0};
        size_t groups = n / LANES < 65535 ? n / LANES : 65535;
        n -= groups * LANES;
        for (; groups; groups--, p += LANES)
            for (int i = 0; i < LANES; i++) {
                s[i] += p[i];
                q[i] += (uint32_t)p[i] * p[i];
            }
        for (; n && n < LANES; n--, p++) {
            s[n] += *p;
            q[n] += (uint32_t)*p * *p;
        }
        for (int i = 0; i < LANES; i++) *sum += s[i], *squares += q[i];
    }
}

void cug_images_stats(const cug_images *im, const int32_t *idx, size_t n, double *mean, double *sd) {
    size_t size = (size_t)im->H * (size_t)im->W * (size_t)im->C;
    uint64_t sum = 0, squares = 0;
    if (idx)
        for (size_t i = 0; i < n; i++) add_sums(im->pixels + (size_t)idx[i] * size, size, &sum, &squares);
    else
        add_sums(im->pixels, (n = (size_t)im->count) * size, &sum, &squares);
    *mean = *sd = 0;
    uint64_t count = (uint64_t)n * size;
    if (!count) return;
    /* Around the whole number next below the mean everything stays an exact integer, so equal pixels give sd = 0 and
     * not the rounding error of a difference of large squares. */
    uint64_t base = sum / count, rest = sum % count;
    uint64_t around = squares - 2 * base * sum + base * base * count; /* sum of (x - base)^2 */
    double offset = (double)rest / (double)count;
    double variance = (double)around / (double)count - offset * offset;
    *mean = ((double)base + offset) / 255.0;
    *sd = variance > 0 ? sqrt(variance) / 255.0 : 0;
}

static const char *const scaling_names[] = {"unit", "signed", "std"};

void cug_scaling_factors(cug_scaling s, double mean, double sd, float *scale, float *shift) {
    if (!(sd > 0)) sd = 1;
    switch (s) {
    case CUG_SCALE_UNIT:
        *scale = (float)(1 / 255.0), *shift = 0;
        break;
    case CUG_SCALE_SIGNED:
        *scale = (float)(2 / 255.0), *shift = -1;
        break;
    case CUG_SCALE_STD:
        *scale = (float)(1 / (255.0 * sd)), *shift = (float)(-mean / sd);
        break;
    }
}

const char *cug_scaling_name(cug_scaling s) {
    return (unsigned)s < sizeof scaling_names / sizeof *scaling_names ? scaling_names[s] : "?";
}

int cug_scaling_find(const char *name) {
    for (int i = 0; i < (int)(sizeof scaling_names / sizeof *scaling_names); i++)
        if (name && strcmp(name, scaling_names[i]) == 0) return i;
    return -1;
}

void cug_one_hot(const int32_t *labels, size_t n, int classes, float smoothing, float *out) {
    float off = smoothing / (float)classes, on = 1 - smoothing + off;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < classes; k++) *out++ = k == labels[i] ? on : off;
}
