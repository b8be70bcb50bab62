/* timing.c - CUDA events as marks on the stream, and work that shows what the GPU can do at most. */
#include "cuda/cuda.h"
#include <stdlib.h>

#define BLOCKS_A_MULTIPROCESSOR 8 /* of 256 threads: as many as one holds */

static cug_status mark(cug_device *dev, int i, void *stream) {
    if (i < 0 || i >= CUG_TIMING_MARKS) return cug_fail(CUG_EINVAL, "cuda: no timing mark %d", i);
    CUG_TRY(cug_cuda_enter(dev));
    if (!dev->marks) dev->marks = calloc(CUG_TIMING_MARKS, sizeof(cudaEvent_t));
    if (!dev->marks) return cug_fail(CUG_ENOMEM, "cuda: no memory for timing marks");
    if (!dev->marks[i]) CUDA_TRY(dev, cudaEventCreateWithFlags(&dev->marks[i], cudaEventDefault));
    CUDA_TRY(dev, cudaEventRecord(dev->marks[i], cug_cuda_stream(dev, stream)));
    return CUG_OK;
}

static int is_set(const cug_device *dev, int i) {
    return i >= 0 && i < CUG_TIMING_MARKS && dev->marks && dev->marks[i];
}

static cug_status between(cug_device *dev, int a, int b, double *seconds) {
    float ms = 0;
    if (!is_set(dev, a) || !is_set(dev, b)) return cug_fail(CUG_EINVAL, "cuda: timing mark %d or %d was not set", a, b);
    CUG_TRY(cug_cuda_enter(dev));
    CUDA_TRY(dev, cudaEventSynchronize(dev->marks[b]));
    CUDA_TRY(dev, cudaEventElapsedTime(&ms, dev->marks[a], dev->marks[b]));
    *seconds = (double)ms * 1e-3;
    return CUG_OK;
}

void cug_cuda_marks_close(cug_device *dev) {
    for (int i = 0; dev->marks && i < CUG_TIMING_MARKS; i++)
        if (dev->marks[i]) (void)cudaEventDestroy(dev->marks[i]);
    free(dev->marks);
    dev->marks = NULL;
}

static cug_status fma_peak(void *sink, int rounds, int parts, cug_precision precision, double *flop,
                           const cug_exec *ex) {
    int sms = 0;
    (void)parts;
    CUG_TRY(cuda_ready("fma peak", ex, 0));
    CUDA_TRY(ex->device, cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, ex->device->ordinal));
    const int blocks = sms * BLOCKS_A_MULTIPROCESSOR;
    const cudaError_t err = precision == CUG_PREC_FP32
                                ? cug_cuda_fma_peak(sink, rounds, blocks, flop, cuda_stream(ex))
                                : cug_cuda_mma_peak(sink, rounds, blocks, precision, flop, cuda_stream(ex));
    if (err == cudaErrorNotSupported) return cug_fail(CUG_ENOTSUP, "cuda: this build has no products on tensor cores");
    return cug_cuda_launched(ex->device, err, "peak");
}

static cug_status copy_peak(void *dst, const void *src, size_t bytes, int parts, const cug_exec *ex) {
    (void)parts;
    return cug_cuda_copy(ex->device, dst, src, bytes, ex->stream);
}

static size_t cache_bytes(const cug_device *dev) {
    int l2 = 0;
    return cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, dev->ordinal) == cudaSuccess && l2 > 0 ? (size_t)l2 : 0;
}

const cug_timing cug_cuda_timing = {
    .mark = mark, .between = between, .fma = fma_peak, .copy = copy_peak, .cache_bytes = cache_bytes};
