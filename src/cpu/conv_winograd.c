/* conv_winograd.c - the forward pass of 3x3 convolutions behind which 2x2 pooling stands, by Winograd's products
 * (simd/winograd.c): a pooling window is one of its blocks. Sixteen small matrix products, blocks x C times C x K,
 * between transforms that pay when C and K are not small. */
#include "cpu/conv.h"
#include <string.h>

#define POINTS 16
#define BLOCKS 48 /* of one round: their transformed pixels stay in the second cache */

typedef struct wino_job {
    const cug_device *dev;
    const cug_cpu_conv *g;
    float *y;
    char *threads; /* `stride` bytes for each part */
    size_t stride;
    uint8_t *arg;
    const float *x, *w, *bias;
} wino_job;

/* One part's own memory. */
typedef struct wino_scratch {
    float *packed; /* filters */
    float *u;      /* the same transformed, a panel after the other */
    float *frame;  /* a padded image */
    float *t;      /* four rows of pixels on their way */
    float *v;      /* (POINTS, blocks, C), with room behind each point */
    float *m;      /* (POINTS, CUG_TILE_PX, panel) */
} wino_scratch;

int cug_cpu_conv_winograd(const cug_cpu_conv *g) {
    return g->pool && g->s.R == 3 && g->s.S == 3 && g->s.C >= 8 && g->s.K >= 8;
}

/* Blocks of one round: whole rows of windows. */
static size_t round_blocks(const cug_cpu_conv *g) {
    size_t Q = (size_t)g->QQ;
    return Q < BLOCKS ? BLOCKS / Q * Q : Q;
}
static size_t point_step(const cug_device *dev, const cug_cpu_conv *g) {
    return round_blocks(g) * (size_t)g->s.C + (size_t)dev->simd->lanes;
}

static wino_scratch scratch(const cug_device *dev, const cug_cpu_conv *g, cug_cpu_scratch *m) {
    size_t row = (size_t)(2 * g->QQ + 2) * (size_t)g->s.C + (size_t)dev->simd->lanes, f = sizeof(float);
    size_t C = (size_t)g->s.C, K = (size_t)g->s.K;
    wino_scratch b = {
        .packed = cpu_take(m, cpu_packed_count(dev, 9 * C, K), f),
        .u = cpu_take(m, cpu_packed_count(dev, POINTS * C, K), f),
        .frame = cpu_take(m, g->padded ? cpu_conv_frame(g) : 0, f),
        .t = cpu_take(m, 4 * row, f),
        .v = cpu_take(m, POINTS * point_step(dev, g), f),
        .m = cpu_take(m, POINTS * CUG_TILE_PX * cpu_panel(dev), f),
    };
    return b;
}

static void layout(cug_cpu_scratch *m, const cug_device *dev, const cug_cpu_conv *g, wino_job *j) {
    cug_cpu_scratch one = {0};
    scratch(dev, g, &one);
    j->stride = one.used;
    j->threads = cpu_take(m, (size_t)dev->threads * j->stride, 1);
}

/* Blocks [b0, b1) of the round for one panel of channels; the first is window `at` of all. */
static void products(const wino_job *j, const wino_scratch *b, size_t b0, size_t b1, size_t at, size_t panel) {
    const cug_cpu_conv *g = j->g;
    size_t W = cpu_panel(j->dev), C = (size_t)g->s.C, K = (size_t)g->s.K, k0 = panel * W;
    size_t cols = K - k0 < W ? K - k0 : W, count = b1 - b0, to = (at + b0) * K + k0;
    cug_tile t = {.rows = 1, .len = (int)C, .a_step = 1, .px = (int)count, .c_step = (ptrdiff_t)W};
    for (size_t i = 0; i < count; i++) t.a_off[i] = (ptrdiff_t)(i * C);
    const float *u = b->u + panel * POINTS * C * W, *v = b->v + b0 * C;
    for (size_t p = 0; p < POINTS; p++) {
        t.b = u + p * C * W;
        cug_cpu_tile(j->dev, &t, v + p * point_step(j->dev, g), b->m + p * CUG_TILE_PX * W, NULL, cols, 0);
    }
    float bias[CUG_PANEL_MAX] = {0};
    if (j->bias) memcpy(bias, j->bias + k0, cols * sizeof *bias);
    j->dev->simd->wino_pool(j->y + to, j->arg ? j->arg + to : NULL, (ptrdiff_t)K, b->m, (int)count, (int)cols, bias,
                            g->act, g->slope);
}

/* All products of a round of `count` blocks, the first of them window `at`. */
static void round_end(const wino_job *j, const wino_scratch *b, size_t count, size_t at) {
    size_t most = (size_t)j->dev->simd->tile_px, groups = (count + most - 1) / most;
    for (size_t panel = 0; panel < cpu_panels(j->dev, (size_t)j->g->s.K); panel++)
        for (size_t i = 0; i < groups; i++) products(j, b, count * i / groups, count * (i + 1) / groups, at, panel);
}

static void filters(const wino_job *j, wino_scratch *b) {
    size_t C = (size_t)j->g->s.C, K = (size_t)j->g->s.K, W = cpu_panel(j->dev);
    cug_cpu_pack(j->dev, b->packed, j->w, 1, 9 * C, 9 * C, K);
    for (size_t panel = 0; panel < cpu_panels(j->dev, K); panel++)
        j->dev->simd->wino_filter(b->u + panel * POINTS * C * W, b->packed + panel * 9 * C * W, (int)C);
}

/* Items are rows of windows, (n, p). */
static void fwd_part(void *ctx, size_t lo, size_t hi, int part) {
    wino_job *j = ctx;
    const cug_cpu_conv *g = j->g;
    cug_cpu_scratch m = {j->threads + (size_t)part * j->stride, 0};
    wino_scratch b = scratch(j->dev, g, &m);
    filters(j, &b);
    if (g->padded) memset(b.frame, 0, cpu_conv_frame(g) * sizeof *b.frame);
    size_t P = (size_t)g->PP, Q = (size_t)g->QQ, C = (size_t)g->s.C, step = point_step(j->dev, g), blocks = 0;
    const float *image = NULL;
    for (size_t row = lo; row < hi; row++) {
        if (row == lo || row % P == 0) image = cug_cpu_conv_image_in(g, j->x, row / P, b.frame);
        j->dev->simd->wino_input(b.v + blocks * C, step, b.t, image + cpu_conv_corner(g, row % P, 0),
                                 (ptrdiff_t)((size_t)g->Wp * C), (int)Q, (int)C);
        blocks += Q;
        if (blocks < round_blocks(g) && row + 1 < hi) continue;
        round_end(j, &b, blocks, (row + 1) * Q - blocks);
        blocks = 0;
    }
}

void cug_cpu_conv_winograd_fwd(const cug_device *dev, void *workspace, const cug_cpu_conv *g, float *y, uint8_t *arg,
                               const float *x, const float *w, const float *b) {
    cug_cpu_scratch m = {workspace, 0};
    wino_job j = {.dev = dev, .g = g, .y = y, .arg = arg, .x = x, .w = w, .bias = b};
    layout(&m, dev, g, &j);
    size_t row = (size_t)g->QQ * (size_t)g->s.K * POINTS * (size_t)g->s.C;
    cug_cpu_run(dev, (size_t)g->s.N * (size_t)g->PP, 4 * CUG_CPU_GRAIN / row + 1, fwd_part, &j);
}

size_t cug_cpu_conv_winograd_workspace(const cug_device *dev, const cug_cpu_conv *g) {
    cug_cpu_scratch m = {0};
    wino_job j;
    layout(&m, dev, g, &j);
    return m.used;
}
