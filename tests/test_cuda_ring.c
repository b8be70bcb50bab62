/* test_cuda_ring.c - the staged loader on a GPU, real or emulated: every batch arrives whole and in order whatever the
 * streams do, slots come back, stopping is clean, failures are told. */
#include "cuda/ring.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if CUG_HAVE_CUDA

enum { PIXELS = 37, MOST = 9 };

typedef struct source {
    uint64_t batches;
    uint64_t fail_at; /* this batch cannot be read; UINT64_MAX: none */
    int slow;         /* microseconds to fill one */
    int filled;
} source;

/* Batches of 9, 4, 9, 4 ... samples and of 1 at the end. */
static int count_of(const source *s, uint64_t seq) { return seq + 1 == s->batches ? 1 : seq % 2 ? 4 : MOST; }
static uint8_t pixel_of(uint64_t seq, int i, int p) {
    return (uint8_t)(seq * 131 + (uint64_t)i * 17 + (uint64_t)p + 1);
}

static cug_status fill(void *user, uint64_t seq, uint8_t *pixels, int32_t *labels, int32_t *ids, int *n) {
    source *s = user;
    if (seq == s->fail_at) return cug_fail(CUG_EIO, "batch %d is unreadable", (int)seq);
    *n = 0;
    if (seq >= s->batches) return CUG_OK;
    if (s->slow) usleep((useconds_t)s->slow);
    *n = count_of(s, seq);
    for (int i = 0; i < *n; i++) {
        labels[i] = (int32_t)(seq * 100) + i;
        ids[i] = -labels[i];
        for (int p = 0; p < PIXELS; p++) pixels[i * PIXELS + p] = pixel_of(seq, i, p);
    }
    __atomic_fetch_add(&s->filled, 1, __ATOMIC_RELAXED);
    return CUG_OK;
}

static const cug_backend *cuda;

static cug_device *open_device(void) {
    cug_device *dev = NULL;
    cuda = cug_backend_find("cuda");
    if (cuda->open(&dev, &(cug_device_options){0}) != CUG_OK) fprintf(stderr, "  cuda: not here: %s\n", cug_error());
    return dev;
}

/* What a step reads, copied away on the compute stream: pixels, labels, ids of each batch side by side. */
typedef struct kept {
    char *mem, *host;
    size_t bytes;
} kept;

static size_t kept_at(uint64_t seq) { return (size_t)seq * MOST * (PIXELS + 2 * sizeof(int32_t)); }

static void keep(cug_device *dev, const kept *k, uint64_t seq, const cug_cuda_ring_batch *b) {
    size_t n = (size_t)b->n;
    char *to = k->mem + kept_at(seq);
    cr_assert_eq(cuda->copy(dev, to, b->pixels, n * PIXELS, NULL), CUG_OK);
    cr_assert_eq(cuda->copy(dev, to + n * PIXELS, b->labels, n * 4, NULL), CUG_OK);
    cr_assert_eq(cuda->copy(dev, to + n * (PIXELS + 4), b->ids, n * 4, NULL), CUG_OK);
}

static void check_kept(const source *s, const kept *k, uint64_t seq) {
    int n = count_of(s, seq);
    const char *at = k->host + kept_at(seq);
    for (int i = 0; i < n; i++) {
        int32_t label, id;
        memcpy(&label, at + (size_t)n * PIXELS + (size_t)i * 4, 4);
        memcpy(&id, at + (size_t)n * (PIXELS + 4) + (size_t)i * 4, 4);
        cr_assert_eq(label, (int32_t)(seq * 100) + i, "batch %d: label %d is %d", (int)seq, i, label);
        cr_assert_eq(id, -label, "batch %d: id %d is %d", (int)seq, i, id);
        for (int p = 0; p < PIXELS; p++)
            cr_assert_eq((uint8_t)at[i * PIXELS + p], pixel_of(seq, i, p), "batch %d: pixel %d of sample %d", (int)seq,
                         p, i);
    }
}

