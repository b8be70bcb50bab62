/* pack.c - matrices into the panels that tile.c reads. */
#include "cpu/simd/vec.h"
#include <string.h>

void CUG_SYM(pack)(float *restrict to, const float *restrict b, size_t row, size_t len, size_t cols) {
    for (size_t l = 0; l < len; l++, to += CUG_PANEL, b += row) {
        if (cols == CUG_PANEL) {
            vf low = vload(b), high = vload(b + V);
            vstore(to, low);
            vstore(to + V, high);
            continue;
        }
        memcpy(to, b, cols * sizeof *to);
        memset(to + cols, 0, (CUG_PANEL - cols) * sizeof *to);
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

/* V rows of V floats, row i at b + i * row, become V columns, column i at to + i * CUG_PANEL. */
CUG_INLINE void transpose(float *to, const float *b, size_t row) {
    vf x[V];
#pragma GCC unroll 16
    for (int i = 0; i < V; i++) x[i] = vload(b + (size_t)i * row);
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
    for (size_t l = 0; l < len; l += V)
        for (size_t c = 0; c < CUG_PANEL; c += V) {
            if (l + V <= len && c + V <= cols) {
                transpose(to + l * CUG_PANEL + c, b + c * row + l, row);
                continue;
            }
            for (size_t i = c; i < c + V; i++)
                for (size_t k = l; k < len && k < l + V; k++) to[k * CUG_PANEL + i] = i < cols ? b[i * row + k] : 0;
        }
}
