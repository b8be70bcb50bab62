/* gemm.c - packing into panels and the loop over tiles. */
#include "cpu/gemm.h"
#include <string.h>

#define LEN_CHUNK 400    /* most terms of a tile: packed where they are used, they stay in the nearest caches */
#define MACS_GRAIN 65536 /* multiply-adds that pay for a thread */
#define BLOCKS_A_THREAD 4
#define STILL_MOST ((size_t)1 << 20) /* bytes */

/* `len` rows of one panel out of b, whose first wanted row and column b is. */
static void pack_panel(const cug_device *dev, float *to, const float *b, size_t bl, size_t bn, size_t len,
                       size_t cols) {
    if (bn == 1)
        dev->simd->pack(to, b, bl, len, cols);
    else
        dev->simd->pack_transposed(to, b, bn, len, cols);
}

void cug_cpu_pack(const cug_device *dev, float *packed, const float *b, size_t bl, size_t bn, size_t len, size_t cols) {
    size_t W = cpu_panel(dev);
    for (size_t n = 0; n < cols; n += W)
        pack_panel(dev, packed + n * len, b + n * bn, bl, bn, len, cols - n < W ? cols - n : W);
}

void cug_cpu_tile(const cug_device *dev, cug_tile *t, const float *a, float *c, uint8_t *arg, size_t cols,
                  int windows) {
    int lanes = dev->simd->lanes;
    t->vectors = (int)cols <= lanes ? 1 : 2;
    t->spare = t->vectors * lanes - (int)cols;
    if (windows)
        dev->simd->tile_pool(t, a, c, arg);
    else
        dev->simd->tile(t, a, c);
}

typedef struct gemm_job {
    const cug_device *dev;
    const cug_cpu_gemm *g;
    size_t blocks; /* of rows */
    int by_rows;   /* a part is some rows of all panels, not some panels */
} gemm_job;

/* Row blocks [b0, b1) of one panel. */
static void panel_rows(const gemm_job *j, size_t panel, size_t b0, size_t b1) {
    const cug_cpu_gemm *g = j->g;
    size_t W = cpu_panel(j->dev), n0 = panel * W, cols = g->N - n0 < W ? g->N - n0 : W;
    float bias[CUG_PANEL_MAX] = {0};
    _Alignas(64) float packed[LEN_CHUNK * CUG_PANEL_MAX];
    if (g->bias) memcpy(bias, g->bias + n0, cols * sizeof *bias);
    cug_tile t = {.a_step = (ptrdiff_t)g->al, .b = packed, .rows = 1, .c_step = (ptrdiff_t)g->N};
    for (int i = 0; i < CUG_TILE_PX; i++) t.a_off[i] = i * (ptrdiff_t)g->am;
    size_t chunks = (g->L + LEN_CHUNK - 1) / LEN_CHUNK;
    for (size_t k = 0; k < chunks; k++) {
        size_t l = g->L * k / chunks, len = g->L * (k + 1) / chunks - l;
        pack_panel(j->dev, packed, g->b + l * g->bl + n0 * g->bn, g->bl, g->bn, len, cols);
        t.len = (int)len;
        t.add = l > 0 || g->add;
        t.bias = !t.add && g->bias ? bias : NULL;
        for (size_t b = b0; b < b1; b++) {
            size_t m0 = g->M * b / j->blocks, m1 = g->M * (b + 1) / j->blocks;
            t.px = (int)(m1 - m0);
            cug_cpu_tile(j->dev, &t, g->a + m0 * g->am + l * g->al, g->c + m0 * g->N + n0, NULL, cols, 0);
        }
    }
}

/* Items are blocks of rows, or (panel, block of rows). */
static void gemm_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    gemm_job *j = ctx;
    if (j->by_rows) {
        for (size_t panel = 0; panel < cpu_panels(j->dev, j->g->N); panel++) panel_rows(j, panel, lo, hi);
        return;
    }
    while (lo < hi) {
        size_t panel = lo / j->blocks, b0 = lo % j->blocks, b1 = hi - panel * j->blocks;
        if (b1 > j->blocks) b1 = j->blocks;
        panel_rows(j, panel, b0, b1);
        lo += b1 - b0;
    }
}

/* Each thread takes some panels, and needs all rows of a; half of them another core has just written. Where b stays
 * from call to call and fits each core's second cache, it takes some rows instead, as the op before did, and packs all
 * of b. */
void cug_cpu_gemm_run(const cug_device *dev, const cug_cpu_gemm *g) {
    size_t px = (size_t)dev->simd->tile_px, panels = cpu_panels(dev, g->N), threads = (size_t)dev->threads;
    gemm_job j = {dev, g, (g->M + px - 1) / px, 0};
    size_t items = panels * j.blocks, macs = px * cpu_panel(dev) * g->L;
    if (g->still && threads > 1 && j.blocks >= BLOCKS_A_THREAD * threads && g->N * g->L * sizeof *g->b <= STILL_MOST) {
        j.by_rows = 1;
        items = j.blocks = (j.blocks + threads - 1) / threads * threads;
        macs *= panels;
    }
    cug_cpu_run(dev, items, MACS_GRAIN / macs + 1, gemm_part, &j);
}

typedef struct sums_job {
    const cug_device *dev;
    float *y;
    const float *x;
    size_t rows, cols;
    int add;
} sums_job;

#define GROUP 64       /* columns of an item */
#define ROWS_A_SUM 128 /* float sums no longer than this go into a double */

static void sums_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    sums_job *j = ctx;
    for (size_t group = lo; group < hi; group++) {
        size_t c0 = group * GROUP, n = j->cols - c0 < GROUP ? j->cols - c0 : GROUP;
        double total[GROUP] = {0};
        for (size_t m = 0; m < j->rows; m += ROWS_A_SUM) {
            float sum[GROUP] = {0};
            size_t end = m + ROWS_A_SUM < j->rows ? m + ROWS_A_SUM : j->rows;
            for (size_t r = m; r < end; r++) j->dev->simd->axpy1(sum, j->x + r * j->cols + c0, n);
            for (size_t c = 0; c < n; c++) total[c] += (double)sum[c];
        }
        for (size_t c = 0; c < n; c++) j->y[c0 + c] = (float)(total[c] + (j->add ? (double)j->y[c0 + c] : 0));
    }
}

void cug_cpu_column_sums(const cug_device *dev, float *y, const float *x, size_t rows, size_t cols, int add) {
    sums_job j = {dev, y, x, rows, cols, add};
    cug_cpu_run(dev, (cols + GROUP - 1) / GROUP, CUG_CPU_GRAIN / GROUP / rows + 1, sums_part, &j);
}
