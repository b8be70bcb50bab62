/* dropout.c - reference dropout: one Philox call an element, the word it needs taken from it. */
#include "ref.h"
#include <cuglyph/random.h>

static int dropped(const cug_dropout_shape *s, const cug_step *step, int32_t id, int f) {
    uint32_t counter[4] = {(uint32_t)f / 4, (uint32_t)id, (uint32_t)step->step,
                           (uint32_t)CUG_RNG_DROPOUT | s->node << 8},
             draw[4];
    cug_philox(step->seed, counter, draw);
    return draw[f % 4] < s->drop;
}

/* Forward and backward are the same map. */
static cug_status apply(const cug_tensor *out, const cug_tensor *in, const cug_tensor *ids, const cug_step *step,
                        const cug_dropout_shape *s, unsigned accumulate) {
    CUG_TRY(cug_check_dropout(REF_REAL, out, in, ids, step, s, accumulate));
    for (int n = 0; n < s->N; n++)
        for (int f = 0; f < s->F; f++) {
            size_t i = (size_t)n * (size_t)s->F + (size_t)f;
            double v = dropped(s, step, ref_i32(ids)[n], f) ? 0 : ref_f64(in)[i] * (double)s->scale;
            ref_f64(out)[i] = accumulate & CUG_ACC_DX ? ref_f64(out)[i] + v : v;
        }
    return CUG_OK;
}

static cug_status dropout_fwd(const cug_tensor *y, const cug_tensor *x, const cug_tensor *ids, const cug_step *step,
                              const cug_dropout_shape *s, const cug_exec *ex) {
    (void)ex;
    return apply(y, x, ids, step, s, 0);
}

static cug_status dropout_bwd(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *ids, const cug_step *step,
                              const cug_dropout_shape *s, unsigned accumulate, const cug_exec *ex) {
    (void)ex;
    return apply(dx, dy, ids, step, s, accumulate);
}

const cug_dropout_ops cug_ref_dropout = {.fwd = dropout_fwd, .bwd = dropout_bwd};
