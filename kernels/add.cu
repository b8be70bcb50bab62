// add.cu - elementwise sum of several tensors.
#include "common.cuh"

struct AddInputs {
    const float *x[CUG_MAX_INPUTS];
};

// y = (resume ? y : nothing) + x[0] + x[1] + ..., in that order.
static __global__ void __launch_bounds__(kBlock)
    add_fwd_kernel(float *y, AddInputs in, int inputs, size_t count, int resume) {
    const size_t i = (size_t)blockIdx.x * kBlock + threadIdx.x;
    if (i >= count) return;
    float sum = resume ? y[i] + in.x[0][i] : in.x[0][i];
#pragma unroll // constant indices keep the pointers out of local memory
    for (int j = 1; j < CUG_MAX_INPUTS; j++)
        if (j < inputs) sum += in.x[j][i];
    y[i] = sum;
}

static __global__ void __launch_bounds__(kBlock)
    add_bwd_kernel(float *dx, const float *dy, size_t count, int accumulate) {
    const size_t i = (size_t)blockIdx.x * kBlock + threadIdx.x;
    if (i < count) dx[i] = accumulate ? dx[i] + dy[i] : dy[i];
}

extern "C" cudaError_t cug_cuda_add_fwd(float *y, const float *const *x, const cug_add_shape *s, cudaStream_t stream) {
    cudaError_t err = cudaSuccess;
    for (int first = 0; first < s->inputs && err == cudaSuccess; first += CUG_MAX_INPUTS) {
        AddInputs in = {};
        const int n = s->inputs - first < CUG_MAX_INPUTS ? s->inputs - first : CUG_MAX_INPUTS;
        for (int j = 0; j < n; j++) in.x[j] = x[first + j];
        err =
            CUG_LAUNCH(add_fwd_kernel, blocks_for(s->count, kBlock), kBlock, 0, stream, y, in, n, s->count, first > 0);
    }
    return err;
}

extern "C" cudaError_t cug_cuda_add_bwd(float *dx, const float *dy, const cug_add_shape *s, unsigned accumulate,
                                        cudaStream_t stream) {
    return CUG_LAUNCH(add_bwd_kernel, blocks_for(s->count, kBlock), kBlock, 0, stream, dx, dy, s->count,
                      (accumulate & CUG_ACC_DX) != 0);
}
