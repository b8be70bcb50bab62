/* pool2d.c - reference pooling. A window is visited in (r, s) order, so the first maximum is the first met. */
#include "ref.h"
#include <math.h>

/* Place in x of the window's pixel (r,t), or -1 in the padding. */
static ptrdiff_t pixel(const cug_pool2d_shape *s, int n, int p, int q, int c, int r, int t) {
    int h = p * s->stride_h + r - s->pad_top, v = q * s->stride_w + t - s->pad_left;
    if (h < 0 || h >= s->H || v < 0 || v >= s->W) return -1;
    return (ptrdiff_t)ref_at(n, h, v, c, s->H, s->W, s->C);
}

static int real_pixels(const cug_pool2d_shape *s, int p, int q) {
    int count = 0;
    for (int r = 0; r < s->R; r++)
        for (int t = 0; t < s->S; t++) count += pixel(s, 0, p, q, 0, r, t) >= 0;
    return count;
}

static double window_max(const double *x, const cug_pool2d_shape *s, int n, int p, int q, int c, int *winner) {
    double best = 0;
    *winner = -1;
    for (int r = 0; r < s->R; r++)
        for (int t = 0; t < s->S; t++) {
            ptrdiff_t i = pixel(s, n, p, q, c, r, t);
            if (i < 0) continue;
            if (*winner < 0 || x[i] > best || (isnan(x[i]) && !isnan(best))) {
                best = x[i];
                *winner = r * s->S + t;
            }
        }
    return best;
}

static double window_mean(const double *x, const cug_pool2d_shape *s, int n, int p, int q, int c) {
    double sum = 0;
    for (int r = 0; r < s->R; r++)
        for (int t = 0; t < s->S; t++) {
            ptrdiff_t i = pixel(s, n, p, q, c, r, t);
            if (i >= 0) sum += x[i];
        }
    return sum / real_pixels(s, p, q);
}

static cug_status pool2d_fwd(const cug_tensor *y, const cug_tensor *argmax, const cug_tensor *x,
                             const cug_pool2d_shape *s, const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_pool2d_fwd(REF_REAL, y, argmax, x, s));
    for (int n = 0; n < s->N; n++)
        for (int p = 0; p < s->P; p++)
            for (int q = 0; q < s->Q; q++)
                for (int c = 0; c < s->C; c++) {
                    size_t o = ref_at(n, p, q, c, s->P, s->Q, s->C);
                    int winner;
                    if (s->kind == CUG_POOL_AVG) {
                        ref_f64(y)[o] = window_mean(ref_f64(x), s, n, p, q, c);
                        continue;
                    }
                    ref_f64(y)[o] = window_max(ref_f64(x), s, n, p, q, c, &winner);
                    if (argmax) ref_u8(argmax)[o] = (uint8_t)winner;
                }
    return CUG_OK;
}

static cug_status pool2d_bwd(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *argmax,
                             const cug_pool2d_shape *s, unsigned accumulate, const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_pool2d_bwd(REF_REAL, dx, dy, argmax, s, accumulate));
    ref_start(dx, accumulate & CUG_ACC_DX);
    for (int n = 0; n < s->N; n++)
        for (int p = 0; p < s->P; p++)
            for (int q = 0; q < s->Q; q++)
                for (int c = 0; c < s->C; c++) {
                    size_t o = ref_at(n, p, q, c, s->P, s->Q, s->C);
                    double g = ref_f64(dy)[o];
                    if (s->kind == CUG_POOL_AVG) g /= real_pixels(s, p, q);
                    for (int r = 0; r < s->R; r++)
                        for (int t = 0; t < s->S; t++) {
                            ptrdiff_t i = pixel(s, n, p, q, c, r, t);
                            int takes = s->kind == CUG_POOL_AVG || ref_u8(argmax)[o] == r * s->S + t;
                            if (i >= 0 && takes) ref_f64(dx)[i] += g;
                        }
                }
    return CUG_OK;
}

const cug_pool2d_ops cug_ref_pool2d = {.fwd = pool2d_fwd, .bwd = pool2d_bwd};
