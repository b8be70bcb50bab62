/* conv_bwd.c - gradients of a convolution, image by image. Most of the output gradient is zero after pooling and ReLU,
 * so it is never stored in full: blocks of pixels become lists of nonzero terms, and each list adds up contiguous spans
 * (simd/spans.c). Few-channel inputs, whose spans are shorter than a vector, take dense tiles over channels instead, or
 * behind pooling one patch of the image for each window (simd/patch.c).
 * A zero gradient counts as nothing even against an infinite or NaN factor; such a step's loss is not finite anyway. */
#include "cpu/conv.h"
#include <string.h>

#define PIXELS 64 /* of a block: its lists stay in cache, and a sum over it is short */

typedef struct bwd_job {
    const cug_device *dev;
    const cug_cpu_conv *g;
    const cug_cpu_conv_grads *t;
    float *w_rows; /* (R,K,span): filters by row, shared */
    char *threads; /* `stride` bytes for each part */
    size_t stride;
    int narrow;
    int patch; /* vectors of a patch; 0: no patches. Only where narrow. */
} bwd_job;

/* One part's own memory. */
typedef struct bwd_scratch {
    float *frame, *dx_frame; /* padded images */
    float *g;                /* (PIXELS,K): gradient before the activation */
    float *dw, *db;          /* this part's sums; narrow: dw is (R*span, panels) and so are the next two */
    float *dw_row, *dw_image;
    float *db_block;
    float *dense; /* narrow: gradients of a row (two with pooling) of the convolution, by panels; or its patches */
    float *rows;  /* patches: the image rows under them, with room behind */
    cug_term *terms;
    cug_term_list *lists;
} bwd_scratch;

static size_t filter(const cug_cpu_conv *g) { return (size_t)g->s.R * (size_t)g->span; }
static int block_pixels(const cug_cpu_conv *g) { return g->PP * g->QQ < PIXELS ? g->PP * g->QQ : PIXELS; }
static size_t padded_k(const cug_device *dev, const cug_cpu_conv *g) {
    return cpu_panels(dev, (size_t)g->s.K) * cpu_panel(dev);
}
static int is_narrow(const cug_device *dev, const cug_cpu_conv *g) { return g->span < dev->simd->lanes; }
/* Vectors of a patch where the weight gradient is summed by patches, else 0. */
static int patch_vectors(const cug_device *dev, const cug_cpu_conv *g) {
    size_t V = (size_t)dev->simd->lanes, n = (filter(g) + V - 1) / V;
    return g->pool && is_narrow(dev, g) && n <= CUG_PATCH_VECTORS ? (int)n : 0;
}
static size_t patch_row(const cug_cpu_conv *g) { return (size_t)g->Wp * (size_t)g->s.C; }

static bwd_scratch scratch(const cug_device *dev, const cug_cpu_conv *g, cug_cpu_scratch *m) {
    size_t K = (size_t)g->s.K, Kp = padded_k(dev, g), px = (size_t)block_pixels(g), f = sizeof(float);
    size_t frame = g->padded ? cpu_conv_frame(g) : 0;
    int narrow = is_narrow(dev, g);
    size_t V = (size_t)dev->simd->lanes, width = (size_t)patch_vectors(dev, g) * V;
    size_t narrow_dw = width ? K * width : narrow ? Kp * filter(g) : 0;
    size_t rows = narrow ? (size_t)g->QQ * (g->pool ? 4 : 1) : 0;
    bwd_scratch b = {
        .frame = cpu_take(m, frame, f),
        .dx_frame = cpu_take(m, frame, f),
        .g = cpu_take(m, (px > (size_t)g->QQ ? px : (size_t)g->QQ) * K, f),
        .dw = cpu_take(m, narrow ? narrow_dw : K * filter(g), f),
        .db = cpu_take(m, K, f),
        .dw_row = cpu_take(m, narrow_dw, f),
        .dw_image = cpu_take(m, narrow_dw, f),
        .db_block = cpu_take(m, K, f),
        .dense = cpu_take(m, width ? rows * width + V : rows * Kp, f),
        .rows = cpu_take(m, width ? (size_t)(g->s.R + 1) * patch_row(g) + V : 0, f),
        .terms = cpu_take(m, K * (px + 1) + 16, sizeof(cug_term)),
        .lists = cpu_take(m, K + 4 * px, sizeof(cug_term_list)),
    };
    return b;
}

static bwd_scratch scratch_of(const bwd_job *j, int part) {
    cug_cpu_scratch m = {j->threads + (size_t)part * j->stride, 0};
    return scratch(j->dev, j->g, &m);
}

