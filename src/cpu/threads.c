/* threads.c - the cpu backend's threads. Not OpenMP, for three reasons. Its waiting is either spinning for
 * milliseconds, ruinous where another process wants the core, or a sleep whose waking costs more than most ops; here a
 * thread spins for some microseconds, then sleeps. Each thread takes its own part of the work first, in all jobs the
 * same, whose data its core still has from the job before; then whatever parts are left, so that a thread that the
 * system has put aside holds nobody up. Sums belong to the parts and keep their bits whoever takes them. And thread
 * sanitizers understand it. */
#include "cpu/cpu.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define SPIN_NS 30000

typedef uint_least64_t part_set;
#define A_WORD 64 /* parts */

struct cug_cpu_pool {
    /* The job; stable while any part of it is unfinished. */
    cug_cpu_fn *fn;
    void *ctx;
    size_t items, parts;
    _Atomic(part_set) open[CUG_CPU_THREADS_MAX / A_WORD]; /* bits of parts that nobody has taken */
    int words;                                            /* in use */
    atomic_uint unfinished;

    atomic_int stop, sleepers, caller_sleeps, numbered;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    int started;
    pthread_t workers[];
};

static void relax(void) {
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int any_open(cug_cpu_pool *p) {
    for (int w = 0; w < p->words; w++)
        if (atomic_load(&p->open[w])) return 1;
    return 0;
}

/* Runs part i unless another thread has taken it. Whoever finds a bit set has the present job: there is no next one
 * before all parts are finished. */
static void take(cug_cpu_pool *p, size_t i) {
    const part_set bit = (part_set)1 << i % A_WORD;
    if (!(atomic_fetch_and(&p->open[i / A_WORD], ~bit) & bit)) return;
    p->fn(p->ctx, p->items * i / p->parts, p->items * (i + 1) / p->parts, (int)i);
    if (atomic_fetch_sub(&p->unfinished, 1) == 1 && atomic_load(&p->caller_sleeps)) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_signal(&p->done);
        pthread_mutex_unlock(&p->lock);
    }
}

/* Thread `own` takes its part, then others until none is left. */
static void take_parts(cug_cpu_pool *p, size_t own) {
    take(p, own);
    for (int w = 0; w < p->words; w++)
        for (part_set left; (left = atomic_load(&p->open[w]));)
            take(p, (size_t)w * A_WORD + (size_t)__builtin_ctzll(left));
}

static int worker_ready(cug_cpu_pool *p) { return any_open(p) || atomic_load(&p->stop); }
static int caller_ready(cug_cpu_pool *p) { return atomic_load(&p->unfinished) == 0; }

/* Spins, then sleeps, until ready(p). The sleeper's mark is set before the last look, and looked at after what makes it
 * ready: one of the two sides sees the other. */
static void wait_until(cug_cpu_pool *p, int (*ready)(cug_cpu_pool *), atomic_int *mark, pthread_cond_t *cond) {
    for (int64_t end = now_ns() + SPIN_NS; !ready(p);) {
        for (int i = 0; i < 32 && !ready(p); i++) relax();
        if (now_ns() < end) continue;
        pthread_mutex_lock(&p->lock);
        atomic_fetch_add(mark, 1);
        while (!ready(p)) pthread_cond_wait(cond, &p->lock);
        atomic_fetch_sub(mark, 1);
        pthread_mutex_unlock(&p->lock);
    }
}

static void *worker(void *arg) {
    cug_cpu_pool *p = arg;
    const size_t own = (size_t)atomic_fetch_add(&p->numbered, 1) + 1; /* the caller's is 0 */
    while (!atomic_load(&p->stop)) {
        take_parts(p, own);
        wait_until(p, worker_ready, &p->sleepers, &p->work);
    }
    return NULL;
}

void cug_cpu_pool_free(cug_cpu_pool *p) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->stop, 1);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->started; i++) pthread_join(p->workers[i], NULL);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->done);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

cug_status cug_cpu_pool_new(cug_cpu_pool **out, int threads) {
    cug_cpu_pool *p = calloc(1, sizeof *p + (size_t)(threads - 1) * sizeof *p->workers);
    if (!p) return cug_fail(CUG_ENOMEM, "cpu: no memory for the threads");
    pthread_mutex_init(&p->lock, NULL); /* with default attributes these cannot fail here */
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->done, NULL);
    p->words = (threads + A_WORD - 1) / A_WORD;
    for (; p->started < threads - 1; p->started++)
        if (pthread_create(&p->workers[p->started], NULL, worker, p)) {
            cug_status st =
                cug_fail(CUG_ENOMEM, "cpu: the system gave %d of %d threads; ask for fewer", p->started + 1, threads);
            cug_cpu_pool_free(p);
            return st;
        }
    *out = p;
    return CUG_OK;
}

int cug_cpu_parts(const cug_device *dev, size_t items, size_t grain) {
    size_t worth = items / (grain ? grain : 1);
    return worth < 2 ? 1 : worth < (size_t)dev->threads ? (int)worth : dev->threads;
}

void cug_cpu_run(const cug_device *dev, size_t items, size_t grain, cug_cpu_fn *fn, void *ctx) {
    int parts = cug_cpu_parts(dev, items, grain);
    if (parts == 1) {
        if (items) fn(ctx, 0, items, 0);
        return;
    }
    cug_cpu_pool *p = dev->pool;
    p->fn = fn;
    p->ctx = ctx;
    p->items = items;
    p->parts = (size_t)parts;
    atomic_store(&p->unfinished, (unsigned)parts);
    for (int w = 0, left = parts; left > 0; w++, left -= A_WORD)
        atomic_store(&p->open[w], left < A_WORD ? ((part_set)1 << left) - 1 : ~(part_set)0);
    if (atomic_load(&p->sleepers)) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->work);
        pthread_mutex_unlock(&p->lock);
    }
    take_parts(p, 0);
    wait_until(p, caller_ready, &p->caller_sleeps, &p->done);
}
