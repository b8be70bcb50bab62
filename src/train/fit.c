/* fit.c - a run that the device has no memory for: what it needs, what is free, and which batch would fit. */
#include "train/job.h"
#include <stdio.h>
#include <string.h>

/* Kept free of the device's memory, one part in so many: allocations are rounded up, and kernels, graphs and other
 * programs want some as well. */
#define RESERVE 64

typedef struct fit {
    job *j;
    const cug_config *c;
    int training;
    size_t room;
} fit;

static cug_status bytes_for(const fit *f, int batch, int eval_batch, size_t *bytes) {
    const job *j = f->j;
    const cug_net_options o = job_net_options(j, f->c, f->training, batch, eval_batch);
    const int most = f->training && batch > eval_batch ? batch : eval_batch;
    cug_net_memory m;
    CUG_TRY(cug_net_memory_needed(&m, j->g, j->be, j->dev, &o));
    *bytes = m.total;
    if (f->training && j->loader == JOB_STAGED) *bytes += j->be->ring_bytes(most, cug_value_count(&j->g->values[0]));
    if (f->training && j->loader == JOB_RESIDENT)
        *bytes += cug_net_hold_bytes(j->g, (size_t)j->train.images->count, j->train.n);
    return CUG_OK;
}

static int least(int a, int b) { return a < b ? a : b; }

/* The largest batch that fits, 0 if none does; with `both`, evaluation's batch shrinks alike. */
static int search(const fit *f, int both) {
    const int batch = (int)f->c->batch, eval_batch = (int)f->c->eval_batch;
    int fits = 0, too_large = (batch > eval_batch && f->training ? batch : eval_batch) + 1;
    if (!both) too_large = batch + 1;
    while (too_large - fits > 1) {
        const int t = fits + (too_large - fits) / 2;
        size_t bytes = 0;
        cug_status st = bytes_for(f, least(batch, t), both ? least(eval_batch, t) : eval_batch, &bytes);
        if (st == CUG_OK && bytes <= f->room)
            fits = t;
        else
            too_large = t;
    }
    return fits;
}

static void advise(const fit *f, char *out, size_t n) {
    const int batch = f->training ? search(f, 0) : 0, both = batch ? 0 : search(f, 1);
    const int eval_batch = least((int)f->c->eval_batch, both);
    if (batch)
        snprintf(out, n, "a batch of %d would fit: --batch %d", batch, batch);
    else if (both && f->training)
        snprintf(out, n, "smaller batches would fit: --batch %d --eval-batch %d", least((int)f->c->batch, both),
                 eval_batch);
    else if (both)
        snprintf(out, n, "a batch of %d would fit: --eval-batch %d", eval_batch, eval_batch);
    else if (f->training && f->j->loader == JOB_RESIDENT)
        snprintf(out, n, "no batch would fit beside the data set: --loader staged");
    else
        snprintf(out, n, "not even a batch of 1 would fit: --device cpu");
}

cug_status job_out_of_memory(job *j, const cug_config *c, int training, cug_status why) {
    fit f = {.j = j, .c = c, .training = training};
    char old[700], advice[160];
    size_t free_bytes = 0, total = 0, needed = 0;
    if (why != CUG_ENOMEM || !j->be->memory) return why;
    snprintf(old, sizeof old, "%s", cug_error());
    cug_net_free(j->net);
    j->net = 0;
    if (j->be->memory(j->dev, &free_bytes, &total) != CUG_OK) return cug_fail(why, "%s", old);
    f.room = free_bytes > total / RESERVE ? free_bytes - total / RESERVE : 0;
    /* Not for its size, then: the host's memory was out, or another program's share of the device has shrunk. */
    if (bytes_for(&f, (int)c->batch, (int)c->eval_batch, &needed) != CUG_OK || needed <= f.room)
        return cug_fail(why, "%s", old);
    advise(&f, advice, sizeof advice);
    const char *name = j->be->describe(j->dev), *end = strchr(name, ',');
    if (end) end = strchr(end + 1, ',');
    return cug_fail(why, "out of memory on %.*s: %s %d needs %zu bytes, %zu of %zu are free; %s",
                    end ? (int)(end - name) : (int)strlen(name), name, training ? "batch" : "evaluation batch",
                    (int)(training ? c->batch : c->eval_batch), needed, free_bytes, total, advice);
}
