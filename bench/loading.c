/* loading.c - the loader's three modes over the backend table, as src/train/ uses them. */
#include "loading.h"
#include "seconds.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIDE 28

typedef struct loading {
    const cug_backend *be;
    cug_exec ex;
    const cug_loader *l;
    load_mode mode;
    size_t F, per_epoch, total, seq; /* bytes of an image; batches: of an epoch, in all, done */
    uint8_t *pixels, *all_pixels;    /* backend memory */
    int32_t *labels, *ids, *all_labels, *order;
    cug_step *step, *table;
    cug_cursor *cursor;
    void *ring;
    uint8_t *host_pixels;
    int32_t *host_labels, *host_ids, *host_order;
    cug_step *rows;
} loading;

const char *load_mode_name(load_mode m) {
    static const char *const names[] = {"plain", "staged", "resident"};
    return names[m];
}

cug_status load_images_make(cug_images *im, int count) {
    uint64_t seed = 1;
    *im = (cug_images){
        count, SIDE, SIDE, 1, malloc((size_t)count * SIDE * SIDE), malloc((size_t)count * sizeof *im->labels)};
    if (!im->pixels || !im->labels) return cug_fail(CUG_ENOMEM, "out of memory for %d images", count);
    for (size_t i = 0; i < (size_t)count * SIDE * SIDE; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        im->pixels[i] = (uint8_t)(seed >> 56);
    }
    for (int i = 0; i < count; i++) im->labels[i] = im->pixels[(size_t)i * SIDE] % 10;
    return CUG_OK;
}

void load_images_free(cug_images *im) {
    free(im->pixels);
    free(im->labels);
    *im = (cug_images){0};
}

static cug_status fill(void *user, uint64_t seq, uint8_t *pixels, int32_t *labels, int32_t *ids, int *n) {
    const loading *w = user;
    *n = 0;
    if (seq < w->total)
        cug_loader_batch(w->l, (uint32_t)(seq / w->per_epoch), (size_t)(seq % w->per_epoch), ids, pixels, labels, n);
    return CUG_OK;
}

static cug_status place(const loading *w, void *out, size_t bytes) {
    void *p = NULL;
    CUG_TRY(w->be->alloc(w->ex.device, &p, bytes));
    memcpy(out, &p, sizeof p);
    return w->be->fill(w->ex.device, p, 0, bytes, NULL);
}

static cug_status hold(loading *w) {
    const cug_images *im = w->l->images;
    const size_t count = (size_t)im->count;
    CUG_TRY(place(w, &w->all_pixels, count * w->F));
    CUG_TRY(place(w, &w->all_labels, count * sizeof *w->all_labels));
    CUG_TRY(place(w, &w->order, w->l->n * sizeof *w->order));
    CUG_TRY(place(w, &w->table, w->per_epoch * sizeof *w->table));
    CUG_TRY(place(w, &w->step, sizeof *w->step));
    CUG_TRY(place(w, &w->cursor, sizeof *w->cursor));
    w->host_order = malloc(w->l->n * sizeof *w->host_order);
    w->rows = calloc(w->per_epoch, sizeof *w->rows);
    if (!w->host_order || !w->rows) return cug_fail(CUG_ENOMEM, "out of memory for an order of %zu", w->l->n);
    CUG_TRY(w->be->upload(w->ex.device, w->all_pixels, im->pixels, count * w->F, NULL));
    return w->be->upload(w->ex.device, w->all_labels, im->labels, count * sizeof *im->labels, NULL);
}

