// conv2d.cu - convolution: forward (direct for few channels, implicit GEMM otherwise), gradient of the input (dgrad)
// and of the filters (wgrad), both implicit GEMM.
#include "conv.cuh"

// ---- operands of dgrad: rows are input pixels, k runs over (r, s, filter)
// --------------------------------------------

struct InputPixel {
    int image, h, w; // image: offset of dy's n-th image
};

struct GradientRows {
    static constexpr bool k_fast = true;
    using Outer = InputPixel;
    using Inner = Tap;
    const float *dy;
    ConvGeometry g;
    Divisor by_HW, by_W, by_SK, by_K, by_stride_h, by_stride_w;
    bool wide;
    GradientRows(const float *gradient, const cug_conv2d_shape *s)
        : dy(gradient), g(s), by_HW(s->H * s->W), by_W(s->W), by_SK(s->S * s->K), by_K(s->K), by_stride_h(s->stride_h),
          by_stride_w(s->stride_w), wide(s->K % 4 == 0 && aligned16(gradient)) {}

    __device__ Outer outer(int m) const {
        int hw, w, n = by_HW.divmod(m, &hw), h = by_W.divmod(hw, &w);
        return {n * g.P * g.Q * g.K, h + g.pad_top, w + g.pad_left};
    }
    __device__ Inner inner(int k) const {
        int sk, f, r = by_SK.divmod(k, &sk), s = by_K.divmod(sk, &f);
        return {r, s, f};
    }
    // Place in dy of the gradient that input pixel o gets through tap t; -1: none.
    __device__ int place(const Outer &o, const Inner &t) const {
        int h = o.h - t.r, w = o.w - t.s;
        if (h < 0 || w < 0) return -1;
        int between_h, between_w, p = by_stride_h.divmod(h, &between_h), q = by_stride_w.divmod(w, &between_w);
        if (between_h || between_w || p >= g.P || q >= g.Q) return -1;
        return o.image + (p * g.Q + q) * g.K + t.c;
    }
    __device__ float at(const Outer &o, const Inner &t) const {
        const int i = place(o, t);
        return i < 0 ? 0.0f : dy[i];
    }
    __device__ float4 at4(const Outer &o, const Inner &t) const {
        const int i = place(o, t);
        return i < 0 ? make_float4(0, 0, 0, 0) : *reinterpret_cast<const float4 *>(&dy[i]);
    }
};

struct FilterByTap {
    static constexpr bool k_fast = false;
    struct Outer {
        int c;
    };
    struct Inner {
        int at;
    };
    const float *w;
    int R, S, C;
    Divisor by_SK, by_K;
    __device__ Outer outer(int n) const { return {n}; }
    __device__ Inner inner(int k) const {
        int sk, f, r = by_SK.divmod(k, &sk), s = by_K.divmod(sk, &f);
        return {((f * R + r) * S + s) * C};
    }
    __device__ float at(const Outer &o, const Inner &i) const { return w[i.at + o.c]; }
};

// ---- direct forward, for the first layer
// -----------------------------------------------------------------------------

constexpr int kDirectTaps = 80, kDirectFilters = 64, kDirectPixels = 4;

static bool direct_fwd(const cug_conv2d_shape *s, cug_precision precision) {
    return precision == CUG_PREC_FP32 && s->C <= 4 && s->K % 4 == 0 && s->R * s->S * s->C <= kDirectTaps;
}

