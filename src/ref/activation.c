/* activation.c - reference non-linearities. */
#include "ref.h"
#include <math.h>

#define PI 3.14159265358979323846

static double sigmoid(double x) {
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)); /* exp only of what is <= 0 */
}

/* The standard normal's distribution function and density. */
static double normal_cdf(double x) { return erfc(-x / sqrt(2)) / 2; }
static double normal_pdf(double x) { return exp(-x * x / 2) / sqrt(2 * PI); }

static double value(cug_act_kind kind, double slope, double x) {
    switch (kind) {
    case CUG_ACT_NONE:
        break;
    case CUG_ACT_RELU:
        return x > 0 || isnan(x) ? x : 0;
    case CUG_ACT_LEAKY_RELU:
        return x > 0 ? x : slope * x;
    case CUG_ACT_SIGMOID:
        return sigmoid(x);
    case CUG_ACT_TANH:
        return tanh(x);
    case CUG_ACT_SILU:
        return x == -INFINITY ? 0 : x * sigmoid(x);
    case CUG_ACT_GELU:
        return x == -INFINITY ? 0 : x * normal_cdf(x);
    }
    return x;
}

/* f' from `of`: x where cug_act_reads_x(kind), else y. */
static double derivative(cug_act_kind kind, double slope, double of) {
    const double y = of, x = of;
    if (cug_act_reads_x(kind) && isinf(x)) return x > 0; /* the limits, where Inf * 0 is none */
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
    case CUG_ACT_SILU:
        return sigmoid(x) * (1 + x * sigmoid(-x));
    case CUG_ACT_GELU:
        return normal_cdf(x) + x * normal_pdf(x);
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

static cug_status activation_bwd(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *of,
                                 const cug_activation_shape *s, unsigned accumulate, const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_activation_bwd(REF_REAL, dx, dy, of, s, accumulate));
    for (size_t i = 0; i < s->count; i++) {
        double g = ref_f64(dy)[i] * derivative(s->kind, (double)s->slope, ref_f64(of)[i]);
        ref_f64(dx)[i] = accumulate & CUG_ACC_DX ? ref_f64(dx)[i] + g : g;
    }
    return CUG_OK;
}

const cug_activation_ops cug_ref_activation = {.fwd = activation_fwd, .bwd = activation_bwd};
