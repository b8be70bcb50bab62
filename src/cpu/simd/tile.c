/* tile.c - the dense register block behind every convolution and matrix product: up to 12 pixels by two vectors of
 * output channels stay in registers while filters stream past and inputs are broadcast. */
#include "cpu/simd/vec.h"
#if defined CUG_ISA_avx512
#include <immintrin.h>
#endif

/* Terms added up in registers before they go to a running total: short chains keep float sums accurate (the error grows
 * with the number of additions at the sum's final size). A filter row may be a little longer. */
#define CHAIN 64
#define CHAIN_ROW 96

CUG_INLINE int is_short(const cug_tile *t) { return t->rows * t->len <= CHAIN; }

CUG_INLINE void clear(vf (*acc)[2], int px, int nv) {
#pragma GCC unroll 12
    for (int i = 0; i < px; i++)
#pragma GCC unroll 2
        for (int v = 0; v < nv; v++) acc[i][v] = (vf){0};
}

CUG_INLINE void pointers(const float **p, int px, const cug_tile *t, const float *a) {
#pragma GCC unroll 12
    for (int i = 0; i < px; i++) p[i] = a + t->a_off[i];
}

/* acc += n terms from place `at` of the pixels and b. */
CUG_INLINE void chain(vf (*acc)[2], int px, int nv, const float *const *p, ptrdiff_t at, ptrdiff_t a_step,
                      const float *b, int n) {
    for (const float *end = b + n * CUG_PANEL; b < end; b += CUG_PANEL, at += a_step) {
        vf b0 = vload(b), b1 = nv > 1 ? vload(b + V) : b0;
#pragma GCC unroll 12
        for (int i = 0; i < px; i++) {
            vf x = vset(p[i][at]);
            acc[i][0] += x * b0;
            if (nv > 1) acc[i][1] += x * b1;
        }
    }
}

CUG_INLINE void sum_short(vf (*acc)[2], int px, int nv, const cug_tile *t, const float *a, ptrdiff_t a_step) {
    const float *p[CUG_TILE_PX];
    pointers(p, px, t, a);
    clear(acc, px, nv);
    for (int j = 0; j < t->rows; j++)
        chain(acc, px, nv, p, j * t->a_row, a_step, t->b + (ptrdiff_t)j * t->len * CUG_PANEL, t->len);
}

