// dropout.cu - inverted dropout. One thread draws for four features of a sample and applies them; forward and backward
// are the same map.
#include "common.cuh"
#include <cuglyph/random.h>

// As cug_philox in src/random.c.
__device__ __forceinline__ uint4 philox(uint64_t seed, uint4 c) {
    unsigned k0 = (unsigned)seed, k1 = (unsigned)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        const unsigned high_a = __umulhi(0xD2511F53u, c.x), low_a = 0xD2511F53u * c.x;
        const unsigned high_b = __umulhi(0xCD9E8D57u, c.z), low_b = 0xCD9E8D57u * c.z;
        c = make_uint4(high_b ^ c.y ^ k0, low_b, high_a ^ c.w ^ k1, low_a);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

static __global__ void __launch_bounds__(kBlock)
    dropout_kernel(float *out, const float *in, const int32_t *ids, const cug_step *step, cug_dropout_shape s,
                   size_t groups, int accumulate) {
    const size_t i = (size_t)blockIdx.x * kBlock + threadIdx.x;
    if (i >= groups) return;
    const size_t a_row = ((size_t)s.F + 3) / 4, n = i / a_row, group = i % a_row;
    const uint4 r = philox(step->seed, make_uint4((unsigned)group, (unsigned)ids[n], (unsigned)step->step,
                                                  (unsigned)CUG_RNG_DROPOUT | s.node << 8));
    const unsigned draw[4] = {r.x, r.y, r.z, r.w};
#pragma unroll
    for (int j = 0; j < 4; j++) {
        const size_t f = group * 4 + (size_t)j, at = n * (size_t)s.F + f;
        if (f >= (size_t)s.F) break;
        const float v = draw[j] < s.drop ? 0.0f : in[at] * s.scale;
        out[at] = accumulate ? out[at] + v : v;
    }
}

static cudaError_t apply(float *out, const float *in, const int32_t *ids, const cug_step *step,
                         const cug_dropout_shape *s, int accumulate, cudaStream_t stream) {
    const size_t groups = (size_t)s->N * (((size_t)s->F + 3) / 4);
    return CUG_LAUNCH(dropout_kernel, blocks_for(groups, kBlock), kBlock, 0, stream, out, in, ids, step, *s, groups,
                      accumulate);
}

extern "C" cudaError_t cug_cuda_dropout_fwd(float *y, const float *x, const int32_t *ids, const cug_step *step,
                                            const cug_dropout_shape *s, cudaStream_t stream) {
    return apply(y, x, ids, step, s, 0, stream);
}

extern "C" cudaError_t cug_cuda_dropout_bwd(float *dx, const float *dy, const int32_t *ids, const cug_step *step,
                                            const cug_dropout_shape *s, unsigned accumulate, cudaStream_t stream) {
    return apply(dx, dy, ids, step, s, (accumulate & CUG_ACC_DX) != 0, stream);
}
