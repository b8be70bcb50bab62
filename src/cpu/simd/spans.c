/* spans.c - sparse sums of contiguous spans, the backward pass of a convolution: with channels last, one filter row and
 * the image row under it are both contiguous, so each nonzero output gradient adds a multiple of one to the other. What
 * pooling and ReLU made zero is simply not in the lists. */
#include "cpu/simd/vec.h"

typedef float vf8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float vf4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float vf1 __attribute__((may_alias));

/* One list, R rows by N vectors in registers. Sums start at zero, so a long chain of lists stays accurate. */
#define SPAN(name, vec, R, N)                                                                                          \
    static void name(float *dst, ptrdiff_t dst_row, const float *src, ptrdiff_t src_row, const cug_term *terms,        \
                     const cug_term_list *lists, int n_lists) {                                                        \
        enum { W = sizeof(vec) / 4 };                                                                                  \
        for (const cug_term_list *li = lists; li < lists + n_lists; li++) {                                            \
            if (!li->count) continue;                                                                                  \
            vec acc[R][N];                                                                                             \
            _Pragma("GCC unroll 3") for (int r = 0; r < R; r++) _Pragma("GCC unroll 12") for (int i = 0; i < N; i++)   \
                acc[r][i] = (vec){0};                                                                                  \
            const cug_term *t = terms + li->begin, *end = t + li->count;                                               \
            for (; t < end; t++) {                                                                                     \
                const float *s = src + t->off;                                                                         \
                vec g = t->g - (vec){0};                                                                               \
                _Pragma("GCC unroll 3") for (int r = 0; r < R; r++)                                                    \
                    _Pragma("GCC unroll 12") for (int i = 0; i < N; i++) acc[r][i] +=                                  \
                    g * *(const vec *)(s + r * src_row + i * W);                                                       \
            }                                                                                                          \
            float *d = dst + li->dst;                                                                                  \
            _Pragma("GCC unroll 3") for (int r = 0; r < R; r++) _Pragma("GCC unroll 12") for (int i = 0; i < N; i++) * \
                (vec *)(d + r * dst_row + i * W) += acc[r][i];                                                         \
        }                                                                                                              \
    }

/* The same for one row of few vectors: two sums at a time, since one alone would wait for its own additions. */
#define SPAN_ROW(name, vec, N)                                                                                         \
    static void name(float *dst, ptrdiff_t dst_row, const float *src, ptrdiff_t src_row, const cug_term *terms,        \
                     const cug_term_list *lists, int n_lists) {                                                        \
        enum { W = sizeof(vec) / 4 };                                                                                  \
        (void)dst_row, (void)src_row;                                                                                  \
        for (const cug_term_list *li = lists; li < lists + n_lists; li++) {                                            \
            if (!li->count) continue;                                                                                  \
            vec acc[2][N];                                                                                             \
            float *d = dst + li->dst;                                                                                  \
            const cug_term *t = terms + li->begin, *end = t + li->count;                                               \
            const float *s = src + t->off;                                                                             \
            vec g = t->g - (vec){0};                                                                                   \
            int odd = li->count % 2;                                                                                   \
            if (odd) t++;                                                                                              \
            _Pragma("GCC unroll 12") for (int i = 0; i < N; i++) {                                                     \
                acc[0][i] = (vec){0};                                                                                  \
                if (odd) acc[0][i] += g * *(const vec *)(s + i * W);                                                   \
                acc[1][i] = (vec){0};                                                                                  \
            }                                                                                                          \
            for (; t < end; t += 2) _Pragma("GCC unroll 2") for (int r = 0; r < 2; r++) {                              \
                    s = src + t[r].off;                                                                                \
                    g = t[r].g - (vec){0};                                                                             \
                    _Pragma("GCC unroll 12") for (int i = 0; i < N; i++) acc[r][i] += g * *(const vec *)(s + i * W);   \
                }                                                                                                      \
            _Pragma("GCC unroll 12") for (int i = 0; i < N; i++) * (vec *)(d + i * W) += acc[0][i] + acc[1][i];        \
        }                                                                                                              \
    }

typedef void span_fn(float *dst, ptrdiff_t dst_row, const float *src, ptrdiff_t src_row, const cug_term *terms,
                     const cug_term_list *lists, int n_lists);

SPAN_ROW(row1, vf_mem, 1)
SPAN_ROW(row2, vf_mem, 2)
SPAN_ROW(row3, vf_mem, 3)
SPAN_ROW(row4, vf_mem, 4)
SPAN_ROW(row6, vf_mem, 6)
SPAN(row8, vf_mem, 1, 8)
SPAN(row12, vf_mem, 1, 12)
SPAN(three1, vf_mem, 3, 1)
SPAN(three2, vf_mem, 3, 2)
SPAN(three3, vf_mem, 3, 3)
SPAN(three4, vf_mem, 3, 4)
#if CUG_REGISTERS == 32
SPAN(three6, vf_mem, 3, 6)
#endif
SPAN(row_8, vf8, 1, 1)
SPAN(row_4, vf4, 1, 1)
SPAN(row_1, vf1, 1, 1)

/* The widest kernel for `left` columns; *take is how many it covers. */
static span_fn *pick(int rows, int left, int *take) {
    static const struct {
        int vectors;
        span_fn *one, *three;
    } kinds[] = {
        {12, row12, NULL},
        {8, row8, NULL},
#if CUG_REGISTERS == 32
        {6, row6, three6},
#else
        {6, row6, NULL},
#endif
        {4, row4, three4},
        {3, row3, three3},
        {2, row2, three2},
        {1, row1, three1},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        span_fn *f = rows == 3 ? kinds[i].three : kinds[i].one;
        *take = kinds[i].vectors * V;
        if (f && left >= *take) return f;
    }
    *take = left >= 8 ? 8 : left >= 4 ? 4 : 1;
    return rows == 3 ? NULL : left >= 8 ? row_8 : left >= 4 ? row_4 : row_1;
}

void CUG_SYM(spans)(float *dst, ptrdiff_t dst_row, const float *src, ptrdiff_t src_row, const cug_term *terms,
                    const cug_term_list *lists, int n_lists, int rows, int len) {
    for (int r = 0; r < rows;) {
        int group = rows - r >= 3 ? 3 : 1;
        for (int l = 0, taken; l < len; l += taken) {
            float *d = dst + r * dst_row + l;
            const float *s = src + r * src_row + l;
            span_fn *f = pick(group, len - l, &taken);
            if (f) {
                f(d, dst_row, s, src_row, terms, lists, n_lists);
                continue;
            }
            f = pick(1, len - l, &taken); /* narrow ends go row by row */
            for (int i = 0; i < group; i++)
                f(d + i * dst_row, dst_row, s + i * src_row, src_row, terms, lists, n_lists);
        }
        r += group;
    }
}
