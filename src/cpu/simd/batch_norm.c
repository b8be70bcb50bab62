/* batch_norm.c - sums and maps over rows whose columns have constants of their own. Rows are `wide`: as many of the
 * tensor's as make a multiple of four vectors, one after the other. */
#include "cpu/simd/vec.h"

#define WIDE 4 /* vectors whose chains run side by side */

/* s = sum over rows of d, q of d * d, d = x - mean. */
void CUG_SYM(moments)(float *s, float *q, const float *x, const float *mean, size_t rows, size_t width) {
    for (size_t w = 0; w < width; w += WIDE * V) {
        vf sum[WIDE] = {{0}}, square[WIDE] = {{0}}, m[WIDE];
        for (int i = 0; i < WIDE; i++) m[i] = vload(mean + w + i * V);
        for (size_t r = 0; r < rows; r++)
            for (int i = 0; i < WIDE; i++) {
                vf d = vload(x + r * width + w + i * V) - m[i];
                sum[i] += d;
                square[i] += d * d;
            }
        for (int i = 0; i < WIDE; i++) {
            vstore(s + w + i * V, sum[i]);
            vstore(q + w + i * V, square[i]);
        }
    }
}

/* s = sum over rows of g, q of g * (x - mean). */
void CUG_SYM(comoments)(float *s, float *q, const float *g, const float *x, const float *mean, size_t rows,
                        size_t width) {
    for (size_t w = 0; w < width; w += WIDE * V) {
        vf sum[WIDE] = {{0}}, product[WIDE] = {{0}}, m[WIDE];
        for (int i = 0; i < WIDE; i++) m[i] = vload(mean + w + i * V);
        for (size_t r = 0; r < rows; r++)
            for (int i = 0; i < WIDE; i++) {
                vf dy = vload(g + r * width + w + i * V);
                sum[i] += dy;
                product[i] += dy * (vload(x + r * width + w + i * V) - m[i]);
            }
        for (int i = 0; i < WIDE; i++) {
            vstore(s + w + i * V, sum[i]);
            vstore(q + w + i * V, product[i]);
        }
    }
}

/* y = (x - mean) * a + b, added to y where `add`. */
void CUG_SYM(affine)(float *y, const float *x, const float *mean, const float *a, const float *b, int add, size_t rows,
                     size_t width) {
    for (size_t w = 0; w < width; w += V) {
        const vf m = vload(mean + w), k = vload(a + w), c = vload(b + w);
        for (size_t r = 0; r < rows; r++) {
            vf v = (vload(x + r * width + w) - m) * k + c;
            vstore(y + r * width + w, add ? vload(y + r * width + w) + v : v);
        }
    }
}

/* dx = g * a + (x - mean) * b + c, added to dx where `add`. */
void CUG_SYM(affine2)(float *dx, const float *g, const float *x, const float *mean, const float *a, const float *b,
                      const float *c, int add, size_t rows, size_t width) {
    for (size_t w = 0; w < width; w += V) {
        const vf m = vload(mean + w), kg = vload(a + w), kx = vload(b + w), k = vload(c + w);
        for (size_t r = 0; r < rows; r++) {
            size_t at = r * width + w;
            vf v = vload(g + at) * kg + ((vload(x + at) - m) * kx + k);
            vstore(dx + at, add ? vload(dx + at) + v : v);
        }
    }
}
