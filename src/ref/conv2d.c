/* conv2d.c - reference convolution: the sums of conv2d.h as they stand there. */
#include "ref.h"
#include <stdlib.h>

static cug_status conv2d_fwd(const cug_tensor *y, const cug_tensor *x, const cug_tensor *w, const cug_tensor *b,
                             const cug_conv2d_shape *s, const cug_exec *ex) {
    double *fx, *fw, *copy_x = NULL, *copy_w = NULL;
    cug_status st = CUG_OK;
    CUG_TRY(cug_check_conv2d_fwd(REF_REAL, y, x, w, b, s));
    CUG_GOTO(ref_factors(&fx, &copy_x, x, ex));
    CUG_GOTO(ref_factors(&fw, &copy_w, w, ex));
    for (int n = 0; n < s->N; n++)
        for (int p = 0; p < s->P; p++)
            for (int q = 0; q < s->Q; q++)
                for (int k = 0; k < s->K; k++) {
                    double sum = b ? ref_f64(b)[k] : 0;
                    for (int r = 0; r < s->R; r++)
                        for (int t = 0; t < s->S; t++) {
                            int h = p * s->stride_h + r - s->pad_top, v = q * s->stride_w + t - s->pad_left;
                            if (h < 0 || h >= s->H || v < 0 || v >= s->W) continue; /* padding is zero */
                            const double *px = &fx[ref_at(n, h, v, 0, s->H, s->W, s->C)];
                            const double *pw = &fw[ref_at(k, r, t, 0, s->R, s->S, s->C)];
                            for (int c = 0; c < s->C; c++) sum += px[c] * pw[c];
                        }
                    ref_f64(y)[ref_at(n, p, q, k, s->P, s->Q, s->K)] = sum;
                }
cleanup:
    free(copy_x);
    free(copy_w);
    return st;
}

/* One product of the forward sum, x[at_x] * w[at_w], gives its share to both factors' gradients. */
static void share(double *dx, double *dw, double dy, const double *x, const double *w, int C) {
    for (int c = 0; c < C && dx; c++) dx[c] += dy * w[c];
    for (int c = 0; c < C && dw; c++) dw[c] += dy * x[c];
}

static cug_status conv2d_bwd(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                             const cug_tensor *x, const cug_tensor *w, const cug_conv2d_shape *s, unsigned accumulate,
                             const cug_exec *ex) {
    double *fx, *fw, *fdy, *copy_x = NULL, *copy_w = NULL, *copy_dy = NULL;
    cug_status st = CUG_OK;
    CUG_TRY(cug_check_conv2d_bwd(REF_REAL, dx, dw, db, dy, x, w, s, accumulate));
    CUG_GOTO(ref_factors(&fx, &copy_x, x, ex));
    CUG_GOTO(ref_factors(&fw, &copy_w, w, ex));
    CUG_GOTO(ref_factors(&fdy, &copy_dy, dy, ex));
    ref_start(dx, accumulate & CUG_ACC_DX);
    ref_start(dw, accumulate & CUG_ACC_DW);
    ref_start(db, accumulate & CUG_ACC_DW);
    for (int n = 0; n < s->N; n++)
        for (int p = 0; p < s->P; p++)
            for (int q = 0; q < s->Q; q++)
                for (int k = 0; k < s->K; k++) {
                    size_t iy = ref_at(n, p, q, k, s->P, s->Q, s->K);
                    double g = fdy[iy];
                    if (db) ref_f64(db)[k] += ref_f64(dy)[iy]; /* a sum without factors */
                    for (int r = 0; r < s->R; r++)
                        for (int t = 0; t < s->S; t++) {
                            int h = p * s->stride_h + r - s->pad_top, v = q * s->stride_w + t - s->pad_left;
                            if (h < 0 || h >= s->H || v < 0 || v >= s->W) continue;
                            size_t ix = ref_at(n, h, v, 0, s->H, s->W, s->C), iw = ref_at(k, r, t, 0, s->R, s->S, s->C);
                            share(dx ? &ref_f64(dx)[ix] : NULL, dw ? &ref_f64(dw)[iw] : NULL, g, &fx[ix], &fw[iw],
                                  s->C);
                        }
                }
cleanup:
    free(copy_x);
    free(copy_w);
    free(copy_dy);
    return st;
}

const cug_conv2d_ops cug_ref_conv2d = {.fwd = conv2d_fwd, .bwd = conv2d_bwd};
