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
 * + l) * 2 * lanes + k]. Columns are those of one (vectors = 1) or two vectors less the last `spare`, which are neither
 * written nor, by half vectors, computed. */
#define CUG_TILE_PX 12
typedef struct cug_tile {
    ptrdiff_t a_off[CUG_TILE_PX];
    ptrdiff_t a_row, a_step; /* a_step is 1 for tile_pool */
    const float *b;
    int rows, len;
    int px, vectors, spare; /* spare < lanes */
    const float *bias;      /* start values of whole vectors' columns, or NULL */
    int add;                /* start from what c holds (then bias is NULL) */
    ptrdiff_t c_step;
    cug_act_kind act; /* NONE, RELU or LEAKY_RELU, on the finished sum */
    float slope;
} cug_tile;

#define CUG_LIST_STEP 16
/* Terms of sparse sums: factors, and where the spans of the source start that they belong to. */
typedef struct cug_terms {
    float *g;
    int32_t *off;
} cug_terms;

/* Terms [begin, begin + count) go to the destination at `dst`. */
typedef struct cug_term_list {
    int32_t begin, count, dst;
} cug_term_list;

/* Gradients of one filter row after another from `rows` by `cols` pixels: with g = dy times the activation's
 * derivative, dw[(r * span + s) * K + k] += sum of g[p][q][k] * x[r * tap_row + p * row + q * step + s], db[k] += sum
 * of g. With arg, x holds quads, all its strides count floats, and arg[p][q][k] says which of a quad is meant. */
typedef struct cug_taps {
    const float *x;
    ptrdiff_t tap_row, row, step;
    int R, span;
    int rows, cols, K;
    const float *dy, *y; /* (rows, cols, K); y NULL: no activation */
    const uint8_t *arg;  /* likewise, or NULL */
    float slope;         /* derivative where y <= 0 */
    float *dw, *db;      /* db may be NULL */
} cug_taps;

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
    /* The same with one vector, whose columns in use are the K channels of a window's left column, then those of its
     * right one: pixels 2w and 2w+1 are its upper and lower row. c and arg: (windows, K). */
    void (*tile_pool_pairs)(const cug_tile *t, const float *a, float *c, uint8_t *arg);
    /* For each list: dst[list.dst + j * dst_row + l] += sum_i g_i * src[off_i + j * src_row + l], j < rows, l < len. */
    void (*spans)(float *dst, ptrdiff_t dst_row, const float *src, ptrdiff_t src_row, cug_terms terms,
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

    /* Lists of the nonzero g (pixels, K) for spans(). By channel: list k holds its pixels, at most `pixels`, each with
     * the offset of the input under its window; by pixel: list pixel * ways + arg holds its channels, with the offset k
     * * len. `where` (pixels) is each pixel's place in the image, way[arg] what the winner of a window adds (arg NULL:
     * way[0]). terms: room for K times pixels, these rounded up to CUG_LIST_STEP, and CUG_LIST_STEP more. */
    void (*lists_by_channel)(cug_terms terms, cug_term_list *lists, const float *g, const uint8_t *arg,
                             const int32_t *where, const int32_t *way, int pixels, int K);
    void (*lists_by_pixel)(cug_terms terms, cug_term_list *lists, const float *g, const uint8_t *arg,
                           const int32_t *where, const int32_t *way, int ways, int pixels, int K, int len);
    /* Few channels. quads: to[4 * i] to [4 * i + 3] = x[i], x[i + right], x[i + down], x[i + down + right]; `to` is
     * aligned and has `lanes` floats more behind, which tap_sums may read. */
    void (*quads)(float *to, const float *x, ptrdiff_t right, ptrdiff_t down, size_t n);
    void (*tap_sums)(const cug_taps *t);
    /* A panel (tile's b) of `cols` columns out of b: to[l][c] = b[l * row + c], or transposed b[c * row + l]; zeros
     * past cols. */
    void (*pack)(float *to, const float *b, size_t row, size_t len, size_t cols);
    void (*pack_transposed)(float *to, const float *b, size_t row, size_t len, size_t cols);
    /* Winograd's F(2x2,3x3), 16 points. wino_input: a row of Q blocks out of four image rows, `row` apart; point p of
     * block q goes to v + p * v_point + q * C, and up to `lanes` floats behind it are written; t: room for 4 * ((2Q +
     * 2)
     * * C + lanes). wino_filter: one panel of filters (9,C,2 * lanes) to (16,C,2 * lanes). wino_pool: products m
     * (16,CUG_TILE_PX,2 * lanes) of `blocks` blocks, with bias (2 * lanes), activation and maximum, to c[i * c_step +
     * k] and the winners to arg (NULL: not wanted), k < cols. */
    void (*wino_input)(float *v, size_t v_point, float *t, const float *x, ptrdiff_t row, int Q, int C);
    void (*wino_filter)(float *u, const float *packed, int C);
    void (*wino_pool)(float *c, uint8_t *arg, ptrdiff_t c_step, const float *m, int blocks, int cols, const float *bias,
                      cug_act_kind act, float slope);
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
