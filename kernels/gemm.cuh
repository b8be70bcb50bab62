// gemm.cuh - c(m,n) = sum_k a(m,k) b(k,n), for dense layers and convolutions alike: the float32 kernel, and the choice
// between it and tensor cores (mma.cuh). Operands: operand.cuh.
//
// A block of 256 threads computes BM x BN results, 4 x 4 a thread, with two tiles of shared memory: one is read while
// the next is fetched. Sums: 16 products in a row, 16 of those sums, then the rest; so the rounding error of long sums
// grows like their square root. With splits the blocks of grid.z each take a stretch of k and write partial sums, which
// reduce adds in order, in double.
#ifndef CUG_KERNELS_GEMM_CUH
#define CUG_KERNELS_GEMM_CUH

#include "mma.cuh"

constexpr int kTileK = kTileTerms<CUG_PREC_FP32>;

// One operand's tile on its way from memory to shared memory: E elements a thread. Wide reads take four terms of a row
// a thread; then the tile has BX * 4 of those, and half of the threads none where BX is 32.
template <int BX, class Operand> struct TileLoader {
    static constexpr int E = BX * kTileK / kBlock, kOuters = Operand::k_fast ? E : 1;
    static constexpr int kQuads = E / 4 ? E / 4 : 1, kQuadRows = kBlock * 4 / kTileK;
    typename Operand::Outer outer[kOuters];
    bool inside[kOuters];
    float v[kQuads * 4 > E ? kQuads * 4 : E];

    __device__ int x_of(int i) const {
        return Operand::k_fast ? (int)threadIdx.x / kTileK + kBlock / kTileK * i : (int)threadIdx.x % BX;
    }
    __device__ int k_of(int i) const {
        return Operand::k_fast ? (int)threadIdx.x % kTileK : (int)threadIdx.x / BX + kBlock / BX * i;
    }
    __device__ int quad_x(int i) const { return (int)threadIdx.x / 4 + kQuadRows * i; }
    __device__ int quad_k() const { return (int)threadIdx.x % 4 * 4; }
    __device__ void start(const Operand &op, int x0, int X) {
        const bool quads = reads_wide(op);
#pragma unroll
        for (int i = 0; i < kOuters; i++) {
            int at = quads ? quad_x(i) : x_of(i), x = x0 + at;
            inside[i] = x < X && at < BX;
            outer[i] = op.outer(x < X ? x : X - 1);
        }
    }
    __device__ void fetch(const Operand &op, int k0, int k_end) {
        if constexpr (Operand::k_fast) {
            if (op.wide) {
                const int k = k0 + quad_k();
                const bool in = k < k_end;
                const typename Operand::Inner inner = op.inner(in ? k : 0);
#pragma unroll
                for (int i = 0; i < kQuads; i++) {
                    const float4 q = inside[i] && in ? op.at4(outer[i], inner) : make_float4(0, 0, 0, 0);
                    v[4 * i] = q.x, v[4 * i + 1] = q.y, v[4 * i + 2] = q.z, v[4 * i + 3] = q.w;
                }
                return;
            }
            int k = k0 + k_of(0);
            typename Operand::Inner inner = op.inner(k < k_end ? k : k_end - 1);
#pragma unroll
            for (int i = 0; i < E; i++) v[i] = inside[i] && k < k_end ? op.at(outer[i], inner) : 0.0f;
        } else {
#pragma unroll
            for (int i = 0; i < E; i++) {
                int k = k0 + k_of(i);
                v[i] = inside[0] && k < k_end ? op.at(outer[0], op.inner(k)) : 0.0f;
            }
        }
    }
    __device__ void put(const Operand &op, float (*tile)[BX + 4]) const {
        if (reads_wide(op)) {
            if (quad_x(0) >= BX) return;
#pragma unroll
            for (int i = 0; i < kQuads * 4; i++) tile[quad_k() + i % 4][quad_x(i / 4)] = v[i];
            return;
        }
#pragma unroll
        for (int i = 0; i < E; i++) tile[k_of(i)][x_of(i)] = v[i];
    }
};

// sum += the product of two tiles; each element's 16 terms are added among themselves first.
template <int BM, int BN>
__device__ __forceinline__ void tile_product(const float (*a)[BM + 4], const float (*b)[BN + 4], int y, int x,
                                             float (&sum)[4][4]) {
    float part[4][4] = {};
#pragma unroll
    for (int k = 0; k < kTileK; k++) {
        float4 fa = *reinterpret_cast<const float4 *>(&a[k][y * 4]),
               fb = *reinterpret_cast<const float4 *>(&b[k][x * 4]);
        const float va[4] = {fa.x, fa.y, fa.z, fa.w}, vb[4] = {fb.x, fb.y, fb.z, fb.w};
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
            for (int j = 0; j < 4; j++) part[i][j] += va[i] * vb[j];
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) sum[i][j] += part[i][j];
}

