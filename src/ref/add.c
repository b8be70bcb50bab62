/* add.c - reference sum of tensors. */
#include "ref.h"

static cug_status add_fwd(const cug_tensor *y, const cug_tensor *const *x, const cug_add_shape *s, const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_add_fwd(REF_REAL, y, x, s));
    for (size_t i = 0; i < s->count; i++) {
        double sum = ref_f64(x[0])[i];
        for (int j = 1; j < s->inputs; j++) sum += ref_f64(x[j])[i];
        ref_f64(y)[i] = sum;
    }
    return CUG_OK;
}

static cug_status add_bwd(const cug_tensor *dx, const cug_tensor *dy, const cug_add_shape *s, unsigned accumulate,
                          const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_add_bwd(REF_REAL, dx, dy, s, accumulate));
    for (size_t i = 0; i < s->count; i++)
        ref_f64(dx)[i] = accumulate & CUG_ACC_DX ? ref_f64(dx)[i] + ref_f64(dy)[i] : ref_f64(dy)[i];
    return CUG_OK;
}

const cug_add_ops cug_ref_add = {.fwd = add_fwd, .bwd = add_bwd};
