/* normalize.c - pixels to numbers on the GPU. */
#include "cuda/cuda.h"

static cug_status normalize_fwd(const cug_tensor *y, const cug_tensor *u, const cug_normalize_shape *s,
                                const cug_exec *ex) {
    const char *op = "normalize";
    CUG_TRY(cug_check_normalize(CUDA_REAL, y, u, s));
    CUG_TRY(cuda_ready(op, ex, 0));
    return cug_cuda_launched(ex->device, cug_cuda_normalize_fwd(cuda_f32(y), cuda_u8(u), s, cuda_stream(ex)), op);
}

const cug_normalize_ops cug_cuda_normalize = {.fwd = normalize_fwd};
