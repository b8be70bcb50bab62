/* concat.c - reference concatenation along the channels. */
#include "ref.h"

static size_t first_channel(const cug_concat_shape *s, int j) {
    size_t at = 0;
    for (int i = 0; i < j; i++) at += (size_t)s->C[i];
    return at;
}

static cug_status concat_fwd(const cug_tensor *y, const cug_tensor *const *x, const cug_concat_shape *s,
                             const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_concat_fwd(REF_REAL, y, x, s));
    for (int j = 0; j < s->inputs; j++) {
        size_t C = (size_t)s->C[j], first = first_channel(s, j);
        for (size_t m = 0; m < (size_t)s->rows; m++)
            for (size_t c = 0; c < C; c++) ref_f64(y)[m * (size_t)s->total + first + c] = ref_f64(x[j])[m * C + c];
    }
    return CUG_OK;
}

static cug_status concat_bwd(const cug_tensor *dx, const cug_tensor *dy, int j, const cug_concat_shape *s,
                             unsigned accumulate, const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_concat_bwd(REF_REAL, dx, dy, j, s, accumulate));
    size_t C = (size_t)s->C[j], first = first_channel(s, j);
    for (size_t m = 0; m < (size_t)s->rows; m++)
        for (size_t c = 0; c < C; c++) {
            double g = ref_f64(dy)[m * (size_t)s->total + first + c];
            ref_f64(dx)[m * C + c] = accumulate & CUG_ACC_DX ? ref_f64(dx)[m * C + c] + g : g;
        }
    return CUG_OK;
}

const cug_concat_ops cug_ref_concat = {.fwd = concat_fwd, .bwd = concat_bwd};
