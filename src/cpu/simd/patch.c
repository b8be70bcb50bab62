/* patch.c - the weight gradient of a convolution of few channels behind 2x2 pooling. The part of the image that a
 * filter meets is laid out as one stretch for each pixel; each window's winner then adds a multiple of its patch to its
 * channel's filter, and the three losers cost nothing. */
#include "cpu/simd/vec.h"

typedef float vf8 __attribute__((vector_size(32), aligned(4), may_alias));

/* Each store runs on into what the next one overwrites; what stays behind the last is in lanes nobody reads. */
#define COPY(vec, name)                                                                                                \
    static void name(float *e, const float *x, ptrdiff_t row, int R, int span, int step, int cols, int width) {        \
        for (int q = 0; q < cols; q++, x += step, e += width)                                                          \
            for (int r = 0; r < R; r++) *(vec *)(e + r * span) = *(const vec *)(x + r * row);                          \
    }
COPY(vf_mem, copy_wide)
COPY(vf8, copy_8)

void CUG_SYM(patches)(float *e, const float *x, ptrdiff_t row, int R, int span, int step, int cols, int width) {
    if (V > 8 && span <= 8)
        copy_8(e, x, row, R, span, step, cols, width);
    else
        copy_wide(e, x, row, R, span, step, cols, width);
}

/* Channels [k, k + ks) with nv vectors a patch: ks * nv sums in registers, and enough of them to hide their latency. */
CUG_INLINE void channels(int ks, int nv, float *dw, const float *e, const float *g, const uint8_t *arg, int Q, int K) {
    vf acc[4][4];
    const int width = nv * V, place[4] = {0, width, 2 * Q * width, (2 * Q + 1) * width};
#pragma GCC unroll 4
    for (int i = 0; i < ks; i++)
#pragma GCC unroll 4
        for (int v = 0; v < nv; v++) acc[i][v] = vload(dw + i * width + v * V);
    for (int q = 0; q < Q; q++, g += K, arg += K, e += 2 * width)
#pragma GCC unroll 4
        for (int i = 0; i < ks; i++) {
            const float *p = e + place[arg[i] & 3];
            vf x = vset(g[i]);
#pragma GCC unroll 4
            for (int v = 0; v < nv; v++) acc[i][v] += x * vload(p + v * V);
        }
#pragma GCC unroll 4
    for (int i = 0; i < ks; i++)
#pragma GCC unroll 4
        for (int v = 0; v < nv; v++) vstore(dw + i * width + v * V, acc[i][v]);
}

CUG_INLINE void all_channels(int nv, float *dw, const float *e, const float *g, const uint8_t *arg, int Q, int K) {
    enum { TOGETHER = CUG_REGISTERS / 8 };
    int k = 0;
    for (; k + TOGETHER <= K; k += TOGETHER) channels(TOGETHER, nv, dw + k * nv * V, e, g + k, arg + k, Q, K);
    for (; k < K; k++) channels(1, nv, dw + k * nv * V, e, g + k, arg + k, Q, K);
}

void CUG_SYM(patch_sums)(float *dw, const float *e, const float *g, const uint8_t *arg, int Q, int K, int vectors) {
    switch (vectors) {
    case 1:
        all_channels(1, dw, e, g, arg, Q, K);
        break;
    case 2:
        all_channels(2, dw, e, g, arg, Q, K);
        break;
    case 3:
        all_channels(3, dw, e, g, arg, Q, K);
        break;
    case 4:
        all_channels(4, dw, e, g, arg, Q, K);
        break;
    }
}
