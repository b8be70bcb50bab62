// door.cu - the kernels of door.h; what they must give is computed in door_check.c.
#include "device.cuh"

#include "door.h"

#define AT(k) out[(k)*DOOR_THREADS + t]

static __global__ void door_warp_kernel(uint32_t *out, const uint32_t *in) {
    const int t = static_cast<int>(threadIdx.x), v = static_cast<int>(in[t] & 0xffff);
    AT(0) = static_cast<uint32_t>(cug_warp_sum(v));
    AT(1) = static_cast<uint32_t>(cug_warp_sum(v + 0.5));
    AT(2) = static_cast<uint32_t>(cug_warp_max(static_cast<float>(v)));
    const float nan = __uint_as_float(0x7fc00000u);
    const float m = cug_warp_max(t == 3 * 32 + 13 ? nan : static_cast<float>(v));
    AT(3) = m != m ? 1 : 0;
}

static __global__ void door_block_kernel(uint32_t *out, const uint32_t *in) {
    __shared__ float few[32];
    __shared__ double wide[32];
    const int t = static_cast<int>(threadIdx.x);
    const float v = static_cast<float>(in[t] & 0xfff);
    AT(0) = static_cast<uint32_t>(cug_block_sum(v, few));
    AT(1) = static_cast<uint32_t>(cug_block_sum(v + 1, few));
    AT(2) = static_cast<uint32_t>(cug_block_sum(static_cast<double>(in[t] & 0xffff), wide));
    AT(3) = 0;
}

static __global__ void door_shuffle_kernel(uint32_t *out, const uint32_t *in) {
    const int t = static_cast<int>(threadIdx.x);
    AT(0) = __shfl_sync(0xffffffffu, in[t], t * 7 + 3);
    AT(1) = __shfl_xor_sync(0xffffffffu, in[t], 21);
    AT(2) = __shfl_up_sync(0xffffffffu, in[t], 3, 16);
    AT(3) = __shfl_down_sync(0xffffffffu, in[t], 5);
}

static __global__ void door_vote_kernel(uint32_t *out, const uint32_t *in) {
    const int t = static_cast<int>(threadIdx.x);
    const int odd = static_cast<int>(in[t] & 1);
    AT(0) = __ballot_sync(0xffffffffu, odd);
    AT(1) =
        static_cast<uint32_t>((__any_sync(0xffffffffu, t == 40) != 0) + 2 * (__all_sync(0xffffffffu, t >= 64) != 0));
    AT(2) = static_cast<uint32_t>(__syncthreads_count(odd));
    const int all = __syncthreads_and(t >= 0) != 0, none = __syncthreads_or(t > DOOR_THREADS) != 0;
    AT(3) = static_cast<uint32_t>(all + 2 * none);
}

static __global__ void door_barrier_kernel(uint32_t *out, const uint32_t *in) {
    __shared__ uint32_t box[DOOR_THREADS];
    const int t = static_cast<int>(threadIdx.x);
    box[t] = in[t];
    __syncwarp();
    AT(0) = box[t ^ 1];
    __syncthreads();
    AT(1) = box[DOOR_THREADS - 1 - t];
    __syncthreads();
    box[(t + 100) % DOOR_THREADS] = in[t] + 1;
    __syncthreads();
    AT(2) = box[t];
    AT(3) = 0;
}

// Two groups in flight: the first is complete when at most one is unfinished. One chunk in three is not valid.
static __global__ void door_copy_kernel(uint32_t *out, const uint32_t *in) {
    __shared__ __align__(16) uint32_t box[2][4 * DOOR_THREADS];
    const int t = static_cast<int>(threadIdx.x);
    cug_copy_async16(&box[0][4 * t], in + 4 * t, t % 3 != 0);
    cug_copy_commit();
    cug_copy_async16(&box[1][4 * t], in + 4 * (DOOR_THREADS - 1 - t) + 4 * DOOR_THREADS);
    cug_copy_commit();
    cug_copy_wait<1>();
    __syncthreads();
    AT(0) = box[0][t];
    AT(1) = box[0][3 * DOOR_THREADS + t];
    cug_copy_wait<0>();
    __syncthreads();
    AT(2) = box[1][t];
    AT(3) = box[1][3 * DOOR_THREADS + t];
}

