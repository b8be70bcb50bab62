/* loader.c - which images, in which order: the stratified split and the batches of an epoch. */
#include <cuglyph/dataset.h>
#include <cuglyph/random.h>
#include <stdlib.h>
#include <string.h>

/* How many of each class go to validation: whole parts, then the largest remainders (the lower class at a tie). */
static void share(const size_t count[CUG_MAX_CLASSES], size_t n, size_t n_val, size_t take[CUG_MAX_CLASSES]) {
    uint64_t remainder[CUG_MAX_CLASSES];
    size_t given = 0;
    for (int c = 0; c < CUG_MAX_CLASSES; c++) {
        uint64_t product = (uint64_t)count[c] * n_val; /* both fit 31 bits */
        take[c] = (size_t)(product / n);
        remainder[c] = product % n;
        given += take[c];
    }
    for (; given < n_val; given++) {
        int best = 0;
        for (int c = 1; c < CUG_MAX_CLASSES; c++)
            if (remainder[c] > remainder[best]) best = c;
        take[best]++;
        remainder[best] = 0;
    }
}

cug_status cug_split_stratified(const cug_images *im, size_t n_val, uint64_t seed, int32_t **train, size_t *n_train,
                                int32_t **val, size_t *n_val_out) {
    size_t n = (size_t)im->count, count[CUG_MAX_CLASSES] = {0}, take[CUG_MAX_CLASSES], start[CUG_MAX_CLASSES];
    size_t seen[CUG_MAX_CLASSES] = {0}, t = 0, v = 0;
    cug_status st = CUG_OK;
    *train = *val = NULL;
    *n_train = *n_val_out = 0;
    if (n_val >= n)
        return cug_fail(CUG_EINVAL, "%zu validation images of %zu leave none to train on; hold out fewer", n_val, n);
    int32_t *a = malloc((n - n_val) * sizeof *a), *b = malloc((n_val + 1) * sizeof *b);
    uint8_t *chosen = calloc(n, 1); /* [start of class c + rank within it] */
    if (!a || !b || !chosen) {
        st = cug_fail(CUG_ENOMEM, "out of memory for a split of %zu images", n);
        goto cleanup;
    }
    for (size_t i = 0; i < n; i++) count[im->labels[i]]++;
    share(count, n, n_val, take);
    for (size_t c = 0, at = 0; c < CUG_MAX_CLASSES; at += count[c++]) {
        uint32_t *places = (uint32_t *)b; /* the list is written afterwards */
        start[c] = at;
        cug_permute_many(seed, CUG_RNG_SPLIT, (uint32_t)c, (uint32_t)count[c], 0, take[c], places);
        for (size_t j = 0; j < take[c]; j++) chosen[at + places[j]] = 1;
    }
    for (size_t i = 0; i < n; i++) {
        int32_t c = im->labels[i];
        if (chosen[start[c] + seen[c]++])
            b[v++] = (int32_t)i;
        else
            a[t++] = (int32_t)i;
    }
    *train = a, *n_train = t, a = NULL;
    *val = b, *n_val_out = v, b = NULL;
cleanup:
    free(a);
    free(b);
    free(chosen);
    return st;
}

size_t cug_loader_batches(const cug_loader *l) {
    return l->batch > 0 ? (l->n + (size_t)l->batch - 1) / (size_t)l->batch : 0;
}

static void copy_image(uint8_t *out, const cug_loader *l, uint32_t epoch, int32_t id, size_t size) {
    const cug_images *im = l->images;
    const uint8_t *in = im->pixels + (size_t)id * size;
    int dy = 0, dx = 0;
    if (!l->shift) {
        memcpy(out, in, size);
        return;
    }
    cug_shift_draw(l->seed, epoch, id, l->shift, &dy, &dx);
    cug_shift_image(out, in, im->H, im->W, im->C, dy, dx);
}

/* A shuffled image is in no cache: it is asked for while the ones before it are copied. */
#define AHEAD 8
static void prefetch(const uint8_t *image, size_t size) {
    for (size_t at = 0; at < size; at += 64) __builtin_prefetch(image + at, 0, 2);
}

static void copy_images(uint8_t *pixels, const cug_loader *l, uint32_t epoch, const int32_t *ids, int count) {
    const cug_images *im = l->images;
    const size_t size = (size_t)im->H * (size_t)im->W * (size_t)im->C;
    for (int i = 0; i < count + AHEAD; i++) {
        if (i < count) prefetch(im->pixels + (size_t)ids[i] * size, size);
        if (i >= AHEAD) copy_image(pixels + (size_t)(i - AHEAD) * size, l, epoch, ids[i - AHEAD], size);
    }
}

void cug_loader_batch(const cug_loader *l, uint32_t epoch, size_t b, int32_t *ids, uint8_t *pixels, int32_t *labels,
                      int *n) {
    size_t first = b * (size_t)l->batch, left = first < l->n ? l->n - first : 0;
    int count = left < (size_t)l->batch ? (int)left : l->batch;
    if (l->shuffle)
        cug_permute_many(l->seed, CUG_RNG_SHUFFLE, epoch, (uint32_t)l->n, (uint32_t)first, (size_t)count,
                         (uint32_t *)ids);
    else
        for (int i = 0; i < count; i++) ids[i] = (int32_t)first + i;
    for (int i = 0; i < count && l->ids; i++) ids[i] = l->ids[ids[i]];
    if (pixels) copy_images(pixels, l, epoch, ids, count);
    for (int i = 0; i < count && labels; i++) labels[i] = l->images->labels[ids[i]];
    *n = count;
}