static void bwd_layout(const cug_device *dev, const cug_cpu_conv *g, cug_cpu_scratch *m, bwd_job *j) {
    cug_cpu_scratch one = {0};
    scratch(dev, g, &one);
    j->stride = one.used;
    j->w_rows = cpu_take(m, (size_t)g->s.K * filter(g), sizeof(float));
    j->threads = cpu_take(m, (size_t)dev->threads * j->stride, 1);
}

size_t cug_cpu_conv_bwd_workspace(const cug_device *dev, const cug_cpu_conv *g) {
    cug_cpu_scratch m = {0};
    bwd_job j;
    bwd_layout(dev, g, &m, &j);
    return m.used;
}

/* Gradient before the activation of `count` pixels from flat pixel `at` on; with `db` adds it to that sum as well. */
static const float *before_activation(const bwd_job *j, bwd_scratch *b, size_t at, size_t count, int db) {
    size_t K = (size_t)j->g->s.K;
    const float *dy = j->t->dy + at * K;
    if (j->g->act != CUG_ACT_NONE) {
        j->dev->simd->act_bwd(b->g, dy, j->t->y + at * K, j->g->act, j->g->slope, 0, count * K);
        dy = b->g;
    }
    if (db) {
        memset(b->db_block, 0, K * sizeof(float));
        j->dev->simd->sum_rows(b->db_block, dy, count, K);
        j->dev->simd->axpy1(b->db, b->db_block, K);
    }
    return dy;
}

/* What a winner adds to its window's corner: (0,0) (0,1) (1,0) (1,1). */
static void ways(const cug_cpu_conv *g, int32_t way[4]) {
    for (int i = 0; i < 4; i++) way[i] = (i / 2 * g->Wp + i % 2) * g->s.C;
}

/* Weight and input gradients of pixels [i0, i0 + count) of one image, through lists. */
static void block_spans(const bwd_job *j, bwd_scratch *b, size_t n, size_t i0, size_t count, const float *image,
                        float *dx) {
    const cug_cpu_conv *g = j->g;
    int K = g->s.K, pixels = (int)count, n_ways = j->t->arg ? 4 : 1;
    ptrdiff_t row = (ptrdiff_t)g->Wp * g->s.C;
    size_t at = n * (size_t)g->PP * (size_t)g->QQ + i0;
    int32_t where[PIXELS], way[4];
    ways(g, way);
    for (size_t i = 0; i < count; i++)
        where[i] = (int32_t)cpu_conv_corner(g, (i0 + i) / (size_t)g->QQ, (i0 + i) % (size_t)g->QQ);
    const float *dy =
        before_activation(j, b, at, count, j->t->db && !(j->narrow && j->t->dw)); /* else image_narrow did */
    const uint8_t *arg = j->t->arg ? j->t->arg + at * (size_t)K : NULL;
    if (j->t->dw && !j->narrow) {
        j->dev->simd->lists_by_channel(b->terms, b->lists, dy, arg, where, way, pixels, K);
        for (int k = 0; k < K; k++) b->lists[k].dst = k * (int32_t)filter(g);
        j->dev->simd->spans(b->dw, g->span, image, row, b->terms, b->lists, K, g->s.R, g->span);
    }
    if (!dx) return;
    j->dev->simd->lists_by_pixel(b->terms, b->lists, dy, arg, where, way, n_ways, pixels, K, g->span);
    for (int r = 0; r < g->s.R; r++) /* one filter row at a time stays in the first cache */
        j->dev->simd->spans(dx + r * row, 0, j->w_rows + (size_t)r * (size_t)K * (size_t)g->span, 0, b->terms, b->lists,
                            pixels * n_ways, 1, g->span);
}

/* dw_row = sum over the row's pixels of input pixel times gradient vector; taps are the tile's pixels. */
static void narrow_tiles(const bwd_job *j, bwd_scratch *b, const float *corner, int rows, int cols) {
    const cug_cpu_conv *g = j->g;
    size_t W = cpu_panel(j->dev), Kp = padded_k(j->dev, g), taps = filter(g);
    size_t most = (size_t)j->dev->simd->tile_px, blocks = (taps + most - 1) / most;
    cug_tile t = {.a_row = (ptrdiff_t)g->Wp * g->s.C,
                  .a_step = (ptrdiff_t)g->s.stride_w * g->s.C,
                  .rows = rows,
                  .len = cols,
                  .c_step = (ptrdiff_t)Kp};
    for (size_t panel = 0; panel < Kp / W; panel++) {
        t.b = b->dense + panel * (size_t)rows * (size_t)cols * W;
        for (size_t i = 0; i < blocks; i++) {
            size_t tap0 = taps * i / blocks, tap1 = taps * (i + 1) / blocks;
            t.px = (int)(tap1 - tap0);
            for (size_t tap = tap0; tap < tap1; tap++)
                t.a_off[tap - tap0] = (ptrdiff_t)(tap / (size_t)g->span) * t.a_row + (ptrdiff_t)(tap % (size_t)g->span);
            cug_cpu_tile(j->dev, &t, corner, b->dw_row + tap0 * Kp + panel * W, NULL, W, 0);
        }
    }
}