static __global__ void door_dynamic_kernel(uint32_t *out, const uint32_t *in) {
    CUG_DYN_SHARED(uint32_t, words);
    const int t = static_cast<int>(threadIdx.x), n = DOOR_SHARED / 4;
    for (int i = t; i < n; i += DOOR_THREADS) words[n - 1 - i] = in[i % DOOR_IN] + static_cast<uint32_t>(i);
    __syncthreads();
    for (int k = 0; k < DOOR_OUT; k++) AT(k) = words[(t * 61 + k * 4099) % n];
}

static __global__ void door_fma_kernel(uint32_t *out, const uint32_t *in) {
    const int t = static_cast<int>(threadIdx.x);
    const float e = static_cast<float>(1 + (in[t] & 0xff)) * 0x1p-20f;
    AT(0) = __float_as_uint(cug_fma(1 + e, 1 - e, -1.0f)); // -e * e; 0 if the product were rounded first
    const float nan = __uint_as_float(0x7fc00000u), v = static_cast<float>(t) - 100;
    const float m = cug_max_nan(v, nan), w = cug_max_nan(nan, v);
    AT(1) = static_cast<uint32_t>((m != m) + 2 * (w != w));
    AT(2) = __float_as_uint(cug_max_nan(v, 3.0f));
    AT(3) = __float_as_uint(fmaf(v, 3.0f, e));
}

static __global__ void door_ieee_kernel(uint32_t *out, const uint32_t *in) {
    const int t = static_cast<int>(threadIdx.x);
    const float a = static_cast<float>(1 + (in[t] & 0xffff)), b = static_cast<float>(3 + (in[t] >> 20));
    AT(0) = __float_as_uint(a / b);
    AT(1) = __float_as_uint(sqrtf(a));
    AT(2) = __float_as_uint(a * 0x1p-140f);     // denormal
    AT(3) = __float_as_uint(a * 0x1p-140f * b); // and used again
}

static __global__ void door_atomic_kernel(uint32_t *out, const uint32_t *in) {
    __shared__ unsigned sum, bits, swapped;
    __shared__ int most, least;
    __shared__ unsigned long long wide;
    const int t = static_cast<int>(threadIdx.x), v = static_cast<int>(in[t] & 0xffff) - 0x8000;
    if (t == 0) {
        sum = bits = swapped = 0;
        most = -0x8000;
        least = 0x8000;
        wide = 0;
    }
    __syncthreads();
    atomicAdd(&sum, in[t]);
    atomicOr(&bits, 1u << (t % 20));
    atomicMax(&most, v);
    atomicMin(&least, v);
    atomicAdd(&wide, 1ull << 30);
    if (atomicCAS(&swapped, static_cast<unsigned>(t), static_cast<unsigned>(t)) == 0 && t == 0)
        atomicExch(&swapped, 7u);
    __syncthreads();
    AT(0) = sum;
    AT(1) = bits + (swapped << 24);
    AT(2) = static_cast<uint32_t>(most * 3 + least);
    AT(3) = static_cast<uint32_t>(wide >> 30);
}

static __global__ void door_bits_kernel(uint32_t *out, const uint32_t *in) {
    const int t = static_cast<int>(threadIdx.x);
    const int x = static_cast<int>(in[t] >> (t % 31));
    AT(0) = static_cast<uint32_t>(__popc(in[t]) + 64 * __clz(x) + 4096 * __ffs(x));
    AT(1) = __umulhi(in[t], in[t + 1]);
    AT(2) = __float_as_uint(__uint_as_float(0x3f800000u + (in[t] & 0xffff)) + 1);
    AT(3) = __ldg(in + DOOR_IN - 1 - t);
}

// A number with all of a float's digits, its exponent near 0; near ties of TF32 and bfloat16 where `u` asks for it.
static __device__ uint32_t door_number(uint32_t u) {
    const uint32_t ties[] = {0, 0x1000, 0x8000, 0xfff}, bits = (u & 0x807fffffu) | (120 + (u >> 23 & 15)) << 23;
    return u >> 27 & 1 ? (bits & ~0xffffu) | (bits & 0x1e000u) | ties[u >> 28 & 3] : bits;
}

static __global__ void door_tf32_kernel(uint32_t *out, const uint32_t *in) {
    const int t = static_cast<int>(threadIdx.x);
    AT(0) = cug_to_tf32(__uint_as_float(door_number(in[t])));
    AT(1) = cug_to_tf32(__uint_as_float(t & 1 ? 0xff7ffff0u : 0x7f7fefffu)); // to infinity; to the largest there is
    AT(2) = cug_to_tf32(__uint_as_float(in[t] & 0x807fffffu));               // denormal
    const float nan = __uint_as_float(cug_to_tf32(__uint_as_float(0x7fc00000u)));
    AT(3) = nan != nan ? 1 : 0;
}

