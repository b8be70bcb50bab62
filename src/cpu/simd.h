/* simd.h - the inner loops of the cpu backend, one table for each instruction set. The sources in simd/ are compiled
 * once for each; device.c picks a table when the device is opened. All memory is float32 unless said. */
#ifndef CUG_CPU_SIMD_H
#define CUG_CPU_SIMD_H

#include <cuglyph/activation.h>
#include <cuglyph/optimizer.h>
#include <stddef.h>
#include <stdint.h>

/* A dense block of outputs, for convolution and matrix products alike: `px` rows (pixels, samples) by one panel of
 * columns (output channels), c[i][k] = sum over j < rows, l < len of a[a_off[i] + j * a_row + l * a_step] * b[(j * len
 * + l) * 2 * lanes + k]. Always computes whole vectors: one (vectors = 1) or two; the caller gives room for them. */
#define CUG_TILE_PX 12
#define CUG_PATCH_VECTORS 4
typedef struct cug_tile {
    ptrdiff_t a_off[CUG_TILE_PX];
    ptrdiff_t a_row, a_step; /* a_step is 1 for tile_pool */
    const float *b;
    int rows, len;
    int px, vectors;
    const float *bias; /* columns' start values, or NULL */
    int add;           /* start from what c holds (then bias is NULL) */
    ptrdiff_t c_step;
    cug_act_kind act; /* NONE, RELU or LEAKY_RELU, on the finished sum */
    float slope;
} cug_tile;

/* One term of a sparse sum: factor and where its span of the source starts. */
typedef struct cug_term {
    float g;
    int32_t off;
} cug_term;

/* Terms [begin, begin + count) go to the destination at `dst`. */
typedef struct cug_term_list {
    int32_t begin, count, dst;
} cug_term_list;

/* Constants of one optimizer update, worked out on the host from cug_opt_params and cug_step. */
typedef struct cug_update {
    cug_opt_kind kind;
    float scale;      /* by clip_norm; 1 when off */
    float clip_value; /* INFINITY when off */
    float l1, l2;     /* 0 where the run does not decay */
    float keep;       /* weights are multiplied by this first: 1 - lr * weight_decay */
    float lr, momentum, beta1, beta2, eps;
    float lr1, inv2; /* lr / c1, 1 / c2 */
} cug_update;

