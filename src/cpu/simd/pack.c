/* pack.c - matrices into the panels that tile.c reads. */
#include "cpu/simd/part.h"

void CUG_SYM(pack)(float *restrict to, const float *restrict b, size_t row, size_t len, size_t cols) {
    int low = cols < V ? (int)cols : V, high = (int)cols - low;
    for (size_t l = 0; l < len; l++, to += CUG_PANEL, b += row) {
        vf x, y = {0};
        if (cols == CUG_PANEL) {
            x = vload(b);
            y = vload(b + V);
        } else {
            x = part_load(b, low);
            if (high) y = part_load(b + V, high);
        }
        vstore(to, x);
        vstore(to + V, y);
    }
}

/* Half the lanes of rows w apart change places, those that are w apart; w is a constant where this is called. */
CUG_INLINE void exchange(vf x[V], int w) {
    vi low = {0}, high = {0};
#pragma GCC unroll 16
    for (int i = 0; i < V; i++) {
        low[i] = i & w ? V + i - w : i;
        high[i] = i & w ? V + i : i + w;
    }
#pragma GCC unroll 16
    for (int i = 0; i < V; i++) {
        if (i & w) continue;
        vf a = x[i], c = x[i + w];
        x[i] = __builtin_shuffle(a, c, low);
        x[i + w] = __builtin_shuffle(a, c, high);
    }
}

/* V rows of V floats, row i at b + i * row, become V columns, column i at to + i * CUG_PANEL; rows from n on are 0. */
CUG_INLINE void transpose(float *to, const float *b, size_t row, size_t n) {
    static const float none[V];
    vf x[V];
#pragma GCC unroll 16
    for (size_t i = 0; i < V; i++) x[i] = vload(i < n ? b + i * row : none);
#if V == 16
    exchange(x, 8);
#endif
#if V >= 8
    exchange(x, 4);
#endif
    exchange(x, 2);
    exchange(x, 1);
#pragma GCC unroll 16
    for (int i = 0; i < V; i++) vstore(to + i * CUG_PANEL, x[i]);
}

void CUG_SYM(pack_transposed)(float *restrict to, const float *restrict b, size_t row, size_t len, size_t cols) {
    if (len < V) {
        for (size_t l = 0; l < len; l++)
            for (size_t c = 0; c < CUG_PANEL; c++) to[l * CUG_PANEL + c] = c < cols ? b[c * row + l] : 0;
        return;
    }
    for (size_t at = 0; at < len; at += V) {
        size_t l = at + V <= len ? at : len - V; /* the last ones partly once more */
        for (size_t c = 0; c < CUG_PANEL; c += V)
            if (c + V <= cols)
                transpose(to + l * CUG_PANEL + c, b + c * row + l, row, V);
            else
                transpose(to + l * CUG_PANEL + c, b + c * row + l, row, cols < c ? 0 : cols - c);
    }
}
