/* activation.c - reference non-linearities. */
#include "ref.h"
#include <math.h>

static double value(cug_act_kind kind, double slope, double x) {
    switch (kind) {
    case CUG_ACT_NONE:
        break;
    case CUG_ACT_RELU:
        return x > 0 || isnan(x) ? x : 0;
    case CUG_ACT_LEAKY_RELU:
        return x > 0 ? x : slope * x;
    case CUG_ACT_SIGMOID:
        return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)); /* exp only of what is <= 0 */
    case CUG_ACT_TANH:
        return tanh(x);
    }
    return x;
}

static double derivative(cug_act_kind kind, double slope, double y) {
    switch (kind) {
    case CUG_ACT_NONE:
        break;
    case CUG_ACT_RELU:
        return y > 0 ? 1 : 0;
    case CUG_ACT_LEAKY_RELU:
        return y > 0 ? 1 : slope;
    case CUG_ACT_SIGMOID:
        return y * (1 - y);
    case CUG_ACT_TANH:
        return 1 - y * y;
    }
    return 1;
}

static cug_status activation_fwd(const cug_tensor *y, const cug_tensor *x, const cug_activation_shape *s,
                                 const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_activation_fwd(REF_REAL, y, x, s));
    for (size_t i = 0; i < s->count; i++) ref_f64(y)[i] = value(s->kind, (double)s->slope, ref_f64(x)[i]);
    return CUG_OK;
}

static cug_status activation_bwd(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *y,
                                 const cug_activation_shape *s, unsigned accumulate, const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_activation_bwd(REF_REAL, dx, dy, y, s, accumulate));
    for (size_t i = 0; i < s->count; i++) {
        double g = ref_f64(dy)[i] * derivative(s->kind, (double)s->slope, ref_f64(y)[i]);
        ref_f64(dx)[i] = accumulate & CUG_ACC_DX ? ref_f64(dx)[i] + g : g;
    }
    return CUG_OK;
}

const cug_activation_ops cug_ref_activation = {.fwd = activation_fwd, .bwd = activation_bwd};