static cug_status open_way(loading *w, size_t passes) {
    const cug_images *im = w->l->images;
    const size_t most = (size_t)w->l->batch;
    w->F = (size_t)im->H * (size_t)im->W * (size_t)im->C;
    w->per_epoch = cug_loader_batches(w->l);
    w->total = passes * w->per_epoch;
    CUG_TRY(place(w, &w->pixels, most * w->F));
    CUG_TRY(place(w, &w->labels, most * sizeof *w->labels));
    CUG_TRY(place(w, &w->ids, most * sizeof *w->ids));
    w->host_pixels = malloc(most * w->F);
    w->host_labels = malloc(most * sizeof *w->host_labels);
    w->host_ids = malloc(most * sizeof *w->host_ids);
    if (!w->host_pixels || !w->host_labels || !w->host_ids)
        return cug_fail(CUG_ENOMEM, "out of memory for a batch of %zu", most);
    if (w->mode == LOAD_STAGED) {
        if (!w->be->ring_open) return cug_fail(CUG_ENOTSUP, "%s has no staged loader", w->be->name);
        return w->be->ring_open(&w->ring, w->ex.device, w->l->batch, w->F, fill, w);
    }
    return w->mode == LOAD_RESIDENT ? hold(w) : CUG_OK;
}

static void close_way(loading *w) {
    if (w->ring) w->be->ring_close(w->ring);
    void *owned[] = {w->pixels, w->labels, w->ids,  w->all_pixels, w->all_labels,
                     w->order,  w->table,  w->step, w->cursor};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) w->be->free(w->ex.device, owned[i]);
    free(w->host_pixels), free(w->host_labels), free(w->host_ids), free(w->host_order), free(w->rows);
}

static cug_status send(loading *w, int *n) {
    CUG_TRY(fill(w, w->seq, w->host_pixels, w->host_labels, w->host_ids, n));
    const size_t count = (size_t)*n;
    CUG_TRY(w->be->upload(w->ex.device, w->pixels, w->host_pixels, count * w->F, NULL));
    CUG_TRY(w->be->upload(w->ex.device, w->labels, w->host_labels, count * sizeof *w->labels, NULL));
    return w->be->upload(w->ex.device, w->ids, w->host_ids, count * sizeof *w->ids, NULL);
}

/* What an epoch of the resident mode needs before its first batch: the order, and a table of steps. */
static cug_status announce(loading *w) {
    int n = 0;
    const cug_cursor start = {.rows = w->per_epoch};
    for (size_t b = 0; b < w->per_epoch; b++) {
        cug_loader_batch(w->l, (uint32_t)(w->seq / w->per_epoch), b, w->host_order + b * (size_t)w->l->batch, NULL,
                         NULL, &n);
        w->rows[b] = (cug_step){.step = b, .valid = (uint32_t)n};
    }
    CUG_TRY(w->be->upload(w->ex.device, w->order, w->host_order, w->l->n * sizeof *w->order, NULL));
    CUG_TRY(w->be->upload(w->ex.device, w->table, w->rows, w->per_epoch * sizeof *w->table, NULL));
    return w->be->upload(w->ex.device, w->cursor, &start, sizeof start, NULL);
}

static cug_status gather(loading *w, int *n) {
    const size_t b = w->seq % w->per_epoch;
    if (b == 0) CUG_TRY(announce(w));
    *n = (int)w->rows[b].valid;
    const cug_gather_shape s = {*n, (int)w->F, (uint64_t)w->l->images->count, w->l->n};
    CUG_TRY(w->be->step->advance(w->step, w->cursor, w->table, &w->ex));
    return w->be->step->gather(w->pixels, w->labels, w->ids, w->all_pixels, w->all_labels, w->order, w->cursor, &s,
                               &w->ex);
}

static cug_status next(loading *w, int *n) {
    cug_status st = w->mode == LOAD_PLAIN    ? send(w, n)
                    : w->mode == LOAD_STAGED ? w->be->ring_take(w->ring, w->pixels, w->labels, w->ids, n, NULL)
                                             : gather(w, n);
    if (st == CUG_OK) w->seq++;
    return st;
}