static __global__ void door_bf16_kernel(uint32_t *out, const uint32_t *in) {
    const int t = static_cast<int>(threadIdx.x);
    AT(0) = cug_pack_bf16(__uint_as_float(door_number(in[t])), __uint_as_float(door_number(in[t + 1])));
    AT(1) = cug_pack_bf16(__uint_as_float(0x7f7f8000u), __uint_as_float(0xff7f7fffu)); // to infinity; to the largest
    AT(2) = cug_pack_bf16(__uint_as_float(in[t] & 0x807fffffu), 0.0f);                 // denormal
    const uint32_t nan = cug_pack_bf16(__uint_as_float(0x7fc00000u), 0.0f);
    AT(3) = (nan & 0x7fff) > 0x7f80 ? 1 : 0;
}

// A factor, small and whole: element (row, column) of a, or (column, row) of b. d starts at the lane's own numbers.
static __device__ float door_factor(const uint32_t *in, int row, int column) {
    return static_cast<float>(static_cast<int>(in[row * 16 + column] & 15) - 8);
}

static __global__ void door_mma_tf32_kernel(uint32_t *out, const uint32_t *in) {
    const int t = static_cast<int>(threadIdx.x), l = t % 32, g = l / 4, c = l % 4;
    const uint32_t *a = in + t / 32, *b = in + 1024 + t / 32; // each warp has numbers of its own
    float d[4];
    uint32_t fa[4], fb[2];
    for (int i = 0; i < 4; i++) d[i] = static_cast<float>(l * 4 + i);
    for (int i = 0; i < 4; i++) fa[i] = cug_to_tf32(door_factor(a, g + i % 2 * 8, c + i / 2 * 4));
    for (int i = 0; i < 2; i++) fb[i] = cug_to_tf32(door_factor(b, g, c + i * 4));
    cug_mma_tf32(d, fa, fb);
    for (int i = 0; i < 4; i++) AT(i) = __float_as_uint(d[i]);
}

static __global__ void door_mma_bf16_kernel(uint32_t *out, const uint32_t *in) {
    const int t = static_cast<int>(threadIdx.x), l = t % 32, g = l / 4, c = l % 4 * 2;
    const uint32_t *a = in + t / 32, *b = in + 1024 + t / 32;
    float d[4];
    uint32_t fa[4], fb[2];
    for (int i = 0; i < 4; i++) d[i] = static_cast<float>(l * 4 + i);
    for (int i = 0; i < 4; i++) {
        const int row = g + i % 2 * 8, k = c + i / 2 * 8;
        fa[i] = cug_pack_bf16(door_factor(a, row, k), door_factor(a, row, k + 1));
    }
    for (int i = 0; i < 2; i++) fb[i] = cug_pack_bf16(door_factor(b, g, c + i * 8), door_factor(b, g, c + i * 8 + 1));
    cug_mma_bf16(d, fa, fb);
    for (int i = 0; i < 4; i++) AT(i) = __float_as_uint(d[i]);
}

typedef void door_kernel(uint32_t *out, const uint32_t *in);

cudaError_t door_run(door_kind kind, uint32_t *out, const uint32_t *in, cudaStream_t stream) {
    static door_kernel *const kernels[DOOR_COUNT] = {
        door_warp_kernel, door_block_kernel,   door_shuffle_kernel, door_vote_kernel,     door_barrier_kernel,
        door_copy_kernel, door_dynamic_kernel, door_fma_kernel,     door_ieee_kernel,     door_atomic_kernel,
        door_bits_kernel, door_tf32_kernel,    door_bf16_kernel,    door_mma_tf32_kernel, door_mma_bf16_kernel};
    const size_t shared = kind == DOOR_DYNAMIC ? DOOR_SHARED : 0;
    return CUG_LAUNCH(kernels[kind], 1, DOOR_THREADS, shared, stream, out, in);
}

cudaError_t door_refused(uint32_t *out, const uint32_t *in, cudaStream_t stream) {
    return CUG_LAUNCH(door_dynamic_kernel, 1, DOOR_THREADS, static_cast<size_t>(1) << 20, stream, out, in);
}
