// peak.cu - nothing but multiply-adds, in registers: what the GPU can do at most.
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
