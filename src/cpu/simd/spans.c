/* spans.c - sparse sums of contiguous spans, the backward pass of a convolution: with channels last, one filter row and
 * the image row under it are both contiguous, so each nonzero output gradient adds a multiple of one to the other. What
 * pooling and ReLU made zero is simply not in the lists. */
#include "cpu/simd/vec.h"

typedef float vf8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float vf4 __attribute__((vector_size(16), aligned(4), may_alias));

/* The first lanes of a vector of equal floats. */
#if V == 16
#define EIGHT(g) __builtin_shufflevector(g, g, 0, 1, 2, 3, 4, 5, 6, 7)
#else
#define EIGHT(g)                                                                                                       \
    (vf8) { 0 } /* not wanted */
#endif
#define FOUR(g) __builtin_shufflevector(g, g, 0, 1, 2, 3)

#define ROWS _Pragma("GCC unroll 3") for (int r = 0; r < R; r++)
#define VECTORS _Pragma("GCC unroll 12") for (int i = 0; i < N; i++)

/* Sums of up to 3 rows, each N vectors and then a tail of T floats: 0, 4, 8 or 12. A row's last piece ends where the
 * row does, and so may begin up to 3 floats before the piece in front of it has ended. */
typedef struct sums {
    vf v[3][12];
    vf8 eight[3];
    vf4 four[3];
} sums;

CUG_INLINE void clear(int R, int N, sums *a) {
    ROWS {
        VECTORS a->v[r][i] = (vf){0};
        a->eight[r] = (vf8){0};
        a->four[r] = (vf4){0};
    }
}

/* Where the pieces of a row of `len` floats begin. */
CUG_INLINE int at_vector(int N, int T, int i, int len) { return !T && i == N - 1 ? len - V : i * V; }
CUG_INLINE int at_eight(int N, int T, int len) { return T == 8 ? len - 8 : N * V; }

CUG_INLINE void add_term(int R, int N, int T, sums *a, cug_terms terms, int t, const float *src, ptrdiff_t src_row,
                         int len) {
    const float *s = src + terms.off[t];
    vf g = vset(terms.g[t]);
    ROWS {
        VECTORS a->v[r][i] += g * vload(s + r * src_row + at_vector(N, T, i, len));
        if (T & 8) a->eight[r] += EIGHT(g) * *(const vf8 *)(s + r * src_row + at_eight(N, T, len));
        if (T & 4) a->four[r] += FOUR(g) * *(const vf4 *)(s + r * src_row + len - 4);
    }
}

CUG_INLINE void join(int R, int N, int T, sums *a, const sums *b) {
    ROWS {
        VECTORS a->v[r][i] += b->v[r][i];
        if (T & 8) a->eight[r] += b->eight[r];
        if (T & 4) a->four[r] += b->four[r];
    }
}

/* All of a row is read before any of it is written: floats that two pieces share get the same sum twice. */
CUG_INLINE void add_sums(int R, int N, int T, float *dst, ptrdiff_t dst_row, sums *a, int len) {
    ROWS {
        float *d = dst + r * dst_row;
        VECTORS a->v[r][i] += vload(d + at_vector(N, T, i, len));
        if (T & 8) a->eight[r] += *(const vf8 *)(d + at_eight(N, T, len));
        if (T & 4) a->four[r] += *(const vf4 *)(d + len - 4);
        VECTORS vstore(d + at_vector(N, T, i, len), a->v[r][i]);
        if (T & 8) *(vf8 *)(d + at_eight(N, T, len)) = a->eight[r];
        if (T & 4) *(vf4 *)(d + len - 4) = a->four[r];
    }
}

/* The lists one by one, each in registers. Sums start at zero, so a long chain of lists stays accurate. Two sums take
 * turns where one alone would wait for its own additions. */
CUG_INLINE void span(int R, int N, int T, float *dst, ptrdiff_t dst_row, const float *src, ptrdiff_t src_row,
                     cug_terms terms, const cug_term_list *lists, int n_lists, int len) {
    const int two = R * (N + T / 8 + T / 4 % 2) <= 4;
    for (const cug_term_list *li = lists; li < lists + n_lists; li++) {
        if (!li->count) continue;
        sums a, b;
        clear(R, N, &a);
        if (two) clear(R, N, &b);
        int t = li->begin, end = t + li->count;
        if (two)
            for (; t + 1 < end; t += 2) {
                add_term(R, N, T, &a, terms, t, src, src_row, len);
                add_term(R, N, T, &b, terms, t + 1, src, src_row, len);
            }
        for (; t < end; t++) add_term(R, N, T, &a, terms, t, src, src_row, len);
        if (two) join(R, N, T, &a, &b);
        add_sums(R, N, T, dst + li->dst, dst_row, &a, len);
    }
}

