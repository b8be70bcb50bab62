// pool2d.cu - max and average pooling. One thread an element of the output it writes, so backward needs no atomics.
#include "common.cuh"

struct PoolGeometry {
    cug_pool2d_shape s;
    Divisor by_C, by_Q, by_P, by_W, by_H, by_stride_h, by_stride_w;
    explicit PoolGeometry(const cug_pool2d_shape *shape)
        : s(*shape), by_C(s.C), by_Q(s.Q), by_P(s.P), by_W(s.W), by_H(s.H), by_stride_h(s.stride_h),
          by_stride_w(s.stride_w) {}
};

// The real pixels of a window: rows [h0, h1), columns [w0, w1); origin: where the window itself starts.
struct PoolWindow {
    int origin_h, origin_w, h0, h1, w0, w1;
};

__device__ __forceinline__ PoolWindow pool_window(const cug_pool2d_shape &s, int p, int q) {
    PoolWindow v;
    v.origin_h = p * s.stride_h - s.pad_top;
    v.origin_w = q * s.stride_w - s.pad_left;
    v.h0 = v.origin_h > 0 ? v.origin_h : 0;
    v.w0 = v.origin_w > 0 ? v.origin_w : 0;
    v.h1 = v.origin_h + s.R < s.H ? v.origin_h + s.R : s.H;
    v.w1 = v.origin_w + s.S < s.W ? v.origin_w + s.S : s.W;
    return v;
}

static __global__ void __launch_bounds__(kBlock)
    pool2d_fwd_kernel(float *y, uint8_t *argmax, const float *x, PoolGeometry g, int count) {
    const unsigned at = blockIdx.x * kBlock + threadIdx.x;
    if (at >= (unsigned)count) return;
    const cug_pool2d_shape &s = g.s;
    int c, q, p, rest = g.by_C.divmod((int)at, &c);
    rest = g.by_Q.divmod(rest, &q);
    const int n = g.by_P.divmod(rest, &p);
    const PoolWindow v = pool_window(s, p, q);
    const float *image = x + (size_t)n * (size_t)(s.H * s.W * s.C) + c;
    float best = 0.0f, sum = 0.0f;
    int winner = -1;
    for (int h = v.h0; h < v.h1; h++) {
        float row = 0.0f;
        for (int w = v.w0; w < v.w1; w++) {
            const float value = image[(h * s.W + w) * s.C];
            row += value;
            if (winner < 0 || value > best || (value != value && best == best)) {
                best = value;
                winner = (h - v.origin_h) * s.S + (w - v.origin_w);
            }
        }
        sum += row;
    }
    const bool max = s.kind == CUG_POOL_MAX;
    y[at] = max ? best : sum / (float)((v.h1 - v.h0) * (v.w1 - v.w0));
    if (max && argmax) argmax[at] = (uint8_t)winner;
}

// The windows that cover row h: first .. last.
__device__ __forceinline__ void covering(int h, int pad, int R, int stride, const Divisor &by_stride, int P, int *first,
                                         int *last) {
    const int end = h + pad;
    *first = end < R ? 0 : by_stride.div(end - R + stride); // ceil((end - R + 1) / stride)
    *last = by_stride.div(end);
    if (*last >= P) *last = P - 1;
}

static __global__ void __launch_bounds__(kBlock)
    pool2d_bwd_kernel(float *dx, const float *dy, const uint8_t *argmax, PoolGeometry g, int count, int accumulate) {
    const unsigned at = blockIdx.x * kBlock + threadIdx.x;
    if (at >= (unsigned)count) return;
    const cug_pool2d_shape &s = g.s;
    int c, w, h, rest = g.by_C.divmod((int)at, &c);
    rest = g.by_W.divmod(rest, &w);
    const int n = g.by_H.divmod(rest, &h);
    int p0, p1, q0, q1;
    covering(h, s.pad_top, s.R, s.stride_h, g.by_stride_h, s.P, &p0, &p1);
    covering(w, s.pad_left, s.S, s.stride_w, g.by_stride_w, s.Q, &q0, &q1);
    float sum = 0.0f;
    for (int p = p0; p <= p1; p++) {
        float row = 0.0f;
        for (int q = q0; q <= q1; q++) {
            const size_t o =
                (((size_t)n * (size_t)s.P + (size_t)p) * (size_t)s.Q + (size_t)q) * (size_t)s.C + (size_t)c;
            const PoolWindow v = pool_window(s, p, q);
            if (s.kind == CUG_POOL_AVG)
                row += dy[o] / (float)((v.h1 - v.h0) * (v.w1 - v.w0));
            else if (argmax[o] == (h - v.origin_h) * s.S + (w - v.origin_w))
                row += dy[o];
        }
        sum += row;
    }
    dx[at] = accumulate ? dx[at] + sum : sum;
}

extern "C" cudaError_t cug_cuda_pool2d_fwd(float *y, uint8_t *argmax, const float *x, const cug_pool2d_shape *s,
                                           cudaStream_t stream) {
    const int count = s->N * s->P * s->Q * s->C;
    return CUG_LAUNCH(pool2d_fwd_kernel, blocks_for((size_t)count, kBlock), kBlock, 0, stream, y, argmax, x,
                      PoolGeometry(s), count);
}

extern "C" cudaError_t cug_cuda_pool2d_bwd(float *dx, const float *dy, const uint8_t *argmax, const cug_pool2d_shape *s,
                                           unsigned accumulate, cudaStream_t stream) {
    const int count = s->N * s->H * s->W * s->C;
    return CUG_LAUNCH(pool2d_bwd_kernel, blocks_for((size_t)count, kBlock), kBlock, 0, stream, dx, dy, argmax,
                      PoolGeometry(s), count, (accumulate & CUG_ACC_DX) != 0);
}
