/* report.c - the facts about a GPU, with its copy bandwidth measured. */
#include "cuda/cuda.h"
#include "seconds.h"
#include <cuglyph/cuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COPY_BYTES ((size_t)16 << 20)
#define COPIES 4 /* the first also warms up; the best counts */

typedef struct copy_test {
    cug_device *dev;
    void *host, *mem;
    int pinned;
    cudaEvent_t start, stop;
} copy_test;

/* Bytes a second of the best of a few copies. Those of page-locked memory run beside the host: the device's clock; the
 * others need the host all along: its clock. */
static cug_status measure(const copy_test *t, enum cudaMemcpyKind kind, double *best) {
    cudaStream_t s = t->dev->copy;
    void *to = kind == cudaMemcpyHostToDevice ? t->mem : t->host;
    const void *from = kind == cudaMemcpyHostToDevice ? t->host : t->mem;
    *best = 0;
    for (int i = 0; i < COPIES; i++) {
        float ms = 0;
        double began = seconds_now();
        CUDA_TRY(t->dev, cudaEventRecord(t->start, s));
        CUDA_TRY(t->dev, cudaMemcpyAsync(to, from, COPY_BYTES, kind, s));
        CUDA_TRY(t->dev, cudaEventRecord(t->stop, s));
        CUDA_TRY(t->dev, cudaEventSynchronize(t->stop));
        double seconds = seconds_now() - began;
        CUDA_TRY(t->dev, cudaEventElapsedTime(&ms, t->start, t->stop));
        if (t->pinned) seconds = (double)ms * 1e-3;
        double rate = seconds > 0 ? (double)COPY_BYTES / seconds : 0;
        if (rate > *best) *best = rate;
    }
    return CUG_OK;
}

static cug_status measure_both(copy_test *t, int pinned, double *upload, double *download) {
    t->pinned = pinned;
    memset(t->host, 1, COPY_BYTES); /* pages that were never touched would be measured too */
    CUG_TRY(measure(t, cudaMemcpyHostToDevice, upload));
    return measure(t, cudaMemcpyDeviceToHost, download);
}

static cug_status measure_copies(cug_device *dev, cug_cuda_report *r) {
    cug_status st = CUG_OK;
    copy_test t = {.dev = dev};
    void *pinned = NULL, *pageable = malloc(COPY_BYTES);
    if (!pageable) return cug_fail(CUG_ENOMEM, "cuda: no host memory for %zu bytes", COPY_BYTES);
    if (cudaHostAlloc(&pinned, COPY_BYTES, cudaHostAllocDefault) != cudaSuccess) {
        (void)cudaGetLastError();
        pinned = NULL;
    }
    CUG_GOTO(cug_cuda_alloc(dev, &t.mem, COPY_BYTES));
    CUDA_GOTO(dev, cudaEventCreateWithFlags(&t.start, cudaEventDefault));
    CUDA_GOTO(dev, cudaEventCreateWithFlags(&t.stop, cudaEventDefault));
    t.host = pageable;
    CUG_GOTO(measure_both(&t, 0, &r->pageable_upload, &r->pageable_download));
    t.host = pinned;
    if (pinned) CUG_GOTO(measure_both(&t, 1, &r->pinned_upload, &r->pinned_download));
cleanup:
    (void)cudaStreamSynchronize(dev->copy); /* after a failure a copy may still be under way */
    if (t.start) (void)cudaEventDestroy(t.start);
    if (t.stop) (void)cudaEventDestroy(t.stop);
    cug_cuda_free(dev, t.mem);
    if (pinned) (void)cudaFreeHost(pinned);
    free(pageable);
    return st;
}

static cug_status attribute(cug_device *dev, int *out, enum cudaDeviceAttr which) {
    CUDA_TRY(dev, cudaDeviceGetAttribute(out, which, dev->ordinal));
    return CUG_OK;
}

static cug_status read_facts(cug_device *dev, cug_cuda_report *r) {
    struct cudaDeviceProp p;
    int l2 = 0;
    CUDA_TRY(dev, cudaGetDeviceProperties(&p, dev->ordinal));
    snprintf(r->name, sizeof r->name, "%s", p.name);
    CUG_TRY(attribute(dev, &r->major, cudaDevAttrComputeCapabilityMajor));
    CUG_TRY(attribute(dev, &r->minor, cudaDevAttrComputeCapabilityMinor));
    CUG_TRY(attribute(dev, &r->sms, cudaDevAttrMultiProcessorCount));
    CUG_TRY(attribute(dev, &l2, cudaDevAttrL2CacheSize));
    r->l2 = (size_t)l2;
    CUDA_TRY(dev, cudaMemGetInfo(&r->memory_free, &r->memory_total));
    CUDA_TRY(dev, cudaDriverGetVersion(&r->driver));
    CUDA_TRY(dev, cudaRuntimeGetVersion(&r->runtime));
    r->architectures = cug_cuda_architectures();
    return CUG_OK;
}

cug_status cug_cuda_report_read(cug_cuda_report *out, int ordinal) {
    cug_device *dev = NULL;
    *out = (cug_cuda_report){.ordinal = ordinal};
    CUG_TRY(cug_cuda_open(&dev, &(cug_device_options){.ordinal = ordinal}));
    cug_status st = read_facts(dev, out);
    if (st == CUG_OK) st = measure_copies(dev, out);
    cug_cuda_close(dev);
    return st;
}
