// conv_block.cu - convolution, bias, activation and 2x2 max pooling in one pass; backward spreads dy over the winners
// and runs the convolution's own backward on it.
#include "conv.cuh"

// Rows 4 i .. 4 i + 3 are the four pixels of pooling window i, in (r, s) order.
struct WindowRows {
    static constexpr bool k_fast = true;
    using Outer = Window;
    using Inner = Tap;
    Unrolled u;
    int pool_w;
    Divisor by_windows, by_pool_w; // windows of an image; of a row
    bool wide;
    WindowRows(const Unrolled &unrolled, const cug_pool2d_shape *pool)
        : u(unrolled), pool_w(pool->Q), by_windows(pool->P * pool->Q), by_pool_w(pool->Q), wide(unrolled.wide) {}
    __device__ Outer outer(int m) const {
        int i = m / 4, rest, q, n = by_windows.divmod(i, &rest), p = by_pool_w.divmod(rest, &q);
        return u.window_at(n, p * 2 + (m >> 1 & 1), q * 2 + (m & 1));
    }
    __device__ Inner inner(int k) const { return u.tap(k); }
    __device__ float at(const Outer &o, const Inner &i) const { return u.at(o, i); }
    __device__ float4 at4(const Outer &o, const Inner &i) const { return u.at4(o, i); }
};

// y = act(sum + b).
struct StoreActivated {
    float *y;
    const float *b;
    int M, N, act;
    float slope;
    __device__ void operator()(int m0, int n0, const float (&sum)[4][4], int) const {
        for (int i = 0; i < 4 && m0 + i < M; i++)
#pragma unroll
            for (int j = 0; j < 4; j++)
                if (n0 + j < N)
                    y[(size_t)(m0 + i) * (size_t)N + (size_t)(n0 + j)] =
                        activate(act, slope, sum[i][j] + (b ? b[n0 + j] : 0.0f));
    }
};

// y = max over the four rows of act(sum + b); the winner's number in 2 bits, four channels a byte.
struct StorePooled {
    float *y;
    uint8_t *saved; // or NULL
    const float *b;
    int M, N, act;
    float slope;
    __device__ void operator()(int m0, int n0, const float (&sum)[4][4], int) const {
        if (m0 >= M || n0 >= N) return;
        const size_t window = (size_t)m0 / 4;
        unsigned winners = 0;
#pragma unroll
        for (int j = 0; j < 4; j++) {
            if (n0 + j >= N) break;
            const float bias = b ? b[n0 + j] : 0.0f;
            float best = activate(act, slope, sum[0][j] + bias);
            unsigned winner = 0;
#pragma unroll
            for (unsigned i = 1; i < 4; i++) {
                const float v = activate(act, slope, sum[i][j] + bias);
                if (v > best || (v != v && best == best)) best = v, winner = i;
            }
            y[window * (size_t)N + (size_t)(n0 + j)] = best;
            winners |= winner << (2 * j);
        }
        if (saved) saved[window * (size_t)((N + 3) / 4) + (size_t)(n0 / 4)] = (uint8_t)winners;
    }
};

// g = gradient of the convolution's output: dy times the activation's derivative, at the winner; zero elsewhere. One
// thread a window's channel; windows that an odd row or column leaves incomplete are written as zeros.
static __global__ void __launch_bounds__(kBlock)
    conv_block_bwd_spread_kernel(float *g, const float *dy, const float *y, const uint8_t *saved, int threads, int P,
                                 int Q, int pool_h, int pool_w, Divisor by_K, Divisor by_columns, Divisor by_rows,
                                 int act, float slope) {
    const int at = (int)(blockIdx.x * kBlock + threadIdx.x), K = (int)by_K.d;
    if (at >= threads) return;
    int k, column, row;
    const int n = by_rows.divmod(by_columns.divmod(by_K.divmod(at, &k), &column), &row);
    float v = 0.0f;
    int winner = -1;
    if (row < pool_h && column < pool_w) {
        const size_t window = ((size_t)n * (size_t)pool_h + (size_t)row) * (size_t)pool_w + (size_t)column;
        const size_t o = window * (size_t)K + (size_t)k;
        winner = saved[window * (size_t)((K + 3) / 4) + (size_t)(k / 4)] >> (2 * (k % 4)) & 3;
        v = dy[o] * activation_slope(act, slope, y[o]);
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const int p = 2 * row + i / 2, q = 2 * column + i % 2;
        if (p < P && q < Q)
            g[(((size_t)n * (size_t)P + (size_t)p) * (size_t)Q + (size_t)q) * (size_t)K + (size_t)k] =
                i == winner ? v : 0.0f;
    }
}

