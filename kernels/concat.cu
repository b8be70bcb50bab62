// concat.cu - tensors side by side in the channel axis; one thread an element written.
#include "common.cuh"

struct ConcatInputs {
    const float *x[CUG_MAX_INPUTS];
    int first[CUG_MAX_INPUTS + 1]; // channel of y where input j starts
};

static __global__ void __launch_bounds__(kBlock) concat_fwd_kernel(float *y, ConcatInputs in, size_t count, int total) {
    const size_t i = (size_t)blockIdx.x * kBlock + threadIdx.x;
    if (i >= count) return;
    const size_t m = i / (size_t)total;
    const int c = (int)(i % (size_t)total);
#pragma unroll // constant indices keep the pointers out of local memory
    for (int j = 0; j < CUG_MAX_INPUTS; j++)
        if (c >= in.first[j] && c < in.first[j + 1])
            y[i] = in.x[j][m * (size_t)(in.first[j + 1] - in.first[j]) + (size_t)(c - in.first[j])];
}

static __global__ void __launch_bounds__(kBlock)
    concat_bwd_kernel(float *dx, const float *dy, size_t count, int C, int first, int total, int accumulate) {
    const size_t i = (size_t)blockIdx.x * kBlock + threadIdx.x;
    if (i >= count) return;
    const float g = dy[i / (size_t)C * (size_t)total + (size_t)first + i % (size_t)C];
    dx[i] = accumulate ? dx[i] + g : g;
}

extern "C" cudaError_t cug_cuda_concat_fwd(float *y, const float *const *x, const cug_concat_shape *s,
                                           cudaStream_t stream) {
    if (s->inputs > CUG_MAX_INPUTS) return cudaErrorInvalidValue;
    ConcatInputs in = {};
    for (int j = 0; j < s->inputs; j++) {
        in.x[j] = x[j];
        in.first[j + 1] = in.first[j] + s->C[j];
    }
    const size_t count = (size_t)s->rows * (size_t)s->total;
    return CUG_LAUNCH(concat_fwd_kernel, blocks_for(count, kBlock), kBlock, 0, stream, y, in, count, s->total);
}

extern "C" cudaError_t cug_cuda_concat_bwd(float *dx, const float *dy, int j, const cug_concat_shape *s,
                                           unsigned accumulate, cudaStream_t stream) {
    int first = 0;
    for (int i = 0; i < j; i++) first += s->C[i];
    const size_t count = (size_t)s->rows * (size_t)s->C[j];
    return CUG_LAUNCH(concat_bwd_kernel, blocks_for(count, kBlock), kBlock, 0, stream, dx, dy, count, s->C[j], first,
                      s->total, (accumulate & CUG_ACC_DX) != 0);
}
