/* device.c - opening a GPU: choosing it, checking that it is new enough, its two streams, its one-line description. */
#include "cuda/cuda.h"
#include "locale_c.h"
#include <cuglyph/cuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_MAJOR 7 /* CUDA 13 compiles for 7.5 and newer */
#define LEAST_MINOR 5
#define MMA_MAJOR 8 /* tensor cores on TF32 and bfloat16 */

cug_status cug_cuda_enter(cug_device *dev) {
    CUDA_TRY(dev, cudaSetDevice(dev->ordinal));
    return CUG_OK;
}

cug_status cug_cuda_count(int *count) {
    *count = 0;
    cudaError_t err = cudaGetDeviceCount(count);
    return err == cudaSuccess && *count > 0 ? CUG_OK : cug_cuda_fail_open(err, "cudaGetDeviceCount");
}

static cug_status check_ordinal(int ordinal) {
    int count = 0;
    CUG_TRY(cug_cuda_count(&count));
    if (ordinal >= 0 && ordinal < count) return CUG_OK;
    if (count == 1) return cug_fail(CUG_ENOTSUP, "cuda:%d: this machine has 1 device, cuda:0", ordinal);
    return cug_fail(CUG_ENOTSUP, "cuda:%d: this machine has %d devices, cuda:0 to cuda:%d", ordinal, count, count - 1);
}

/* The libraries' part of the description is added once they are open. */
static cug_status describe(cug_device *dev) {
    static const char *const products[] = {"", ", products in TF32", ", products in bfloat16"};
    struct cudaDeviceProp p;
    CUDA_TRY(dev, cudaGetDeviceProperties(&p, dev->ordinal));
    if (p.major < LEAST_MAJOR || (p.major == LEAST_MAJOR && p.minor < LEAST_MINOR))
        return cug_fail(CUG_ENOTSUP,
                        "CUDA device %d, %.100s, has compute capability %d.%d; this build needs %d.%d or "
                        "newer: use --device cpu",
                        dev->ordinal, p.name, p.major, p.minor, LEAST_MAJOR, LEAST_MINOR);
    if (p.major < MMA_MAJOR && dev->precision != CUG_PREC_FP32)
        return cug_fail(CUG_ENOTSUP,
                        "--precision %s needs compute capability %d.0 or newer, and CUDA device %d, %.100s, has %d.%d: "
                        "use --precision fp32",
                        cug_precision_name(dev->precision), MMA_MAJOR, dev->ordinal, p.name, p.major, p.minor);
    cug_print(dev->text, sizeof dev->text, "cuda:%d, %.200s, compute capability %d.%d, %d SMs, %.1f GB%s", dev->ordinal,
              p.name, p.major, p.minor, p.multiProcessorCount, (double)p.totalGlobalMem / 1e9,
              products[dev->precision]);
    if (!dev->pinned) cug_cuda_unpinned(dev);
    return CUG_OK;
}

void cug_cuda_unpinned(cug_device *dev) {
    static const char remark[] = ", pinned memory refused: copies go through pageable memory";
    size_t at = strlen(dev->text);
    if (!strstr(dev->text, remark)) snprintf(dev->text + at, sizeof dev->text - at, "%s", remark);
}

/* One small kernel, so that a GPU for which this build has none is refused here and not in a run's first step. */
static cug_status try_kernel(cug_device *dev) {
    const cug_normalize_shape one = {.count = 1, .scale = 1};
    const uint8_t *pixel = (const uint8_t *)dev->scratch + CUG_CUDA_SCRATCH_BYTES - 1;
    CUG_TRY(cug_cuda_fill(dev, dev->scratch, 0, CUG_CUDA_SCRATCH_BYTES, NULL));
    return cug_cuda_launched(dev, cug_cuda_normalize_fwd(dev->scratch, pixel, &one, dev->compute), "first kernel");
}

cug_status cug_cuda_open(cug_device **out, const cug_device_options *opt) {
    cug_status st = CUG_OK;
    if (!out) return cug_fail(CUG_EINVAL, "cuda: no place for the device");
    *out = NULL;
    int ordinal = opt ? opt->ordinal : 0;
    CUG_TRY(check_ordinal(ordinal));
    cug_device *dev = calloc(1, sizeof *dev);
    if (!dev) return cug_fail(CUG_ENOMEM, "cuda: no memory for the device");
    dev->ordinal = ordinal;
    dev->precision = opt ? opt->precision : CUG_PREC_FP32;
    cug_cuda_ranges_begin();
    CUG_GOTO(cug_cuda_enter(dev));
    CUDA_GOTO(dev, cudaStreamCreateWithFlags(&dev->compute, cudaStreamNonBlocking));
    CUDA_GOTO(dev, cudaStreamCreateWithFlags(&dev->copy, cudaStreamNonBlocking));
    CUG_GOTO(cug_cuda_bounces_open(dev));
    CUG_GOTO(describe(dev));
    CUG_GOTO(cug_cuda_alloc(dev, &dev->scratch, CUG_CUDA_SCRATCH_BYTES));
    CUG_GOTO(try_kernel(dev));
    CUG_GOTO(cug_choose_open(&dev->chooser, dev, opt));
    size_t used = strlen(dev->text);
    snprintf(dev->text + used, sizeof dev->text - used, "%s", cug_choose_note(dev->chooser));
    *out = dev;
    return CUG_OK;
cleanup:
    cug_cuda_close(dev);
    return st;
}

/* Errors of closing have nobody to act on them; they are read so that no later device sees them. */
void cug_cuda_close(cug_device *dev) {
    if (!dev) return;
    (void)cudaSetDevice(dev->ordinal);
    if (dev->copy) (void)cudaStreamSynchronize(dev->copy);
    if (dev->compute) (void)cudaStreamSynchronize(dev->compute);
    cug_choose_close(dev->chooser);
    cug_cuda_free(dev, dev->scratch);
    cug_cuda_bounces_close(dev);
    cug_cuda_marks_close(dev);
    if (dev->copy) (void)cudaStreamDestroy(dev->copy);
    if (dev->compute) (void)cudaStreamDestroy(dev->compute);
    (void)cudaGetLastError();
    free(dev);
}

const char *cug_cuda_describe(const cug_device *dev) { return dev->text; }