template <int BM, int BN, class A, class B, class Store>
__global__ void __launch_bounds__(kBlock, 2) gemm_kernel(A a, B b, Store store, GemmPlan p) {
    __shared__ __align__(16) float tile_a[2][kTileK][BM + 4];
    __shared__ __align__(16) float tile_b[2][kTileK][BN + 4];
    const int m0 = (int)blockIdx.x * BM, n0 = (int)blockIdx.y * BN, split = (int)blockIdx.z;
    const int x = (int)threadIdx.x % (BN / 4), y = (int)threadIdx.x / (BN / 4);
    const int k_begin = split * p.k_split, k_end = p.K - k_begin < p.k_split ? p.K : k_begin + p.k_split;
    TileLoader<BM, A> load_a;
    TileLoader<BN, B> load_b;
    load_a.start(a, m0, p.M);
    load_b.start(b, n0, p.N);
    load_a.fetch(a, k_begin, k_end);
    load_b.fetch(b, k_begin, k_end);
    load_a.put(a, tile_a[0]);
    load_b.put(b, tile_b[0]);
    __syncthreads();
    float total[4][4] = {}, sum[4][4] = {};
    for (int k = k_begin, step = 0; k < k_end; k += kTileK, step++) {
        const bool more = k + kTileK < k_end;
        if (more) {
            load_a.fetch(a, k + kTileK, k_end);
            load_b.fetch(b, k + kTileK, k_end);
        }
        tile_product<BM, BN>(tile_a[step & 1], tile_b[step & 1], y, x, sum);
        if (!more || (step & 15) == 15) {
#pragma unroll
            for (int i = 0; i < 16; i++) {
                total[i / 4][i % 4] += sum[i / 4][i % 4];
                sum[i / 4][i % 4] = 0.0f;
            }
        }
        if (more) { // the other tile was last read before the barrier that ended the step before
            load_a.put(a, tile_a[~step & 1]);
            load_b.put(b, tile_b[~step & 1]);
            __syncthreads();
        }
    }
    store(m0 + y * 4, n0 + x * 4, total, split);
}

// c[i] = sum of the splits' partial sums, in order (+ bias, + c).
static __global__ void __launch_bounds__(kBlock) gemm_reduce_kernel(float *c, const float *part, const float *bias,
                                                                    size_t count, int N, int splits, int accumulate) {
    size_t i = (size_t)blockIdx.x * kBlock + threadIdx.x;
    if (i >= count) return;
    double sum = 0;
    for (int s = 0; s < splits; s++) sum += (double)part[(size_t)s * count + i];
    if (bias) sum += (double)bias[i % (size_t)N];
    if (accumulate) sum += (double)c[i];
    c[i] = (float)sum;
}

// The same for many splits, whose sum one thread would be long about.
static __global__ void __launch_bounds__(kBlock)
    gemm_reduce_many_kernel(float *c, const float *part, const float *bias, size_t count, int N, int splits,
                            int accumulate) {
    const size_t i = (size_t)blockIdx.x * kSumColumns + threadIdx.x % kSumColumns;
    double sum = column_sum(part, count, i, splits);
    if (threadIdx.x >= kSumColumns || i >= count) return;
    if (bias) sum += (double)bias[i % (size_t)N];
    if (accumulate) sum += (double)c[i];
    c[i] = (float)sum;
}

template <class A, class B, class Store>
static inline cudaError_t gemm_launch(const GemmPlan &p, const A &a, const B &b, const Store &store,
                                      cudaStream_t stream) {
    if (p.precision == CUG_PREC_TF32) return mma_launch<CUG_PREC_TF32>(p, a, b, store, stream);
    if (p.precision == CUG_PREC_BF16) return mma_launch<CUG_PREC_BF16>(p, a, b, store, stream);
    const dim3 grid = gemm_grid(p);
    if (p.narrow) return CUG_LAUNCH((gemm_kernel<128, 32, A, B, Store>), grid, kBlock, 0, stream, a, b, store, p);
    return CUG_LAUNCH((gemm_kernel<64, 64, A, B, Store>), grid, kBlock, 0, stream, a, b, store, p);
}

// The whole of it: c (M,N) row-major, bias over n or NULL.
template <class A, class B>
static inline cudaError_t gemm(float *c, const A &a, const B &b, const float *bias, const GemmPlan &p, int accumulate,
                               void *workspace, cudaStream_t stream) {
    const bool split = p.splits > 1;
    float *out = split ? (float *)workspace : c;
    StoreTile store = {out, split ? nullptr : bias, p.M, p.N, !split && accumulate, p.N % 4 == 0 && aligned16(out)};
    cudaError_t err = gemm_launch(p, a, b, store, stream);
    if (err != cudaSuccess || !split) return err;
    const size_t count = (size_t)p.M * (size_t)p.N;
    if (p.splits >= 4 * kSumLanes)
        return CUG_LAUNCH(gemm_reduce_many_kernel, blocks_for(count, kSumColumns), kBlock, 0, stream, c,
                          (const float *)workspace, bias, count, p.N, p.splits, accumulate);
    return CUG_LAUNCH(gemm_reduce_kernel, blocks_for(count, kBlock), kBlock, 0, stream, c, (const float *)workspace,
                      bias, count, p.N, p.splits, accumulate);
}

#endif
