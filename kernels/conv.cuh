// conv.cuh - convolution operands for gemm.cuh: the unrolled image, its transposes, filters.
#ifndef CUG_KERNELS_CONV_CUH
#define CUG_KERNELS_CONV_CUH

#include "gemm.cuh"

// A convolution's extents with what it takes to divide by them.
struct ConvGeometry {
    int H, W, C, K, R, S, P, Q, stride_h, stride_w, pad_top, pad_left;
    Divisor by_C, by_SC, by_Q, by_PQ;
    explicit ConvGeometry(const cug_conv2d_shape *s)
        : H(s->H), W(s->W), C(s->C), K(s->K), R(s->R), S(s->S), P(s->P), Q(s->Q), stride_h(s->stride_h),
          stride_w(s->stride_w), pad_top(s->pad_top), pad_left(s->pad_left), by_C(s->C), by_SC(s->S * s->C), by_Q(s->Q),
          by_PQ(s->P * s->Q) {}
};

// The first corner of an output pixel's window in its image.
struct Window {
    int image, h, w; // image: offset of x's n-th image
};

// A filter tap: row, column, channel.
struct Tap {
    int r, s, c;
};

// x unrolled: element (output pixel, tap).
struct Unrolled {
    const float *x;
    ConvGeometry g;
    bool wide;
    Unrolled(const float *image, const cug_conv2d_shape *s) : x(image), g(s), wide(s->C % 4 == 0 && aligned16(image)) {}
    __device__ Window window_at(int n, int p, int q) const {
        return {n * g.H * g.W * g.C, p * g.stride_h - g.pad_top, q * g.stride_w - g.pad_left};
    }
    __device__ Window window(int pixel) const {
        int pq, q, n = g.by_PQ.divmod(pixel, &pq), p = g.by_Q.divmod(pq, &q);
        return window_at(n, p, q);
    }
    __device__ Tap tap(int k) const {
        int sc, c, r = g.by_SC.divmod(k, &sc), s = g.by_C.divmod(sc, &c);
        return {r, s, c};
    }
    __device__ float at(const Window &o, const Tap &t) const {
        int h = o.h + t.r, w = o.w + t.s;
        bool in = (unsigned)h < (unsigned)g.H && (unsigned)w < (unsigned)g.W;
        return in ? x[o.image + (h * g.W + w) * g.C + t.c] : 0.0f;
    }
    __device__ float4 at4(const Window &o, const Tap &t) const {
        int h = o.h + t.r, w = o.w + t.s;
        bool in = (unsigned)h < (unsigned)g.H && (unsigned)w < (unsigned)g.W;
        return in ? *reinterpret_cast<const float4 *>(&x[o.image + (h * g.W + w) * g.C + t.c])
                  : make_float4(0, 0, 0, 0);
    }
};

// Rows are output pixels, k are taps: fwd.
struct PixelRows {
    static constexpr bool k_fast = true;
    using Outer = Window;
    using Inner = Tap;
    Unrolled u;
    bool wide;
    explicit PixelRows(const Unrolled &unrolled) : u(unrolled), wide(unrolled.wide) {}
    __device__ Outer outer(int m) const { return u.window(m); }
    __device__ Inner inner(int k) const { return u.tap(k); }
    __device__ float at(const Outer &o, const Inner &i) const { return u.at(o, i); }
    __device__ float4 at4(const Outer &o, const Inner &i) const { return u.at4(o, i); }
};

// Columns are taps, k are output pixels: wgrad.
struct TapColumns {
    static constexpr bool k_fast = false;
    using Outer = Tap;
    using Inner = Window;
    Unrolled u;
    explicit TapColumns(const Unrolled &unrolled) : u(unrolled) {}
    __device__ Outer outer(int n) const { return u.tap(n); }
    __device__ Inner inner(int k) const { return u.window(k); }
    __device__ float at(const Outer &o, const Inner &i) const { return u.at(i, o); }
};

// k reversed: rows (K) of filters (K,R,S,C), taps contiguous. fwd's second operand.
static inline DenseOperand<true> filter_columns(const float *w, const cug_conv2d_shape *s) {
    return {w, s->R * s->S * s->C};
}

#endif
