/* lists.c - the output gradient as lists of nonzero terms for spans.c. No branch depends on the data: a term is always
 * written, and kept by moving on when its factor is not zero. */
#include "cpu/simd/vec.h"
#if V > 4
#include <immintrin.h>
#endif

#if defined CUG_ISA_avx512
/* Turns 16 x 16 floats: four rounds exchange halves, quarters, eighths and sixteenths of rows. */
CUG_INLINE void transpose(__m512 x[16]) {
    __m512 y[16];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        y[i] = _mm512_unpacklo_ps(x[i], x[i + 1]);
        y[i + 1] = _mm512_unpackhi_ps(x[i], x[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4)
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            __m512d a = _mm512_castps_pd(y[i + j]), b = _mm512_castps_pd(y[i + j + 2]);
            x[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
            x[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
        }
        /* x[4 * p + c], lane 4 * l + q: row 4 * p + q, column 4 * l + c. */
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) {
        __m512 a = _mm512_shuffle_f32x4(x[c], x[c + 4], 0x88), b = _mm512_shuffle_f32x4(x[c + 8], x[c + 12], 0x88);
        y[c] = _mm512_shuffle_f32x4(a, b, 0x88);
        y[c + 8] = _mm512_shuffle_f32x4(a, b, 0xdd);
        a = _mm512_shuffle_f32x4(x[c], x[c + 4], 0xdd), b = _mm512_shuffle_f32x4(x[c + 8], x[c + 12], 0xdd);
        y[c + 4] = _mm512_shuffle_f32x4(a, b, 0x88);
        y[c + 12] = _mm512_shuffle_f32x4(a, b, 0xdd);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) x[i] = y[i];
}

/* Turns 16 x 16 bytes: each round interleaves the rows of the two halves. */
CUG_INLINE void transpose_bytes(__m128i x[16]) {
#pragma GCC unroll 4
    for (int round = 0; round < 4; round++) {
        __m128i y[16];
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            y[2 * i] = _mm_unpacklo_epi8(x[i], x[i + 8]);
            y[2 * i + 1] = _mm_unpackhi_epi8(x[i], x[i + 8]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) x[i] = y[i];
    }
}

/* Appends the kept lanes; a store may run on into what the next one overwrites. Returns where they end. With `few`,
 * more than half of the lanes are hardly ever kept, and half a store does. */
CUG_INLINE int32_t append_kept(cug_terms to, int32_t end, __mmask16 keep, __m512 g, __m512i off, int few) {
    int count = __builtin_popcount(keep);
    g = _mm512_maskz_compress_ps(keep, g);
    off = _mm512_maskz_compress_epi32(keep, off);
    if (few && count <= 8) {
        _mm256_storeu_ps(to.g + end, _mm512_castps512_ps256(g));
        _mm256_storeu_si256((__m256i *)(to.off + end), _mm512_castsi512_si256(off));
    } else {
        _mm512_storeu_ps(to.g + end, g);
        _mm512_storeu_si512(to.off + end, off);
    }
    return end + count;
}

/* Pixels [i, i + 16) or to the last one, `cols` channels. */
static void sixteen_by_channel(cug_terms to, cug_term_list *lists, const float *g, const uint8_t *arg,
                               const int32_t *where, const int32_t *way, int pixels, int K, int cols) {
    __mmask16 columns = (__mmask16)((1u << cols) - 1), rows = (__mmask16)((1u << pixels) - 1);
    __m512 x[16];
    __m128i won[16];
    for (int i = 0; i < 16; i++) {
        int in = i < pixels;
        x[i] = _mm512_maskz_loadu_ps(in ? columns : 0, g + (in ? i : 0) * K);
        won[i] = arg ? _mm_maskz_loadu_epi8(in ? columns : 0, arg + (in ? i : 0) * K) : _mm_setzero_si128();
    }
    transpose(x);
    transpose_bytes(won);
    __m512i places = _mm512_maskz_loadu_epi32(rows, where);
    __m512i ways = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)way));
    for (int c = 0; c < cols; c++) {
        __m512i off = _mm512_permutexvar_epi32(_mm512_cvtepu8_epi32(won[c]), ways);
        __mmask16 keep = _mm512_cmp_ps_mask(x[c], _mm512_setzero_ps(), _CMP_NEQ_UQ);
        lists[c].count = append_kept(to, lists[c].count, keep, x[c], _mm512_add_epi32(places, off), 0);
    }
}
#else
static void one_by_channel(float *restrict to, int32_t *restrict off, cug_term_list *restrict lists,
                           const float *restrict g, const uint8_t *restrict arg, int32_t where, const int32_t *way,
                           int K) {
    int32_t place[4] = {where + way[0], where + way[1], where + way[2], where + way[3]};
    for (int k = 0; k < K; k++) {
        int32_t end = lists[k].count;
        to[end] = g[k];
        off[end] = place[arg ? arg[k] : 0];
        lists[k].count = end + (g[k] != 0);
    }
}
#endif