/* Weight gradient of one image when spans are short: row by row, the gradient laid out densely. */
static void image_narrow(const bwd_job *j, bwd_scratch *b, size_t n, const float *image) {
    const cug_cpu_conv *g = j->g;
    size_t K = (size_t)g->s.K, W = cpu_panel(j->dev), Kp = padded_k(j->dev, g), Q = (size_t)g->QQ;
    size_t up = g->pool ? 2 : 1, dw_count = Kp * filter(g);
    memset(b->dw_image, 0, dw_count * sizeof(float));
    for (size_t p = 0; p < (size_t)g->PP; p++) {
        size_t at = (n * (size_t)g->PP + p) * Q;
        const float *dy = before_activation(j, b, at, Q, j->t->db != NULL);
        for (size_t k0 = 0; k0 < K; k0 += W)
            j->dev->simd->expand(b->dense + k0 * up * up * Q, (ptrdiff_t)(up * Q * W), dy + k0,
                                 j->t->arg ? j->t->arg + at * K + k0 : NULL, (int)Q, (int)K,
                                 (int)(K - k0 < W ? K - k0 : W));
        narrow_tiles(j, b, image + cpu_conv_corner(g, p, 0), (int)up, (int)(up * Q));
        j->dev->simd->axpy1(b->dw_image, b->dw_row, dw_count);
    }
    j->dev->simd->axpy1(b->dw, b->dw_image, dw_count);
}

/* Weight gradient of one image by patches: row of windows by row of windows. */
static void image_patches(const bwd_job *j, bwd_scratch *b, size_t n, const float *image) {
    const cug_cpu_conv *g = j->g;
    size_t K = (size_t)g->s.K, Q = (size_t)g->QQ, row = patch_row(g), width = (size_t)(j->patch * j->dev->simd->lanes);
    memset(b->dw_image, 0, K * width * sizeof(float));
    for (size_t p = 0; p < (size_t)g->PP; p++) {
        size_t at = (n * (size_t)g->PP + p) * Q;
        const float *dy = before_activation(j, b, at, Q, j->t->db != NULL);
        memcpy(b->rows, image + cpu_conv_corner(g, p, 0), (size_t)(g->s.R + 1) * row * sizeof(float));
        for (size_t i = 0; i < 2; i++)
            j->dev->simd->patches(b->dense + i * 2 * Q * width, b->rows + i * row, (ptrdiff_t)row, g->s.R, g->span,
                                  g->s.C, (int)(2 * Q), (int)width);
        j->dev->simd->patch_sums(b->dw_image, b->dense, dy, j->t->arg + at * K, (int)Q, (int)K, j->patch);
    }
    j->dev->simd->axpy1(b->dw, b->dw_image, K * width);
}

/* Where image n's input gradient is summed: in place, or in a frame with padding. */
static float *dx_begin(const bwd_job *j, bwd_scratch *b, size_t n) {
    size_t count = j->g->padded ? cpu_conv_frame(j->g) : cpu_conv_image(j->g);
    float *dx = j->g->padded ? b->dx_frame : j->t->dx + n * count;
    if (j->g->padded || !(j->t->accumulate & CUG_ACC_DX)) memset(dx, 0, count * sizeof *dx);
    return dx;
}

/* Takes the image out of its frame. */
static void dx_end(const bwd_job *j, const bwd_scratch *b, size_t n) {
    const cug_cpu_conv *g = j->g;
    if (!g->padded) return;
    size_t row = (size_t)g->s.W * (size_t)g->s.C;
    for (int h = 0; h < g->s.H; h++) {
        float *to = j->t->dx + n * cpu_conv_image(g) + (size_t)h * row;
        size_t at = ((size_t)(h + g->s.pad_top) * (size_t)g->Wp + (size_t)g->s.pad_left) * (size_t)g->s.C;
        if (j->t->accumulate & CUG_ACC_DX)
            j->dev->simd->axpy1(to, b->dx_frame + at, row);
        else
            memcpy(to, b->dx_frame + at, row * sizeof *to);
    }
}

