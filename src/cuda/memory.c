/* memory.c - device memory and copies. Copies between host and device go through a ring of pinned pieces: the caller's
 * memory is its own again when the call returns, while the device may still be reading the piece. */
#include "cuda/cuda.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 256

cug_status cug_cuda_bounces_open(cug_device *dev) {
    dev->pinned = 1;
    for (int i = 0; i < CUG_CUDA_BOUNCES; i++) {
        cug_cuda_bounce *b = &dev->bounce[i];
        CUDA_TRY(dev, cudaEventCreateWithFlags(&b->done, cudaEventDisableTiming));
    }
    char *all = NULL;
    size_t bytes = CUG_CUDA_BOUNCES * CUG_CUDA_BOUNCE_BYTES;
    if (cudaHostAlloc((void **)&all, bytes, cudaHostAllocDefault) != cudaSuccess) {
        (void)cudaGetLastError(); /* the description says it */
        dev->pinned = 0;
        all = malloc(bytes);
        if (!all) return cug_fail(CUG_ENOMEM, "cuda: no host memory for %zu bytes", bytes);
    }
    for (int i = 0; i < CUG_CUDA_BOUNCES; i++) dev->bounce[i].mem = all + (size_t)i * CUG_CUDA_BOUNCE_BYTES;
    return CUG_OK;
}

void cug_cuda_bounces_close(cug_device *dev) {
    void *all = dev->bounce[0].mem;
    if (dev->pinned && all)
        (void)cudaFreeHost(all);
    else
        free(all);
    for (int i = 0; i < CUG_CUDA_BOUNCES; i++)
        if (dev->bounce[i].done) (void)cudaEventDestroy(dev->bounce[i].done);
}

/* The next piece, once the copy that used it last is over. An event never recorded counts as happened. */
static cug_status take_bounce(cug_device *dev, cug_cuda_bounce **out) {
    cug_cuda_bounce *b = &dev->bounce[dev->next_bounce];
    dev->next_bounce = (dev->next_bounce + 1) % CUG_CUDA_BOUNCES;
    CUDA_TRY(dev, cudaEventSynchronize(b->done));
    *out = b;
    return CUG_OK;
}

cug_status cug_cuda_alloc(cug_device *dev, void **out, size_t bytes) {
    if (!out) return cug_fail(CUG_EINVAL, "cuda: no place for the pointer");
    *out = NULL;
    size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (rounded < bytes) return cug_fail(CUG_ENOMEM, "cuda: %zu bytes are more than there can be", bytes);
    CUG_TRY(cug_cuda_enter(dev));
    cudaError_t err = cudaMalloc(out, rounded ? rounded : ALIGNMENT);
    if (err == cudaSuccess) return CUG_OK;
    *out = NULL;
    return cug_cuda_fail_memory(dev, err, "cudaMalloc", rounded);
}

/* An error here is an older kernel's, and sync reports it; the address itself says which device it belongs to. */
void cug_cuda_free(cug_device *dev, void *ptr) {
    if (!ptr) return;
    (void)cudaSetDevice(dev->ordinal);
    (void)cudaFree(ptr);
}

cug_status cug_cuda_memory(cug_device *dev, size_t *free_bytes, size_t *total) {
    CUG_TRY(cug_cuda_enter(dev));
    CUDA_TRY(dev, cudaMemGetInfo(free_bytes, total));
    return CUG_OK;
}

static cug_status check_places(const char *what, const void *a, const void *b, size_t bytes) {
    if (bytes && (!a || !b)) return cug_fail(CUG_EINVAL, "cuda: %s of %zu bytes from or to NULL", what, bytes);
    return CUG_OK;
}

cug_status cug_cuda_upload(cug_device *dev, void *dst, const void *host, size_t bytes, void *stream) {
    cudaStream_t s = cug_cuda_stream(dev, stream);
    CUG_TRY(check_places("upload", dst, host, bytes));
    CUG_TRY(cug_cuda_enter(dev));
    for (size_t at = 0; at < bytes; at += CUG_CUDA_BOUNCE_BYTES) {
        size_t n = bytes - at < CUG_CUDA_BOUNCE_BYTES ? bytes - at : CUG_CUDA_BOUNCE_BYTES;
        cug_cuda_bounce *b = NULL;
        CUG_TRY(take_bounce(dev, &b));
        memcpy(b->mem, (const char *)host + at, n);
        CUDA_TRY(dev, cudaMemcpyAsync((char *)dst + at, b->mem, n, cudaMemcpyHostToDevice, s));
        CUDA_TRY(dev, cudaEventRecord(b->done, s));
    }
    return CUG_OK;
}

/* Pieces are requested one ahead, so that the copy of one runs while the host empties the other. */
cug_status cug_cuda_download(cug_device *dev, void *host, const void *src, size_t bytes, void *stream) {
    cudaStream_t s = cug_cuda_stream(dev, stream);
    CUG_TRY(check_places("download", host, src, bytes));
    CUG_TRY(cug_cuda_enter(dev));
    cug_cuda_bounce *ready = NULL;
    size_t ready_at = 0, ready_n = 0;
    for (size_t at = 0; at < bytes || ready; at += CUG_CUDA_BOUNCE_BYTES) {
        cug_cuda_bounce *b = NULL;
        size_t n = at >= bytes ? 0 : bytes - at < CUG_CUDA_BOUNCE_BYTES ? bytes - at : CUG_CUDA_BOUNCE_BYTES;
        if (n) {
            CUG_TRY(take_bounce(dev, &b));
            CUDA_TRY(dev, cudaMemcpyAsync(b->mem, (const char *)src + at, n, cudaMemcpyDeviceToHost, s));
            CUDA_TRY(dev, cudaEventRecord(b->done, s));
        }
        if (ready) {
            CUDA_TRY(dev, cudaEventSynchronize(ready->done));
            memcpy((char *)host + ready_at, ready->mem, ready_n);
        }
        ready = b;
        ready_at = at;
        ready_n = n;
    }
    return CUG_OK;
}

cug_status cug_cuda_copy(cug_device *dev, void *dst, const void *src, size_t bytes, void *stream) {
    CUG_TRY(check_places("copy", dst, src, bytes));
    if (!bytes) return CUG_OK;
    CUG_TRY(cug_cuda_enter(dev));
    CUDA_TRY(dev, cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToDevice, cug_cuda_stream(dev, stream)));
    return CUG_OK;
}

cug_status cug_cuda_fill(cug_device *dev, void *dst, int byte, size_t bytes, void *stream) {
    CUG_TRY(check_places("fill", dst, dst, bytes));
    if (!bytes) return CUG_OK;
    CUG_TRY(cug_cuda_enter(dev));
    CUDA_TRY(dev, cudaMemsetAsync(dst, byte, bytes, cug_cuda_stream(dev, stream)));
    return CUG_OK;
}

cug_status cug_cuda_sync(cug_device *dev, void *stream) {
    CUG_TRY(cug_cuda_enter(dev));
    CUDA_TRY(dev, cudaStreamSynchronize(cug_cuda_stream(dev, stream)));
    CUDA_TRY(dev, cudaGetLastError());
    return CUG_OK;
}
