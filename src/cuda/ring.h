/* ring.h - batches on their way to the GPU, ahead of the step that uses them.
 *
 *   producer thread: fill -> pinned slot          back-pressure: a slot is filled again only after its copy is over,
 *   copy stream:     slot -> device batch         a device batch written again only after its release has been reached
 *   compute stream:  waits for that copy, computes, releases the batch
 *
 * The producer fills slots and queues copies; next and release are called by one other thread, the one that queues the
 * steps. Neither waits for the GPU: next waits on the host alone, for a batch whose copy has been queued. */
#ifndef CUG_CUDA_RING_H
#define CUG_CUDA_RING_H

#include <cuglyph/backend.h>

#define CUG_CUDA_RING_SLOTS 16  /* at most */
#define CUG_CUDA_RING_BATCHES 4 /* at most */

/* Writes batch `seq` (0, 1, 2 ...) and its number of samples; *n = 0: there are no more. On the producer thread. */
typedef cug_status cug_cuda_ring_fill(void *user, uint64_t seq, uint8_t *pixels, int32_t *labels, int32_t *ids, int *n);

typedef struct cug_cuda_ring_options {
    int slots;          /* pinned host slots; 0 = 4; not fewer than batches */
    int batches;        /* device batches; 0 = 2 */
    int max_batch;      /* samples */
    size_t pixel_bytes; /* of one sample */
    cug_cuda_ring_fill *fill;
    void *user;
} cug_cuda_ring_options;

/* Device memory of one batch; good from next to release. */
typedef struct cug_cuda_ring_batch {
    int n;     /* samples; 0: the end */
    int index; /* which device batch: 0 to batches-1, in turn */
    uint8_t *pixels;
    int32_t *labels, *ids;
} cug_cuda_ring_batch;

typedef struct cug_cuda_ring cug_cuda_ring;

/* Starts the producer. dev must outlive the ring; its copy stream is the ring's alone meanwhile. */
cug_status cug_cuda_ring_open(cug_cuda_ring **out, cug_device *dev, const cug_cuda_ring_options *opt);

/* Device memory that a ring of these options takes. */
size_t cug_cuda_ring_bytes(const cug_cuda_ring_options *opt);

/* Stops the producer (a fill under way is waited for) and frees everything once the GPU has done with it. Batches taken
 * and not released are read no more. NULL is safe. */
void cug_cuda_ring_close(cug_cuda_ring *ring);

/* The oldest batch not yet taken; work queued on `stream` (NULL: the device's compute stream) afterwards finds it
 * there. At the end out->n = 0. A failed fill or copy is reported here, after the batches before it.
 * CUG_EINVAL when all device batches are taken and none was released. */
cug_status cug_cuda_ring_next(cug_cuda_ring *ring, cug_cuda_ring_batch *out, void *stream);

/* Gives back the oldest batch taken, as soon as the work queued on `stream` so far is done. */
cug_status cug_cuda_ring_release(cug_cuda_ring *ring, void *stream);

/* Seconds so far that next has waited for a batch (the thread is too slow), and that the thread has waited for a slot
 * or a device batch to be free again (it is ahead). */
void cug_cuda_ring_waits(cug_cuda_ring *ring, double *next, double *thread);

/* 0 when page-locked memory was refused and slots are ordinary memory: right, but copies then wait for the host. */
int cug_cuda_ring_pinned(const cug_cuda_ring *ring);

#endif
