/* backend.c - the cuda backend's place. It looks for a device and says what it finds; its kernels are not written yet,
 * so it never opens, and `--device auto` goes on to the CPU. */
#include <cuda_runtime_api.h>
#include <cuglyph/backend.h>

extern const cug_backend cug_backend_cuda;

static cug_status open_device(cug_device **out, const cug_device_options *opt) {
    int count = 0;
    *out = 0;
    cudaError_t err = cudaGetDeviceCount(&count);
    if (err != cudaSuccess)
        return cug_fail(CUG_ENOTSUP, "no CUDA device (cudaGetDeviceCount: %s)", cudaGetErrorString(err));
    if (opt->ordinal >= count)
        return cug_fail(CUG_ENOTSUP, "no CUDA device %d: this machine has %d", opt->ordinal, count);
    return cug_fail(CUG_ENOTSUP, "CUDA device %d is there, but this version has no CUDA kernels yet", opt->ordinal);
}

static void close_device(cug_device *dev) { (void)dev; }

const cug_backend cug_backend_cuda = {.name = "cuda", .real = CUG_F32, .open = open_device, .close = close_device};
