// operand.cuh - what a matrix product c(m,n) = sum_k a(m,k) b(k,n) is made of, whoever computes it: its plan, dense
// operands, and where results go.
//
// The operands are small structs that compute an element from its indices, so an unrolled image is gathered tile by
// tile and never stored. An operand splits its address into what depends on the row (or column) alone, `outer`, and
// what depends on k alone, `inner`; `at` joins them. k_fast says which of the two neighbouring threads should step
// through to read neighbouring memory. Where `wide` is set, four terms from a k that is a multiple of 4 are neighbours
// in memory, 16-byte aligned, and all inside or all outside: at4 reads them at once.
#ifndef CUG_KERNELS_OPERAND_CUH
#define CUG_KERNELS_OPERAND_CUH

#include "common.cuh"

struct GemmPlan {
    int M, N, K;
    int narrow;  // tiles of 128 x 32 instead of 64 x 64
    int splits;  // pieces of k that blocks take side by side
    int k_split; // length of a piece, a multiple of a tile's
    cug_precision precision;
};

// Terms of a tile: 64 bytes of a row on tensor cores.
template <cug_precision P> constexpr int kTileTerms = P == CUG_PREC_BF16 ? 32 : 16;
static inline int tile_terms(cug_precision p) {
    return p == CUG_PREC_BF16 ? kTileTerms<CUG_PREC_BF16> : kTileTerms<CUG_PREC_FP32>;
}

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
    int tile = tile_terms(precision), pieces = (K + tile - 1) / tile;
    p.k_split = (pieces + p.splits - 1) / p.splits * tile;
    p.splits = (K + p.k_split - 1) / p.k_split;
    return p;
}

static inline dim3 gemm_grid(const GemmPlan &p) {
    return dim3(blocks_for((size_t)p.M, p.narrow ? 128 : 64), p.narrow ? 1 : blocks_for((size_t)p.N, 64),
                (unsigned)p.splits);
}

static inline size_t gemm_workspace(const GemmPlan &p) {
    return p.splits > 1 ? (size_t)p.splits * (size_t)p.M * (size_t)p.N * sizeof(float) : 0;
}

template <class Operand> __device__ __forceinline__ bool reads_wide(const Operand &op) {
    if constexpr (Operand::k_fast)
        return op.wide;
    else
        return false;
}

// Rows of a matrix in memory. KFast: k is the contiguous index, else the row's own.
template <bool KFast> struct DenseOperand {
    static constexpr bool k_fast = KFast;
    struct Outer {
        size_t at;
    };
    struct Inner {
        size_t at;
    };
    const float *p;
    int stride; // of the index that is not contiguous
    bool wide;
    DenseOperand(const float *matrix, int row_stride)
        : p(matrix), stride(row_stride), wide(KFast && row_stride % 4 == 0 && aligned16(matrix)) {}
    __device__ Outer outer(int m) const { return {KFast ? (size_t)m * (size_t)stride : (size_t)m}; }
    __device__ Inner inner(int k) const { return {KFast ? (size_t)k : (size_t)k * (size_t)stride}; }
    __device__ float at(Outer o, Inner i) const { return p[o.at + i.at]; }
    __device__ float4 at4(Outer o, Inner i) const { return *reinterpret_cast<const float4 *>(p + o.at + i.at); }
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

#endif
