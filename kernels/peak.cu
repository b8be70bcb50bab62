// peak.cu - nothing but multiply-adds, in registers: what the GPU can do at most; on tensor cores where the door has
// them.
#include "common.cuh"

constexpr int kChains = 8; // independent, so that each one's latency is hidden

static __global__ void __launch_bounds__(kBlock) fma_peak_kernel(float *sink, int rounds, float a, float b) {
    float acc[kChains];
#pragma unroll
    for (int i = 0; i < kChains; i++) acc[i] = 0.125f * (float)(i + (int)threadIdx.x % 32);
    for (int r = 0; r < rounds; r++)
#pragma unroll
        for (int i = 0; i < kChains; i++) acc[i] = cug_fma(acc[i], a, b); // goes to 1
    float sum = 0;
#pragma unroll
    for (int i = 0; i < kChains; i++) sum += acc[i];
    if (sum == -1.0f) sink[threadIdx.x] = sum; // never: the compiler cannot know
}

extern "C" cudaError_t cug_cuda_fma_peak(float *sink, int rounds, int blocks, double *flop, cudaStream_t stream) {
    *flop = 2.0 * kChains * kBlock * (double)rounds * (double)blocks;
    return CUG_LAUNCH(fma_peak_kernel, blocks, kBlock, 0, stream, sink, rounds, 0.999f, 0.001f);
}

#ifdef CUG_HAS_MMA
constexpr int kMmaChains = 4;

template <cug_precision P> static __global__ void __launch_bounds__(kBlock) peak_mma_kernel(float *sink, int rounds) {
    float d[kMmaChains][4] = {};
    uint32_t a[4], b[2];
    const float x = 0.001f * (float)(1 + (int)threadIdx.x % 32);
#pragma unroll
    for (int i = 0; i < 4; i++) a[i] = P == CUG_PREC_TF32 ? cug_to_tf32(x) : cug_pack_bf16(x, x);
    b[0] = b[1] = a[0];
    for (int r = 0; r < rounds; r++)
#pragma unroll
        for (int i = 0; i < kMmaChains; i++) {
            if constexpr (P == CUG_PREC_TF32)
                cug_mma_tf32(d[i], a, b);
            else
                cug_mma_bf16(d[i], a, b);
        }
    float sum = 0;
#pragma unroll
    for (int i = 0; i < kMmaChains; i++) sum += d[i][0] + d[i][1] + d[i][2] + d[i][3];
    if (sum == -1.0f) sink[threadIdx.x] = sum;
}

extern "C" cudaError_t cug_cuda_mma_peak(float *sink, int rounds, int blocks, cug_precision precision, double *flop,
                                         cudaStream_t stream) {
    const int k = precision == CUG_PREC_TF32 ? 8 : 16; // an instruction is 16 x 8 x k multiply-adds of a warp
    *flop = 2.0 * 16 * 8 * k * kMmaChains * (kBlock / 32) * (double)rounds * (double)blocks;
    if (precision == CUG_PREC_TF32)
        return CUG_LAUNCH((peak_mma_kernel<CUG_PREC_TF32>), blocks, kBlock, 0, stream, sink, rounds);
    return CUG_LAUNCH((peak_mma_kernel<CUG_PREC_BF16>), blocks, kBlock, 0, stream, sink, rounds);
}
#else
extern "C" cudaError_t cug_cuda_mma_peak(float *, int, int, cug_precision, double *, cudaStream_t) {
    return cudaErrorNotSupported;
}
#endif
