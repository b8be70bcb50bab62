// gemm.cuh - c(m,n) = sum_k a(m,k) b(k,n) in float32, for dense layers and convolutions alike.
//
// The operands are small structs that compute an element from its indices, so an unrolled image is gathered tile by
// tile and never stored. An operand splits its address into what depends on the row (or column) alone, `outer`, and
// what depends on k alone, `inner`; `at` joins them. k_fast says which of the two neighbouring threads should step
// through to read neighbouring memory.
//
// A block of 256 threads computes BM x BN results, 4 x 4 a thread, with two tiles of shared memory: one is read while
// the next is fetched. Sums: 16 products in a row, 16 of those sums, then the rest; so the rounding error of long sums
// grows like their square root. With splits the blocks of grid.z each take a stretch of k and write partial sums, which
// reduce adds in order, in double.
#ifndef CUG_KERNELS_GEMM_CUH
#define CUG_KERNELS_GEMM_CUH

#include "common.cuh"

struct GemmPlan {
    int M, N, K;
    int narrow;  // tiles of 128 x 32 instead of 64 x 64
    int splits;  // pieces of k that blocks take side by side
    int k_split; // length of a piece, a multiple of kTileK
    cug_precision precision;
};

constexpr int kTileK = 16;

// Depends on the extents alone, so that results do not depend on the device.
static inline GemmPlan gemm_plan(int M, int N, int K, bool may_split, cug_precision precision) {
    GemmPlan p = {M, N, K, N <= 32, 1, 0, precision};
    size_t tiles =
        p.narrow ? (size_t)blocks_for((size_t)M, 128) : (size_t)blocks_for((size_t)M, 64) * blocks_for((size_t)N, 64);
    if (may_split && tiles < 128) {
        size_t want = 256 / tiles, most = (size_t)K / 64, room = ((size_t)1 << 23) / ((size_t)M * (size_t)N);
        want = want < most ? want : most;
        want = want < room ? want : room;
        if (want > 1) p.splits = (int)want;
    }
    int pieces = (K + kTileK - 1) / kTileK;
    p.k_split = (pieces + p.splits - 1) / p.splits * kTileK;
    p.splits = (K + p.k_split - 1) / p.k_split;
    return p;
}

static inline size_t gemm_workspace(const GemmPlan &p) {
    return p.splits > 1 ? (size_t)p.splits * (size_t)p.M * (size_t)p.N * sizeof(float) : 0;
}

// Rows of a matrix in memory.
template <bool KFast> struct DenseOperand {
    static constexpr bool k_fast = KFast;
    struct Outer {
        size_t at;
    };
    struct Inner {
        size_t at;
    };
    const float *p;
    int outer_stride, inner_stride;
    __device__ Outer outer(int m) const { return {(size_t)m * (size_t)outer_stride}; }
    __device__ Inner inner(int k) const { return {(size_t)k * (size_t)inner_stride}; }
    __device__ float at(Outer o, Inner i) const { return p[o.at + i.at]; }
};

// Writes c, or with splits this block's share of the partial sums.
struct StoreTile {
    float *c;
    const float *bias; // over n, or NULL
    int M, N, accumulate, wide;

    __device__ void operator()(int m0, int n0, const float (&sum)[4][4], int split) const {
        float *out = c + (size_t)split * (size_t)M * (size_t)N;
        for (int i = 0; i < 4 && m0 + i < M; i++) {
            float *row = out + (size_t)(m0 + i) * (size_t)N + n0;
            float v[4];
#pragma unroll
            for (int j = 0; j < 4; j++) {
                bool in = n0 + j < N;
                v[j] = sum[i][j];
                if (bias && in) v[j] += bias[n0 + j];
                if (accumulate && in) v[j] += row[j];
                if (in && !wide) row[j] = v[j];
            }
            if (wide && n0 < N) *reinterpret_cast<float4 *>(row) = make_float4(v[0], v[1], v[2], v[3]);
        }
    }
};

// One operand's tile on its way from memory to shared memory: E elements a thread.
template <int BX, class Operand> struct TileLoader {
    static constexpr int E = BX * kTileK / kBlock, kOuters = Operand::k_fast ? E : 1;
    typename Operand::Outer outer[kOuters];
    bool inside[kOuters];
    float v[E];

    __device__ int x_of(int i) const {
        return Operand::k_fast ? (int)threadIdx.x / kTileK + kBlock / kTileK * i : (int)threadIdx.x % BX;
    }
    __device__ int k_of(int i) const {
        return Operand::k_fast ? (int)threadIdx.x % kTileK : (int)threadIdx.x / BX + kBlock / BX * i;
    }
    __device__ void start(const Operand &op, int x0, int X) {
#pragma unroll
        for (int i = 0; i < kOuters; i++) {
            int x = x0 + x_of(i);
            inside[i] = x < X;
            outer[i] = op.outer(inside[i] ? x : X - 1);
        }
    }
    __device__ void fetch(const Operand &op, int k0, int k_end) {
        if constexpr (Operand::k_fast) {
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
    __device__ void put(float (*tile)[BX + 4]) const {
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
    load_a.put(tile_a[0]);
    load_b.put(tile_b[0]);
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
            load_a.put(tile_a[~step & 1]);
            load_b.put(tile_b[~step & 1]);
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

template <class A, class B, class Store>
static inline cudaError_t gemm_launch(const GemmPlan &p, const A &a, const B &b, const Store &store,
                                      cudaStream_t stream) {
    if (p.narrow)
        return CUG_LAUNCH((gemm_kernel<128, 32, A, B, Store>),
                          dim3(blocks_for((size_t)p.M, 128), 1, (unsigned)p.splits), kBlock, 0, stream, a, b, store, p);
    return CUG_LAUNCH((gemm_kernel<64, 64, A, B, Store>),
                      dim3(blocks_for((size_t)p.M, 64), blocks_for((size_t)p.N, 64), (unsigned)p.splits), kBlock, 0,
                      stream, a, b, store, p);
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
    return CUG_LAUNCH(gemm_reduce_kernel, blocks_for(count, kBlock), kBlock, 0, stream, c, (const float *)workspace,
                      bias, count, p.N, p.splits, accumulate);
}

#endif
