/* dataset.c - opens a labelled image set: known by name, or any pair of IDX files; checks that its parts fit. */
#include "data/places.h"
#include <cuglyph/dataset.h>
#include <cuglyph/idx.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cug_status check_images(const cug_idx *x, const char *path) {
    if (x->ndim != 3 && x->ndim != 4)
        return cug_fail(CUG_EDATA_SHAPE, "%s: images need rank 3 (count, height, width) or 4 (... channels), not %d%s",
                        path, x->ndim, x->ndim == 1 ? "; are images and labels swapped?" : "");
    for (int i = 0; i < x->ndim; i++)
        if (x->dims[i] > INT32_MAX)
            return cug_fail(CUG_EDATA_SHAPE, "%s: dimension %d is %u; at most %d is supported", path, i + 1, x->dims[i],
                            INT32_MAX);
    return CUG_OK;
}

static cug_status check_labels(const cug_idx *y, const cug_idx *x, const char *labels, const char *images,
                               int classes) {
    if (y->ndim != 1)
        return cug_fail(CUG_EDATA_SHAPE, "%s: labels need rank 1, not %d%s", labels, y->ndim,
                        y->ndim >= 3 ? "; are images and labels swapped?" : "");
    if (y->dims[0] != x->dims[0])
        return cug_fail(CUG_EDATA_COUNT, "%s holds %u labels but %s holds %u images; take files of the same part",
                        labels, y->dims[0], images, x->dims[0]);
    for (uint32_t i = 0; i < y->dims[0]; i++)
        if (y->data[i] >= classes)
            return cug_fail(CUG_EDATA_LABEL, "%s: label %d at place %u is not in 0..%d; get the right file", labels,
                            y->data[i], i, classes - 1);
    return CUG_OK;
}

/* Reads one pair of files; takes the pixels over as they are, widens the labels. */
static cug_status read_part(cug_images *im, const char *images, const char *labels, int classes) {
    cug_idx x = {0}, y = {0};
    cug_status st;
    CUG_GOTO(cug_idx_read(&x, images));
    CUG_GOTO(check_images(&x, images));
    CUG_GOTO(cug_idx_read(&y, labels));
    CUG_GOTO(check_labels(&y, &x, labels, images, classes));
    im->labels = calloc(y.bytes, sizeof *im->labels);
    if (!im->labels) {
        st = cug_fail(CUG_ENOMEM, "%s: out of memory for %zu labels", labels, y.bytes);
        goto cleanup;
    }
    for (size_t i = 0; i < y.bytes; i++) im->labels[i] = y.data[i];
    im->count = (int)x.dims[0];
    im->H = (int)x.dims[1];
    im->W = (int)x.dims[2];
    im->C = x.ndim == 4 ? (int)x.dims[3] : 1;
    im->pixels = x.data;
    x.data = NULL;
cleanup:
    cug_idx_free(&x);
    cug_idx_free(&y);
    return st;
}

static cug_status check_same_shape(const cug_dataset *d, const char *train, const char *test) {
    const cug_images *a = &d->train, *b = &d->test;
    if (a->H == b->H && a->W == b->W && a->C == b->C) return CUG_OK;
    return cug_fail(CUG_EDATA_SHAPE, "%s holds %dx%dx%d images but %s %dx%dx%d; take files of one data set", train,
                    a->H, a->W, a->C, test, b->H, b->W, b->C);
}

/* Another known set's labels in this one's place: same file names, so only the contents tell. */
static cug_status check_is_this_set(const cug_dataset *d, const cug_known_dataset *k, const char *dir) {
    uint8_t first[10];
    size_t n = 0;
    while (n < sizeof first && n < (size_t)d->train.count) first[n] = (uint8_t)d->train.labels[n], n++;
    const cug_known_dataset *other = cug_known_by_labels(first, n);
    if (!other || other == k) return CUG_OK;
    return cug_fail(CUG_EINVAL, "%s holds %s, not %s; open it by that name or look elsewhere", dir, other->name,
                    k->name);
}