// The same without pooling.
static __global__ void __launch_bounds__(kBlock)
    conv_block_bwd_act_kernel(float *g, const float *dy, const float *y, size_t count, int act, float slope) {
    const size_t at = (size_t)blockIdx.x * kBlock + threadIdx.x;
    if (at < count) g[at] = dy[at] * activation_slope(act, slope, y[at]);
}

extern "C" int cug_cuda_conv_block_supports(const cug_conv_block_shape *s) {
    const cug_pool2d_shape *p = &s->pool;
    if (cug_act_reads_x(s->act)) return 0;
    return !s->has_pool || (p->kind == CUG_POOL_MAX && p->R == 2 && p->S == 2 && p->stride_h == 2 && p->stride_w == 2 &&
                            !p->pad_top && !p->pad_bottom && !p->pad_left && !p->pad_right);
}

static size_t windows_of(const cug_conv_block_shape *s) {
    return (size_t)s->conv.N * (size_t)s->pool.P * (size_t)s->pool.Q;
}

static size_t spread_bytes(const cug_conv_block_shape *s) {
    size_t bytes = (size_t)s->conv.N * (size_t)s->conv.P * (size_t)s->conv.Q * (size_t)s->conv.K * sizeof(float);
    return (bytes + 255) / 256 * 256;
}

extern "C" size_t cug_cuda_conv_block_saved_bytes(const cug_conv_block_shape *s) {
    return s->has_pool ? windows_of(s) * (size_t)((s->conv.K + 3) / 4) : 0;
}

extern "C" size_t cug_cuda_conv_block_bwd_workspace(const cug_conv_block_shape *s, cug_precision precision) {
    return spread_bytes(s) + cug_cuda_conv2d_bwd_workspace(&s->conv, precision);
}

extern "C" cudaError_t cug_cuda_conv_block_fwd(float *y, void *saved, const float *x, const float *w, const float *b,
                                               const cug_conv_block_shape *s, cug_precision precision,
                                               cudaStream_t stream) {
    const cug_conv2d_shape *c = &s->conv;
    const Unrolled u(x, c);
    const int taps = c->R * c->S * c->C;
    if (!s->has_pool) {
        const GemmPlan p = gemm_plan(c->N * c->P * c->Q, c->K, taps, false, precision);
        const StoreActivated store = {y, b, p.M, p.N, (int)s->act, s->slope};
        return gemm_launch(p, PixelRows(u), filter_columns(w, c), store, stream);
    }
    const GemmPlan p = gemm_plan((int)windows_of(s) * 4, c->K, taps, false, precision);
    const WindowRows rows(u, &s->pool);
    const StorePooled store = {y, (uint8_t *)saved, b, p.M, p.N, (int)s->act, s->slope};
    return gemm_launch(p, rows, filter_columns(w, c), store, stream);
}

extern "C" cudaError_t cug_cuda_conv_block_bwd(float *dx, float *dw, float *db, const float *dy, const float *y,
                                               const void *saved, const float *x, const float *w,
                                               const cug_conv_block_shape *s, cug_precision precision,
                                               unsigned accumulate, void *workspace, cudaStream_t stream) {
    const cug_conv2d_shape *c = &s->conv;
    const size_t count = (size_t)c->N * (size_t)c->P * (size_t)c->Q * (size_t)c->K;
    float *g = (float *)workspace;
    void *rest = (char *)workspace + spread_bytes(s);
    cudaError_t err;
    if (s->has_pool) {
        const int rows = (c->P + 1) / 2, columns = (c->Q + 1) / 2;
        const size_t threads = (size_t)c->N * (size_t)rows * (size_t)columns * (size_t)c->K;
        if (threads > INT32_MAX) return cudaErrorInvalidValue;
        err = CUG_LAUNCH(conv_block_bwd_spread_kernel, blocks_for(threads, kBlock), kBlock, 0, stream, g, dy, y,
                         (const uint8_t *)saved, (int)threads, c->P, c->Q, s->pool.P, s->pool.Q, Divisor(c->K),
                         Divisor(columns), Divisor(rows), (int)s->act, s->slope);
    } else {
        err = CUG_LAUNCH(conv_block_bwd_act_kernel, blocks_for(count, kBlock), kBlock, 0, stream, g, dy, y, count,
                         (int)s->act, s->slope);
    }
    if (dx && err == cudaSuccess) err = cug_cuda_conv2d_dgrad(dx, g, w, c, precision, accumulate, rest, stream);
    if ((dw || db) && err == cudaSuccess)
        err = cug_cuda_conv2d_wgrad(dw, db, g, x, c, precision, accumulate, rest, stream);
    return err;
}
