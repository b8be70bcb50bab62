/* bias.c - reference bias. */
#include "ref.h"

static cug_status bias_fwd(const cug_tensor *y, const cug_tensor *x, const cug_tensor *b, const cug_bias_shape *s,
                           const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_bias_fwd(REF_REAL, y, x, b, s));
    for (int m = 0; m < s->rows; m++)
        for (int c = 0; c < s->C; c++) {
            size_t i = (size_t)m * (size_t)s->C + (size_t)c;
            ref_f64(y)[i] = ref_f64(x)[i] + ref_f64(b)[c];
        }
    return CUG_OK;
}

static cug_status bias_bwd(const cug_tensor *dx, const cug_tensor *db, const cug_tensor *dy, const cug_bias_shape *s,
                           unsigned accumulate, const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_bias_bwd(REF_REAL, dx, db, dy, s, accumulate));
    ref_start(db, accumulate & CUG_ACC_DW);
    for (int m = 0; m < s->rows; m++)
        for (int c = 0; c < s->C; c++) {
            size_t i = (size_t)m * (size_t)s->C + (size_t)c;
            double g = ref_f64(dy)[i];
            if (dx) ref_f64(dx)[i] = accumulate & CUG_ACC_DX ? ref_f64(dx)[i] + g : g;
            if (db) ref_f64(db)[c] += g;
        }
    return CUG_OK;
}

const cug_bias_ops cug_ref_bias = {.fwd = bias_fwd, .bwd = bias_bwd};