/* Runs the whole source through a ring, `hold` batches taken at a time, and checks every byte at the end. */
static void run(cug_device *dev, source s, int slots, int batches, int hold) {
    cug_cuda_ring *r = NULL;
    cug_cuda_ring_batch b;
    kept k = {.bytes = kept_at(s.batches)};
    void *mem = NULL;
    cr_assert_eq(cuda->alloc(dev, &mem, k.bytes), CUG_OK);
    k.mem = mem;
    k.host = calloc(1, k.bytes + 1);
    cr_assert_eq(cug_cuda_ring_open(&r, dev,
                                    &(cug_cuda_ring_options){.slots = slots,
                                                             .batches = batches,
                                                             .max_batch = MOST,
                                                             .pixel_bytes = PIXELS,
                                                             .fill = fill,
                                                             .user = &s}),
                 CUG_OK, "%s", cug_error());
    uint64_t seq = 0;
    for (int held = 0;; seq++) {
        cr_assert_eq(cug_cuda_ring_next(r, &b, NULL), CUG_OK, "%s", cug_error());
        if (!b.n) break;
        cr_assert_eq(b.n, count_of(&s, seq));
        cr_assert_eq(b.index, (int)(seq % (uint64_t)(batches ? batches : 2)));
        keep(dev, &k, seq, &b);
        if (++held < hold) continue;
        cr_assert_eq(cug_cuda_ring_release(r, NULL), CUG_OK);
        held--;
    }
    cr_assert_eq(seq, s.batches);
    cr_assert_eq(cug_cuda_ring_next(r, &b, NULL), CUG_OK);
    cr_assert_eq(b.n, 0, "the end stays the end");
    cug_cuda_ring_close(r);
    cr_assert_eq(cuda->download(dev, k.host, k.mem, k.bytes, NULL), CUG_OK);
    for (uint64_t i = 0; i < s.batches; i++) check_kept(&s, &k, i);
    cuda->free(dev, k.mem);
    free(k.host);
}