// A block takes up to 64 filters, in shared memory as [tap][filter]; a thread 4 pixels and 4 filters.
static __global__ void __launch_bounds__(kBlock)
    conv2d_fwd_direct_kernel(float *y, Unrolled u, const float *w, const float *b, int pixels, int taps, int filters) {
    __shared__ __align__(16) float filter[kDirectTaps][kDirectFilters];
    const int K = u.g.K, k0 = (int)blockIdx.y * kDirectFilters, here = K - k0 < filters ? K - k0 : filters;
    for (int i = (int)threadIdx.x; i < here * taps; i += kBlock)
        filter[i % taps][i / taps] = w[(size_t)(k0 + i / taps) * (size_t)taps + (size_t)(i % taps)];
    __syncthreads();
    const int groups = filters / 4, group = (int)threadIdx.x % groups, row = (int)threadIdx.x / groups;
    const int rows = kBlock / groups, m0 = ((int)blockIdx.x * rows + row) * kDirectPixels, k = group * 4;
    if (row >= rows || m0 >= pixels || k >= here) return;
    Window o[kDirectPixels];
#pragma unroll
    for (int i = 0; i < kDirectPixels; i++) o[i] = u.window(m0 + i < pixels ? m0 + i : pixels - 1);
    float total[kDirectPixels][4] = {}, sum[kDirectPixels][4] = {};
    for (int t = 0; t < taps; t++) {
        const Tap tap = u.tap(t);
        const float4 f = *reinterpret_cast<const float4 *>(&filter[t][k]);
#pragma unroll
        for (int i = 0; i < kDirectPixels; i++) {
            const float v = u.at(o[i], tap);
            sum[i][0] += v * f.x;
            sum[i][1] += v * f.y;
            sum[i][2] += v * f.z;
            sum[i][3] += v * f.w;
        }
        if ((t & 15) == 15 || t == taps - 1)
#pragma unroll
            for (int i = 0; i < kDirectPixels * 4; i++) {
                total[i / 4][i % 4] += sum[i / 4][i % 4];
                sum[i / 4][i % 4] = 0.0f;
            }
    }
    for (int i = 0; i < kDirectPixels && m0 + i < pixels; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
            y[(size_t)(m0 + i) * (size_t)K + (size_t)(k0 + k + j)] = total[i][j] + (b ? b[k0 + k + j] : 0.0f);
}

// ---- launchers
// -------------------------------------------------------------------------------------------------------

static int taps_of(const cug_conv2d_shape *s) { return s->R * s->S * s->C; }
static int outputs_of(const cug_conv2d_shape *s) { return s->N * s->P * s->Q; }
static GemmPlan fwd_plan(const cug_conv2d_shape *s, cug_precision p) {
    return gemm_plan(outputs_of(s), s->K, taps_of(s), true, p);
}
static GemmPlan dgrad_plan(const cug_conv2d_shape *s, cug_precision p) {
    return gemm_plan(s->N * s->H * s->W, s->C, s->R * s->S * s->K, true, p);
}
static GemmPlan wgrad_plan(const cug_conv2d_shape *s, cug_precision p) {
    return gemm_plan(s->K, taps_of(s), outputs_of(s), true, p);
}

extern "C" size_t cug_cuda_conv2d_fwd_workspace(const cug_conv2d_shape *s, cug_precision precision) {
    return direct_fwd(s, precision) ? 0 : gemm_workspace(fwd_plan(s, precision));
}

extern "C" size_t cug_cuda_conv2d_bwd_workspace(const cug_conv2d_shape *s, cug_precision precision) {
    const cug_bias_shape rows = {outputs_of(s), s->K};
    size_t most = cug_cuda_bias_bwd_workspace(&rows), d = gemm_workspace(dgrad_plan(s, precision)),
           w = gemm_workspace(wgrad_plan(s, precision));
    most = d > most ? d : most;
    return w > most ? w : most;
}

extern "C" cudaError_t cug_cuda_conv2d_fwd(float *y, const float *x, const float *w, const float *b,
                                           const cug_conv2d_shape *s, cug_precision precision, void *workspace,
                                           cudaStream_t stream) {
    const Unrolled u(x, s);
    if (!direct_fwd(s, precision))
        return gemm(y, PixelRows(u), filter_columns(w, s), b, fwd_plan(s, precision), 0, workspace, stream);
    const int filters = s->K < kDirectFilters ? s->K : kDirectFilters, rows = kBlock / (filters / 4);
    return CUG_LAUNCH(conv2d_fwd_direct_kernel,
                      dim3(blocks_for((size_t)outputs_of(s), (size_t)(rows * kDirectPixels)),
                           blocks_for((size_t)s->K, kDirectFilters)),
                      kBlock, 0, stream, y, u, w, b, outputs_of(s), taps_of(s), filters);
}

extern "C" cudaError_t cug_cuda_conv2d_dgrad(float *dx, const float *dy, const float *w, const cug_conv2d_shape *s,
                                             cug_precision precision, unsigned accumulate, void *workspace,
                                             cudaStream_t stream) {
    const GradientRows rows(dy, s);
    const FilterByTap columns = {w, s->R, s->S, s->C, rows.by_SK, rows.by_K};
    return gemm(dx, rows, columns, nullptr, dgrad_plan(s, precision), (accumulate & CUG_ACC_DX) != 0, workspace,
                stream);
}

extern "C" cudaError_t cug_cuda_conv2d_wgrad(float *dw, float *db, const float *dy, const float *x,
                                             const cug_conv2d_shape *s, cug_precision precision, unsigned accumulate,
                                             void *workspace, cudaStream_t stream) {
    cudaError_t err = cudaSuccess;
    if (dw) {
        const DenseOperand<false> rows(dy, s->K);
        const TapColumns columns(Unrolled(x, s));
        err = gemm(dw, rows, columns, nullptr, wgrad_plan(s, precision), (accumulate & CUG_ACC_DW) != 0, workspace,
                   stream);
    }
    if (db && err == cudaSuccess) {
        const cug_bias_shape rows = {outputs_of(s), s->K};
        err = cug_cuda_bias_bwd(nullptr, db, dy, &rows, accumulate, workspace, stream);
    }
    return err;
}
