/* spans.c - sparse sums of contiguous spans, the backward pass of a convolution: with channels last, one filter row and
 * the image row under it are both contiguous, so each nonzero output gradient adds a multiple of one to the other. What
 * pooling and ReLU made zero is simply not in the lists. */
#include "cpu/simd/vec.h"

typedef float vf8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float vf4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float vf1 __attribute__((may_alias));

/* Parts of a vector of equal floats. */
#if V == 16
#define EIGHT(g) __builtin_shufflevector(g, g, 0, 1, 2, 3, 4, 5, 6, 7)
#else
#define EIGHT(g)                                                                                                       \
    (vf8) { 0 } /* not wanted */
#endif
#define FOUR(g) __builtin_shufflevector(g, g, 0, 1, 2, 3)

#define ROWS _Pragma("GCC unroll 3") for (int r = 0; r < R; r++)
#define VECTORS _Pragma("GCC unroll 12") for (int i = 0; i < N; i++)

typedef struct sums {
    vf v[3][12];
    vf8 eight[3];
    vf4 four[3];
} sums;

/* R rows of N vectors and a tail of T floats, 0, 4, 8 or 12. */
CUG_INLINE void clear(int R, int N, sums *a) {
    ROWS {
        VECTORS a->v[r][i] = (vf){0};
        a->eight[r] = (vf8){0};
        a->four[r] = (vf4){0};
    }
}

CUG_INLINE void add_term(int R, int N, int T, sums *a, cug_terms terms, int t, const float *src, ptrdiff_t src_row) {
    const float *s = src + terms.off[t];
    vf g = vset(terms.g[t]);
    ROWS {
        VECTORS a->v[r][i] += g * vload(s + r * src_row + i * V);
        if (T & 8) a->eight[r] += EIGHT(g) * *(const vf8 *)(s + r * src_row + N * V);
        if (T & 4) a->four[r] += FOUR(g) * *(const vf4 *)(s + r * src_row + N * V + (T & 8));
    }
}

CUG_INLINE void add_sums(int R, int N, int T, float *d, ptrdiff_t dst_row, const sums *a) {
    ROWS {
        VECTORS *(vf_mem *)(d + r * dst_row + i * V) += a->v[r][i];
        if (T & 8) *(vf8 *)(d + r * dst_row + N * V) += a->eight[r];
        if (T & 4) *(vf4 *)(d + r * dst_row + N * V + (T & 8)) += a->four[r];
    }
}

/* The lists one by one, each in registers. Sums start at zero, so a long chain of lists stays accurate. Two sums take
 * turns where one alone would wait for its own additions. */
CUG_INLINE void span(int R, int N, int T, float *dst, ptrdiff_t dst_row, const float *src, ptrdiff_t src_row,
                     cug_terms terms, const cug_term_list *lists, int n_lists) {
    const int two = R * (N + T / 8 + T / 4 % 2) <= 4;
    for (const cug_term_list *li = lists; li < lists + n_lists; li++) {
        if (!li->count) continue;
        sums a, b;
        clear(R, N, &a);
        if (two) clear(R, N, &b);
        int t = li->begin, end = t + li->count;
        if (two)
            for (; t + 1 < end; t += 2) {
                add_term(R, N, T, &a, terms, t, src, src_row);
                add_term(R, N, T, &b, terms, t + 1, src, src_row);
            }
        for (; t < end; t++) add_term(R, N, T, &a, terms, t, src, src_row);
        float *d = dst + li->dst;
        add_sums(R, N, T, d, dst_row, &a);
        if (two) add_sums(R, N, T, d, dst_row, &b);
    }
}

typedef void span_fn(float *dst, ptrdiff_t dst_row, const float *src, ptrdiff_t src_row, cug_terms terms,
                     const cug_term_list *lists, int n_lists);

#define SPAN(R, N, T)                                                                                                  \
    static void span_##R##_##N##_##T(float *dst, ptrdiff_t dst_row, const float *src, ptrdiff_t src_row,               \
                                     cug_terms terms, const cug_term_list *lists, int n_lists) {                       \
        span(R, N, T, dst, dst_row, src, src_row, terms, lists, n_lists);                                              \
    }
#if V == 16
#define TAILS(f, R, N) f(R, N, 0) f(R, N, 4) f(R, N, 8) f(R, N, 12)
#define SHAPES(f)                                                                                                      \
    TAILS(f, 1, 0)                                                                                                     \
    TAILS(f, 1, 1)                                                                                                     \
    TAILS(f, 1, 2) TAILS(f, 1, 3) TAILS(f, 1, 4) f(1, 6, 0) f(1, 8, 0) f(1, 12, 0) TAILS(f, 3, 0) TAILS(f, 3, 1)       \
        TAILS(f, 3, 2) TAILS(f, 3, 3) TAILS(f, 3, 4) f(3, 6, 0)
#elif V == 8
#define TAILS(f, R, N) f(R, N, 0) f(R, N, 4)
#define SHAPES(f)                                                                                                      \
    TAILS(f, 1, 0)                                                                                                     \
    TAILS(f, 1, 1)                                                                                                     \
    TAILS(f, 1, 2) TAILS(f, 1, 3) TAILS(f, 1, 4) f(1, 6, 0) f(1, 8, 0) f(1, 12, 0) TAILS(f, 3, 0) TAILS(f, 3, 1)       \
        TAILS(f, 3, 2) TAILS(f, 3, 3) f(3, 4, 0)
#else
#define SHAPES(f)                                                                                                      \
    f(1, 1, 0) f(1, 2, 0) f(1, 3, 0) f(1, 4, 0) f(1, 6, 0) f(1, 8, 0) f(1, 12, 0) f(3, 1, 0) f(3, 2, 0) f(3, 3, 0)     \
        f(3, 4, 0)
#endif
SHAPES(SPAN)

static void one_float(float *dst, ptrdiff_t dst_row, const float *src, ptrdiff_t src_row, cug_terms terms,
                      const cug_term_list *lists, int n_lists) {
    (void)dst_row, (void)src_row;
    for (const cug_term_list *li = lists; li < lists + n_lists; li++) {
        float sum = 0;
        for (int t = li->begin; t < li->begin + li->count; t++) sum += terms.g[t] * src[terms.off[t]];
        dst[li->dst] += sum;
    }
}

/* The kernel for `rows` rows and the first *take of `left` columns. */
static span_fn *pick(int rows, int left, int *take) {
#define KIND(R, N, T) {R, N, T, span_##R##_##N##_##T},
    static const struct {
        int rows, vectors, tail;
        span_fn *fn;
    } kinds[] = {SHAPES(KIND)};
    const int n = sizeof kinds / sizeof *kinds;
    for (int i = n - 1; i >= 0; i--) {
        *take = kinds[i].vectors * V + kinds[i].tail;
        if (kinds[i].rows == rows && *take <= left && *take) return kinds[i].fn;
    }
    *take = 1;
    return rows == 1 ? one_float : NULL;
}

void CUG_SYM(spans)(float *dst, ptrdiff_t dst_row, const float *src, ptrdiff_t src_row, cug_terms terms,
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
