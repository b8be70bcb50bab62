/* ring.c - the staged loader: one producer thread, pinned slots, a copy stream, device batches. */
#include "cuda/ring.h"
#include "cuda/cuda.h"
#include "seconds.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define ALIGNMENT 256
#define DEVICE_BATCHES 2

/* Batch number s lives in slot s % slots and then in device batch s % batches. */
struct cug_cuda_ring {
    cug_device *dev;
    cug_cuda_ring_options opt;
    size_t ids_at, pixels_at,
        bytes; /* one slot, and one device batch: labels, ids, pixels, so that one copy takes all */
    int pinned;
    char *host, *mem;
    int filled_n[CUG_CUDA_RING_SLOTS], issued_n[CUG_CUDA_RING_BATCHES]; /* samples in each */
    cudaEvent_t copied[CUG_CUDA_RING_SLOTS];                            /* the slot's last copy is over */
    cudaEvent_t released[CUG_CUDA_RING_BATCHES];                        /* the device batch's last user is done */
    pthread_t thread;
    int has_lock, has_changed, has_thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under the lock. Numbers of batches so far: filled >= issued >= taken >= given (back). */
    uint64_t filled, issued, taken, given;
    double next_waited, thread_waited; /* seconds */
    int ended, stop;
    cug_status failed;
    char why[600];
};

static char *slot_at(const cug_cuda_ring *r, uint64_t s) { return r->host + s % (uint64_t)r->opt.slots * r->bytes; }
static char *batch_at(const cug_cuda_ring *r, uint64_t s) { return r->mem + s % (uint64_t)r->opt.batches * r->bytes; }
static cudaEvent_t copied_of(const cug_cuda_ring *r, uint64_t s) { return r->copied[s % (uint64_t)r->opt.slots]; }
static cudaEvent_t released_of(const cug_cuda_ring *r, uint64_t s) { return r->released[s % (uint64_t)r->opt.batches]; }

/* With the lock held, which is given up meanwhile; how many seconds it took. */
static double wait_changed(cug_cuda_ring *r) {
    double began = seconds_now();
    pthread_cond_wait(&r->changed, &r->lock);
    return seconds_now() - began;
}

/* --- producer ----------------------------------------------------------------------------------------------------- */

enum { DONE, FILL, ISSUE };

/* What to do next; waits while there is nothing. Copies go first: the device is waiting for them. */
static int next_job(cug_cuda_ring *r) {
    int job = DONE;
    pthread_mutex_lock(&r->lock);
    while (!r->stop) {
        if (r->issued < r->filled && r->issued < r->given + (uint64_t)r->opt.batches) {
            job = ISSUE;
            break;
        }
        if (!r->ended && r->filled < r->issued + (uint64_t)r->opt.slots) {
            job = FILL;
            break;
        }
        if (r->ended && r->issued == r->filled) break;
        r->thread_waited += wait_changed(r);
    }
    pthread_mutex_unlock(&r->lock);
    return job;
}

/* `filled` and `issued` are written by this thread alone, so it may read them without the lock. */
static cug_status fill_slot(cug_cuda_ring *r) {
    uint64_t s = r->filled;
    char *slot = slot_at(r, s);
    int n = 0;
    double began = seconds_now();
    if (s >= (uint64_t)r->opt.slots) CUDA_TRY(NULL, cudaEventSynchronize(copied_of(r, s)));
    double waited = seconds_now() - began;
    CUG_TRY(r->opt.fill(r->opt.user, s, (uint8_t *)slot + r->pixels_at, (int32_t *)(void *)slot,
                        (int32_t *)(void *)(slot + r->ids_at), &n));
    if (n < 0 || n > r->opt.max_batch)
        return cug_fail(CUG_EINVAL, "ring: batch %llu has %d samples, at most %d were announced", (unsigned long long)s,
                        n, r->opt.max_batch);
    r->filled_n[s % (uint64_t)r->opt.slots] = n;
    pthread_mutex_lock(&r->lock);
    r->thread_waited += waited;
    if (n)
        r->filled++;
    else
        r->ended = 1;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return CUG_OK;
}

static cug_status issue_copy(cug_cuda_ring *r) {
    uint64_t s = r->issued;
    cudaStream_t stream = r->dev->copy;
    int n = r->filled_n[s % (uint64_t)r->opt.slots];
    size_t bytes = r->pixels_at + (size_t)n * r->opt.pixel_bytes;
    if (s >= (uint64_t)r->opt.batches) CUDA_TRY(NULL, cudaStreamWaitEvent(stream, released_of(r, s), 0));
    CUDA_TRY(NULL, cudaMemcpyAsync(batch_at(r, s), slot_at(r, s), bytes, cudaMemcpyHostToDevice, stream));
    CUDA_TRY(NULL, cudaEventRecord(copied_of(r, s), stream));
    r->issued_n[s % (uint64_t)r->opt.batches] = n;
    pthread_mutex_lock(&r->lock);
    r->issued++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return CUG_OK;
}

