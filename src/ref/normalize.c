/* normalize.c - reference pixel scaling. */
#include "ref.h"

static cug_status normalize_fwd(const cug_tensor *y, const cug_tensor *u, const cug_normalize_shape *s,
                                const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_normalize(REF_REAL, y, u, s));
    for (size_t i = 0; i < s->count; i++) ref_f64(y)[i] = (double)s->scale * ref_u8(u)[i] + (double)s->shift;
    return CUG_OK;
}

static cug_status normalize_gather(const cug_tensor *y, const cug_tensor *images, const cug_tensor *ids,
                                   const cug_normalize_shape *s, const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_normalize_gather(REF_REAL, y, images, ids, s));
    size_t N = cug_tensor_count(ids), F = s->count / N;
    for (size_t n = 0; n < N; n++)
        for (size_t i = 0; i < F; i++)
            ref_f64(y)[n * F + i] =
                (double)s->scale * ref_u8(images)[(size_t)ref_i32(ids)[n] * F + i] + (double)s->shift;
    return CUG_OK;
}

const cug_normalize_ops cug_ref_normalize = {.fwd = normalize_fwd, .gather = normalize_gather};
