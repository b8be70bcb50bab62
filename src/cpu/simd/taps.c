/* taps.c - the weight gradient of a convolution of few channels, output channels in lanes and the filter's taps in
 * registers: a pixel's gradient vector times the input value under each tap. Behind 2x2 pooling only a window's winner
 * counts, another one for each channel. What a tap meets in the window's four pixels lies together then, as a quad, and
 * each lane takes its winner's value out of it; the three losers cost nothing. */
#include "cpu/simd/vec.h"
#include <string.h>
#if V > 4
#include <immintrin.h>
#endif

/* Sums in registers; the rest is for the gradient, the winners and what is on its way. */
#define MOST (CUG_REGISTERS == 32 ? 27 : 12)

void CUG_SYM(quads)(float *restrict to, const float *restrict x, ptrdiff_t right, ptrdiff_t down, size_t n) {
    const float *restrict x1 = x + right, *restrict x2 = x + down, *restrict x3 = x + right + down;
    for (size_t i = 0; i < n; i++) {
        to[4 * i] = x[i];
        to[4 * i + 1] = x1[i];
        to[4 * i + 2] = x2[i];
        to[4 * i + 3] = x3[i];
    }
}

/* For each width of vector: its first n floats or bytes, a sum added to n floats of memory, an activation's derivative,
 * the winners' values of a quad. */
#define SLOPE(vec, ivec)                                                                                               \
    CUG_INLINE vec vec##_slope(vec y, vec slope) {                                                                     \
        ivec pos = (ivec)(y > 0);                                                                                      \
        return (vec)((pos & (ivec)(1 - (vec){0})) | (~pos & (ivec)slope));                                             \
    }
SLOPE(vf, vi)

#if defined CUG_ISA_avx512
typedef float hf __attribute__((vector_size(32)));
typedef int32_t hi __attribute__((vector_size(32)));
SLOPE(hf, hi)

CUG_INLINE __mmask16 first(int n) { return (__mmask16)((1u << n) - 1); }
CUG_INLINE vf vf_load(const float *p, int n) { return (vf)_mm512_maskz_loadu_ps(first(n), p); }
CUG_INLINE hf hf_load(const float *p, int n) { return (hf)_mm256_maskz_loadu_ps((__mmask8)first(n), p); }
CUG_INLINE vi vi_load(const uint8_t *p, int n) { return (vi)_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(first(n), p)); }
CUG_INLINE hi hi_load(const uint8_t *p, int n) { return (hi)_mm256_cvtepu8_epi32(_mm_maskz_loadu_epi8(first(n), p)); }
CUG_INLINE void vf_add(float *p, vf x, int n) {
    _mm512_mask_storeu_ps(p, first(n), _mm512_add_ps((__m512)x, _mm512_maskz_loadu_ps(first(n), p)));
}
CUG_INLINE void hf_add(float *p, hf x, int n) {
    __mmask8 m = (__mmask8)first(n);
    _mm256_mask_storeu_ps(p, m, _mm256_add_ps((__m256)x, _mm256_maskz_loadu_ps(m, p)));
}
CUG_INLINE vf vf_pick(const float *quad, vi which) {
    return (vf)_mm512_permutexvar_ps((__m512i)which, _mm512_loadu_ps(quad));
}
CUG_INLINE hf hf_pick(const float *quad, hi which) {
    return (hf)_mm256_permutevar_ps(_mm256_broadcast_ps((const __m128 *)quad), (__m256i)which);
}
#elif defined CUG_ISA_avx2
typedef float hf __attribute__((vector_size(16)));
typedef int32_t hi __attribute__((vector_size(16)));
SLOPE(hf, hi)

