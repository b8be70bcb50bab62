// mma.cuh - gemm.cuh's product on tensor cores: factors rounded to TF32 or bfloat16, sums in float32.
//
// A block of 4 warps computes BM x BN results, a warp 32 x 32 of them, with two tiles of shared memory: one is read
// while the next is fetched. Factors are rounded once, on their way into the tile. Epilogues are gemm.cuh's own: each
// thread hands them blocks of 4 x 4 results.
//
// A tile's row is 64 bytes: 16 terms in TF32, 32 in bfloat16; in both, four units of 16 bytes, and unit t belongs to
// the lanes with lane % 4 = t. Which k an instruction's register stands for is ours to choose as long as both factors
// agree, so lane t takes words 0 and 1 of its unit for the first instruction and 2 and 3 for the second, and one
// 16-byte read of a row feeds two instructions. Likewise rows: of a warp's 32, the instruction gives a lane rows g, g +
// 8, g + 16 and g + 24 (g = lane / 4); rows 4g .. 4g + 3 of the matrix lie there. And of 32 columns, 2t and 2t + 1 of
// every eight, where columns 8t .. 8t + 7 of the matrix lie.
//
// Units are exchanged within 128-byte lines so that 8 lanes that read, or write, at once meet 8 different units of 4
// banks: the readers are two neighbouring rows of the tile with four units each; the writers two neighbouring rows of
// the matrix with four units each, or eight with one.
//
// Sums: the hardware adds up a tile's terms in an order of its own, perhaps cutting off where IEEE float32 rounds, so
// no further than that; tiles are added in ascending k, rounded.
#ifndef CUG_KERNELS_MMA_CUH
#define CUG_KERNELS_MMA_CUH

#include "operand.cuh"

constexpr int kMmaThreads = 128;

// Where row r of 32 in the matrix lies in the tile: rows of a; columns of b.
__device__ __forceinline__ int mma_row_of_a(int r) { return r / 4 + r % 4 * 8; }
__device__ __forceinline__ int mma_row_of_b(int r) { return r / 2 % 4 * 8 + r / 8 * 2 + r % 2; }

// Place of unit u of a row, in units.
__device__ __forceinline__ int mma_unit(int row, int u) {
    const int j = row / 8 % 4;
    return row / 2 * 8 + ((row % 2 * 4 + u) ^ (j + j % 2 * 4));
}

template <cug_precision P> __device__ __forceinline__ uint32_t mma_word(const float *v) {
    if constexpr (P == CUG_PREC_TF32)
        return cug_to_tf32(v[0]);
    else
        return cug_pack_bf16(v[0], v[1]);
}

template <cug_precision P>
__device__ __forceinline__ void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    if constexpr (P == CUG_PREC_TF32)
        cug_mma_tf32(d, a, b);
    else
        cug_mma_bf16(d, a, b);
}

// One operand's tile on its way from memory to shared memory: kUnits units of kTerms terms a thread, as read.
template <cug_precision P, int BX, bool IsA, class Operand> struct MmaLoader {
    static constexpr int kTerms = kTileTerms<P> / 4, kUnits = BX * 4 / kMmaThreads;
    static constexpr int kOuters = Operand::k_fast ? kUnits : 1;
    typename Operand::Outer outer[kOuters];
    bool inside[kOuters];
    float v[kUnits][kTerms];

    __device__ int x_of(int i) const {
        return Operand::k_fast ? (int)threadIdx.x / 4 + kMmaThreads / 4 * i : (int)threadIdx.x % BX;
    }
    __device__ int unit_of(int i) const {
        return Operand::k_fast ? (int)threadIdx.x % 4 : (int)threadIdx.x / BX + kMmaThreads / BX * i;
    }
    __device__ void start(const Operand &op, int x0, int X) {
#pragma unroll
        for (int i = 0; i < kOuters; i++) {
            const int x = x0 + x_of(i);
            inside[i] = x < X;
            outer[i] = op.outer(inside[i] ? x : X - 1);
        }
    }
    __device__ void fetch(const Operand &op, int k0, int k_end) {
        if constexpr (Operand::k_fast) {
            const int first = k0 + unit_of(0) * kTerms;
            if (op.wide) {
#pragma unroll
                for (int e = 0; e < kTerms; e += 4) {
                    const bool in = first + e < k_end;
                    const typename Operand::Inner inner = op.inner(in ? first + e : 0);
#pragma unroll
                    for (int i = 0; i < kUnits; i++) {
                        const float4 q = inside[i] && in ? op.at4(outer[i], inner) : make_float4(0, 0, 0, 0);
                        v[i][e] = q.x, v[i][e + 1] = q.y, v[i][e + 2] = q.z, v[i][e + 3] = q.w;
                    }
                }
                return;
            }
#pragma unroll
            for (int e = 0; e < kTerms; e++) {
                const bool in = first + e < k_end;
                const typename Operand::Inner inner = op.inner(in ? first + e : 0);
#pragma unroll
                for (int i = 0; i < kUnits; i++) v[i][e] = inside[i] && in ? op.at(outer[i], inner) : 0.0f;
            }
        } else {
#pragma unroll
            for (int i = 0; i < kUnits; i++)
#pragma unroll
                for (int e = 0; e < kTerms; e++) {
                    const int k = k0 + unit_of(i) * kTerms + e;
                    v[i][e] = inside[0] && k < k_end ? op.at(outer[0], op.inner(k)) : 0.0f;
                }
        }
    }
    __device__ void put(uint4 *tile) const {
        constexpr int kWord = kTerms / 4;
#pragma unroll
        for (int i = 0; i < kUnits; i++) {
            const int x = x_of(i), row = x / 32 * 32 + (IsA ? mma_row_of_a(x % 32) : mma_row_of_b(x % 32));
            tile[mma_unit(row, unit_of(i))] = make_uint4(mma_word<P>(v[i]), mma_word<P>(v[i] + kWord),
                                                         mma_word<P>(v[i] + 2 * kWord), mma_word<P>(v[i] + 3 * kWord));
        }
    }
};