typedef struct cug_simd {
    const char *name; /* "AVX-512" */
    int lanes;        /* floats of a vector; a panel is two */
    int tile_px;      /* most pixels of a tile */
    int pool_windows; /* most 2x2 windows of a pooling tile */

    void (*tile)(const cug_tile *t, const float *a, float *c);
    /* The same with pixels 4w..4w+3 one pooling window: c[w][k] = max, arg[w][k] = which of the four (NULL: not
     * wanted). */
    void (*tile_pool)(const cug_tile *t, const float *a, float *c, uint8_t *arg);
    /* For each list: dst[list.dst + j * dst_row + l] += sum_i g_i * src[off_i + j * src_row + l], j < rows, l < len. */
    void (*spans)(float *dst, ptrdiff_t dst_row, const float *src, ptrdiff_t src_row, const cug_term *terms,
                  const cug_term_list *lists, int n_lists, int rows, int len);

    void (*axpy1)(float *y, const float *x, size_t n);               /* y += x */
    void (*sum)(float *y, const float *a, const float *b, size_t n); /* y = a + b */
    void (*add_row)(float *y, const float *x, const float *b, size_t rows, size_t cols);
    void (*normalize)(float *y, const uint8_t *u, float scale, float shift, size_t n);
    /* The same of images ids[0], ids[1], ... of `size` pixels each, one after the other into y. */
    void (*normalize_images)(float *y, const uint8_t *images, const int32_t *ids, float scale, float shift, size_t n,
                             size_t size);
    void (*act_fwd)(float *y, const float *x, cug_act_kind kind, float slope, size_t n); /* not SIGMOID, TANH */
    void (*act_bwd)(float *dx, const float *dy, const float *of, cug_act_kind kind, float slope, int add, size_t n);
    void (*exps)(double *x, size_t n); /* x = exp(x), x <= 0 or NaN */
    double (*sum_squares)(const float *g, size_t n);
    /* MUON is the first part of a matrix's step: m is updated, u = g + mu * m goes to v. */
    void (*update)(float *w, float *m, float *v, const float *g, const cug_update *u, size_t n);

    void (*pool_max)(float *y, uint8_t *arg, const float *x, size_t n, int which); /* one step of a running maximum */
    void (*pool_max_bwd)(float *dx, const float *dy, const uint8_t *arg, int which, size_t n); /* dx += dy where arg */
    void (*axpy)(float *y, float a, const float *x, size_t n);                                 /* y += a x */

    /* One panel of a row of g (Q,K), `cols` columns wide: e[q][k] = g[q * K + k], then zeros. With arg, two rows of the
     * convolution, e_row apart: e[i / 2][2q + i % 2][k] = g where arg is i, else 0. */
    void (*expand)(float *e, ptrdiff_t e_row, const float *g, const uint8_t *arg, int Q, int K, int cols);
    /* Lists of the nonzero g (pixels, K) for spans(). By channel: list k holds its pixels, at most `pixels`, each with
     * the offset of the input under its window; by pixel: list pixel * ways + arg holds its channels, with the offset k
     * * len. `where` (pixels) is each pixel's place in the image, way[arg] what the winner of a window adds (arg NULL:
     * way[0]). terms: room for K * (pixels + 1), or pixels * K + 16. */
    void (*lists_by_channel)(cug_term *terms, cug_term_list *lists, const float *g, const uint8_t *arg,
                             const int32_t *where, const int32_t *way, int pixels, int K);
    void (*lists_by_pixel)(cug_term *terms, cug_term_list *lists, const float *g, const uint8_t *arg,
                           const int32_t *where, const int32_t *way, int ways, int pixels, int K, int len);
    /* Few channels behind pooling. A patch is the R stretches of `span` floats, `row` apart, that a filter meets; that
     * of column q starts at x + q * step and goes to e + q * width. Reads and writes up to `lanes` floats past the
     * last. patch_sums: dw[k * width + f] += sum over q < Q of g[q * K + k] times patch (arg % 2) + 2q of row arg / 2
     * of the two rows of 2Q patches in e; width is `vectors` (at most CUG_PATCH_VECTORS) whole vectors. */
    void (*patches)(float *e, const float *x, ptrdiff_t row, int R, int span, int step, int cols, int width);
    void (*patch_sums)(float *dw, const float *e, const float *g, const uint8_t *arg, int Q, int K, int vectors);
    /* A panel (tile's b) of `cols` columns out of b: to[l][c] = b[l * row + c], or transposed b[c * row + l]; zeros
     * past cols. */
    void (*pack)(float *to, const float *b, size_t row, size_t len, size_t cols);
    void (*pack_transposed)(float *to, const float *b, size_t row, size_t len, size_t cols);
    /* Sums and maps over rows of `width` columns, a multiple of four vectors, with constants for each column.
     * s = sum of d, q of d * d, d = x - mean; s = sum of g, q of g * (x - mean). */
    void (*moments)(float *s, float *q, const float *x, const float *mean, size_t rows, size_t width);
    void (*comoments)(float *s, float *q, const float *g, const float *x, const float *mean, size_t rows, size_t width);
    /* y (+)= (x - mean) a + b; dx (+)= g a + (x - mean) b + c. */
    void (*affine)(float *y, const float *x, const float *mean, const float *a, const float *b, int add, size_t rows,
                   size_t width);
    void (*affine2)(float *dx, const float *g, const float *x, const float *mean, const float *a, const float *b,
                    const float *c, int add, size_t rows, size_t width);
    void (*sum_rows)(float *y, const float *x, size_t rows, size_t cols); /* y[c] += sum_m x[m * cols + c] */

    /* For measuring: `rounds` times one step of independent multiply-add chains in registers, enough of them to hide
     * each one's latency; their sum. Floating-point operations of a round: 2 * lanes * fma_chains. */
    float (*fma)(int rounds);
    int fma_chains;
} cug_simd;

extern const cug_simd cug_simd_base, cug_simd_avx2, cug_simd_avx512;

#endif
