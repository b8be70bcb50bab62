/* normalize.c - reference pixel scaling. */
#include "ref.h"

static cug_status normalize_fwd(const cug_tensor *y, const cug_tensor *u, const cug_normalize_shape *s,
                                const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_normalize(REF_REAL, y, u, s));
    for (size_t i = 0; i < s->count; i++) ref_f64(y)[i] = (double)s->scale * ref_u8(u)[i] + (double)s->shift;
    return CUG_OK;
}

const cug_normalize_ops cug_ref_normalize = {.fwd = normalize_fwd};