// sum += the product of two tiles' 32 rows and 32 columns; sum[i][n] is the instruction's d for rows 16 i .. 16 i + 15
// and columns 8 n .. 8 n + 7 of the tile.
template <cug_precision P>
__device__ __forceinline__ void mma_tile_product(const uint4 *a, const uint4 *b, float (&sum)[2][4][4]) {
    const int lane = (int)threadIdx.x % 32, g = lane / 4, t = lane % 4;
    uint4 ra[4], rb[4];
#pragma unroll
    for (int j = 0; j < 4; j++) {
        ra[j] = a[mma_unit(j * 8 + g, t)];
        rb[j] = b[mma_unit(j * 8 + g, t)];
    }
#pragma unroll
    for (int half = 0; half < 2; half++)
#pragma unroll
        for (int i = 0; i < 2; i++) {
            const uint4 top = ra[2 * i], low = ra[2 * i + 1];
            const uint32_t fa[4] = {half ? top.z : top.x, half ? low.z : low.x, half ? top.w : top.y,
                                    half ? low.w : low.y};
#pragma unroll
            for (int n = 0; n < 4; n++) {
                const uint32_t fb[2] = {half ? rb[n].z : rb[n].x, half ? rb[n].w : rb[n].y};
                mma<P>(sum[i][n], fa, fb);
            }
        }
}

template <cug_precision P, int BM, int BN, class A, class B, class Store>
__global__ void __launch_bounds__(kMmaThreads, P == CUG_PREC_BF16 && BM == 128 ? 2 : 3)
    mma_kernel(A a, B b, Store store, GemmPlan p) {
#if CUG_HAS_MMA
    __shared__ __align__(16) uint4 tile_a[2][BM * 4];
    __shared__ __align__(16) uint4 tile_b[2][BN * 4];
    const int m0 = (int)blockIdx.x * BM, n0 = (int)blockIdx.y * BN, split = (int)blockIdx.z;
    const int warp = (int)threadIdx.x / 32, warp_m = warp % (BM / 32) * 32, warp_n = warp / (BM / 32) * 32;
    const int k_begin = split * p.k_split, k_end = p.K - k_begin < p.k_split ? p.K : k_begin + p.k_split;
    MmaLoader<P, BM, true, A> load_a;
    MmaLoader<P, BN, false, B> load_b;
    load_a.start(a, m0, p.M);
    load_b.start(b, n0, p.N);
    load_a.fetch(a, k_begin, k_end);
    load_b.fetch(b, k_begin, k_end);
    load_a.put(tile_a[0]);
    load_b.put(tile_b[0]);
    __syncthreads();
    float total[2][4][4] = {};
#pragma unroll 1
    for (int k = k_begin, step = 0; k < k_end; k += kTileTerms<P>, step++) {
        const bool more = k + kTileTerms<P> < k_end;
        if (more) {
            load_a.fetch(a, k + kTileTerms<P>, k_end);
            load_b.fetch(b, k + kTileTerms<P>, k_end);
        }
        float sum[2][4][4] = {};
        mma_tile_product<P>(tile_a[step & 1] + warp_m * 4, tile_b[step & 1] + warp_n * 4, sum);
#pragma unroll
        for (int i = 0; i < 32; i++) total[i / 16][i / 4 % 4][i % 4] += sum[i / 16][i / 4 % 4][i % 4];
        if (more) { // the other tile was last read before the barrier that ended the step before
            load_a.put(tile_a[~step & 1]);
            load_b.put(tile_b[~step & 1]);
            __syncthreads();
        }
    }
    const int lane = (int)threadIdx.x % 32, m = m0 + warp_m + lane / 4 * 4, n = n0 + warp_n + lane % 4 * 8;
#pragma unroll
    for (int h = 0; h < 2; h++) { // columns 8t + 4h .. 8t + 4h + 3
        float block[4][4];
#pragma unroll
        for (int i = 0; i < 16; i++) {
            const int r = i / 4, c = i % 4;
            block[r][c] = total[r / 2][2 * h + c / 2][r % 2 * 2 + c % 2];
        }
        store(m, n + 4 * h, block, split);
    }
#else
    (void)a, (void)b, (void)store, (void)p;
    __trap();
#endif
}

template <cug_precision P, class A, class B, class Store>
static inline cudaError_t mma_launch(const GemmPlan &p, const A &a, const B &b, const Store &store,
                                     cudaStream_t stream) {
    const dim3 grid = gemm_grid(p);
    if (p.narrow)
        return CUG_LAUNCH((mma_kernel<P, 128, 32, A, B, Store>), grid, kMmaThreads, 0, stream, a, b, store, p);
    return CUG_LAUNCH((mma_kernel<P, 64, 64, A, B, Store>), grid, kMmaThreads, 0, stream, a, b, store, p);
}

#endif
