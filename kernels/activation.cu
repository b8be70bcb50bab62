// activation.cu - elementwise non-linearities, four elements a thread. y may be x, dx may be dy: no __restrict__.
#include "common.cuh"

static __global__ void __launch_bounds__(kBlock)
    activation_fwd_kernel(float *y, const float *x, size_t count, int kind, float slope, int wide) {
    const size_t i = ((size_t)blockIdx.x * kBlock + threadIdx.x) * 4;
    if (wide && i + 4 <= count) {
        const float4 v = *reinterpret_cast<const float4 *>(x + i);
        *reinterpret_cast<float4 *>(y + i) = make_float4(activate(kind, slope, v.x), activate(kind, slope, v.y),
                                                         activate(kind, slope, v.z), activate(kind, slope, v.w));
        return;
    }
    for (size_t j = i; j < count && j < i + 4; j++) y[j] = activate(kind, slope, x[j]);
}

static __global__ void __launch_bounds__(kBlock)
    activation_bwd_kernel(float *dx, const float *dy, const float *of, size_t count, int kind, float slope,
                          int accumulate) {
    const size_t i = (size_t)blockIdx.x * kBlock + threadIdx.x;
    if (i >= count) return;
    const float g = dy[i] * activation_slope(kind, slope, of[i]);
    dx[i] = accumulate ? dx[i] + g : g;
}

extern "C" cudaError_t cug_cuda_activation_fwd(float *y, const float *x, const cug_activation_shape *s,
                                               cudaStream_t stream) {
    return CUG_LAUNCH(activation_fwd_kernel, blocks_for(s->count, (size_t)kBlock * 4), kBlock, 0, stream, y, x,
                      s->count, (int)s->kind, s->slope, aligned16(y) && aligned16(x));
}

extern "C" cudaError_t cug_cuda_activation_bwd(float *dx, const float *dy, const float *of,
                                               const cug_activation_shape *s, unsigned accumulate,
                                               cudaStream_t stream) {
    return CUG_LAUNCH(activation_bwd_kernel, blocks_for(s->count, kBlock), kBlock, 0, stream, dx, dy, of, s->count,
                      (int)s->kind, s->slope, (accumulate & CUG_ACC_DX) != 0);
}