/* Batch `seq` as it lies in backend memory against the host's own. */
static cug_status compare(loading *w, size_t seq, int n, uint8_t *pixels, int32_t *labels, int32_t *ids) {
    const size_t count = (size_t)n, four = count * sizeof *labels;
    int want = 0;
    CUG_TRY(w->be->download(w->ex.device, pixels, w->pixels, count * w->F, NULL));
    CUG_TRY(w->be->download(w->ex.device, labels, w->labels, four, NULL));
    CUG_TRY(w->be->download(w->ex.device, ids, w->ids, four, NULL));
    CUG_TRY(fill(w, seq, w->host_pixels, w->host_labels, w->host_ids, &want));
    const char *what = n != want                                      ? "count"
                       : memcmp(pixels, w->host_pixels, count * w->F) ? "pixels"
                       : memcmp(labels, w->host_labels, four)         ? "labels"
                       : memcmp(ids, w->host_ids, four)               ? "sample numbers"
                                                                      : NULL;
    if (!what) return CUG_OK;
    return cug_fail(CUG_EMISMATCH, "%s loader, batches of %d: the %s of batch %zu are not the data set's",
                    load_mode_name(w->mode), w->l->batch, what, seq);
}

cug_status load_check(const cug_backend *be, cug_device *dev, const cug_loader *l, load_mode mode) {
    loading w = {.be = be, .ex = {.device = dev}, .l = l, .mode = mode};
    cug_status st = CUG_OK;
    uint8_t *pixels = NULL;
    int32_t *labels = NULL, *ids = NULL;
    CUG_GOTO(open_way(&w, 2));
    pixels = malloc((size_t)l->batch * w.F);
    labels = malloc((size_t)l->batch * sizeof *labels);
    ids = malloc((size_t)l->batch * sizeof *ids);
    if (!pixels || !labels || !ids) {
        st = cug_fail(CUG_ENOMEM, "out of memory for a batch of %d", l->batch);
        goto cleanup;
    }
    for (size_t seq = 0; seq < w.total; seq++) {
        int n = 0;
        CUG_GOTO(be->fill(dev, w.pixels, 0xA5, (size_t)l->batch * w.F, NULL));
        CUG_GOTO(be->fill(dev, w.labels, 0xA5, (size_t)l->batch * sizeof *labels, NULL));
        CUG_GOTO(be->fill(dev, w.ids, 0xA5, (size_t)l->batch * sizeof *ids, NULL));
        CUG_GOTO(next(&w, &n));
        CUG_GOTO(compare(&w, seq, n, pixels, labels, ids));
    }
cleanup:
    close_way(&w);
    free(pixels), free(labels), free(ids);
    return st;
}

static void read_waits(const loading *w, double *waited, double *held_up) {
    *waited = *held_up = 0;
    if (w->ring && w->be->ring_waits) w->be->ring_waits(w->ring, waited, held_up);
}

cug_status load_measure(load_times *out, const cug_backend *be, cug_device *dev, const cug_loader *l, load_mode mode,
                        int passes, int step_us) {
    loading w = {.be = be, .ex = {.device = dev}, .l = l, .mode = mode};
    cug_status st = CUG_OK;
    double start = 0, waited = 0, held_up = 0;
    *out = (load_times){0};
    CUG_GOTO(open_way(&w, (size_t)passes + 1));
    while (w.seq < w.total) {
        if (w.seq == w.per_epoch) { /* the first epoch loads kernels and fills the ring */
            CUG_GOTO(be->sync(dev, NULL));
            read_waits(&w, &waited, &held_up);
            *out = (load_times){0};
            start = seconds_now();
        }
        int n = 0;
        const double began = seconds_now();
        CUG_GOTO(next(&w, &n));
        out->host += seconds_now() - began;
        out->images += (size_t)n;
        out->batches++;
        if (step_us) usleep((useconds_t)step_us);
    }
    CUG_GOTO(be->sync(dev, NULL));
    out->seconds = seconds_now() - start;
    out->bytes = (double)out->images * (double)(w.F + 2 * sizeof(int32_t));
    read_waits(&w, &out->waited, &out->held_up);
    out->waited -= waited;
    out->held_up -= held_up;
cleanup:
    close_way(&w);
    return st;
}
