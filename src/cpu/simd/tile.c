/* tile.c - the dense register block behind every convolution and matrix product: up to 12 pixels by two vectors of
 * output channels stay in registers while filters stream past and inputs are broadcast. */
#include "cpu/simd/vec.h"

/* Terms added up in registers before they go to the running total: short chains keep float sums accurate (a sum's error
 * grows with the number of additions at its final size). */
#define CHAIN 96

CUG_INLINE void clear(vf (*acc)[2], int px, int nv) {
#pragma GCC unroll 12
    for (int i = 0; i < px; i++)
#pragma GCC unroll 2
        for (int v = 0; v < nv; v++) acc[i][v] = (vf){0};
}

/* acc = the tile's sum. a_step is passed apart so that its commonest value, 1, can be a constant. */
CUG_INLINE void accumulate(vf (*acc)[2], int px, int nv, const cug_tile *t, const float *a, ptrdiff_t a_step) {
    const float *p[CUG_TILE_PX];
    vf total[CUG_TILE_PX][2];
    int breaks = t->rows * t->len > CHAIN, broken = 0;
#pragma GCC unroll 12
    for (int i = 0; i < px; i++) p[i] = a + t->a_off[i];
    const float *b = t->b;
    clear(acc, px, nv);
    for (int j = 0; j < t->rows; j++) {
        ptrdiff_t at = j * t->a_row;
        for (int left = t->len, n; left > 0; left -= n) {
            n = left < CHAIN ? left : CHAIN;
            for (const float *end = b + n * CUG_PANEL; b < end; b += CUG_PANEL, at += a_step) {
                vf b0 = vload(b), b1 = nv > 1 ? vload(b + V) : b0;
#pragma GCC unroll 12
                for (int i = 0; i < px; i++) {
                    vf x = vset(p[i][at]);
                    acc[i][0] += x * b0;
                    if (nv > 1) acc[i][1] += x * b1;
                }
            }
            if (!breaks) continue;
#pragma GCC unroll 12
            for (int i = 0; i < px; i++)
#pragma GCC unroll 2
                for (int v = 0; v < nv; v++) total[i][v] = broken ? total[i][v] + acc[i][v] : acc[i][v];
            clear(acc, px, nv);
            broken = 1;
        }
    }
    if (!broken) return;
#pragma GCC unroll 12
    for (int i = 0; i < px; i++)
#pragma GCC unroll 2
        for (int v = 0; v < nv; v++) acc[i][v] = total[i][v];
}

/* acc += what the tile starts from. */
CUG_INLINE void add_start(vf (*acc)[2], int px, int nv, const cug_tile *t, const float *c) {
    if (!t->add && !t->bias) return;
#pragma GCC unroll 12
    for (int i = 0; i < px; i++)
#pragma GCC unroll 2
        for (int v = 0; v < nv; v++) acc[i][v] += t->add ? vload(c + i * t->c_step + v * V) : vload(t->bias + v * V);
}

CUG_INLINE void block(int px, int nv, const cug_tile *t, const float *a, float *c, ptrdiff_t a_step) {
    vf acc[CUG_TILE_PX][2];
    accumulate(acc, px, nv, t, a, a_step);
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
    vi better = ~(x <= *best) & (*best == *best);
    *best = vselect(better, x, *best);
    *which = (better & i) | (~better & *which);
}

CUG_INLINE void block_pool(int windows, int nv, const cug_tile *t, const float *a, float *c, uint8_t *arg) {
    vf acc[CUG_TILE_PX][2];
    accumulate(acc, 4 * windows, nv, t, a, 1);
    add_start(acc, 4 * windows, nv, t, c);
    vf slope = vset(t->slope);
    cug_act_kind act = t->act;
#pragma GCC unroll 3
    for (int w = 0; w < windows; w++)
#pragma GCC unroll 2
        for (int v = 0; v < nv; v++) {
            vf best = vact(acc[4 * w][v], act, slope);
            vi which = {0};
#pragma GCC unroll 3
            for (int i = 1; i < 4; i++) take(&best, &which, vact(acc[4 * w + i][v], act, slope), i);
            vstore(c + w * t->c_step + v * V, best);
            if (arg) *(vb_mem *)(arg + w * t->c_step + v * V) = __builtin_convertvector(which, vb);
        }
}

#define BLOCK(n)                                                                                                       \
    case n:                                                                                                            \
        if (t->vectors == 2 && t->a_step == 1)                                                                         \
            block(n, 2, t, a, c, 1);                                                                                   \
        else if (t->vectors == 2)                                                                                      \
            block(n, 2, t, a, c, t->a_step);                                                                           \
        else                                                                                                           \
            block(n, 1, t, a, c, t->a_step);                                                                           \
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
        if (t->vectors == 2)                                                                                           \
            block_pool(n, 2, t, a, c, arg);                                                                            \
        else                                                                                                           \
            block_pool(n, 1, t, a, c, arg);                                                                            \
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
