/* report.c - the facts about a GPU, with its copy bandwidth measured. */
#include "cuda/cuda.h"
#include <cuglyph/cuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COPY_BYTES ((size_t)16 << 20)
#define COPIES 4 /* the first also warms up; the best counts */

typedef struct copy_test {
    cug_device *dev;
    void *host, *mem;
    cudaEvent_t start, stop;
} copy_test;

/* Bytes a second of the best of a few copies. */
static cug_status measure(const copy_test *t, enum cudaMemcpyKind kind, double *best) {
    cudaStream_t s = t->dev->copy;
    void *to = kind == cudaMemcpyHostToDevice ? t->mem : t->host;
    const void *from = kind == cudaMemcpyHostToDevice ? t->host : t->mem;
    *best = 0;
    for (int i = 0; i < COPIES; i++) {
        float ms = 0;
        CUDA_TRY(t->dev, cudaEventRecord(t->start, s));
        CUDA_TRY(t->dev, cudaMemcpyAsync(to, from, COPY_BYTES, kind, s));
        CUDA_TRY(t->dev, cudaEventRecord(t->stop, s));
        CUDA_TRY(t->dev, cudaEventSynchronize(t->stop));
        CUDA_TRY(t->dev, cudaEventElapsedTime(&ms, t->start, t->stop));
        double rate = ms > 0 ? (double)COPY_BYTES / ((double)ms * 1e-3) : 0;
        if (rate > *best) *best = rate;
    }
    return CUG_OK;
}

static cug_status measure_copies(cug_device *dev, cug_cuda_report *r) {
    cug_status st = CUG_OK;
    copy_test t = {.dev = dev};
    r->pinned = cudaHostAlloc(&t.host, COPY_BYTES, cudaHostAllocDefault) == cudaSuccess;
    if (!r->pinned) {
        (void)cudaGetLastError();
        t.host = malloc(COPY_BYTES);
        if (!t.host) return cug_fail(CUG_ENOMEM, "cuda: no host memory for %zu bytes", COPY_BYTES);
    }
    memset(t.host, 1, COPY_BYTES); /* pages that were never touched would be measured too */
    CUG_GOTO(cug_cuda_alloc(dev, &t.mem, COPY_BYTES));
    CUDA_GOTO(dev, cudaEventCreateWithFlags(&t.start, cudaEventDefault));
    CUDA_GOTO(dev, cudaEventCreateWithFlags(&t.stop, cudaEventDefault));
    CUG_GOTO(measure(&t, cudaMemcpyHostToDevice, &r->upload));
    CUG_GOTO(measure(&t, cudaMemcpyDeviceToHost, &r->download));
cleanup:
    (void)cudaStreamSynchronize(dev->copy); /* after a failure a copy may still be under way */
    if (t.start) (void)cudaEventDestroy(t.start);
    if (t.stop) (void)cudaEventDestroy(t.stop);
    cug_cuda_free(dev, t.mem);
    if (r->pinned)
        (void)cudaFreeHost(t.host);
    else
        free(t.host);
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
