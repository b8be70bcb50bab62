// normalize.cu - pixels to numbers, four a thread.
#include "common.cuh"

static __global__ void __launch_bounds__(kBlock)
    normalize_fwd_kernel(float *y, const uint8_t *u, size_t count, float scale, float shift, int wide) {
    const size_t i = ((size_t)blockIdx.x * kBlock + threadIdx.x) * 4;
    if (wide && i + 4 <= count) {
        const uchar4 v = *reinterpret_cast<const uchar4 *>(u + i);
        *reinterpret_cast<float4 *>(y + i) =
            make_float4(cug_fma((float)v.x, scale, shift), cug_fma((float)v.y, scale, shift),
                        cug_fma((float)v.z, scale, shift), cug_fma((float)v.w, scale, shift));
        return;
    }
    for (size_t j = i; j < count && j < i + 4; j++) y[j] = cug_fma((float)u[j], scale, shift);
}

extern "C" cudaError_t cug_cuda_normalize_fwd(float *y, const uint8_t *u, const cug_normalize_shape *s,
                                              cudaStream_t stream) {
    return CUG_LAUNCH(normalize_fwd_kernel, blocks_for(s->count, (size_t)kBlock * 4), kBlock, 0, stream, y, u, s->count,
                      s->scale, s->shift, aligned16(y) && aligned16(u));
}
