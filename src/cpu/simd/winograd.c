/* winograd.c - 3x3 convolutions by Winograd's F(2x2,3x3): a 2x2 block of outputs y out of the 4x4 pixels d under it
 * takes 16 products a channel instead of 36, y = A' [(G w G') . (B' d B)] A, where
 * B' = [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1], G = [1 0 0; 1/2 1/2 1/2; 1/2 -1/2 1/2; 0 0 1],
 * A' = [1 1 1 0; 0 1 -1 -1] (Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", 2016, section 4.1).
 * A constant block of pixels has one product that is not zero, the same for all four outputs: equal pixels stay equal.
 */
#include "cpu/simd/vec.h"
#include "cpu/simd/window.h"

/* B' on n columns of four rows. */
static void down(float *restrict t, size_t t_row, const float *restrict x, ptrdiff_t row, size_t n) {
    size_t i = 0;
    for (; i + V <= n; i += V) {
        vf a = vload(x + i), b = vload(x + row + i), c = vload(x + 2 * row + i), d = vload(x + 3 * row + i);
        vstore(t + i, a - c);
        vstore(t + t_row + i, b + c);
        vstore(t + 2 * t_row + i, c - b);
        vstore(t + 3 * t_row + i, b - d);
    }
    for (; i < n; i++) {
        float a = x[i], b = x[row + (ptrdiff_t)i], c = x[2 * row + (ptrdiff_t)i], d = x[3 * row + (ptrdiff_t)i];
        t[i] = a - c;
        t[t_row + i] = b + c;
        t[2 * t_row + i] = c - b;
        t[3 * t_row + i] = b - d;
    }
}

void CUG_SYM(wino_input)(float *v, size_t v_point, float *t, const float *x, ptrdiff_t row, int Q, int C) {
    size_t c1 = (size_t)C, n = (size_t)(2 * Q + 2) * c1, t_row = n + V;
    down(t, t_row, x, row, n);
    for (int q = 0; q < Q; q++, v += C)
        for (size_t i = 0; i < 4; i++) {
            const float *s = t + i * t_row + (size_t)(2 * q) * c1;
            float *to = v + 4 * i * v_point;
            for (size_t c = 0; c < c1; c += V) {
                vf a = vload(s + c), b = vload(s + c1 + c), d = vload(s + 2 * c1 + c), e = vload(s + 3 * c1 + c);
                vstore(to + c, a - d);
                vstore(to + v_point + c, b + d);
                vstore(to + 2 * v_point + c, d - b);
                vstore(to + 3 * v_point + c, b - e);
            }
        }
}

/* G on three vectors. */
CUG_INLINE void filter_points(vf g[4], vf a, vf b, vf c) {
    vf half = vset(0.5f), ends = a + c;
    g[0] = a;
    g[1] = (ends + b) * half;
    g[2] = (ends - b) * half;
    g[3] = c;
}

void CUG_SYM(wino_filter)(float *u, const float *packed, int C) {
    size_t step = (size_t)C * CUG_PANEL;
    for (size_t c = 0; c < step; c += V) {
        vf rows[4][3];
#pragma GCC unroll 3
        for (int s = 0; s < 3; s++) {
            vf g[4];
            const float *w = packed + (size_t)s * step + c;
            filter_points(g, vload(w), vload(w + 3 * step), vload(w + 6 * step));
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) rows[i][s] = g[i];
        }
#pragma GCC unroll 4
        for (size_t i = 0; i < 4; i++) {
            vf g[4];
            filter_points(g, rows[i][0], rows[i][1], rows[i][2]);
#pragma GCC unroll 4
            for (size_t j = 0; j < 4; j++) vstore(u + (4 * i + j) * step + c, g[j]);
        }
    }
}

/* The four outputs of one block, one vector of channels. */
CUG_INLINE void outputs(vf y[4], const float *m, size_t m_point) {
    vf top[4], low[4];
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; j++) {
        vf a = vload(m + j * m_point), b = vload(m + (4 + j) * m_point), c = vload(m + (8 + j) * m_point),
           d = vload(m + (12 + j) * m_point);
        top[j] = a + b + c;
        low[j] = b - c - d;
    }
    y[0] = top[0] + top[1] + top[2];
    y[1] = top[1] - top[2] - top[3];
    y[2] = low[0] + low[1] + low[2];
    y[3] = low[1] - low[2] - low[3];
}

void CUG_SYM(wino_pool)(float *c, uint8_t *arg, ptrdiff_t c_step, const float *m, int blocks, int cols,
                        const float *bias, cug_act_kind act, float slope) {
    vf b[2] = {vload(bias), vload(bias + V)}, at = vset(slope);
    int vectors = cols <= V ? 1 : 2, last = cols - (vectors - 1) * V;
    for (int i = 0; i < blocks; i++, c += c_step, arg = arg ? arg + c_step : NULL, m += CUG_PANEL)
        for (int v = 0; v < vectors; v++) {
            vf y[4];
            outputs(y, m + v * V, CUG_TILE_PX * CUG_PANEL);
#pragma GCC unroll 4
            for (int o = 0; o < 4; o++) y[o] += b[v];
            window_out(y, act, at, c + v * V, arg ? arg + v * V : NULL, v + 1 < vectors ? V : last);
        }
}
