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

// f of conv_block and activation, as activation.h says.
__device__ __forceinline__ float activate(int kind, float slope, float x) {
    switch (kind) {
    case CUG_ACT_RELU:
        return x > 0 || x != x ? x : 0.0f;
    case CUG_ACT_LEAKY_RELU:
        return x > 0 ? x : slope * x;
    case CUG_ACT_SIGMOID: {
        float e = expf(-fabsf(x)); // exp only of what is <= 0
        return x >= 0 ? 1 / (1 + e) : e / (1 + e);
    }
    case CUG_ACT_TANH:
        return tanhf(x);
    default:
        return x;
    }
}

// f' from y.
__device__ __forceinline__ float activation_slope(int kind, float slope, float y) {
    switch (kind) {
    case CUG_ACT_RELU:
        return y > 0 ? 1.0f : 0.0f;
    case CUG_ACT_LEAKY_RELU:
        return y > 0 ? 1.0f : slope;
    case CUG_ACT_SIGMOID:
        return y * (1 - y);
    case CUG_ACT_TANH:
        return 1 - y * y;
    default:
        return 1.0f;
    }
}

#endif
