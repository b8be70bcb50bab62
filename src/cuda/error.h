/* error.h - CUDA's error numbers as statuses: the call, its text and what to do. */
#ifndef CUG_CUDA_ERROR_H
#define CUG_CUDA_ERROR_H

#include <cuda_runtime_api.h>
#include <cuglyph/exec.h>

/* The status of a failed call, with its message; takes the error off CUDA's own record, so that no later check reads it
 * again. `dev` may be NULL (while opening). call: "cudaMalloc" or "cudaMalloc(&p, n)"; only the name is shown. */
cug_status cug_cuda_fail(cug_device *dev, cudaError_t err, const char *call);

/* As above for memory of `bytes` that was refused; where: "on the device" or the like. */
cug_status cug_cuda_fail_memory(cug_device *dev, cudaError_t err, const char *call, size_t bytes);

/* What an op's launches came to: `err`, as its launcher returned it, or what they left behind. */
cug_status cug_cuda_launched(cug_device *dev, cudaError_t err, const char *op);

/* Why no device could be opened: no driver, too old, no GPU. Always CUG_ENOTSUP. */
cug_status cug_cuda_fail_open(cudaError_t err, const char *call);

/* "sm_75 sm_80 ...": what this build has kernels for. */
const char *cug_cuda_architectures(void);

/* Returns from the calling function when a CUDA call fails. */
#define CUDA_TRY(dev, call)                                                                                            \
    do {                                                                                                               \
        cudaError_t cuda_try_error_ = (call);                                                                          \
        if (cuda_try_error_ != cudaSuccess) return cug_cuda_fail(dev, cuda_try_error_, #call);                         \
    } while (0)

/* For functions with a `cleanup:` label and a local `cug_status st`. */
#define CUDA_GOTO(dev, call)                                                                                           \
    do {                                                                                                               \
        cudaError_t cuda_goto_error_ = (call);                                                                         \
        if (cuda_goto_error_ != cudaSuccess) {                                                                         \
            st = cug_cuda_fail(dev, cuda_goto_error_, #call);                                                          \
            goto cleanup;                                                                                              \
        }                                                                                                              \
    } while (0)

#endif
