/* conv_bwd.c - gradients of a convolution, image by image. Most of the output gradient is zero after pooling and ReLU,
 * so it is never stored in full: blocks of pixels become lists of nonzero terms, and each list adds up contiguous spans
 * (simd/spans.c). Where spans are too short for that, or hardly anything is zero, the weight gradient is summed with
 * output channels in lanes instead (simd/taps.c). A zero gradient counts as nothing even against an infinite or NaN
 * factor; such a step's loss is not finite anyway. */
#include "cpu/conv.h"
#include <string.h>

#define PIXELS 64 /* of a block: its lists stay in cache, and a sum over it is short */
#define NEAR 8192 /* floats that stay in the first cache */

typedef struct bwd_job {
    const cug_device *dev;
    const cug_cpu_conv *g;
    const cug_cpu_conv_grads *t;
    char *threads; /* `stride` bytes for each part */
    size_t stride;
    int narrow;
} bwd_job;

/* One part's own memory. */
typedef struct bwd_scratch {
    float *w_rows;           /* (R,K,span): filters by row */
    float *frame, *dx_frame; /* padded images */
    float *g;                /* (PIXELS,K): gradient before the activation */
    float *dw, *db;          /* this part's sums; narrow: dw is (R*span, K) and so is the next */
    float *dw_image;
    float *db_block;
    float *quads; /* of an image; narrow and with pooling */
    cug_terms terms;
    cug_term_list *lists;
} bwd_scratch;

static size_t filter(const cug_cpu_conv *g) { return (size_t)g->s.R * (size_t)g->span; }
static int block_pixels(const cug_cpu_conv *g) { return g->PP * g->QQ < PIXELS ? g->PP * g->QQ : PIXELS; }
/* Whether the weight gradient is summed by taps. Short spans leave lanes idle; and without pooling there are fewer
 * zeros that lists could leave out, without an activation hardly any, which pays for spans up to a length that was
 * measured. */
static int is_narrow(const cug_device *dev, const cug_cpu_conv *g) {
    const cug_simd *simd = dev->simd;
    return g->span < simd->lanes * (g->pool ? 1 : g->act != CUG_ACT_NONE ? 3 : 2 * simd->tile_px / 3);
}
/* Input values that a window's corner may meet with its first pixel. */
static size_t quad_count(const cug_cpu_conv *g) { return cpu_conv_frame(g) - (size_t)(g->Wp + 1) * (size_t)g->s.C; }