typedef void span_fn(float *dst, ptrdiff_t dst_row, const float *src, ptrdiff_t src_row, cug_terms terms,
                     const cug_term_list *lists, int n_lists, int len);

#define SPAN(R, N, T)                                                                                                  \
    static void span_##R##_##N##_##T(float *dst, ptrdiff_t dst_row, const float *src, ptrdiff_t src_row,               \
                                     cug_terms terms, const cug_term_list *lists, int n_lists, int len) {              \
        span(R, N, T, dst, dst_row, src, src_row, terms, lists, n_lists, len);                                         \
    }
/* clang-format off */
#if V == 16
#define TAILS(f, R, N) f(R, N, 0) f(R, N, 4) f(R, N, 8) f(R, N, 12)
#define NO_VECTOR(f, R) f(R, 0, 4) f(R, 0, 8) f(R, 0, 12)
#define MOST_WITH_TAIL(f, R) TAILS(f, R, 4)
#define MOST_ROWS(f, R) f(R, 5, 0) f(R, 6, 0)
#elif V == 8
#define TAILS(f, R, N) f(R, N, 0) f(R, N, 4)
#define NO_VECTOR(f, R) f(R, 0, 4)
#define MOST_WITH_TAIL(f, R) f(R, 4, 0)
#define MOST_ROWS(f, R)
#else
#define TAILS(f, R, N) f(R, N, 0)
#define NO_VECTOR(f, R)
#define MOST_WITH_TAIL(f, R) f(R, 4, 0)
#define MOST_ROWS(f, R)
#endif
#define BRIEF(f, R) NO_VECTOR(f, R) TAILS(f, R, 1) TAILS(f, R, 2) TAILS(f, R, 3)
/* EACH(f): rows, vectors and tails that there are, for each number of rows from few floats to many. */
#define EACH(f)                                                                                                        \
    BRIEF(f, 1) TAILS(f, 1, 4) f(1, 6, 0) f(1, 8, 0) f(1, 12, 0)                                                       \
    BRIEF(f, 2) MOST_WITH_TAIL(f, 2) MOST_ROWS(f, 2)                                                                   \
    BRIEF(f, 3) MOST_WITH_TAIL(f, 3) MOST_ROWS(f, 3)
/* clang-format on */
EACH(SPAN)

/* A float of each row, for rows of fewer than 4. */
static void floats(float *dst, ptrdiff_t dst_row, const float *src, ptrdiff_t src_row, cug_terms terms,
                   const cug_term_list *lists, int n_lists, int rows) {
    for (const cug_term_list *li = lists; li < lists + n_lists; li++)
        for (int r = 0; r < rows; r++) {
            float sum = 0;
            for (int t = li->begin; t < li->begin + li->count; t++) sum += terms.g[t] * src[terms.off[t] + r * src_row];
            dst[li->dst + r * dst_row] += sum;
        }
}

#define KIND(R, N, T) {R, N, T, span_##R##_##N##_##T},
static const struct kind {
    int rows, vectors, tail;
    span_fn *fn;
} kinds[] = {EACH(KIND)};

/* The kernel that covers most of a row of `left` floats; NULL for fewer than 4 of them. */
static const struct kind *pick(int rows, int left) {
    for (const struct kind *k = kinds + sizeof kinds / sizeof *kinds; k-- > kinds;) {
        int size = k->vectors * V + k->tail, last = k->tail & 4 ? 4 : k->tail ? 8 : V;
        if (k->rows == rows && (size <= left || (size - left < 4 && last <= left))) return k;
    }
    return NULL;
}

void CUG_SYM(spans)(float *dst, ptrdiff_t dst_row, const float *src, ptrdiff_t src_row, cug_terms terms,
                    const cug_term_list *lists, int n_lists, int rows, int len) {
    for (int r = 0, group; r < rows; r += group) {
        group = rows - r < 3 ? rows - r : 3;
        for (int l = 0, taken; l < len; l += taken) {
            float *d = dst + r * dst_row + l;
            const float *s = src + r * src_row + l;
            const struct kind *k = pick(group, len - l);
            int size = k ? k->vectors * V + k->tail : 1;
            taken = size < len - l ? size : len - l;
            if (k)
                k->fn(d, dst_row, s, src_row, terms, lists, n_lists, taken);
            else
                floats(d, dst_row, s, src_row, terms, lists, n_lists, group);
        }
    }
}
