// conv2d.cu - rungs of the convolution's three products.
#include "conv.cuh"
#include "ladder.h"

static size_t outputs_of(const cug_conv2d_shape &s) { return (size_t)s.N * (size_t)s.P * (size_t)s.Q; }

// ---- forward --------------------------------------------------------------------------------------------------------

// One thread a result.
static __global__ void __launch_bounds__(kBlock)
    conv_naive_kernel(float *y, Unrolled u, const float *w, int K, int taps, size_t count) {
    const size_t at = (size_t)blockIdx.x * kBlock + threadIdx.x;
    if (at >= count) return;
    const int k = (int)(at % (size_t)K);
    const Window o = u.window((int)(at / (size_t)K));
    float sum = 0.0f;
    for (int t = 0; t < taps; t++) sum += u.at(o, u.tap(t)) * w[(size_t)k * (size_t)taps + (size_t)t];
    y[at] = sum;
}

static cudaError_t run_naive(const ladder_task *t, cudaStream_t stream) {
    const cug_conv2d_shape &s = t->conv;
    const size_t count = outputs_of(s) * (size_t)s.K;
    const Unrolled u(t->a, &s);
    return CUG_LAUNCH(conv_naive_kernel, blocks_for(count, kBlock), kBlock, 0, stream, t->out, u, t->b, s.K,
                      s.R * s.S * s.C, count);
}

// The unrolled image written out, then a plain matrix product: what libraries of 2014 did.
static __global__ void __launch_bounds__(kBlock) unroll_kernel(float *columns, Unrolled u, int taps, size_t count) {
    const size_t at = (size_t)blockIdx.x * kBlock + threadIdx.x;
    if (at < count) columns[at] = u.at(u.window((int)(at / (size_t)taps)), u.tap((int)(at % (size_t)taps)));
}

static cudaError_t run_unrolled(const ladder_task *t, cudaStream_t stream) {
    const cug_conv2d_shape &s = t->conv;
    const int taps = s.R * s.S * s.C;
    const size_t count = outputs_of(s) * (size_t)taps;
    float *columns = (float *)t->workspace;
    cudaError_t err = CUG_LAUNCH(unroll_kernel, blocks_for(count, kBlock), kBlock, 0, stream, columns,
                                 Unrolled(t->a, &s), taps, count);
    if (err != cudaSuccess) return err;
    const GemmPlan p = gemm_plan((int)outputs_of(s), s.K, taps, false, CUG_PREC_FP32);
    return gemm(t->out, DenseOperand<true>(columns, taps), filter_columns(t->b, &s), nullptr, p, 0, nullptr, stream);
}

// Gathered tile by tile inside the product.
static cudaError_t run_implicit(const ladder_task *t, cudaStream_t stream) {
    const cug_conv2d_shape &s = t->conv;
    const GemmPlan p = gemm_plan((int)outputs_of(s), s.K, s.R * s.S * s.C, false, CUG_PREC_FP32);
    return gemm(t->out, PixelRows(Unrolled(t->a, &s)), filter_columns(t->b, &s), nullptr, p, 0, nullptr, stream);
}

template <cug_precision P> static cudaError_t run_fwd(const ladder_task *t, cudaStream_t stream) {
    return cug_cuda_conv2d_fwd(t->out, t->a, t->b, nullptr, &t->conv, P, t->workspace, stream);
}

extern "C" const ladder ladder_conv_fwd = {
    "conv2d fwd",
    {
        {"naive", "a thread a result", CUG_PREC_FP32, 0, run_naive},
        {"unrolled", "the unrolled image in memory, then a matrix product", CUG_PREC_FP32, 0, run_unrolled},
        {"implicit", "the unrolled image gathered tile by tile", CUG_PREC_FP32, 0, run_implicit},
        {"chosen", "few channels: direct, filters in shared memory; else k split where the grid is small",
         CUG_PREC_FP32, 1, run_fwd<CUG_PREC_FP32>},
        {"tf32", "tensor cores, factors rounded to TF32", CUG_PREC_TF32, 1, run_fwd<CUG_PREC_TF32>},
        {"bf16", "tensor cores, factors rounded to bfloat16", CUG_PREC_BF16, 1, run_fwd<CUG_PREC_BF16>},
    }};

// ---- gradient of the input ------------------------------------------------------------------------------------------

