/* course.c - what src/train/ does with a net and a loader, without its files and logs. */
#include "course.h"
#include <stdlib.h>
#include <string.h>

/* Steps and batches count alike through the epochs. On the ring's thread in the staged mode. */
static cug_status fill(void *user, uint64_t seq, uint8_t *pixels, int32_t *labels, int32_t *ids, int *n) {
    const gpu_course *k = user;
    *n = 0;
    if (seq < k->total)
        cug_loader_batch(k->l, (uint32_t)(seq / k->per_epoch), (size_t)(seq % k->per_epoch), ids, pixels, labels, n);
    return CUG_OK;
}

static cug_status first_weights(gpu_course *k, const cug_graph *g) {
    float *init = calloc(g->flat_count + 1, sizeof *init);
    if (!init) return cug_fail(CUG_ENOMEM, "out of memory for %zu parameters", g->flat_count);
    cug_graph_init(g, 5, init);
    cug_status st = cug_net_upload_f32(k->net, init);
    free(init);
    return st;
}

cug_status course_open(gpu_course *k, const cug_graph *g, const cug_backend *be, cug_device *dev,
                       const cug_net_options *options, const cug_loader *l, load_mode mode, uint64_t total, float lr) {
    cug_net_options o = *options;
    const size_t most = (size_t)l->batch, rest = l->n % most;
    const cug_images *im = l->images;
    *k = (gpu_course){.l = l, .mode = mode, .per_epoch = cug_loader_batches(l), .total = total, .lr = lr};
    o.train_sizes[0] = l->n >= most ? l->batch : (int)rest;
    o.train_sizes[1] = l->n >= most ? (int)rest : 0;
    CUG_TRY(cug_net_create(&k->net, g, be, dev, &o));
    k->pixels = malloc(most * cug_value_count(&g->values[0]));
    k->labels = malloc(most * sizeof *k->labels);
    k->ids = malloc(most * sizeof *k->ids);
    k->order = malloc(l->n * sizeof *k->order);
    if (!k->pixels || !k->labels || !k->ids || !k->order)
        return cug_fail(CUG_ENOMEM, "out of memory for a batch of %zu", most);
    CUG_TRY(first_weights(k, g));
    if (mode == LOAD_STAGED) return cug_net_stage(k->net, fill, k);
    if (mode == LOAD_RESIDENT) return cug_net_hold(k->net, im->pixels, im->labels, (size_t)im->count, l->n);
    return CUG_OK;
}

void course_close(gpu_course *k) {
    cug_net_free(k->net); /* first: its ring reads k */
    free(k->pixels), free(k->labels), free(k->ids), free(k->order);
    *k = (gpu_course){0};
}

static cug_status send_order(gpu_course *k) {
    int n = 0;
    for (size_t b = 0; b < k->per_epoch; b++)
        cug_loader_batch(k->l, (uint32_t)(k->step / k->per_epoch), b, k->order + b * (size_t)k->l->batch, NULL, NULL,
                         &n);
    return cug_net_order(k->net, k->order);
}

/* The steps up to `end`, the epoch's end or the table's, and how many they are. */
static cug_status announce(gpu_course *k, uint64_t end, size_t *count) {
    cug_step_row rows[CUG_NET_ROWS];
    const size_t first = (size_t)(k->step % k->per_epoch), batch = (size_t)k->l->batch;
    for (*count = 0; *count < CUG_NET_ROWS && k->step + *count < end && first + *count < k->per_epoch; ++*count) {
        const size_t left = k->l->n - (first + *count) * batch;
        rows[*count] = (cug_step_row){k->step + *count, k->lr, (int)(left < batch ? left : batch)};
    }
    if (first == 0 && k->mode == LOAD_RESIDENT) CUG_TRY(send_order(k));
    return cug_net_announce(k->net, rows, *count, first * batch);
}

cug_status course_run(gpu_course *k, uint64_t steps) {
    const uint64_t end = k->total - k->step < steps ? k->total : k->step + steps;
    uint64_t where = 0;
    int failed = 0;
    while (k->step < end) {
        size_t count = 0;
        CUG_TRY(announce(k, end, &count));
        for (size_t i = 0; i < count; i++, k->step++) {
            cug_batch b = {0, k->pixels, k->labels, k->ids};
            if (k->mode == LOAD_PLAIN) CUG_TRY(fill(k, k->step, k->pixels, k->labels, k->ids, &b.n));
            CUG_TRY(cug_net_train_step(k->net, k->mode == LOAD_PLAIN ? &b : NULL));
        }
    }
    CUG_TRY(cug_net_failed(k->net, &failed, &where));
    return failed ? cug_fail(CUG_ENUMERIC, "step %llu met NaN or Inf", (unsigned long long)where) : CUG_OK;
}

cug_status course_images(cug_images *im, const cug_graph *g, int count) {
    const cug_value *in = &g->values[0];
    const size_t bytes = cug_value_count(in), H = (size_t)in->H, row = bytes / H;
    uint64_t seed = 7;
    *im = (cug_images){
        count, in->H, in->W, in->C, malloc((size_t)count * bytes), malloc((size_t)count * sizeof *im->labels)};
    if (!im->pixels || !im->labels) return cug_fail(CUG_ENOMEM, "out of memory for %d images", count);
    for (size_t n = 0; n < (size_t)count; n++) {
        uint8_t *p = im->pixels + n * bytes;
        for (size_t i = 0; i < bytes; i++) p[i] = (uint8_t)(gpu_random(&seed) % 100);
        im->labels[n] = (int32_t)(gpu_random(&seed) % 10);
        memset(p + (size_t)im->labels[n] % H * row, 220, row);
    }
    return CUG_OK;
}