void CUG_SYM(lists_by_channel)(cug_terms to, cug_term_list *lists, const float *g, const uint8_t *arg,
                               const int32_t *where, const int32_t *way, int pixels, int K) {
    int room = (pixels + CUG_LIST_STEP - 1) / CUG_LIST_STEP * CUG_LIST_STEP;
    for (int k = 0; k < K; k++) lists[k].begin = lists[k].count = k * room; /* count: the end, for now */
#if defined CUG_ISA_avx512
    for (int k = 0; k < K; k += 16)
        for (int i = 0; i < pixels; i += 16)
            sixteen_by_channel(to, lists + k, g + i * K + k, arg ? arg + i * K + k : NULL, where + i, way,
                               pixels - i < 16 ? pixels - i : 16, K, K - k < 16 ? K - k : 16);
#else
    for (int i = 0; i < pixels; i++)
        one_by_channel(to.g, to.off, lists, g + i * K, arg ? arg + i * K : NULL, where[i], way, K);
#endif
    for (int k = 0; k < K; k++) lists[k].count -= lists[k].begin;
}

/* Appends channels [k, K) of one pixel to the list ending at `end` that takes winner `which` (arg NULL: all). */
static int32_t append(float *restrict to, int32_t *restrict off, int32_t end, const float *restrict g,
                      const uint8_t *restrict arg, int which, int k, int K, int len) {
    for (; k < K; k++) {
        to[end] = g[k];
        off[end] = k * len;
        end += (g[k] != 0) & (!arg || arg[k] == which);
    }
    return end;
}

#if defined CUG_ISA_avx2
/* For each set of eight lanes their numbers, a byte each, in ascending order. */
#define LANE(set, i) ((uint64_t)((set) >> (i)&1 ? (i) : 0) << 8 * __builtin_popcount((set) & ((1 << (i)) - 1)))
#define LANES(set)                                                                                                     \
    (LANE(set, 1) | LANE(set, 2) | LANE(set, 3) | LANE(set, 4) | LANE(set, 5) | LANE(set, 6) | LANE(set, 7))
#define LANES4(set) LANES(set), LANES((set) + 1), LANES((set) + 2), LANES((set) + 3)
#define LANES16(set) LANES4(set), LANES4((set) + 4), LANES4((set) + 8), LANES4((set) + 12)
#define LANES64(set) LANES16(set), LANES16((set) + 16), LANES16((set) + 32), LANES16((set) + 48)
static const uint64_t lanes_of[256] = {LANES64(0), LANES64(64), LANES64(128), LANES64(192)};
#endif

static int32_t one_by_pixel(cug_terms to, int32_t end, const float *g, const uint8_t *arg, int which, int K, int len) {
    int k = 0;
#if defined CUG_ISA_avx512
    const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i off = _mm512_mullo_epi32(first, _mm512_set1_epi32(len)), step = _mm512_set1_epi32(16 * len);
    for (; k + 16 <= K; k += 16, off = _mm512_add_epi32(off, step)) {
        __m512 x = _mm512_loadu_ps(g + k);
        __mmask16 keep = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NEQ_UQ);
        if (arg) keep &= _mm_cmpeq_epi8_mask(_mm_loadu_si128((const __m128i *)(arg + k)), _mm_set1_epi8((char)which));
        end = append_kept(to, end, keep, x, off, arg != NULL);
    }
#elif defined CUG_ISA_avx2
    __m256i off = _mm256_mullo_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(len));
    const __m256i step = _mm256_set1_epi32(8 * len);
    for (; k + 8 <= K; k += 8, off = _mm256_add_epi32(off, step)) {
        __m256 x = _mm256_loadu_ps(g + k);
        int keep = _mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NEQ_UQ));
        if (arg) {
            __m128i won = _mm_loadl_epi64((const __m128i *)(arg + k));
            keep &= _mm_movemask_epi8(_mm_cmpeq_epi8(won, _mm_set1_epi8((char)which)));
        }
        __m256i from = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(lanes_of + keep)));
        _mm256_storeu_ps(to.g + end, _mm256_permutevar8x32_ps(x, from));
        _mm256_storeu_si256((__m256i *)(to.off + end), _mm256_permutevar8x32_epi32(off, from));
        end += __builtin_popcount((unsigned)keep);
    }
#endif
    return append(to.g, to.off, end, g, arg, which, k, K, len);
}

void CUG_SYM(lists_by_pixel)(cug_terms to, cug_term_list *lists, const float *g, const uint8_t *arg,
                             const int32_t *where, const int32_t *way, int ways, int pixels, int K, int len) {
    int32_t end = 0;
    for (int i = 0; i < pixels; i++, lists += ways)
        for (int a = 0; a < ways; a++) {
            int32_t begin = end;
            end = one_by_pixel(to, end, g + i * K, arg ? arg + i * K : NULL, a, K, len);
            lists[a] = (cug_term_list){begin, end - begin, where[i] + way[a]};
        }
}