static cug_status open_known(cug_dataset *d, const cug_known_dataset *k, const char *data_dir) {
    char dir[PATH_MAX], path[4][PATH_MAX];
    CUG_TRY(cug_data_find(dir, k, data_dir));
    for (int i = 0; i < 4; i++)
        if (!cug_data_file(path[i], dir, k->file[i].name))
            return cug_fail(CUG_ENOENT, "%s/%s: gone while opening", dir, k->file[i].name);
    snprintf(d->name, sizeof d->name, "%s", k->name);
    snprintf(d->where, sizeof d->where, "%.511s", dir);
    d->classes = 10;
    for (int c = 0; c < d->classes; c++) snprintf(d->class_names[c], sizeof d->class_names[c], "%s", k->class_names[c]);
    CUG_TRY(read_part(&d->train, path[0], path[1], d->classes));
    CUG_TRY(read_part(&d->test, path[2], path[3], d->classes));
    CUG_TRY(check_same_shape(d, path[0], path[2]));
    return check_is_this_set(d, k, dir);
}

static int max_label(const cug_images *im) {
    int m = -1;
    for (int i = 0; i < im->count; i++)
        if (im->labels[i] > m) m = im->labels[i];
    return m;
}

/* paths: "IMAGES,LABELS" or "IMAGES,LABELS,IMAGES,LABELS"; cut up in place. */
static cug_status open_idx(cug_dataset *d, char *paths) {
    char *path[5] = {NULL};
    int n = 0;
    while (n < 5 && (path[n] = strsep(&paths, ","))) n++;
    int empty = 0;
    for (int i = 0; i < n; i++) empty |= !path[i][0];
    if ((n != 2 && n != 4) || empty)
        return cug_fail(CUG_EINVAL,
                        "idx: needs IMAGES,LABELS or IMAGES,LABELS,IMAGES,LABELS (training, then test): two "
                        "or four paths without commas in them");
    snprintf(d->name, sizeof d->name, "idx");
    snprintf(d->where, sizeof d->where, "%.511s", path[0]);
    CUG_TRY(read_part(&d->train, path[0], path[1], CUG_MAX_CLASSES));
    d->test = (cug_images){.H = d->train.H, .W = d->train.W, .C = d->train.C};
    if (n == 4) {
        CUG_TRY(read_part(&d->test, path[2], path[3], CUG_MAX_CLASSES));
        CUG_TRY(check_same_shape(d, path[0], path[2]));
    }
    int a = max_label(&d->train), b = max_label(&d->test);
    d->classes = (a > b ? a : b) + 1;
    for (int c = 0; c < d->classes; c++) snprintf(d->class_names[c], sizeof d->class_names[c], "%d", c);
    return CUG_OK;
}

cug_status cug_dataset_open(cug_dataset **out, const char *name, const char *data_dir) {
    char *paths = NULL;
    cug_status st = CUG_OK;
    *out = NULL;
    cug_dataset *d = calloc(1, sizeof *d);
    if (!d) return cug_fail(CUG_ENOMEM, "out of memory for a data set");
    const cug_known_dataset *k = cug_known_dataset_find(name);
    if (k) {
        st = open_known(d, k, data_dir);
    } else if (name && strncmp(name, "idx:", 4) == 0) {
        paths = strdup(name + 4);
        st = paths ? open_idx(d, paths) : cug_fail(CUG_ENOMEM, "out of memory for a path");
    } else {
        st = cug_fail(CUG_EINVAL, "no data set is called \"%s\"; there are mnist, fashion-mnist and idx:IMAGES,LABELS",
                      name ? name : "");
    }
    free(paths);
    if (st == CUG_OK)
        *out = d;
    else
        cug_dataset_free(d);
    return st;
}

void cug_dataset_free(cug_dataset *d) {
    if (!d) return;
    cug_images *part[2] = {&d->train, &d->test};
    for (int i = 0; i < 2; i++) {
        free(part[i]->pixels);
        free(part[i]->labels);
    }
    free(d);
}
