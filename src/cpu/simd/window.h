/* window.h - what a 2x2 pooling window keeps of its four values: their maximum and which it was. */
#ifndef CUG_SIMD_WINDOW_H
#define CUG_SIMD_WINDOW_H

#include "cpu/simd/part.h"

/* Running maximum of a window: the first of equals stays, the first NaN wins. */
CUG_INLINE void window_take(vf *best, vi *which, vf x, int i) {
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

/* n of a vector's channels: activation and maximum of x to c, the winner to arg (NULL: not wanted). ReLU of the maximum
 * is the maximum of ReLU; who wins a window without a positive value is then of no account. */
CUG_INLINE void window_out(const vf x[4], cug_act_kind act, vf slope, float *c, uint8_t *arg, int n) {
    cug_act_kind late = act == CUG_ACT_RELU ? CUG_ACT_RELU : CUG_ACT_NONE;
    vf best = act && !late ? vact(x[0], act, slope) : x[0];
    vi which = {0};
#pragma GCC unroll 3
    for (int i = 1; i < 4; i++) window_take(&best, &which, act && !late ? vact(x[i], act, slope) : x[i], i);
    best = vact(best, late, slope);
    vb winner = __builtin_convertvector(which, vb);
    if (__builtin_constant_p(n) && n == V) {
        vstore(c, best);
        if (arg) *(vb_mem *)arg = winner;
        return;
    }
    part_store(c, best, n);
    if (arg) part_store_bytes(arg, winner, n);
}

#endif
