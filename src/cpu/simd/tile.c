/* tile.c - the dense register block behind every convolution and matrix product: up to 12 pixels by two vectors of
 * output channels stay in registers while filters stream past and inputs are broadcast. */
#include "cpu/simd/part.h"
#include "cpu/simd/window.h"

/* Terms added up in registers before they go to a running total: short chains keep float sums accurate (the error grows
 * with the number of additions at the sum's final size). A filter row may be a little longer. */
#define CHAIN 64
#define CHAIN_ROW 96
#define KEPT 6 /* pixels whose pointers are kept in registers: with all 12, the compiler spills to vector registers */

/* Where a tile's pixels are: anywhere, by a_off; or as windows two floats apart, a_off[1] between their rows, so that
 * two pointers reach all. */
typedef enum { ANYWHERE, WINDOWS_IN_A_ROW } places;

/* Widths count half vectors. Half of 512 bits costs half as much on processors that do them in two steps, and never
 * more; half of 256 bits costs as much as all. */
#if defined CUG_ISA_avx512
#define HALVES 1
typedef float vh __attribute__((vector_size(2 * V)));
typedef float vh_mem __attribute__((vector_size(2 * V), aligned(4), may_alias));
CUG_INLINE vf widen(vh x) { return (vf)_mm512_castps256_ps512((__m256)x); } /* anything in the upper half */
#else
#define HALVES 0
typedef vf vh;
typedef vf_mem vh_mem;
CUG_INLINE vf widen(vh x) { return x; }
#endif

/* The first width / 2 of a pixel's vectors are whole ones; the next, if width is odd, is a half one. */
typedef struct sums {
    vf whole[CUG_TILE_PX][2];
    vh half[CUG_TILE_PX];
} sums;

CUG_INLINE void clear(sums *s, int px, int width) {
#pragma GCC unroll 12
    for (int i = 0; i < px; i++) {
#pragma GCC unroll 2
        for (int v = 0; v < width / 2; v++) s->whole[i][v] = (vf){0};
        if (width % 2) s->half[i] = (vh){0};
    }
}

CUG_INLINE void add(sums *s, const sums *x, int px, int width) {
#pragma GCC unroll 12
    for (int i = 0; i < px; i++) {
#pragma GCC unroll 2
        for (int v = 0; v < width / 2; v++) s->whole[i][v] += x->whole[i][v];
        if (width % 2) s->half[i] += x->half[i];
    }
}

/* s += n terms from place `at` of the pixels and b. */
CUG_INLINE void chain(sums *s, int px, int width, places where, const float *const *p, ptrdiff_t at, ptrdiff_t a_step,
                      const float *b, int n) {
    for (const float *end = b + n * CUG_PANEL; b < end; b += CUG_PANEL, at += a_step) {
        vf b0 = {0}, b1 = {0};
        vh bh = {0};
        if (width >= 2) b0 = vload(b);
        if (width == 4) b1 = vload(b + V);
        if (width % 2) bh = *(const vh_mem *)(b + width / 2 * V);
#pragma GCC unroll 12
        for (int i = 0; i < px; i++) {
            float x = where == WINDOWS_IN_A_ROW ? p[i % 2][at + i / 2 * 2]
                      : i < KEPT                ? p[i][at]
                                                : ((const float *const volatile *)p)[i][at];
            if (width >= 2) s->whole[i][0] += vset(x) * b0;
            if (width == 4) s->whole[i][1] += vset(x) * b1;
            if (width % 2) s->half[i] += (x - (vh){0}) * bh;
        }
    }
}

/* s = the tile's sum in chains, their totals resting in memory, out of the inner loop's way. */
CUG_INLINE void sum_long(sums *s, int px, int width, places where, const cug_tile *t, const float *const *p,
                         ptrdiff_t a_step) {
    const float *b = t->b;
    sums total;
    int most = t->len <= CHAIN_ROW && t->rows > 1 ? t->len : CHAIN, held = 0, totals = 0;
    for (int j = 0; j < t->rows; j++) {
        ptrdiff_t at = j * t->a_row;
        for (int left = t->len, n; left > 0; left -= n, at += n * a_step, b += n * CUG_PANEL) {
            n = left < most ? left : most;
            if (held && held + n > CHAIN) {
                if (totals) add(s, &total, px, width);
                total = *s;
                totals = 1;
                held = 0;
                clear(s, px, width);
            }
            chain(s, px, width, where, p, at, a_step, b, n);
            held += n;
        }
    }
    if (totals) add(s, &total, px, width);
}