// One thread an input element; it looks up the outputs whose windows cover it.
static __global__ void __launch_bounds__(kBlock)
    dgrad_naive_kernel(float *dx, const float *dy, const float *w, cug_conv2d_shape s, size_t count) {
    const size_t at = (size_t)blockIdx.x * kBlock + threadIdx.x;
    if (at >= count) return;
    const int c = (int)(at % (size_t)s.C), wcol = (int)(at / (size_t)s.C % (size_t)s.W);
    const int h = (int)(at / (size_t)s.C / (size_t)s.W % (size_t)s.H);
    const size_t n = at / (size_t)s.C / (size_t)s.W / (size_t)s.H;
    float sum = 0.0f;
    for (int r = 0; r < s.R; r++)
        for (int q = 0; q < s.S; q++) {
            const int ph = h + s.pad_top - r, pw = wcol + s.pad_left - q;
            if (ph < 0 || pw < 0 || ph % s.stride_h || pw % s.stride_w) continue;
            if (ph / s.stride_h >= s.P || pw / s.stride_w >= s.Q) continue;
            const float *d =
                dy +
                ((n * (size_t)s.P + (size_t)(ph / s.stride_h)) * (size_t)s.Q + (size_t)(pw / s.stride_w)) * (size_t)s.K;
            for (int k = 0; k < s.K; k++)
                sum += d[k] * w[((size_t)(k * s.R + r) * (size_t)s.S + (size_t)q) * (size_t)s.C + (size_t)c];
        }
    dx[at] = sum;
}

static cudaError_t run_dgrad_naive(const ladder_task *t, cudaStream_t stream) {
    const cug_conv2d_shape &s = t->conv;
    const size_t count = (size_t)s.N * (size_t)s.H * (size_t)s.W * (size_t)s.C;
    return CUG_LAUNCH(dgrad_naive_kernel, blocks_for(count, kBlock), kBlock, 0, stream, t->out, t->a, t->b, s, count);
}

template <cug_precision P> static cudaError_t run_dgrad(const ladder_task *t, cudaStream_t stream) {
    return cug_cuda_conv2d_dgrad(t->out, t->a, t->b, &t->conv, P, 0, t->workspace, stream);
}

extern "C" const ladder ladder_conv_dgrad = {
    "conv2d dgrad",
    {
        {"naive", "a thread an input element", CUG_PREC_FP32, 0, run_dgrad_naive},
        {"implicit", "a matrix product over (r, s, filter), gathered tile by tile", CUG_PREC_FP32, 1,
         run_dgrad<CUG_PREC_FP32>},
        {"tf32", "tensor cores, factors rounded to TF32", CUG_PREC_TF32, 1, run_dgrad<CUG_PREC_TF32>},
        {"bf16", "tensor cores, factors rounded to bfloat16", CUG_PREC_BF16, 1, run_dgrad<CUG_PREC_BF16>},
    }};

// ---- gradient of the filters ----------------------------------------------------------------------------------------

// One block a weight: its threads take the output pixels in turn, their sums are added in a fixed order.
static __global__ void __launch_bounds__(kBlock)
    wgrad_naive_kernel(float *dw, const float *dy, Unrolled u, int K, int taps, int pixels) {
    __shared__ float scratch[32];
    const int k = (int)blockIdx.x / taps;
    const Tap tap = u.tap((int)blockIdx.x % taps);
    float sum = 0.0f;
    for (int m = (int)threadIdx.x; m < pixels; m += kBlock)
        sum += dy[(size_t)m * (size_t)K + (size_t)k] * u.at(u.window(m), tap);
    sum = cug_block_sum(sum, scratch);
    if (threadIdx.x == 0) dw[blockIdx.x] = sum;
}

static cudaError_t run_wgrad_naive(const ladder_task *t, cudaStream_t stream) {
    const cug_conv2d_shape &s = t->conv;
    const int taps = s.R * s.S * s.C;
    const Unrolled u(t->b, &s);
    return CUG_LAUNCH(wgrad_naive_kernel, (unsigned)(s.K * taps), kBlock, 0, stream, t->out, t->a, u, s.K, taps,
                      (int)outputs_of(s));
}

static cudaError_t run_wgrad_unsplit(const ladder_task *t, cudaStream_t stream) {
    const cug_conv2d_shape &s = t->conv;
    const GemmPlan p = gemm_plan(s.K, s.R * s.S * s.C, (int)outputs_of(s), false, CUG_PREC_FP32);
    return gemm(t->out, DenseOperand<false>(t->a, s.K), TapColumns(Unrolled(t->b, &s)), nullptr, p, 0, nullptr, stream);
}

template <cug_precision P> static cudaError_t run_wgrad(const ladder_task *t, cudaStream_t stream) {
    return cug_cuda_conv2d_wgrad(t->out, nullptr, t->a, t->b, &t->conv, P, 0, t->workspace, stream);
}

extern "C" const ladder ladder_conv_wgrad = {
    "conv2d wgrad",
    {
        {"naive", "a block a weight", CUG_PREC_FP32, 0, run_wgrad_naive},
        {"implicit", "a matrix product over output pixels, gathered tile by tile", CUG_PREC_FP32, 0, run_wgrad_unsplit},
        {"split", "the pixels split over blocks, their sums added in order", CUG_PREC_FP32, 1,
         run_wgrad<CUG_PREC_FP32>},
        {"tf32", "tensor cores, factors rounded to TF32", CUG_PREC_TF32, 1, run_wgrad<CUG_PREC_TF32>},
        {"bf16", "tensor cores, factors rounded to bfloat16", CUG_PREC_BF16, 1, run_wgrad<CUG_PREC_BF16>},
    }};
