/* error.c - what a failed CUDA call means for the person at the terminal. */
#include "cuda/cuda.h"
#include <stdio.h>
#include <string.h>

#ifndef CUG_CUDA_ARCHS
#define CUG_CUDA_ARCHS "(none)"
#endif
#define DRIVER_NEEDED "580" /* the first that runs CUDA 13 programs */

const char *cug_cuda_architectures(void) { return CUG_CUDA_ARCHS; }

/* Errors after which the context is lost: CUDA answers every later call with the same number. */
static int lasting(cudaError_t err) {
    switch (err) {
    case cudaErrorECCUncorrectable:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorLaunchFailure:
    case cudaErrorAssert:
    case cudaErrorTensorMemoryLeak:
        return 1;
    default:
        return 0;
    }
}

static const char *next_step(cudaError_t err) {
    switch (err) {
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
        return "; a kernel touched memory it does not own: run again under compute-sanitizer to see which";
    case cudaErrorLaunchTimeout:
        return "; the display driver stopped a long kernel: use a GPU without a display or a smaller batch";
    case cudaErrorDevicesUnavailable:
        return "; another process holds the GPU alone (compute mode): wait for it or choose cuda:N";
    case cudaErrorECCUncorrectable:
        return "; the GPU's memory is damaged: see nvidia-smi -q, reset or replace it";
    case cudaErrorHostMemoryAlreadyRegistered:
    case cudaErrorInvalidValue:
        return "; this is an error in cuglyph, please report it";
    default:
        return "";
    }
}

static void remember(cug_device *dev, cudaError_t err, int n, const char *call) {
    if (!dev || dev->broken || !lasting(err)) return;
    dev->broken = err;
    snprintf(dev->broken_at, sizeof dev->broken_at, "%.*s", n, call);
}

cug_status cug_cuda_fail(cug_device *dev, cudaError_t err, const char *call) {
    int n = (int)strcspn(call, "(");
    (void)cudaGetLastError();
    if (err == cudaErrorMemoryAllocation) return cug_cuda_fail_memory(dev, err, call, 0);
    if (err == cudaErrorNoKernelImageForDevice || err == cudaErrorUnsupportedPtxVersion ||
        err == cudaErrorInvalidDeviceFunction)
        return cug_fail(CUG_ENOTSUP,
                        "%.*s on %s: %s (%s); this build has kernels for %s: build with make ARCH=native, or use "
                        "--device cpu",
                        n, call, dev && *dev->text ? dev->text : "the device", cudaGetErrorString(err),
                        cudaGetErrorName(err), cug_cuda_architectures());
    if (dev && dev->broken && err == dev->broken)
        return cug_fail(CUG_ECUDA, "%.*s: %s (%s), first seen by %s: the device is lost until it is opened anew", n,
                        call, cudaGetErrorString(err), cudaGetErrorName(err), dev->broken_at);
    remember(dev, err, n, call);
    return cug_fail(CUG_ECUDA, "%.*s: %s (%s)%s", n, call, cudaGetErrorString(err), cudaGetErrorName(err),
                    next_step(err));
}

cug_status cug_cuda_fail_memory(cug_device *dev, cudaError_t err, const char *call, size_t bytes) {
    int n = (int)strcspn(call, "(");
    size_t free_bytes = 0, total = 0;
    if (err != cudaErrorMemoryAllocation) return cug_cuda_fail(dev, err, call);
    (void)cudaGetLastError();
    if (cudaMemGetInfo(&free_bytes, &total) != cudaSuccess) (void)cudaGetLastError();
    if (!bytes)
        return cug_fail(CUG_ENOMEM, "%.*s: out of memory on %s: %zu of %zu bytes are free; use a smaller batch", n,
                        call, dev ? dev->text : "the device", free_bytes, total);
    return cug_fail(CUG_ENOMEM, "%.*s: out of memory on %s: %zu bytes needed, %zu of %zu free; use a smaller batch", n,
                    call, dev ? dev->text : "the device", bytes, free_bytes, total);
}

cug_status cug_cuda_launched(cug_device *dev, cudaError_t err, const char *op) {
    if (err == cudaSuccess) err = cudaGetLastError();
    return err == cudaSuccess ? CUG_OK : cug_cuda_fail(dev, err, op);
}

cug_status cug_cuda_fail_open(cudaError_t err, const char *call) {
    int n = (int)strcspn(call, "("), driver = 0, runtime = 0;
    (void)cudaGetLastError();
    (void)cudaDriverGetVersion(&driver);
    (void)cudaRuntimeGetVersion(&runtime);
    (void)cudaGetLastError();
    if (err == cudaErrorInsufficientDriver && driver == 0)
        return cug_fail(CUG_ENOTSUP,
                        "no CUDA device: this machine has no NVIDIA driver (%.*s: %s); install driver %s or newer", n,
                        call, cudaGetErrorName(err), DRIVER_NEEDED);
    if (err == cudaErrorInsufficientDriver || err == cudaErrorCompatNotSupportedOnDevice)
        return cug_fail(CUG_ENOTSUP,
                        "no CUDA device: the driver runs CUDA up to %d.%d, this build needs %d.%d (%.*s: %s); install "
                        "driver %s or newer",
                        driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10, n, call,
                        cudaGetErrorName(err), DRIVER_NEEDED);
    if (err == cudaErrorSystemDriverMismatch || err == cudaErrorInitializationError || err == cudaErrorSystemNotReady)
        return cug_fail(CUG_ENOTSUP, "no CUDA device: the driver does not start (%.*s: %s, %s); nvidia-smi says more",
                        n, call, cudaGetErrorName(err), cudaGetErrorString(err));
    if (err == cudaErrorNoDevice || err == cudaSuccess)
        return cug_fail(CUG_ENOTSUP,
                        "no CUDA device: the driver finds no GPU (%.*s: %s); see nvidia-smi and "
                        "CUDA_VISIBLE_DEVICES",
                        n, call, cudaGetErrorName(err));
    return cug_fail(CUG_ENOTSUP, "no CUDA device (%.*s: %s, %s)", n, call, cudaGetErrorName(err),
                    cudaGetErrorString(err));
}