CUG_INLINE void sum_long(vf (*acc)[2], int px, int nv, const cug_tile *t, const float *a, ptrdiff_t a_step) {
    const float *p[CUG_TILE_PX], *b = t->b;
    vf total[CUG_TILE_PX][2];
    int most = t->len <= CHAIN_ROW && t->rows > 1 ? t->len : CHAIN;
    pointers(p, px, t, a);
    clear(total, px, nv);
    for (int j = 0; j < t->rows; j++) {
        ptrdiff_t at = j * t->a_row;
        for (int left = t->len, n; left > 0; left -= n, at += n * a_step, b += n * CUG_PANEL) {
            n = left < most ? left : most;
            clear(acc, px, nv);
            chain(acc, px, nv, p, at, a_step, b, n);
#pragma GCC unroll 12
            for (int i = 0; i < px; i++)
#pragma GCC unroll 2
                for (int v = 0; v < nv; v++) total[i][v] += acc[i][v];
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < px; i++)
#pragma GCC unroll 2
        for (int v = 0; v < nv; v++) acc[i][v] = total[i][v];
}

/* acc = the tile's sum. a_step is passed apart so that its commonest value, 1, can be a constant; `brief` likewise. */
CUG_INLINE void accumulate(vf (*acc)[2], int px, int nv, const cug_tile *t, const float *a, ptrdiff_t a_step,
                           int brief) {
    if (brief)
        sum_short(acc, px, nv, t, a, a_step);
    else
        sum_long(acc, px, nv, t, a, a_step);
}

/* acc += what the tile starts from. */
CUG_INLINE void add_start(vf (*acc)[2], int px, int nv, const cug_tile *t, const float *c) {
    if (!t->add && !t->bias) return;
#pragma GCC unroll 12
    for (int i = 0; i < px; i++)
#pragma GCC unroll 2
        for (int v = 0; v < nv; v++) acc[i][v] += t->add ? vload(c + i * t->c_step + v * V) : vload(t->bias + v * V);
}

CUG_INLINE void block(int px, int nv, const cug_tile *t, const float *a, float *c, ptrdiff_t a_step, int brief) {
    vf acc[CUG_TILE_PX][2];
    accumulate(acc, px, nv, t, a, a_step, brief);
    add_start(acc, px, nv, t, c);
    vf slope = vset(t->slope);
    cug_act_kind act = t->act;
#pragma GCC unroll 12
    for (int i = 0; i < px; i++)
#pragma GCC unroll 2
        for (int v = 0; v < nv; v++) vstore(c + i * t->c_step + v * V, act ? vact(acc[i][v], act, slope) : acc[i][v]);
}

/* Running maximum of a window: the first of equals stays, the first NaN wins. */
CUG_INLINE void take(vf *best, vi *which, vf x, int i) {
#if defined CUG_ISA_avx512
    __m512 b = (__m512)*best;
    __mmask16 better = _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask(b, b, _CMP_ORD_Q), (__m512)x, b, _CMP_NLE_UQ);
    *best = (vf)_mm512_mask_mov_ps(b, better, (__m512)x);
    *which = (vi)_mm512_mask_mov_epi32((__m512i)*which, better, _mm512_set1_epi32(i));
#else
    vi better = ~(x <= *best) & (*best == *best);
    *best = vselect(better, x, *best);
    *which = (better & i) | (~better & *which);
#endif
}

CUG_INLINE void block_pool(int windows, int nv, const cug_tile *t, const float *a, float *c, uint8_t *arg, int brief) {
    vf acc[CUG_TILE_PX][2];
    accumulate(acc, 4 * windows, nv, t, a, 1, brief);
    add_start(acc, 4 * windows, nv, t, c);
    vf slope = vset(t->slope);
    /* ReLU of the maximum is the maximum of ReLU; who wins a window without a positive value is then of no account */
    cug_act_kind late = t->act == CUG_ACT_RELU ? CUG_ACT_RELU : CUG_ACT_NONE, act = late ? CUG_ACT_NONE : t->act;
#pragma GCC unroll 3
    for (int w = 0; w < windows; w++)
#pragma GCC unroll 2
        for (int v = 0; v < nv; v++) {
            vf best = act ? vact(acc[4 * w][v], act, slope) : acc[4 * w][v];
            vi which = {0};
#pragma GCC unroll 3
            for (int i = 1; i < 4; i++)
                take(&best, &which, act ? vact(acc[4 * w + i][v], act, slope) : acc[4 * w + i][v], i);
            vstore(c + w * t->c_step + v * V, vact(best, late, slope));
            if (arg) *(vb_mem *)(arg + w * t->c_step + v * V) = __builtin_convertvector(which, vb);
        }
}

#define BLOCK(n)                                                                                                       \
    case n:                                                                                                            \
        if (t->vectors == 1)                                                                                           \
            block(n, 1, t, a, c, t->a_step, 0);                                                                        \
        else if (t->a_step != 1)                                                                                       \
            block(n, 2, t, a, c, t->a_step, 0);                                                                        \
        else if (is_short(t))                                                                                          \
            block(n, 2, t, a, c, 1, 1);                                                                                \
        else                                                                                                           \
            block(n, 2, t, a, c, 1, 0);                                                                                \
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
        if (t->vectors == 1)                                                                                           \
            block_pool(n, 1, t, a, c, arg, 0);                                                                         \
        else if (is_short(t))                                                                                          \
            block_pool(n, 2, t, a, c, arg, 1);                                                                         \
        else                                                                                                           \
            block_pool(n, 2, t, a, c, arg, 0);                                                                         \
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
