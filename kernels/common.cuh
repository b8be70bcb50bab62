// common.cuh - what several ops' kernels share: sizes of launches, division by a number known at launch,
// activation functions.
#ifndef CUG_KERNELS_COMMON_CUH
#define CUG_KERNELS_COMMON_CUH

#include "device.cuh"
#include "launch.h"

constexpr int kBlock = 256; // threads of a block, where nothing else is said

static inline unsigned blocks_for(size_t items, size_t a_block) { return (unsigned)((items + a_block - 1) / a_block); }

static inline bool aligned16(const void *p) { return (uintptr_t)p % 16 == 0; }

// n / d for n < 2^31 by a multiplication. Granlund and Montgomery, "Division by invariant integers using
// multiplication", PLDI 1994.
struct Divisor {
    unsigned d, mul, shift;
    explicit Divisor(int divisor) : d((unsigned)divisor), mul(0), shift(0) {
        while ((uint64_t)1 << shift < d) shift++;
        mul = (unsigned)((((uint64_t)1 << 32) * (((uint64_t)1 << shift) - d)) / d + 1);
    }
    __device__ int div(int n) const { return (int)((__umulhi((unsigned)n, mul) + (unsigned)n) >> shift); }
    // n / d, and n % d in *rest
    __device__ int divmod(int n, int *rest) const {
        int q = div(n);
        *rest = n - q * (int)d;
        return q;
    }
};

constexpr int kSumColumns = 32, kSumLanes = kBlock / kSumColumns; // of column_sum: 32 columns a block, 8 threads each

// Sum of part[p * stride + i] over p < parts, for threads 0..31 of the block (threadIdx.x is the column's place in it):
// each lane takes every eighth part, and lanes are added in order, all in double. All threads of the block must call.
static __device__ __forceinline__ double column_sum(const float *part, size_t stride, size_t i, int parts) {
    __shared__ double share[kSumLanes][kSumColumns];
    const int column = (int)threadIdx.x % kSumColumns, lane = (int)threadIdx.x / kSumColumns;
    double sum = 0;
    if (i < stride)
        for (int p = lane; p < parts; p += kSumLanes) sum += (double)part[(size_t)p * stride + i];
    share[lane][column] = sum;
    __syncthreads();
    sum = 0;
    for (int l = 0; l < kSumLanes; l++) sum += share[l][column];
    return sum;
}

constexpr float kSqrtHalf = 0.70710678118654752f;   // 1 / sqrt(2)
constexpr float kNormalPeak = 0.39894228040143268f; // 1 / sqrt(2 pi)

// 1 / (1 + exp(-|x|)), and *rest = 1 - that; no overflow.
__device__ __forceinline__ float half_sigmoid(float x, float *rest) {
    const float e = expf(-fabsf(x)), r = 1 / (1 + e);
    *rest = e * r;
    return r;
}

// x with its size cut off at `most`, which neither changes f' nor makes it Inf * 0; NaN stays NaN.
__device__ __forceinline__ float cut_off(float x, float most) { return x > most ? most : x < -most ? -most : x; }

// f of conv_block and activation, as activation.h says. x f(x) with f(x) = 1 - f(-x) is max(x, 0) - |x| f(-|x|), whose
// second term goes to 0 at both ends.
__device__ __forceinline__ float activate(int kind, float slope, float x) {
    switch (kind) {
    case CUG_ACT_RELU:
        return x > 0 || x != x ? x : 0.0f;
    case CUG_ACT_LEAKY_RELU:
        return x > 0 ? x : slope * x;
    case CUG_ACT_SIGMOID: {
        float rest;
        const float most = half_sigmoid(x, &rest);
        return x >= 0 ? most : rest;
    }
    case CUG_ACT_TANH:
        return tanhf(x);
    case CUG_ACT_SILU: {
        const float a = fabsf(cut_off(x, 128.0f));
        float rest;
        half_sigmoid(a, &rest);
        return (x <= 0 ? 0.0f : x) - a * rest;
    }
    case CUG_ACT_GELU: {
        const float a = fabsf(cut_off(x, 16.0f));
        return (x <= 0 ? 0.0f : x) - a * (0.5f * erfcf(a * kSqrtHalf));
    }
    default:
        return x;
    }
}

// f' from `of`: x where cug_act_reads_x(kind), else y.
__device__ __forceinline__ float activation_slope(int kind, float slope, float of) {
    const float y = of;
    switch (kind) {
    case CUG_ACT_RELU:
        return y > 0 ? 1.0f : 0.0f;
    case CUG_ACT_LEAKY_RELU:
        return y > 0 ? 1.0f : slope;
    case CUG_ACT_SIGMOID:
        return y * (1 - y);
    case CUG_ACT_TANH:
        return 1 - y * y;
    case CUG_ACT_SILU: {
        const float x = cut_off(of, 128.0f);
        float rest;
        const float most = half_sigmoid(x, &rest);
        return x >= 0 ? most * (1 + x * rest) : rest * (1 + x * most);
    }
    case CUG_ACT_GELU: {
        const float x = cut_off(of, 16.0f);
        return 0.5f * erfcf(-x * kSqrtHalf) + x * (kNormalPeak * expf(-0.5f * x * x));
    }
    default:
        return 1.0f;
    }
}

#endif
