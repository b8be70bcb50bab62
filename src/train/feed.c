/* feed.c - what a training run tells the net before its steps: their rows, and where their batches come from. */
#include <stdlib.h>

#include "train/trainer.h"

/* On the ring's thread: reads what stays the same through a run. Steps and batches count alike through the epochs. */
static cug_status fill(void *user, uint64_t seq, uint8_t *pixels, int32_t *labels, int32_t *ids, int *n) {
    const trainer *t = user;
    uint64_t step = t->staged_from + seq;
    *n = 0;
    if (step < trainer_steps_in_all(t))
        cug_loader_batch(&t->j.train, (uint32_t)(step / t->batches), (size_t)(step % t->batches), ids, pixels, labels,
                         n);
    return CUG_OK;
}

cug_status trainer_feed_start(trainer *t) {
    if (t->j.loader != JOB_STAGED || t->at.step >= trainer_steps_in_all(t)) return CUG_OK;
    t->staged_from = t->at.step;
    return cug_net_stage(t->j.net, fill, t);
}

/* How far each sample of the epoch's order is moved; overwrites the order, which the net has by now. */
static cug_status feed_shifts(trainer *t) {
    const cug_loader *l = &t->j.train;
    for (size_t i = 0; i < l->n; i++) {
        int dy, dx;
        cug_shift_draw(l->seed, (uint32_t)t->at.epoch, t->order[i], l->shift, &dy, &dx);
        t->order[i] = CUG_SHIFT_PACK(dy, dx);
    }
    return cug_net_shifts(t->j.net, t->order, l->images->H, l->images->W, l->images->C);
}

cug_status trainer_feed_epoch(trainer *t) {
    if (t->j.loader != JOB_RESIDENT) return CUG_OK;
    const cug_loader *l = &t->j.train;
    if (!t->order) t->order = calloc(l->n + 1, sizeof *t->order);
    if (!t->order) return cug_fail(CUG_ENOMEM, "out of memory for the order of %zu images", l->n);
    int n = 0;
    for (size_t b = 0; b < t->batches; b++)
        cug_loader_batch(l, (uint32_t)t->at.epoch, b, t->order + b * (size_t)l->batch, 0, 0, &n);
    CUG_TRY(cug_net_order(t->j.net, t->order));
    return l->shift ? feed_shifts(t) : CUG_OK;
}

cug_status trainer_feed_steps(trainer *t, uint64_t end) {
    const cug_loader *l = &t->j.train;
    size_t count = 0, first = (size_t)t->at.batch * (size_t)l->batch, sample = first;
    for (uint64_t step = t->at.step; step < end && count < CUG_NET_ROWS; step++, count++) {
        size_t left = l->n - sample, n = left < (size_t)l->batch ? left : (size_t)l->batch;
        t->rows[count] = (cug_step_row){step, (float)cug_schedule_lr(&t->schedule, step), (int)n};
        sample += n;
    }
    return cug_net_announce(t->j.net, t->rows, count, first);
}
