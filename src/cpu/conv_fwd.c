/* conv_fwd.c - direct convolution on channels-last images (3x3 before pooling: conv_winograd.c): no patch matrix, since
 * each filter row meets one contiguous stretch of the image. With pooling, whole windows are computed at once and only
 * their maxima leave the registers. */
#include "cpu/conv.h"
#include <string.h>

static cug_cpu_conv derive(cug_cpu_conv g) {
    const cug_conv2d_shape *s = &g.s;
    g.span = s->S * s->C;
    g.Hp = s->H + s->pad_top + s->pad_bottom;
    g.Wp = s->W + s->pad_left + s->pad_right;
    g.padded = g.Hp != s->H || g.Wp != s->W;
    return g;
}

cug_cpu_conv cug_cpu_conv_plain(const cug_conv2d_shape *s) {
    return derive((cug_cpu_conv){.s = *s, .act = CUG_ACT_NONE, .PP = s->P, .QQ = s->Q});
}

cug_cpu_conv cug_cpu_conv_of_block(const cug_conv_block_shape *s) {
    return derive((cug_cpu_conv){.s = s->conv,
                                 .act = s->act,
                                 .slope = s->slope,
                                 .pool = s->has_pool != 0,
                                 .PP = s->has_pool ? s->pool.P : s->conv.P,
                                 .QQ = s->has_pool ? s->pool.Q : s->conv.Q});
}

const float *cug_cpu_conv_image_in(const cug_cpu_conv *g, const float *x, size_t n, float *frame) {
    const float *image = x + n * cpu_conv_image(g);
    if (!g->padded) return image;
    size_t row = (size_t)g->s.W * (size_t)g->s.C;
    for (int h = 0; h < g->s.H; h++) {
        size_t at = ((size_t)(h + g->s.pad_top) * (size_t)g->Wp + (size_t)g->s.pad_left) * (size_t)g->s.C;
        memcpy(frame + at, image + (size_t)h * row, row * sizeof *frame);
    }
    return frame;
}

typedef struct fwd_job {
    const cug_device *dev;
    const cug_cpu_conv *g;
    float *y;
    char *threads; /* `stride` bytes for each part */
    size_t stride;
    uint8_t *arg;
    const float *x, *w, *bias;
} fwd_job;

/* One part's own memory. */
typedef struct fwd_scratch {
    float *packed; /* filters */
    float *frame;  /* a padded image */
} fwd_scratch;

static size_t filter(const cug_cpu_conv *g) { return (size_t)g->s.R * (size_t)g->span; }

/* Few channels leave lanes idle. Behind pooling the two columns of a window then share a vector: its filters are a
 * pixel wider, and half of their lanes a pixel late. 6 x 2 products a window's filter row of 5 instead of 5 x 4. */
static int by_pairs(const cug_device *dev, const cug_cpu_conv *g) { return g->pool && 2 * g->s.K <= dev->simd->lanes; }
static size_t pairs_row(const cug_cpu_conv *g) { return (size_t)g->span + (size_t)g->s.C; }
static size_t packed_count(const cug_device *dev, const cug_cpu_conv *g) {
    if (by_pairs(dev, g)) return (size_t)g->s.R * pairs_row(g) * cpu_panel(dev);
    return cpu_packed_count(dev, filter(g), (size_t)g->s.K);
}

static fwd_scratch scratch(const cug_device *dev, const cug_cpu_conv *g, cug_cpu_scratch *m) {
    fwd_scratch b = {
        .packed = cpu_take(m, packed_count(dev, g), sizeof(float)),
        .frame = cpu_take(m, g->padded ? cpu_conv_frame(g) : 0, sizeof(float)),
    };
    return b;
}

static void fwd_layout(cug_cpu_scratch *m, const cug_device *dev, const cug_cpu_conv *g, fwd_job *j) {
    cug_cpu_scratch one = {0};
    scratch(dev, g, &one);
    j->stride = one.used;
    j->threads = cpu_take(m, (size_t)dev->threads * j->stride, 1);
}

/* Output rows [p0, p1) of one image for one panel of channels. */
static void rows_of_panel(const fwd_job *j, const float *packed, const float *image, size_t n, size_t p0, size_t p1,
                          size_t panel) {
    const cug_cpu_conv *g = j->g;
    size_t K = (size_t)g->s.K, W = cpu_panel(j->dev), k0 = panel * W, cols = K - k0 < W ? K - k0 : W;
    size_t Q = (size_t)g->QQ, C = (size_t)g->s.C, row = (size_t)g->Wp * C;
    float bias[CUG_PANEL_MAX] = {0};
    if (j->bias) memcpy(bias, j->bias + k0, cols * sizeof *bias);
    cug_tile t = {.a_row = (ptrdiff_t)row,
                  .a_step = 1,
                  .rows = g->s.R,
                  .len = g->span,
                  .c_step = (ptrdiff_t)K,
                  .b = packed + k0 * filter(g),
                  .bias = bias,
                  .act = g->act,
                  .slope = g->slope};
    for (size_t i = 0; i < CUG_TILE_PX; i++)
        t.a_off[i] = (ptrdiff_t)(g->pool ? (i / 4 * 2 + i % 2) * C + i % 4 / 2 * row : i * (size_t)g->s.stride_w * C);
    size_t most = (size_t)(g->pool ? j->dev->simd->pool_windows : j->dev->simd->tile_px);
    size_t blocks = (Q + most - 1) / most;
    for (size_t p = p0; p < p1; p++)
        for (size_t b = 0; b < blocks; b++) {
            size_t q0 = Q * b / blocks, count = Q * (b + 1) / blocks - q0;
            size_t at = ((n * (size_t)g->PP + p) * Q + q0) * K + k0;
            t.px = (int)(g->pool ? 4 * count : count);
            cug_cpu_tile(j->dev, &t, image + cpu_conv_corner(g, p, q0), j->y + at, j->arg ? j->arg + at : NULL, cols,
                         g->pool ? (int)count : 0);
        }
}

