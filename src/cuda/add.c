/* add.c - sums of tensors of one shape on the GPU. */
#include "cuda/cuda.h"

/* In launches of at most this many inputs: the contract sets no limit, the list of pointers here has one. */
#define INPUTS_MAX 64

static cug_status add_fwd(const cug_tensor *y, const cug_tensor *const *x, const cug_add_shape *s, const cug_exec *ex) {
    const char *op = "add fwd";
    const float *in[INPUTS_MAX];
    CUG_TRY(cug_check_add_fwd(CUDA_REAL, y, x, s));
    CUG_TRY(cuda_ready(op, ex, 0));
    if (s->inputs > INPUTS_MAX)
        return cug_fail(CUG_ENOTSUP, "%s: %d inputs; cuda adds up to %d", op, s->inputs, INPUTS_MAX);
    for (int j = 0; j < s->inputs; j++) in[j] = cuda_f32(x[j]);
    return cug_cuda_launched(ex->device, cug_cuda_add_fwd(cuda_f32(y), in, s, cuda_stream(ex)), op);
}

static cug_status add_bwd(const cug_tensor *dx, const cug_tensor *dy, const cug_add_shape *s, unsigned accumulate,
                          const cug_exec *ex) {
    const char *op = "add bwd";
    CUG_TRY(cug_check_add_bwd(CUDA_REAL, dx, dy, s, accumulate));
    CUG_TRY(cuda_ready(op, ex, 0));
    cudaError_t err = cug_cuda_add_bwd(cuda_f32(dx), cuda_f32(dy), s, accumulate, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

const cug_add_ops cug_cuda_add = {.fwd = add_fwd, .bwd = add_bwd};
