/* linear.c - reference dense layer. */
#include "ref.h"
#include <stdlib.h>

static cug_status linear_fwd(const cug_tensor *y, const cug_tensor *x, const cug_tensor *w, const cug_tensor *b,
                             const cug_linear_shape *s, const cug_exec *ex) {
    double *fx, *fw, *copy_x = NULL, *copy_w = NULL;
    cug_status st = CUG_OK;
    CUG_TRY(cug_check_linear_fwd(REF_REAL, y, x, w, b, s));
    CUG_GOTO(ref_factors(&fx, &copy_x, x, ex));
    CUG_GOTO(ref_factors(&fw, &copy_w, w, ex));
    for (int n = 0; n < s->N; n++)
        for (int o = 0; o < s->O; o++) {
            const double *px = fx + (size_t)n * (size_t)s->I, *pw = fw + (size_t)o * (size_t)s->I;
            double sum = b ? ref_f64(b)[o] : 0;
            for (int i = 0; i < s->I; i++) sum += px[i] * pw[i];
            ref_f64(y)[(size_t)n * (size_t)s->O + (size_t)o] = sum;
        }
cleanup:
    free(copy_x);
    free(copy_w);
    return st;
}

static cug_status linear_bwd(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                             const cug_tensor *x, const cug_tensor *w, const cug_linear_shape *s, unsigned accumulate,
                             const cug_exec *ex) {
    double *fx, *fw, *fdy, *copy_x = NULL, *copy_w = NULL, *copy_dy = NULL;
    cug_status st = CUG_OK;
    CUG_TRY(cug_check_linear_bwd(REF_REAL, dx, dw, db, dy, x, w, s, accumulate));
    CUG_GOTO(ref_factors(&fx, &copy_x, x, ex));
    CUG_GOTO(ref_factors(&fw, &copy_w, w, ex));
    CUG_GOTO(ref_factors(&fdy, &copy_dy, dy, ex));
    ref_start(dx, accumulate & CUG_ACC_DX);
    ref_start(dw, accumulate & CUG_ACC_DW);
    ref_start(db, accumulate & CUG_ACC_DW);
    for (int n = 0; n < s->N; n++)
        for (int o = 0; o < s->O; o++) {
            size_t row_x = (size_t)n * (size_t)s->I, row_w = (size_t)o * (size_t)s->I;
            size_t at_y = (size_t)n * (size_t)s->O + (size_t)o;
            double g = fdy[at_y];
            if (db) ref_f64(db)[o] += ref_f64(dy)[at_y]; /* a sum without factors */
            for (int i = 0; i < s->I && dx; i++) ref_f64(dx)[row_x + (size_t)i] += g * fw[row_w + (size_t)i];
            for (int i = 0; i < s->I && dw; i++) ref_f64(dw)[row_w + (size_t)i] += g * fx[row_x + (size_t)i];
        }
cleanup:
    free(copy_x);
    free(copy_w);
    free(copy_dy);
    return st;
}

const cug_linear_ops cug_ref_linear = {.fwd = linear_fwd, .bwd = linear_bwd};