static const int32_t ones[2 * V] = {-1, -1, -1, -1, -1, -1, -1, -1};
CUG_INLINE __m256i first(int n) { return _mm256_loadu_si256((const __m256i *)(ones + V - n)); }
CUG_INLINE __m128i first_half(int n) { return _mm_loadu_si128((const __m128i *)(ones + V - n)); }
CUG_INLINE __m128i bytes(const uint8_t *p, int n) {
    uint64_t x = 0;
    if (n == V)
        memcpy(&x, p, V);
    else if (n == V / 2)
        memcpy(&x, p, V / 2);
    else
        for (int i = 0; i < n; i++) x |= (uint64_t)p[i] << 8 * i;
    return _mm_cvtsi64_si128((long long)x);
}
CUG_INLINE vf vf_load(const float *p, int n) {
    return (vf)(n == V ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, first(n)));
}
CUG_INLINE hf hf_load(const float *p, int n) {
    return (hf)(n == V / 2 ? _mm_loadu_ps(p) : _mm_maskload_ps(p, first_half(n)));
}
CUG_INLINE vi vi_load(const uint8_t *p, int n) { return (vi)_mm256_cvtepu8_epi32(bytes(p, n)); }
CUG_INLINE hi hi_load(const uint8_t *p, int n) { return (hi)_mm_cvtepu8_epi32(bytes(p, n)); }
CUG_INLINE void vf_add(float *p, vf x, int n) {
    _mm256_maskstore_ps(p, first(n), _mm256_add_ps((__m256)x, _mm256_maskload_ps(p, first(n))));
}
CUG_INLINE void hf_add(float *p, hf x, int n) {
    _mm_maskstore_ps(p, first_half(n), _mm_add_ps((__m128)x, _mm_maskload_ps(p, first_half(n))));
}
CUG_INLINE vf vf_pick(const float *quad, vi which) {
    return (vf)_mm256_permutevar_ps(_mm256_broadcast_ps((const __m128 *)quad), (__m256i)which);
}
CUG_INLINE hf hf_pick(const float *quad, hi which) { return (hf)_mm_permutevar_ps(_mm_load_ps(quad), (__m128i)which); }
#else
typedef float hf;
typedef int32_t hi;

CUG_INLINE vf vf_load(const float *p, int n) { return (void)n, vload(p); }
CUG_INLINE vi vi_load(const uint8_t *p, int n) { return (void)n, (vi){p[0], p[1], p[2], p[3]}; }
CUG_INLINE void vf_add(float *p, vf x, int n) { (void)n, vstore(p, vload(p) + x); }
CUG_INLINE vf vf_pick(const float *quad, vi which) {
    return (vf){quad[which[0]], quad[which[1]], quad[which[2]], quad[which[3]]};
}
CUG_INLINE hf hf_load(const float *p, int n) { return (void)n, *p; }
CUG_INLINE hi hi_load(const uint8_t *p, int n) { return (void)n, *p; }
CUG_INLINE void hf_add(float *p, hf x, int n) { (void)n, *p += x; }
CUG_INLINE hf hf_pick(const float *quad, hi which) { return quad[which]; }
CUG_INLINE hf hf_slope(hf y, hf slope) { return y > 0 ? 1 : slope; }
#endif

/* The gradients of a batch come from memory, in strides that the processor does not see far enough ahead. */
#define AHEAD 32 /* pixels */

