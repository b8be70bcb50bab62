/* part.h - the first n lanes of a vector in memory, 0 < n <= V: what lies behind them is neither read nor written. */
#ifndef CUG_SIMD_PART_H
#define CUG_SIMD_PART_H

#include "cpu/simd/vec.h"
#if defined CUG_ISA_avx512
#include <immintrin.h>

CUG_INLINE __mmask16 part_mask(int n) { return (__mmask16)((1U << n) - 1); }
CUG_INLINE vf part_load(const float *p, int n) { return (vf)_mm512_maskz_loadu_ps(part_mask(n), p); }
CUG_INLINE void part_store(float *p, vf x, int n) { _mm512_mask_storeu_ps(p, part_mask(n), (__m512)x); }
CUG_INLINE void part_store_bytes(uint8_t *p, vb x, int n) { _mm_mask_storeu_epi8(p, part_mask(n), (__m128i)x); }

#else
#include <string.h>

/* n < V elements by pieces of 4, 2 and 1: a copy whose length varies is a call, and a call costs every register. */
CUG_INLINE void part_copy(void *to, const void *from, int n, size_t elem) {
    char *t = to;
    const char *f = from;
#pragma GCC unroll 3
    for (int size = V / 2; size; size /= 2) {
        if (!(n & size)) continue;
        memcpy(t, f, (size_t)size * elem);
        t += (size_t)size * elem;
        f += (size_t)size * elem;
    }
}

/* Lanes past n are 0. */
CUG_INLINE vf part_load(const float *p, int n) {
    if (n == V) return vload(p);
    float x[V] = {0};
    part_copy(x, p, n, sizeof *x);
    return vload(x);
}
CUG_INLINE void part_store(float *p, vf x, int n) {
    if (n == V) {
        vstore(p, x);
        return;
    }
    float from[V];
    vstore(from, x);
    part_copy(p, from, n, sizeof *from);
}
CUG_INLINE void part_store_bytes(uint8_t *p, vb x, int n) {
    if (n == V) {
        *(vb_mem *)p = x;
        return;
    }
    uint8_t from[V];
    *(vb_mem *)from = x;
    part_copy(p, from, n, 1);
}
#endif

#endif
