/* linear.c - reference dense layer. */
#include "ref.h"

static cug_status linear_fwd(const cug_tensor *y, const cug_tensor *x, const cug_tensor *w, const cug_tensor *b,
                             const cug_linear_shape *s, const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_linear_fwd(REF_REAL, y, x, w, b, s));
    for (int n = 0; n < s->N; n++)
        for (int o = 0; o < s->O; o++) {
            const double *px = ref_f64(x) + (size_t)n * (size_t)s->I, *pw = ref_f64(w) + (size_t)o * (size_t)s->I;
            double sum = b ? ref_f64(b)[o] : 0;
            for (int i = 0; i < s->I; i++) sum += px[i] * pw[i];
            ref_f64(y)[(size_t)n * (size_t)s->O + (size_t)o] = sum;
        }
    return CUG_OK;
}

static cug_status linear_bwd(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                             const cug_tensor *x, const cug_tensor *w, const cug_linear_shape *s, unsigned accumulate,
                             const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_linear_bwd(REF_REAL, dx, dw, db, dy, x, w, s, accumulate));
    ref_start(dx, accumulate & CUG_ACC_DX);
    ref_start(dw, accumulate & CUG_ACC_DW);
    ref_start(db, accumulate & CUG_ACC_DW);
    for (int n = 0; n < s->N; n++)
        for (int o = 0; o < s->O; o++) {
            size_t row_x = (size_t)n * (size_t)s->I, row_w = (size_t)o * (size_t)s->I;
            double g = ref_f64(dy)[(size_t)n * (size_t)s->O + (size_t)o];
            if (db) ref_f64(db)[o] += g;
            for (int i = 0; i < s->I && dx; i++) ref_f64(dx)[row_x + (size_t)i] += g * ref_f64(w)[row_w + (size_t)i];
            for (int i = 0; i < s->I && dw; i++) ref_f64(dw)[row_w + (size_t)i] += g * ref_f64(x)[row_x + (size_t)i];
        }
    return CUG_OK;
}

const cug_linear_ops cug_ref_linear = {.fwd = linear_fwd, .bwd = linear_bwd};
