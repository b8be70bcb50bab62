/* step.c - step records and gathered batches on the GPU, and the ring as the backend table shows it. */
#include "cuda/cuda.h"
#include "cuda/ring.h"
#include <stdlib.h>

static cug_status advance(cug_step *step, cug_cursor *cursor, const cug_step *table, const cug_exec *ex) {
    const char *op = "step advance";
    CUG_TRY(cuda_ready(op, ex, 0));
    return cug_cuda_launched(ex->device, cug_cuda_step_advance(step, cursor, table, cuda_stream(ex)), op);
}

static cug_status gather(uint8_t *pixels, int32_t *labels, int32_t *ids, const uint8_t *all_pixels,
                         const int32_t *all_labels, const int32_t *order, const cug_cursor *cursor,
                         const cug_gather_shape *s, const cug_exec *ex) {
    const char *op = "gather";
    CUG_TRY(cuda_ready(op, ex, 0));
    cudaError_t err = cug_cuda_gather(pixels, labels, ids, all_pixels, all_labels, order, cursor, s, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

const cug_step_ops cug_cuda_step = {.advance = advance, .gather = gather};

/* A ring and what taking from it needs besides. */
typedef struct stage {
    cug_cuda_ring *ring;
    cug_device *dev;
    size_t pixel_bytes;
} stage;

cug_status cug_cuda_stage_open(void **ring, cug_device *dev, int max_batch, size_t pixel_bytes, cug_ring_fill *fill,
                               void *user) {
    *ring = NULL;
    stage *s = calloc(1, sizeof *s);
    if (!s) return cug_fail(CUG_ENOMEM, "ring: no memory");
    s->dev = dev;
    s->pixel_bytes = pixel_bytes;
    const cug_cuda_ring_options opt = {.max_batch = max_batch, .pixel_bytes = pixel_bytes, .fill = fill, .user = user};
    cug_status st = cug_cuda_ring_open(&s->ring, dev, &opt);
    if (st == CUG_OK)
        *ring = s;
    else
        free(s);
    return st;
}

/* Copied on, so that the steps' graphs find every batch in one place; the ring's own copy is free again at once. */
cug_status cug_cuda_stage_take(void *ring, uint8_t *pixels, int32_t *labels, int32_t *ids, int *n, void *stream) {
    stage *s = ring;
    cug_cuda_ring_batch b;
    *n = 0;
    CUG_TRY(cug_cuda_ring_next(s->ring, &b, stream));
    if (!b.n) return CUG_OK;
    size_t count = (size_t)b.n;
    CUG_TRY(cug_cuda_copy(s->dev, pixels, b.pixels, count * s->pixel_bytes, stream));
    CUG_TRY(cug_cuda_copy(s->dev, labels, b.labels, count * sizeof *labels, stream));
    CUG_TRY(cug_cuda_copy(s->dev, ids, b.ids, count * sizeof *ids, stream));
    CUG_TRY(cug_cuda_ring_release(s->ring, stream));
    *n = b.n;
    return CUG_OK;
}

void cug_cuda_stage_close(void *ring) {
    stage *s = ring;
    if (s) cug_cuda_ring_close(s->ring);
    free(s);
}

void cug_cuda_stage_waits(void *ring, double *take, double *room) {
    cug_cuda_ring_waits(((stage *)ring)->ring, take, room);
}

size_t cug_cuda_stage_bytes(int max_batch, size_t pixel_bytes) {
    return cug_cuda_ring_bytes(&(cug_cuda_ring_options){.max_batch = max_batch, .pixel_bytes = pixel_bytes});
}
