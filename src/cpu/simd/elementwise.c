/* elementwise.c - loops over flat memory, left to the compiler's vectoriser. */
#include "cpu/simd/vec.h"
#include <math.h>

void CUG_SYM(axpy1)(float *restrict y, const float *restrict x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}

void CUG_SYM(axpy)(float *restrict y, float a, const float *restrict x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

void CUG_SYM(sum)(float *y, const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

void CUG_SYM(add_row)(float *y, const float *x, const float *restrict b, size_t rows, size_t cols) {
    for (size_t m = 0; m < rows; m++)
        for (size_t c = 0; c < cols; c++) y[m * cols + c] = x[m * cols + c] + b[c];
}

/* Without the instruction fmaf is a library call: then every value is worked out once. */
typedef struct scaling {
    float scale, shift;
#ifndef __FMA__
    float table[256];
#endif
} scaling;

CUG_INLINE void begin_scaling(scaling *s, float scale, float shift) {
    s->scale = scale;
    s->shift = shift;
#ifndef __FMA__
    for (int i = 0; i < 256; i++) s->table[i] = fmaf(scale, (float)i, shift);
#endif
}

CUG_INLINE void scale_pixels(float *restrict y, const uint8_t *restrict u, const scaling *s, size_t n) {
#ifdef __FMA__
    const float scale = s->scale, shift = s->shift;
    for (size_t i = 0; i < n; i++) y[i] = fmaf(scale, (float)u[i], shift);
#else
    for (size_t i = 0; i < n; i++) y[i] = s->table[u[i]];
#endif
}

void CUG_SYM(normalize)(float *restrict y, const uint8_t *restrict u, float scale, float shift, size_t n) {
    scaling s;
    begin_scaling(&s, scale, shift);
    scale_pixels(y, u, &s, n);
}

/* Images picked at random are in no cache: each is asked for, into the second one, while others are scaled. */
void CUG_SYM(normalize_images)(float *restrict y, const uint8_t *restrict images, const int32_t *restrict ids,
                               float scale, float shift, size_t n, size_t size) {
    enum { AHEAD = 8, LINE = 64 };
    scaling s;
    begin_scaling(&s, scale, shift);
    for (size_t i = 0; i < n + AHEAD; i++) {
        for (size_t at = 0; at < size && i < n; at += LINE)
            __builtin_prefetch(images + (size_t)ids[i] * size + at, 0, 2);
        if (i >= AHEAD) scale_pixels(y + (i - AHEAD) * size, images + (size_t)ids[i - AHEAD] * size, &s, size);
    }
}

void CUG_SYM(act_fwd)(float *y, const float *x, cug_act_kind kind, float slope, size_t n) {
    if (cug_act_reads_x(kind))
        CUG_SYM(smooth_fwd)(y, x, kind, n);
    else if (kind == CUG_ACT_RELU)
        for (size_t i = 0; i < n; i++) y[i] = x[i] <= 0 ? 0 : x[i];
    else if (kind == CUG_ACT_LEAKY_RELU)
        for (size_t i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] : slope * x[i];
    else
        for (size_t i = 0; i < n; i++) y[i] = x[i];
}

CUG_INLINE float derivative(float y, cug_act_kind kind, float slope) {
    switch (kind) {
    case CUG_ACT_RELU:
        return y > 0 ? 1.0f : 0.0f;
    case CUG_ACT_LEAKY_RELU:
        return y > 0 ? 1.0f : slope;
    case CUG_ACT_SIGMOID:
        return y * (1 - y);
    case CUG_ACT_TANH:
        return 1 - y * y;
    default:
        return 1;
    }
}

CUG_INLINE void backward(float *dx, const float *dy, const float *y, cug_act_kind kind, float slope, int add,
                         size_t n) {
    if (add)
        for (size_t i = 0; i < n; i++) dx[i] += dy[i] * derivative(y[i], kind, slope);
    else
        for (size_t i = 0; i < n; i++) dx[i] = dy[i] * derivative(y[i], kind, slope);
}

void CUG_SYM(act_bwd)(float *dx, const float *dy, const float *of, cug_act_kind kind, float slope, int add, size_t n) {
    switch (kind) { /* one loop a kind */
    case CUG_ACT_RELU:
        backward(dx, dy, of, CUG_ACT_RELU, slope, add, n);
        break;
    case CUG_ACT_LEAKY_RELU:
        backward(dx, dy, of, CUG_ACT_LEAKY_RELU, slope, add, n);
        break;
    case CUG_ACT_SIGMOID:
        backward(dx, dy, of, CUG_ACT_SIGMOID, slope, add, n);
        break;
    case CUG_ACT_TANH:
        backward(dx, dy, of, CUG_ACT_TANH, slope, add, n);
        break;
    case CUG_ACT_SILU:
    case CUG_ACT_GELU:
        CUG_SYM(smooth_bwd)(dx, dy, of, kind, add, n);
        break;
    case CUG_ACT_NONE:
        backward(dx, dy, of, CUG_ACT_NONE, slope, add, n);
        break;
    }
}

double CUG_SYM(sum_squares)(const float *g, size_t n) {
    double s[16] = {0};
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) s[j] += (double)g[i + j] * g[i + j];
    for (int j = 0; i < n; i++, j++) s[j] += (double)g[i] * g[i];
    double total = 0;
    for (int j = 0; j < 16; j++) total += s[j];
    return total;
}

void CUG_SYM(pool_max)(float *restrict y, uint8_t *restrict arg, const float *restrict x, size_t n, int which) {
    if (!arg) {
        for (size_t i = 0; i < n; i++) y[i] = !(x[i] <= y[i]) && y[i] == y[i] ? x[i] : y[i];
        return;
    }
    for (size_t i = 0; i < n; i++) {
        int better = !(x[i] <= y[i]) & (y[i] == y[i]);
        y[i] = better ? x[i] : y[i];
        arg[i] = better ? (uint8_t)which : arg[i];
    }
}

void CUG_SYM(pool_max_bwd)(float *restrict dx, const float *restrict dy, const uint8_t *restrict arg, int which,
                           size_t n) {
    for (size_t i = 0; i < n; i++) dx[i] += arg[i] == which ? dy[i] : 0;
}

void CUG_SYM(sum_rows)(float *restrict y, const float *restrict x, size_t rows, size_t cols) {
    for (size_t m = 0; m < rows; m++)
        for (size_t c = 0; c < cols; c++) y[c] += x[m * cols + c];
}
