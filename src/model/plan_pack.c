/* plan_pack.c - one arena for all tensors: two share memory only when no op needs both.
 * Greedy by size: the largest buffer first, each at the lowest offset free for its whole life. Pisarchyk and Lee,
 * "Efficient memory management for deep neural net inference", 2020. */
#include "model/plan.h"
#include <stdlib.h>

#define ALIGN 256

static size_t round_up(size_t n) { return (n + ALIGN - 1) / ALIGN * ALIGN; }

typedef struct entry {
    plan_buffer *buffer;
    int index;
} entry;

static int by_size(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->buffer->bytes != y->buffer->bytes) return x->buffer->bytes < y->buffer->bytes ? 1 : -1;
    return x->index - y->index; /* a fixed order among equals */
}

static int by_offset(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->buffer->offset != y->buffer->offset) return x->buffer->offset < y->buffer->offset ? -1 : 1;
    return x->index - y->index;
}

/* The lowest offset where `want` fits between those already placed that live at the same time; `near` is scratch. */
static size_t find_gap(const entry *placed, int n, const plan_buffer *want, entry *near) {
    int m = 0;
    for (int i = 0; i < n; i++)
        if (placed[i].buffer->start <= want->end && want->start <= placed[i].buffer->end) near[m++] = placed[i];
    qsort(near, (size_t)m, sizeof *near, by_offset);
    size_t at = 0;
    for (int i = 0; i < m; i++) {
        if (at + want->bytes <= near[i].buffer->offset) return at;
        size_t end = near[i].buffer->offset + round_up(near[i].buffer->bytes);
        if (end > at) at = end;
    }
    return at;
}

cug_status plan_pack(cug_plan *p) {
    int n = p->n_buffers;
    entry *order = malloc((size_t)n * sizeof *order), *near = malloc((size_t)n * sizeof *near);
    if (!order || !near) {
        free(order);
        free(near);
        return cug_fail(CUG_ENOMEM, "out of memory for the plan's %d buffers", n);
    }
    p->arena_bytes = p->unshared_bytes = 0;
    for (int i = 0; i < n; i++) {
        order[i] = (entry){&p->buffers[i], i};
        p->unshared_bytes += round_up(p->buffers[i].bytes);
    }
    if (p->flags & CUG_PLAN_NO_REUSE) { /* one after another, a guard band around each */
        size_t at = CUG_PLAN_GUARD;
        for (int i = 0; i < n; i++) {
            p->buffers[i].offset = at;
            at += round_up(p->buffers[i].bytes) + CUG_PLAN_GUARD;
        }
        p->arena_bytes = at;
    } else {
        qsort(order, (size_t)n, sizeof *order, by_size);
        for (int i = 0; i < n; i++) {
            plan_buffer *b = order[i].buffer;
            b->offset = find_gap(order, i, b, near);
            size_t end = b->offset + round_up(b->bytes);
            if (end > p->arena_bytes) p->arena_bytes = end;
        }
    }
    free(order);
    free(near);
    return CUG_OK;
}