/* Items are images. */
static void bwd_part(void *ctx, size_t lo, size_t hi, int part) {
    bwd_job *j = ctx;
    const cug_cpu_conv *g = j->g;
    bwd_scratch b = scratch_of(j, part);
    size_t K = (size_t)g->s.K, width = (size_t)(j->patch * j->dev->simd->lanes);
    memset(b.dw, 0, (width ? K * width : (j->narrow ? padded_k(j->dev, g) : K) * filter(g)) * sizeof *b.dw);
    if (width) memset(b.rows, 0, ((size_t)(g->s.R + 1) * patch_row(g) + (size_t)j->dev->simd->lanes) * sizeof *b.rows);
    memset(b.db, 0, (size_t)g->s.K * sizeof *b.db);
    if (g->padded) memset(b.frame, 0, cpu_conv_frame(g) * sizeof *b.frame);
    size_t pixels = (size_t)g->PP * (size_t)g->QQ, block = (size_t)block_pixels(g);
    int narrow_dw = j->narrow && j->t->dw;
    for (size_t n = lo; n < hi; n++) {
        const float *image = j->t->dw ? cug_cpu_conv_image_in(g, j->t->x, n, b.frame) : NULL;
        if (narrow_dw) (j->patch ? image_patches : image_narrow)(j, &b, n, image);
        if (narrow_dw && !j->t->dx) continue;
        float *dx = j->t->dx ? dx_begin(j, &b, n) : NULL;
        for (size_t i = 0; i < pixels; i += block)
            block_spans(j, &b, n, i, pixels - i < block ? pixels - i : block, image, dx);
        if (dx) dx_end(j, &b, n);
    }
}

typedef struct reduce_job {
    const bwd_job *bwd;
    int parts;
} reduce_job;

/* Items are output channels: the parts' sums, in their order. */
static void reduce_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    reduce_job *r = ctx;
    const bwd_job *j = r->bwd;
    const cug_cpu_conv_grads *t = j->t;
    int add = (t->accumulate & CUG_ACC_DW) != 0;
    size_t F = filter(j->g), Kp = padded_k(j->dev, j->g), width = (size_t)(j->patch * j->dev->simd->lanes);
    for (int i = 0; i < r->parts; i++) {
        bwd_scratch b = scratch_of(j, i);
        for (size_t k = lo; k < hi && t->db; k++) t->db[k] = i || add ? t->db[k] + b.db[k] : b.db[k];
        if (!t->dw) continue;
        for (size_t k = lo; k < hi; k++) {
            float *dw = t->dw + k * F;
            const float *from = b.dw + (j->narrow && !width ? k : k * (width ? width : F));
            if (j->narrow && !width)
                for (size_t f = 0; f < F; f++) dw[f] = i || add ? dw[f] + from[f * Kp] : from[f * Kp];
            else if (i || add)
                j->dev->simd->axpy1(dw, from, F);
            else
                memcpy(dw, from, F * sizeof *dw);
        }
    }
}

static void by_rows(const bwd_job *j) {
    size_t R = (size_t)j->g->s.R, K = (size_t)j->g->s.K, span = (size_t)j->g->span;
    for (size_t r = 0; r < R; r++)
        for (size_t k = 0; k < K; k++)
            memcpy(j->w_rows + (r * K + k) * span, j->t->w + (k * R + r) * span, span * sizeof(float));
}

void cug_cpu_conv_bwd(const cug_device *dev, void *workspace, const cug_cpu_conv *g, const cug_cpu_conv_grads *t) {
    cug_cpu_scratch m = {workspace, 0};
    bwd_job j = {.dev = dev, .g = g, .t = t, .narrow = is_narrow(dev, g), .patch = patch_vectors(dev, g)};
    bwd_layout(dev, g, &m, &j);
    if (t->dx) by_rows(&j);
    size_t work = (size_t)g->PP * (size_t)g->QQ * (size_t)g->s.K * filter(g), grain = 2 * CUG_CPU_GRAIN / work + 1;
    cug_cpu_run(dev, (size_t)g->s.N, grain, bwd_part, &j);
    reduce_job r = {&j, cug_cpu_parts(dev, (size_t)g->s.N, grain)};
    cug_cpu_run(dev, (size_t)g->s.K, CUG_CPU_GRAIN / filter(g) + 1, reduce_part, &r);
}
