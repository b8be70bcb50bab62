/* lists.c - the output gradient as lists of nonzero terms for spans.c. No branch depends on the data: a term is always
 * written, and kept by moving on when its factor is not zero.
 */
#include "cpu/simd/vec.h"
#if defined CUG_ISA_avx512
#include <immintrin.h>
#endif

void CUG_SYM(lists_by_channel)(cug_term *restrict terms, cug_term_list *restrict lists, const float *restrict g,
                               const uint8_t *restrict arg, const int32_t *where, const int32_t *way, int pixels,
                               int K) {
    for (int k = 0; k < K; k++) lists[k].begin = lists[k].count = k * (pixels + 1); /* count: the end, for now */
    for (int i = 0; i < pixels; i++) {
        const float *gi = g + (size_t)i * (size_t)K;
        const uint8_t *ai = arg ? arg + (size_t)i * (size_t)K : NULL;
        int32_t place[4] = {where[i] + way[0], where[i] + way[1], where[i] + way[2], where[i] + way[3]};
        for (int k = 0; k < K; k++) {
            int32_t end = lists[k].count;
            terms[end] = (cug_term){gi[k], place[ai ? ai[k] : 0]};
            lists[k].count = end + (gi[k] != 0);
        }
    }
    for (int k = 0; k < K; k++) lists[k].count -= lists[k].begin;
}

/* Appends channels [k, K) of one pixel to the list ending at `end` that takes winner `which` (NULL: all). */
static int32_t append(cug_term *restrict terms, int32_t end, const float *restrict g, const uint8_t *restrict arg,
                      int which, int k, int K, int len) {
    for (; k < K; k++) {
        terms[end] = (cug_term){g[k], k * len};
        end += (g[k] != 0) & (!arg || arg[k] == which);
    }
    return end;
}

#if defined CUG_ISA_avx512
/* Sixteen channels at a time, kept lanes moved together; a store may run on into what the next one overwrites. */
static int32_t append_packed(cug_term *terms, int32_t end, const float *g, const uint8_t *arg, int which, int K,
                             int len) {
    const __m512i step = _mm512_set1_epi64((int64_t)((uint64_t)(16 * (uint32_t)len) << 32));
    const __m512i widen = _mm512_setr_epi32(0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0);
    __m512i low_off =
        _mm512_slli_epi64(_mm512_setr_epi64(0, len, 2 * len, 3 * len, 4 * len, 5 * len, 6 * len, 7 * len), 32);
    __m512i high_off = _mm512_add_epi32(low_off, _mm512_set1_epi64((int64_t)((uint64_t)(8 * (uint32_t)len) << 32)));
    int k = 0;
    for (; k + 16 <= K; k += 16) {
        __m512 x = _mm512_loadu_ps(g + k);
        __mmask16 keep = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NEQ_UQ);
        if (arg) keep &= _mm_cmpeq_epi8_mask(_mm_loadu_si128((const __m128i *)(arg + k)), _mm_set1_epi8((char)which));
        __m512i low = _mm512_permutexvar_epi32(widen, _mm512_castps_si512(x));
        __m512i high = _mm512_permutexvar_epi32(_mm512_add_epi32(widen, _mm512_set1_epi64(8)), _mm512_castps_si512(x));
        low = _mm512_mask_blend_epi32(0xAAAA, low, low_off);
        high = _mm512_mask_blend_epi32(0xAAAA, high, high_off);
        _mm512_storeu_si512(terms + end, _mm512_maskz_compress_epi64((__mmask8)keep, low));
        end += __builtin_popcount(keep & 0xff);
        _mm512_storeu_si512(terms + end, _mm512_maskz_compress_epi64((__mmask8)(keep >> 8), high));
        end += __builtin_popcount(keep >> 8);
        low_off = _mm512_add_epi32(low_off, step);
        high_off = _mm512_add_epi32(high_off, step);
    }
    return append(terms, end, g, arg, which, k, K, len);
}
#else
static int32_t append_packed(cug_term *terms, int32_t end, const float *g, const uint8_t *arg, int which, int K,
                             int len) {
    return append(terms, end, g, arg, which, 0, K, len);
}
#endif

void CUG_SYM(lists_by_pixel)(cug_term *terms, cug_term_list *lists, const float *g, const uint8_t *arg,
                             const int32_t *where, const int32_t *way, int ways, int pixels, int K, int len) {
    int32_t end = 0;
    for (int i = 0; i < pixels; i++, lists += ways) {
        const float *gi = g + (size_t)i * (size_t)K;
        const uint8_t *ai = arg ? arg + (size_t)i * (size_t)K : NULL;
        for (int a = 0; a < ways; a++) {
            int32_t begin = end;
            end = append_packed(terms, end, gi, ai, a, K, len);
            lists[a] = (cug_term_list){begin, end - begin, where[i] + way[a]};
        }
    }
}
