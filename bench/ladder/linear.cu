// linear.cu - rungs of the dense layer's matrix product.
#include "gemm.cuh"
#include "ladder.h"

// One thread a result, both operands straight from memory: 2 loads for 1 multiply-add.
static __global__ void __launch_bounds__(kBlock)
    linear_naive_kernel(float *y, const float *x, const float *w, cug_linear_shape s) {
    const int o = (int)(blockIdx.x * 16 + threadIdx.x % 16), n = (int)(blockIdx.y * 16 + threadIdx.x / 16);
    if (o >= s.O || n >= s.N) return;
    float sum = 0.0f;
    for (int i = 0; i < s.I; i++)
        sum += x[(size_t)n * (size_t)s.I + (size_t)i] * w[(size_t)o * (size_t)s.I + (size_t)i];
    y[(size_t)n * (size_t)s.O + (size_t)o] = sum;
}

static dim3 tiles(const cug_linear_shape &s, int side) {
    return dim3(blocks_for((size_t)s.O, (size_t)side), blocks_for((size_t)s.N, (size_t)side));
}

static cudaError_t run_naive(const ladder_task *t, cudaStream_t stream) {
    return CUG_LAUNCH(linear_naive_kernel, tiles(t->linear, 16), kBlock, 0, stream, t->out, t->a, t->b, t->linear);
}

// A block's rows and columns go through shared memory once, 16 x 16 at a time: each load is used 16 times.
static __global__ void __launch_bounds__(kBlock)
    linear_shared_kernel(float *y, const float *x, const float *w, cug_linear_shape s) {
    __shared__ float tile_x[16][17], tile_w[16][17];
    const int lane = (int)threadIdx.x % 16, line = (int)threadIdx.x / 16;
    const int o0 = (int)blockIdx.x * 16, n0 = (int)blockIdx.y * 16;
    float sum = 0.0f;
    for (int i0 = 0; i0 < s.I; i0 += 16) {
        const int i = i0 + lane;
        tile_x[line][lane] = n0 + line < s.N && i < s.I ? x[(size_t)(n0 + line) * (size_t)s.I + (size_t)i] : 0.0f;
        tile_w[line][lane] = o0 + line < s.O && i < s.I ? w[(size_t)(o0 + line) * (size_t)s.I + (size_t)i] : 0.0f;
        __syncthreads();
        for (int k = 0; k < 16; k++) sum += tile_x[line][k] * tile_w[lane][k];
        __syncthreads();
    }
    if (o0 + lane < s.O && n0 + line < s.N) y[(size_t)(n0 + line) * (size_t)s.O + (size_t)(o0 + lane)] = sum;
}

static cudaError_t run_shared(const ladder_task *t, cudaStream_t stream) {
    return CUG_LAUNCH(linear_shared_kernel, tiles(t->linear, 16), kBlock, 0, stream, t->out, t->a, t->b, t->linear);
}

// 4 x 4 results a thread in a 64 x 64 tile: 8 shared loads for 16 multiply-adds. Wide: the tiles lie with k outermost,
// so that the four neighbours are one 16-byte load.
template <bool Wide>
static __global__ void __launch_bounds__(kBlock)
    linear_registers_kernel(float *y, const float *x, const float *w, cug_linear_shape s) {
    __shared__ __align__(16) float tile_x[16][68], tile_w[16][68];
    const int lane = (int)threadIdx.x % 16, line = (int)threadIdx.x / 16;
    const int o0 = (int)blockIdx.x * 64, n0 = (int)blockIdx.y * 64;
    float sum[4][4] = {};
    for (int i0 = 0; i0 < s.I; i0 += 16) {
        const int i = i0 + lane;
        for (int r = line; r < 64; r += 16) {
            tile_x[lane][r] = n0 + r < s.N && i < s.I ? x[(size_t)(n0 + r) * (size_t)s.I + (size_t)i] : 0.0f;
            tile_w[lane][r] = o0 + r < s.O && i < s.I ? w[(size_t)(o0 + r) * (size_t)s.I + (size_t)i] : 0.0f;
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < 16; k++) {
            float a[4], b[4];
            if constexpr (Wide) {
                const float4 fa = *reinterpret_cast<const float4 *>(&tile_x[k][line * 4]),
                             fb = *reinterpret_cast<const float4 *>(&tile_w[k][lane * 4]);
                a[0] = fa.x, a[1] = fa.y, a[2] = fa.z, a[3] = fa.w;
                b[0] = fb.x, b[1] = fb.y, b[2] = fb.z, b[3] = fb.w;
            } else {
#pragma unroll
                for (int j = 0; j < 4; j++) a[j] = tile_x[k][line + 16 * j], b[j] = tile_w[k][lane + 16 * j];
            }
#pragma unroll
            for (int r = 0; r < 4; r++)
#pragma unroll
                for (int c = 0; c < 4; c++) sum[r][c] += a[r] * b[c];
        }
        __syncthreads();
    }
    for (int r = 0; r < 4; r++)
        for (int c = 0; c < 4; c++) {
            const int n = n0 + (Wide ? line * 4 + r : line + 16 * r), o = o0 + (Wide ? lane * 4 + c : lane + 16 * c);
            if (n < s.N && o < s.O) y[(size_t)n * (size_t)s.O + (size_t)o] = sum[r][c];
        }
}

template <bool Wide> static cudaError_t run_registers(const ladder_task *t, cudaStream_t stream) {
    return CUG_LAUNCH(linear_registers_kernel<Wide>, tiles(t->linear, 64), kBlock, 0, stream, t->out, t->a, t->b,
                      t->linear);
}

// The production kernel, kept from splitting k.
static cudaError_t run_unsplit(const ladder_task *t, cudaStream_t stream) {
    const cug_linear_shape &s = t->linear;
    const DenseOperand<true> rows(t->a, s.I), columns(t->b, s.I);
    return gemm(t->out, rows, columns, nullptr, gemm_plan(s.N, s.O, s.I, false, CUG_PREC_FP32), 0, nullptr, stream);
}

template <cug_precision P> static cudaError_t run_production(const ladder_task *t, cudaStream_t stream) {
    return cug_cuda_linear_fwd(t->out, t->a, t->b, nullptr, &t->linear, P, t->workspace, stream);
}

extern "C" const ladder ladder_linear_fwd = {
    "linear fwd",
    {
        {"naive", "a thread a result", CUG_PREC_FP32, 0, run_naive},
        {"shared", "tiles of 16 x 16 through shared memory", CUG_PREC_FP32, 0, run_shared},
        {"registers", "4 x 4 results a thread, tiles of 64 x 64", CUG_PREC_FP32, 0, run_registers<false>},
        {"wide", "k outermost in shared memory: 16-byte reads", CUG_PREC_FP32, 0, run_registers<true>},
        {"double", "the next tile is fetched while one is read", CUG_PREC_FP32, 0, run_unsplit},
        {"split", "k split over blocks where the grid is small", CUG_PREC_FP32, 1, run_production<CUG_PREC_FP32>},
        {"tf32", "tensor cores, factors rounded to TF32", CUG_PREC_TF32, 1, run_production<CUG_PREC_TF32>},
        {"bf16", "tensor cores, factors rounded to bfloat16", CUG_PREC_BF16, 1, run_production<CUG_PREC_BF16>},
    }};