Test(cuda_ring, batches_arrive_whole_and_in_order) {
    cug_device *dev = open_device();
    if (!dev) return;
    static const struct {
        uint64_t batches;
        int slots, on_device, hold, slow;
    } cases[] = {{50, 0, 0, 1, 0}, {50, 2, 2, 1, 0}, {50, 3, 2, 2, 0}, {30, 1, 1, 1, 0},   {40, 16, 4, 3, 0},
                 {1, 4, 2, 1, 0},  {0, 4, 2, 1, 0},  {3, 8, 2, 1, 0},  {12, 2, 2, 1, 2000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run(dev, (source){.batches = cases[i].batches, .fail_at = UINT64_MAX, .slow = cases[i].slow}, cases[i].slots,
            cases[i].on_device, cases[i].hold);
    cuda->close(dev);
}

static cug_cuda_ring *open_ring(cug_device *dev, source *s) {
    cug_cuda_ring *r = NULL;
    cug_cuda_ring_options o = {.slots = 3, .max_batch = MOST, .pixel_bytes = PIXELS, .fill = fill, .user = s};
    cr_assert_eq(cug_cuda_ring_open(&r, dev, &o), CUG_OK, "%s", cug_error());
    return r;
}

/* Nobody takes: the producer stops at slots + device batches. Closing with work under way leaves nothing behind. */
Test(cuda_ring, holds_back_and_stops) {
    cug_device *dev = open_device();
    if (!dev) return;
    source s = {.batches = 1000, .fail_at = UINT64_MAX};
    cug_cuda_ring_batch b;
    cug_cuda_ring *r = open_ring(dev, &s);
    usleep(50000);
    cr_expect_leq(__atomic_load_n(&s.filled, __ATOMIC_RELAXED), 3 + 2);
    cr_expect_eq(cug_cuda_ring_release(r, NULL), CUG_EINVAL);
    for (int i = 0; i < 2; i++) cr_assert_eq(cug_cuda_ring_next(r, &b, NULL), CUG_OK);
    cr_expect_eq(cug_cuda_ring_next(r, &b, NULL), CUG_EINVAL, "both device batches are taken");
    cr_expect_eq(cug_cuda_ring_release(r, NULL), CUG_OK);
    cr_expect_eq(cug_cuda_ring_next(r, &b, NULL), CUG_OK);
    cug_cuda_ring_close(r);
    for (int i = 0; i < 20; i++) { /* at any moment of its start */
        source t = {.batches = 1000, .fail_at = UINT64_MAX};
        r = open_ring(dev, &t);
        usleep((useconds_t)i * 37);
        cug_cuda_ring_close(r);
    }
    cug_cuda_ring_close(NULL);
    cuda->close(dev);
}

/* A slow source is waited for; a slow consumer holds the thread up. */
Test(cuda_ring, says_who_waits_for_whom) {
    cug_device *dev = open_device();
    if (!dev) return;
    for (int slow_source = 0; slow_source < 2; slow_source++) {
        source s = {.batches = 1000, .fail_at = UINT64_MAX, .slow = slow_source ? 5000 : 0};
        cug_cuda_ring_batch b;
        cug_cuda_ring *r = open_ring(dev, &s);
        double consumer = 1, thread = 1;
        cug_cuda_ring_waits(r, &consumer, &thread);
        cr_expect_lt(consumer, 0.5);
        for (int i = 0; i < 12; i++) {
            cr_assert_eq(cug_cuda_ring_next(r, &b, NULL), CUG_OK);
            if (!slow_source) usleep(5000);
            cr_assert_eq(cuda->sync(dev, NULL), CUG_OK);
            cr_assert_eq(cug_cuda_ring_release(r, NULL), CUG_OK);
        }
        cug_cuda_ring_waits(r, &consumer, &thread);
        double longer = slow_source ? consumer : thread, shorter = slow_source ? thread : consumer;
        cr_expect_gt(longer, 0.020, "12 batches of 5 ms: consumer waited %.4f s, thread %.4f s", consumer, thread);
        cr_expect_lt(shorter, longer, "consumer waited %.4f s, thread %.4f s", consumer, thread);
        cug_cuda_ring_close(r);
    }
    cuda->close(dev);
}

Test(cuda_ring, failure_is_told_after_the_batches_before_it) {
    cug_device *dev = open_device();
    if (!dev) return;
    source s = {.batches = 1000, .fail_at = 7};
    cug_cuda_ring_batch b;
    cug_cuda_ring *r = open_ring(dev, &s);
    for (int i = 0; i < 7; i++) {
        cug_status st = cug_cuda_ring_next(r, &b, NULL);
        cr_assert_eq(st, CUG_OK, "batch %d: %s", i, cug_error());
        cr_assert_eq(cug_cuda_ring_release(r, NULL), CUG_OK);
    }
    cr_expect_eq(cug_cuda_ring_next(r, &b, NULL), CUG_EIO);
    cr_expect_str_eq(cug_error(), "batch 7 is unreadable");
    cug_cuda_ring_close(r);
    cuda->close(dev);
}

Test(cuda_ring, refuses_what_cannot_be) {
    cug_device *dev = open_device();
    if (!dev) return;
    source s = {0};
    const cug_cuda_ring_options good = {.max_batch = MOST, .pixel_bytes = PIXELS, .fill = fill, .user = &s};
    cug_cuda_ring_options bad[6] = {good, good, good, good, good, good};
    bad[0].slots = 1; /* fewer than device batches */
    bad[1].slots = 17;
    bad[2].batches = 5;
    bad[3].max_batch = 0;
    bad[4].pixel_bytes = SIZE_MAX / 4;
    bad[5].fill = NULL;
    for (int i = 0; i < 6; i++) {
        cug_cuda_ring *r = NULL;
        cr_expect_eq(cug_cuda_ring_open(&r, dev, &bad[i]), CUG_EINVAL, "case %d", i);
        cr_expect_null(r);
    }
    cuda->close(dev);
}

#endif