/* s = the tile's sum. */
CUG_INLINE void accumulate(sums *s, int px, int width, places where, const cug_tile *t, const float *a,
                           ptrdiff_t a_step) {
    const float *p[CUG_TILE_PX];
#pragma GCC unroll 12
    for (int i = 0; i < px; i++) p[i] = a + t->a_off[i];
    clear(s, px, width);
    if (t->rows * t->len > CHAIN) {
        sum_long(s, px, width, where, t, p, a_step);
        return;
    }
    for (int j = 0; j < t->rows; j++)
        chain(s, px, width, where, p, j * t->a_row, a_step, t->b + (ptrdiff_t)j * t->len * CUG_PANEL, t->len);
}

/* What lies in memory of a tile's columns: `last` of the last vector's. */
CUG_INLINE vf load(const float *c, int v, int vectors, int last) {
    return v == vectors - 1 ? part_load(c + v * V, last) : vload(c + v * V);
}
CUG_INLINE void store(float *c, int v, int vectors, int last, vf x) {
    if (v == vectors - 1)
        part_store(c + v * V, x, last);
    else
        vstore(c + v * V, x);
}

/* y = the tile's sum and what it starts from. */
CUG_INLINE void finished(vf (*y)[2], int px, int width, places where, const cug_tile *t, const float *a, const float *c,
                         ptrdiff_t a_step) {
    sums s;
    accumulate(&s, px, width, where, t, a, a_step);
    int vectors = (width + 1) / 2;
#pragma GCC unroll 12
    for (int i = 0; i < px; i++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) y[i][v] = v < width / 2 ? s.whole[i][v] : widen(s.half[i]);
    if (!t->add && !t->bias) return;
#pragma GCC unroll 12
    for (int i = 0; i < px; i++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            y[i][v] += t->add ? load(c + i * t->c_step, v, vectors, V - t->spare) : vload(t->bias + v * V);
}

CUG_INLINE void activate(vf (*y)[2], int px, int vectors, cug_act_kind act, float slope) {
    if (!act) return;
#pragma GCC unroll 12
    for (int i = 0; i < px; i++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) y[i][v] = vact(y[i][v], act, vset(slope));
}

CUG_INLINE void block(int px, int width, const cug_tile *t, const float *a, float *c) {
    vf y[CUG_TILE_PX][2];
    int vectors = (width + 1) / 2, last = V - t->spare;
    ptrdiff_t step = t->c_step;
    finished(y, px, width, ANYWHERE, t, a, c, t->a_step);
    activate(y, px, vectors, t->act, t->slope);
#pragma GCC unroll 12
    for (int i = 0; i < px; i++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) store(c + i * step, v, vectors, last, y[i][v]);
}

CUG_INLINE void block_pool(int windows, int width, const cug_tile *t, const float *a, float *c, uint8_t *arg) {
    vf y[CUG_TILE_PX][2];
    int vectors = (width + 1) / 2, last = V - t->spare;
    ptrdiff_t step = t->c_step;
    finished(y, 4 * windows, width, ANYWHERE, t, a, c, 1);
#pragma GCC unroll 3
    for (int w = 0; w < windows; w++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) {
            const vf four[4] = {y[4 * w][v], y[4 * w + 1][v], y[4 * w + 2][v], y[4 * w + 3][v]};
            ptrdiff_t at = w * step + v * V;
            window_out(four, t->act, vset(t->slope), c + at, arg ? arg + at : NULL, v == vectors - 1 ? last : V);
        }
}

/* Lane j of the left (right: 0 or K more) columns of two windows, K each, out of their vectors. */
CUG_INLINE vi columns_at(int K, int right) {
    vi lane = {0};
#pragma GCC unroll 16
    for (int j = 0; j < V; j++) lane[j] = j;
    return (lane + right + (~(lane < K) & (V - K))) & (2 * V - 1);
}

/* Windows whose two columns lie side by side in a vector, K lanes each; two windows make four full ones. */
CUG_INLINE void block_pairs(int windows, int width, const cug_tile *t, const float *a, float *c, uint8_t *arg) {
    vf y[CUG_TILE_PX][2];
    int K = (V - t->spare) / 2;
    const vi left = columns_at(K, 0), right = columns_at(K, K);
    if (t->a_off[2] == 2)
        finished(y, 2 * windows, width, WINDOWS_IN_A_ROW, t, a, c, 1);
    else
        finished(y, 2 * windows, width, ANYWHERE, t, a, c, 1);
#pragma GCC unroll 3
    for (int w = 0; w < windows; w += 2) {
        int next = w + 1 < windows ? w + 1 : w;
        vf top = y[2 * w][0], top2 = y[2 * next][0], low = y[2 * w + 1][0], low2 = y[2 * next + 1][0];
        const vf four[4] = {__builtin_shuffle(top, top2, left), __builtin_shuffle(top, top2, right),
                            __builtin_shuffle(low, low2, left), __builtin_shuffle(low, low2, right)};
        int n = next > w ? 2 * K : K;
        window_out(four, t->act, vset(t->slope), c + w * K, arg ? arg + w * K : NULL, n);
    }
}

/* Half vectors that a tile takes. */
CUG_INLINE int width_of(const cug_tile *t) { return 2 * t->vectors - (HALVES && t->spare >= V / 2); }

#define WIDTHS(call, n, ...)                                                                                           \
    switch (width_of(t)) {                                                                                             \
    case 1:                                                                                                            \
        HALVES ? call(n, 1, __VA_ARGS__) : (void)0;                                                                    \
        break;                                                                                                         \
    case 2:                                                                                                            \
        call(n, 2, __VA_ARGS__);                                                                                       \
        break;                                                                                                         \
    case 3:                                                                                                            \
        HALVES ? call(n, 3, __VA_ARGS__) : (void)0;                                                                    \
        break;                                                                                                         \
    case 4:                                                                                                            \
        call(n, 4, __VA_ARGS__);                                                                                       \
        break;                                                                                                         \
    }

#define BLOCK(n)                                                                                                       \
    case n:                                                                                                            \
        WIDTHS(block, n, t, a, c)                                                                                      \
        break;

void CUG_SYM(tile)(const cug_tile *t, const float *a, float *c) {
    switch (t->px) {
        BLOCK(1)
        BLOCK(2)
        BLOCK(3)
        BLOCK(4)
        BLOCK(5)
        BLOCK(6)
#if CUG_REGISTERS == 32
        BLOCK(7)
        BLOCK(8)
        BLOCK(9)
        BLOCK(10)
        BLOCK(11)
        BLOCK(12)
#endif
    }
}

#define BLOCK_POOL(n)                                                                                                  \
    case 4 * n:                                                                                                        \
        WIDTHS(block_pool, n, t, a, c, arg)                                                                            \
        break;

void CUG_SYM(tile_pool)(const cug_tile *t, const float *a, float *c, uint8_t *arg) {
    switch (t->px) {
        BLOCK_POOL(1)
#if CUG_REGISTERS == 32
        BLOCK_POOL(2)
        BLOCK_POOL(3)
#endif
    }
}

#define BLOCK_PAIRS(n)                                                                                                 \
    case 2 * n:                                                                                                        \
        if (width_of(t) == 2) block_pairs(n, 2, t, a, c, arg);                                                         \
        if (HALVES && width_of(t) == 1) block_pairs(n, 1, t, a, c, arg);                                               \
        break;

void CUG_SYM(tile_pool_pairs)(const cug_tile *t, const float *a, float *c, uint8_t *arg) {
    switch (t->px) {
        BLOCK_PAIRS(1)
        BLOCK_PAIRS(2)
        BLOCK_PAIRS(3)
#if CUG_REGISTERS == 32
        BLOCK_PAIRS(4)
        BLOCK_PAIRS(5)
        BLOCK_PAIRS(6)
#endif
    }
}