static void pack_pairs(const fwd_job *j, float *packed) {
    const cug_cpu_conv *g = j->g;
    size_t W = cpu_panel(j->dev), K = (size_t)g->s.K, span = (size_t)g->span;
    memset(packed, 0, packed_count(j->dev, g) * sizeof *packed);
    for (size_t r = 0; r < (size_t)g->s.R; r++)
        for (size_t k = 0; k < K; k++) {
            const float *w = j->w + k * filter(g) + r * span;
            float *left = packed + r * pairs_row(g) * W + k, *right = left + (size_t)g->s.C * W + K;
            for (size_t l = 0; l < span; l++) left[l * W] = right[l * W] = w[l];
        }
}

/* Output rows [p0, p1) of one image. */
static void rows_by_pairs(const fwd_job *j, const float *packed, const float *image, size_t n, size_t p0, size_t p1) {
    const cug_cpu_conv *g = j->g;
    size_t K = (size_t)g->s.K, Q = (size_t)g->QQ, C = (size_t)g->s.C, row = (size_t)g->Wp * C;
    float bias[CUG_PANEL_MAX] = {0};
    for (size_t k = 0; k < K && j->bias; k++) bias[k] = bias[K + k] = j->bias[k];
    cug_tile t = {.a_row = (ptrdiff_t)row,
                  .a_step = 1,
                  .rows = g->s.R,
                  .len = (int)pairs_row(g),
                  .vectors = 1,
                  .spare = j->dev->simd->lanes - 2 * (int)K,
                  .b = packed,
                  .bias = bias,
                  .act = g->act,
                  .slope = g->slope};
    for (size_t i = 0; i < CUG_TILE_PX; i++) t.a_off[i] = (ptrdiff_t)(i / 2 * 2 * C + i % 2 * row);
    size_t most = (size_t)j->dev->simd->tile_px / 2;
    for (size_t p = p0; p < p1; p++)
        for (size_t q = 0, count; q < Q; q += count) {
            size_t at = ((n * (size_t)g->PP + p) * Q + q) * K;
            count = Q - q < most ? Q - q : most;
            t.px = 2 * (int)count;
            j->dev->simd->tile_pool_pairs(&t, image + cpu_conv_corner(g, p, q), j->y + at, j->arg ? j->arg + at : NULL);
        }
}

static void pack_filters(const fwd_job *j, float *packed) {
    const cug_cpu_conv *g = j->g;
    if (by_pairs(j->dev, g))
        pack_pairs(j, packed);
    else
        cug_cpu_pack(j->dev, packed, j->w, 1, filter(g), filter(g), (size_t)g->s.K);
}

static void rows_of_image(const fwd_job *j, const float *packed, const float *image, size_t n, size_t p0, size_t p1) {
    if (by_pairs(j->dev, j->g)) {
        rows_by_pairs(j, packed, image, n, p0, p1);
        return;
    }
    for (size_t panel = 0; panel < cpu_panels(j->dev, (size_t)j->g->s.K); panel++)
        rows_of_panel(j, packed, image, n, p0, p1, panel);
}

/* Items are output rows, (n, p). */
static void fwd_part(void *ctx, size_t lo, size_t hi, int part) {
    fwd_job *j = ctx;
    const cug_cpu_conv *g = j->g;
    cug_cpu_scratch m = {j->threads + (size_t)part * j->stride, 0};
    const fwd_scratch b = scratch(j->dev, g, &m);
    pack_filters(j, b.packed);
    if (g->padded) memset(b.frame, 0, cpu_conv_frame(g) * sizeof *b.frame);
    size_t P = (size_t)g->PP;
    while (lo < hi) {
        size_t n = lo / P, p0 = lo % P, p1 = hi - n * P < P ? hi - n * P : P;
        const float *image = cug_cpu_conv_image_in(g, j->x, n, b.frame);
        rows_of_image(j, b.packed, image, n, p0, p1);
        lo += p1 - p0;
    }
}

void cug_cpu_conv_fwd(const cug_device *dev, void *workspace, const cug_cpu_conv *g, float *y, uint8_t *arg,
                      const float *x, const float *w, const float *b) {
    if (cug_cpu_conv_winograd(g)) {
        cug_cpu_conv_winograd_fwd(dev, workspace, g, y, arg, x, w, b);
        return;
    }
    cug_cpu_scratch m = {workspace, 0};
    fwd_job j = {.dev = dev, .g = g, .y = y, .arg = arg, .x = x, .w = w, .bias = b};
    fwd_layout(&m, dev, g, &j);
    size_t row = (size_t)g->QQ * (size_t)g->s.K * filter(g) * (g->pool ? 4 : 1);
    cug_cpu_run(dev, (size_t)g->s.N * (size_t)g->PP, 4 * CUG_CPU_GRAIN / row + 1, fwd_part, &j);
}

size_t cug_cpu_conv_fwd_workspace(const cug_device *dev, const cug_cpu_conv *g) {
    if (cug_cpu_conv_winograd(g)) return cug_cpu_conv_winograd_workspace(dev, g);
    cug_cpu_scratch m = {0};
    fwd_job j;
    fwd_layout(&m, dev, g, &j);
    return m.used;
}