/* The end, with its reason. Batches already filled still go over, unless it is the copies that fail. */
static void give_up(cug_cuda_ring *r, cug_status why, int job) {
    pthread_mutex_lock(&r->lock);
    r->failed = why;
    snprintf(r->why, sizeof r->why, "%.590s", cug_error()); /* messages are a thread's own */
    r->ended = 1;
    if (job != FILL) r->filled = r->issued;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

/* This thread's CUDA calls report errors without the device struct, which belongs to the other thread. */
static cug_status enter_device(const cug_cuda_ring *r) {
    CUDA_TRY(NULL, cudaSetDevice(r->dev->ordinal));
    return CUG_OK;
}

static void *produce(void *ring) {
    cug_cuda_ring *r = ring;
    int job = DONE;
    cug_status st = enter_device(r);
    if (st != CUG_OK) give_up(r, st, job);
    while ((job = next_job(r)) != DONE) {
        cug_cuda_range_push(job == FILL ? "stage batch" : "copy batch");
        st = job == FILL ? fill_slot(r) : issue_copy(r);
        cug_cuda_range_pop();
        if (st != CUG_OK) give_up(r, st, job);
    }
    return NULL;
}

/* --- consumer ----------------------------------------------------------------------------------------------------- */

/* Waits until batch `taken` is on its way; *have = 0 at the end. */
static cug_status wait_issued(cug_cuda_ring *r, int *have) {
    cug_status st = CUG_OK;
    *have = 0;
    pthread_mutex_lock(&r->lock);
    if (r->taken == r->given + (uint64_t)r->opt.batches)
        st = cug_fail(CUG_EINVAL, "ring: all %d device batches are taken; release one first", r->opt.batches);
    while (st == CUG_OK && r->taken == r->issued) {
        if (!r->ended || r->issued < r->filled) {
            r->next_waited += wait_changed(r);
            continue;
        }
        if (r->failed == CUG_OK) break;
        st = cug_fail(r->failed, "%s", r->why);
    }
    *have = st == CUG_OK && r->taken < r->issued;
    pthread_mutex_unlock(&r->lock);
    return st;
}

/* Batch s's event and count stand until its slot or device batch is issued again, which needs batch s to be given back:
 * there are at least as many slots as device batches. */
cug_status cug_cuda_ring_next(cug_cuda_ring *r, cug_cuda_ring_batch *out, void *stream) {
    int have = 0;
    *out = (cug_cuda_ring_batch){.n = 0};
    cug_cuda_range_push("wait for batch");
    cug_status st = wait_issued(r, &have);
    cug_cuda_range_pop();
    CUG_TRY(st);
    if (!have) return CUG_OK;
    uint64_t s = r->taken;
    CUG_TRY(cug_cuda_enter(r->dev));
    CUDA_TRY(r->dev, cudaStreamWaitEvent(cug_cuda_stream(r->dev, stream), copied_of(r, s), 0));
    char *mem = batch_at(r, s);
    *out = (cug_cuda_ring_batch){.n = r->issued_n[s % (uint64_t)r->opt.batches],
                                 .index = (int)(s % (uint64_t)r->opt.batches),
                                 .pixels = (uint8_t *)mem + r->pixels_at,
                                 .labels = (int32_t *)(void *)mem,
                                 .ids = (int32_t *)(void *)(mem + r->ids_at)};
    pthread_mutex_lock(&r->lock);
    r->taken++;
    pthread_mutex_unlock(&r->lock);
    return CUG_OK;
}

cug_status cug_cuda_ring_release(cug_cuda_ring *r, void *stream) {
    if (r->given == r->taken) return cug_fail(CUG_EINVAL, "ring: no batch is taken");
    CUG_TRY(cug_cuda_enter(r->dev));
    CUDA_TRY(r->dev, cudaEventRecord(released_of(r, r->given), cug_cuda_stream(r->dev, stream)));
    pthread_mutex_lock(&r->lock);
    r->given++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return CUG_OK;
}

void cug_cuda_ring_waits(cug_cuda_ring *r, double *next, double *thread) {
    pthread_mutex_lock(&r->lock);
    *next = r->next_waited;
    *thread = r->thread_waited;
    pthread_mutex_unlock(&r->lock);
}

int cug_cuda_ring_pinned(const cug_cuda_ring *r) { return r->pinned; }

/* --- opening and closing ------------------------------------------------------------------------------------------ */

static size_t round_up(size_t n) { return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

/* Labels, ids, pixels of one batch: where they begin and end. */
static void lay_out(cug_cuda_ring *r) {
    r->ids_at = round_up((size_t)r->opt.max_batch * sizeof(int32_t));
    r->pixels_at = 2 * r->ids_at;
    r->bytes = round_up(r->pixels_at + (size_t)r->opt.max_batch * r->opt.pixel_bytes);
}

size_t cug_cuda_ring_bytes(const cug_cuda_ring_options *opt) {
    cug_cuda_ring r = {.opt = *opt};
    lay_out(&r);
    return (size_t)(opt->batches ? opt->batches : DEVICE_BATCHES) * r.bytes;
}

static cug_status set_options(cug_cuda_ring *r, const cug_cuda_ring_options *opt) {
    r->opt = *opt;
    if (!r->opt.slots) r->opt.slots = 4;
    if (!r->opt.batches) r->opt.batches = DEVICE_BATCHES;
    if (r->opt.batches < 1 || r->opt.batches > CUG_CUDA_RING_BATCHES || r->opt.slots < r->opt.batches ||
        r->opt.slots > CUG_CUDA_RING_SLOTS)
        return cug_fail(CUG_EINVAL, "ring: 1 to %d device batches and as many to %d slots, got %d and %d",
                        CUG_CUDA_RING_BATCHES, CUG_CUDA_RING_SLOTS, r->opt.batches, r->opt.slots);
    if (!opt->fill || opt->max_batch < 1 || opt->pixel_bytes < 1 ||
        opt->pixel_bytes > (SIZE_MAX >> 8) / (size_t)opt->max_batch)
        return cug_fail(CUG_EINVAL, "ring: a batch of %d samples of %zu bytes cannot be", opt->max_batch,
                        opt->pixel_bytes);
    lay_out(r);
    return CUG_OK;
}

static cug_status allocate(cug_cuda_ring *r) {
    void *mem = NULL, *host = NULL;
    size_t bytes = (size_t)r->opt.slots * r->bytes;
    CUG_TRY(cug_cuda_alloc(r->dev, &mem, (size_t)r->opt.batches * r->bytes));
    r->mem = mem;
    r->pinned = cudaHostAlloc(&host, bytes, cudaHostAllocDefault) == cudaSuccess;
    if (!r->pinned) {
        (void)cudaGetLastError();
        host = malloc(bytes);
        if (!host) return cug_fail(CUG_ENOMEM, "ring: no host memory for %zu bytes", bytes);
    }
    r->host = host;
    if (!r->pinned) cug_cuda_unpinned(r->dev);
    for (int i = 0; i < r->opt.slots; i++)
        CUDA_TRY(r->dev, cudaEventCreateWithFlags(&r->copied[i], cudaEventDisableTiming));
    for (int i = 0; i < r->opt.batches; i++)
        CUDA_TRY(r->dev, cudaEventCreateWithFlags(&r->released[i], cudaEventDisableTiming));
    return CUG_OK;
}

/* With every signal blocked, so that Ctrl-C reaches the thread that waits for it. */
static cug_status start(cug_cuda_ring *r) {
    sigset_t all, old;
    r->has_lock = !pthread_mutex_init(&r->lock, NULL);
    r->has_changed = !pthread_cond_init(&r->changed, NULL);
    if (!r->has_lock || !r->has_changed) return cug_fail(CUG_ENOMEM, "ring: no mutex");
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r->has_thread = !pthread_create(&r->thread, NULL, produce, r);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r->has_thread ? CUG_OK : cug_fail(CUG_ENOMEM, "ring: no thread for the loader");
}

cug_status cug_cuda_ring_open(cug_cuda_ring **out, cug_device *dev, const cug_cuda_ring_options *opt) {
    cug_status st = CUG_OK;
    *out = NULL;
    cug_cuda_ring *r = calloc(1, sizeof *r);
    if (!r) return cug_fail(CUG_ENOMEM, "ring: no memory");
    r->dev = dev;
    CUG_GOTO(set_options(r, opt));
    CUG_GOTO(cug_cuda_enter(dev));
    CUG_GOTO(allocate(r));
    CUG_GOTO(start(r));
    *out = r;
    return CUG_OK;
cleanup:
    cug_cuda_ring_close(r);
    return st;
}

static void stop(cug_cuda_ring *r) {
    pthread_mutex_lock(&r->lock);
    r->stop = 1;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
}

/* The copies still queued read the slots and write the device batches, and released batches may still be read: all of
 * that is waited for before the memory goes. */
void cug_cuda_ring_close(cug_cuda_ring *r) {
    if (!r) return;
    if (r->has_thread) stop(r);
    (void)cudaSetDevice(r->dev->ordinal);
    (void)cudaStreamSynchronize(r->dev->copy);
    for (int i = 0; i < CUG_CUDA_RING_BATCHES; i++)
        if (r->released[i]) {
            (void)cudaEventSynchronize(r->released[i]);
            (void)cudaEventDestroy(r->released[i]);
        }
    for (int i = 0; i < CUG_CUDA_RING_SLOTS; i++)
        if (r->copied[i]) (void)cudaEventDestroy(r->copied[i]);
    cug_cuda_free(r->dev, r->mem);
    if (r->pinned)
        (void)cudaFreeHost(r->host);
    else
        free(r->host);
    (void)cudaGetLastError();
    if (r->has_changed) pthread_cond_destroy(&r->changed);
    if (r->has_lock) pthread_mutex_destroy(&r->lock);
    free(r);
}