/* Taps (r, s) to (r + R, s + S) for channels [k, k + n). */
#define BLOCK(vec, ivec)                                                                                               \
    CUG_INLINE void vec##_block(int R, int S, int won, const cug_taps *t, int r, int s, int k, int n) {                \
        vec acc[MOST], sum = {0}, slope = t->slope - (vec){0};                                                         \
        const int wide = won ? 4 : 1;                                                                                  \
        const float *dy = t->dy + k, *y = t->y ? t->y + k : NULL, *row = t->x + r * t->tap_row + s * wide;             \
        const uint8_t *arg = won ? t->arg + k : NULL;                                                                  \
        ivec which = {0};                                                                                              \
        _Pragma("GCC unroll 27") for (int i = 0; i < R * S; i++) acc[i] = (vec){0};                                    \
        for (int p = 0; p < t->rows; p++, row += t->row) {                                                             \
            const float *x = row;                                                                                      \
            for (int q = 0; q < t->cols; q++, x += t->step, dy += t->K) {                                              \
                vec g = vec##_load(dy, n);                                                                             \
                __builtin_prefetch(dy + AHEAD * t->K);                                                                 \
                if (won) {                                                                                             \
                    which = ivec##_load(arg, n);                                                                       \
                    __builtin_prefetch(arg + 2 * AHEAD * t->K);                                                        \
                    arg += t->K;                                                                                       \
                }                                                                                                      \
                if (y) {                                                                                               \
                    g *= vec##_slope(vec##_load(y, n), slope);                                                         \
                    __builtin_prefetch(y + AHEAD * t->K);                                                              \
                    y += t->K;                                                                                         \
                }                                                                                                      \
                sum += g;                                                                                              \
                _Pragma("GCC unroll 27") for (int i = 0; i < R * S; i++) {                                             \
                    const float *at = x + i / S * t->tap_row + i % S * wide;                                           \
                    acc[i] += g * (won ? vec##_pick(at, which) : *at - (vec){0});                                      \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        if (t->db && !r && !s) vec##_add(t->db + k, sum, n);                                                           \
        float *dw = t->dw + (r * t->span + s) * t->K + k;                                                              \
        _Pragma("GCC unroll 27") for (int i = 0; i < R * S; i++)                                                       \
            vec##_add(dw + (i / S * t->span + i % S) * t->K, acc[i], n);                                               \
    }

typedef void block_fn(const cug_taps *t, int r, int s, int k, int n);

/* A number of channels that is known makes loads of it cheap, which AVX-512's masks are anyway. */
#define SHAPE_OF(vec, R, S, name, won)                                                                                 \
    static void vec##_##name##_##R##x##S(const cug_taps *t, int r, int s, int k, int n) {                              \
        if (V == 8 && n == sizeof(vec) / 4)                                                                            \
            vec##_block(R, S, won, t, r, s, k, sizeof(vec) / 4);                                                       \
        else                                                                                                           \
            vec##_block(R, S, won, t, r, s, k, n);                                                                     \
    }
#define SHAPE(vec, R, S) SHAPE_OF(vec, R, S, all, 0) SHAPE_OF(vec, R, S, won, 1)

/* EACH(shape): rows and columns of taps, each number of rows from wide to narrow and down to one column. A vector of
 * half the width, or one float, takes the channels that are left. */
BLOCK(vf, vi)
BLOCK(hf, hi)
#define BOTH(R, S) SHAPE(vf, R, S) SHAPE(hf, R, S)
#if CUG_REGISTERS == 32
#define EACH(shape) shape(5, 5) shape(5, 1) shape(3, 9) shape(3, 3) shape(3, 1) shape(1, 9) shape(1, 3) shape(1, 1)
#else
#define EACH(shape) shape(5, 2) shape(5, 1) shape(3, 3) shape(3, 1) shape(1, 9) shape(1, 3) shape(1, 1)
#endif
EACH(BOTH)

#define KIND(R, S) {R, S, {{vf_all_##R##x##S, hf_all_##R##x##S}, {vf_won_##R##x##S, hf_won_##R##x##S}}},
static const struct kind {
    int R, S;
    block_fn *fn[2][2]; /* [winners][half] */
} kinds[] = {EACH(KIND)};

/* The first kind that fits into `rows` by `cols` taps. */
static const struct kind *pick(int rows, int cols) {
    const struct kind *k = kinds;
    while (k->R > rows || k->S > cols) k++;
    return k;
}

void CUG_SYM(tap_sums)(const cug_taps *t) {
    const int half = V > 4 ? V / 2 : 1;
    for (int k = 0, n; k < t->K; k += n) {
        int left = t->K - k, whole = V > 4 ? left > half : left >= V, most = whole ? V : half;
        n = left < most ? left : most;
        for (int r = 0, R; r < t->R; r += R) {
            R = pick(t->R - r, 1)->R;
            for (int s = 0; s < t->span;) {
                const struct kind *kind = pick(R, t->span - s);
                kind->fn[t->arg != NULL][!whole](t, r, s, k, n);
                s += kind->S;
            }
        }
    }
}