static bwd_scratch scratch(const cug_device *dev, const cug_cpu_conv *g, cug_cpu_scratch *m) {
    size_t K = (size_t)g->s.K, px = (size_t)block_pixels(g), f = sizeof(float);
    size_t frame = g->padded ? cpu_conv_frame(g) : 0;
    int narrow = is_narrow(dev, g);
    size_t terms = K * cpu_round_up(px, CUG_LIST_STEP) + CUG_LIST_STEP;
    bwd_scratch b = {
        .w_rows = cpu_take(m, K * filter(g), f),
        .frame = cpu_take(m, frame, f),
        .dx_frame = cpu_take(m, frame, f),
        .g = cpu_take(m, px * K, f),
        .dw = cpu_take(m, K * filter(g), f),
        .db = cpu_take(m, K, f),
        .dw_image = cpu_take(m, narrow ? K * filter(g) : 0, f),
        .db_block = cpu_take(m, K, f),
        .quads = cpu_take(m, narrow && g->pool ? 4 * quad_count(g) + (size_t)dev->simd->lanes : 0, f),
        .terms = {cpu_take(m, terms, f), cpu_take(m, terms, sizeof(int32_t))},
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

/* Pixels of one image whose terms are listed together. */
typedef struct pixel_block {
    const float *dy; /* before the activation */
    const uint8_t *arg;
    int count;
    int32_t where[PIXELS]; /* their corners */
    int32_t way[4];        /* what a window's winner adds to that: (0,0) (0,1) (1,0) (1,1) */
} pixel_block;

static pixel_block block_at(const bwd_job *j, bwd_scratch *b, size_t n, size_t i0, int db) {
    const cug_cpu_conv *g = j->g;
    size_t Q = (size_t)g->QQ, pixels = (size_t)g->PP * Q, at = n * pixels + i0, most = (size_t)block_pixels(g);
    size_t count = pixels - i0 < most ? pixels - i0 : most;
    pixel_block px = {.dy = before_activation(j, b, at, count, db),
                      .arg = j->t->arg ? j->t->arg + at * (size_t)g->s.K : NULL,
                      .count = (int)count};
    for (size_t i = 0, p = i0 / Q, q = i0 % Q; i < count; i++) {
        px.where[i] = (int32_t)cpu_conv_corner(g, p, q);
        if (++q == Q) p++, q = 0;
    }
    for (int i = 0; i < 4; i++) px.way[i] = (i / 2 * g->Wp + i % 2) * g->s.C;
    return px;
}

static void block_dw(const bwd_job *j, bwd_scratch *b, const pixel_block *px, const float *image) {
    const cug_cpu_conv *g = j->g;
    const cug_simd *simd = j->dev->simd;
    simd->lists_by_channel(b->terms, b->lists, px->dy, px->arg, px->where, px->way, px->count, g->s.K);
    for (int k = 0; k < g->s.K; k++) b->lists[k].dst = k * (int32_t)filter(g);
    simd->spans(b->dw, g->span, image, (ptrdiff_t)g->Wp * g->s.C, b->terms, b->lists, g->s.K, g->s.R, g->span);
}

static void block_dx(const bwd_job *j, bwd_scratch *b, const pixel_block *px, float *dx) {
    const cug_cpu_conv *g = j->g;
    const cug_simd *simd = j->dev->simd;
    int K = g->s.K, ways = j->t->arg ? 4 : 1;
    ptrdiff_t row = (ptrdiff_t)g->Wp * g->s.C, of_w = (ptrdiff_t)K * g->span;
    /* All of the filters' rows at once where they stay in the first cache, else row by row, since one does. */
    int together = (size_t)K * filter(g) <= NEAR ? g->s.R : 1;
    simd->lists_by_pixel(b->terms, b->lists, px->dy, px->arg, px->where, px->way, ways, px->count, K, g->span);
    for (int r = 0; r < g->s.R; r += together)
        simd->spans(dx + r * row, row, b->w_rows + r * of_w, of_w, b->terms, b->lists, px->count * ways, together,
                    g->span);
}

/* Weight gradient of one image when spans are short: sums over blocks of some rows, or of a part of a long one. */
static void image_narrow(const bwd_job *j, bwd_scratch *b, size_t n, const float *image) {
    const cug_cpu_conv *g = j->g;
    size_t K = (size_t)g->s.K, P = (size_t)g->PP, Q = (size_t)g->QQ, wide = g->pool ? 4 : 1;
    size_t rows = Q < PIXELS ? PIXELS / Q : 1, cols = Q < PIXELS ? Q : PIXELS;
    ptrdiff_t row = (ptrdiff_t)((size_t)g->Wp * (size_t)g->s.C * wide), step = (ptrdiff_t)((size_t)g->s.C * wide);
    int one = P * Q <= PIXELS; /* block makes the image */
    if (g->pool) j->dev->simd->quads(b->quads, image, g->s.C, (ptrdiff_t)g->Wp * g->s.C, quad_count(g));
    cug_taps t = {.tap_row = row,
                  .row = row * (g->pool ? 2 : g->s.stride_h),
                  .step = step * (g->pool ? 2 : g->s.stride_w),
                  .R = g->s.R,
                  .span = g->span,
                  .K = g->s.K,
                  .slope = g->act == CUG_ACT_LEAKY_RELU ? g->slope : 0,
                  .dw = one ? b->dw : b->dw_image,
                  .db = j->t->db ? b->db : NULL};
    if (!one) memset(b->dw_image, 0, K * filter(g) * sizeof(float));
    for (size_t p = 0; p < P; p += rows)
        for (size_t q = 0; q < Q; q += cols) {
            size_t at = ((n * P + p) * Q + q) * K;
            t.x = (g->pool ? b->quads : image) + cpu_conv_corner(g, p, q) * wide;
            t.rows = (int)(P - p < rows ? P - p : rows);
            t.cols = (int)(Q - q < cols ? Q - q : cols);
            t.dy = j->t->dy + at;
            t.y = g->act == CUG_ACT_NONE ? NULL : j->t->y + at;
            t.arg = g->pool ? j->t->arg + at : NULL;
            j->dev->simd->tap_sums(&t);
        }
    if (!one) j->dev->simd->axpy1(b->dw, b->dw_image, K * filter(g));
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

/* Gradients of one image through lists: all but what image_narrow makes. */
static void image_lists(const bwd_job *j, bwd_scratch *b, size_t n, const float *image) {
    const cug_cpu_conv *g = j->g;
    int by_taps = j->narrow && j->t->dw;
    float *dx = j->t->dx ? dx_begin(j, b, n) : NULL;
    for (int i = 0; i < g->PP * g->QQ; i += block_pixels(g)) {
        pixel_block px = block_at(j, b, n, (size_t)i, j->t->db && !by_taps);
        if (j->t->dw && !by_taps) block_dw(j, b, &px, image);
        if (dx) block_dx(j, b, &px, dx);
    }
    if (dx) dx_end(j, b, n);
}

static void by_rows(const bwd_job *j, float *to) {
    size_t R = (size_t)j->g->s.R, K = (size_t)j->g->s.K, span = (size_t)j->g->span;
    for (size_t r = 0; r < R; r++)
        for (size_t k = 0; k < K; k++)
            memcpy(to + (r * K + k) * span, j->t->w + (k * R + r) * span, span * sizeof(float));
}

/* Items are images. */
static void bwd_part(void *ctx, size_t lo, size_t hi, int part) {
    bwd_job *j = ctx;
    const cug_cpu_conv *g = j->g;
    bwd_scratch b = scratch_of(j, part);
    if (j->t->dx) by_rows(j, b.w_rows);
    memset(b.dw, 0, (size_t)g->s.K * filter(g) * sizeof *b.dw);
    memset(b.db, 0, (size_t)g->s.K * sizeof *b.db);
    if (g->padded) memset(b.frame, 0, cpu_conv_frame(g) * sizeof *b.frame);
    int by_taps = j->narrow && j->t->dw;
    for (size_t n = lo; n < hi; n++) {
        const float *image = j->t->dw ? cug_cpu_conv_image_in(g, j->t->x, n, b.frame) : NULL;
        if (by_taps) image_narrow(j, &b, n, image);
        if (!by_taps || j->t->dx) image_lists(j, &b, n, image);
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
    size_t F = filter(j->g), K = (size_t)j->g->s.K;
    for (int i = 0; i < r->parts; i++) {
        bwd_scratch b = scratch_of(j, i);
        for (size_t k = lo; k < hi && t->db; k++) t->db[k] = i || add ? t->db[k] + b.db[k] : b.db[k];
        if (!t->dw) continue;
        for (size_t k = lo; k < hi; k++) {
            float *dw = t->dw + k * F;
            const float *from = b.dw + (j->narrow ? k : k * F);
            if (j->narrow)
                for (size_t f = 0; f < F; f++) dw[f] = i || add ? dw[f] + from[f * K] : from[f * K];
            else if (i || add)
                j->dev->simd->axpy1(dw, from, F);
            else
                memcpy(dw, from, F * sizeof *dw);
        }
    }
}

void cug_cpu_conv_bwd(const cug_device *dev, void *workspace, const cug_cpu_conv *g, const cug_cpu_conv_grads *t) {
    cug_cpu_scratch m = {workspace, 0};
    bwd_job j = {.dev = dev, .g = g, .t = t, .narrow = is_narrow(dev, g)};
    bwd_layout(dev, g, &m, &j);
    size_t work = (size_t)g->PP * (size_t)g->QQ * (size_t)g->s.K * filter(g), grain = 2 * CUG_CPU_GRAIN / work + 1;
    cug_cpu_run(dev, (size_t)g->s.N, grain, bwd_part, &j);
    reduce_job r = {&j, cug_cpu_parts(dev, (size_t)g->s.N, grain)};
    cug_cpu_run(dev, (size_t)g->s.K, CUG_CPU_GRAIN / filter(g) + 1, reduce_part, &r);
}
