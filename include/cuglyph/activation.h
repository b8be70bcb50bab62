/* activation.h - elementwise non-linearities. */
#ifndef CUGLYPH_ACTIVATION_H
#define CUGLYPH_ACTIVATION_H

#include <cuglyph/exec.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    CUG_ACT_NONE,       /* y = x; only inside a conv_block */
    CUG_ACT_RELU,       /* y = x > 0 ? x : 0, NaN stays NaN;  dy/dx = y > 0 */
    CUG_ACT_LEAKY_RELU, /* y = x > 0 ? x : slope * x, slope in [0,1];  dy/dx = y > 0 ? 1 : slope */
    CUG_ACT_SIGMOID,    /* y = 1 / (1 + exp(-x)), no overflow at either end;  dy/dx = y * (1 - y) */
    CUG_ACT_TANH,       /* y = tanh x;  dy/dx = 1 - y^2 */
    /* These two fall before they rise: y does not say where x was, and their derivative is taken from x. At -Inf they
     * and their derivatives have their limit, 0 (PyTorch gives NaN there). NaN stays NaN. */
    CUG_ACT_SILU, /* y = x * s, s = 1 / (1 + exp(-x));  dy/dx = s * (1 + x * (1 - s)). Elfwing, Uchida and Doya,
                   * "Sigmoid-weighted linear units", 2017; also called swish */
    CUG_ACT_GELU, /* y = x * Phi(x), Phi(x) = erfc(-x / sqrt 2) / 2, not the tanh approximation;  dy/dx = Phi(x) + x *
                   * exp(-x^2 / 2) / sqrt(2 pi). Hendrycks and Gimpel, "Gaussian error linear units", 2016 */
} cug_act_kind;

/* Which of the forward's two tensors backward takes the derivative from: 1: x, 0: y. */
static inline int cug_act_reads_x(cug_act_kind kind) { return kind == CUG_ACT_SILU || kind == CUG_ACT_GELU; }

typedef struct cug_activation_shape {
    cug_act_kind kind;
    float slope; /* LEAKY_RELU only */
    size_t count;
} cug_activation_shape;

typedef struct cug_activation_ops {
    int (*supports)(const cug_activation_shape *s);
    /* y[i] = f(x[i]); y may be x itself, unless backward needs that x. */
    cug_status (*fwd)(const cug_tensor *y, const cug_tensor *x, const cug_activation_shape *s, const cug_exec *ex);
    /* dx[i] = dy[i] * f'(x[i]), the derivative taken from `of`, which is the forward's x where cug_act_reads_x(kind)
     * and its y for all other kinds; dx may be dy itself (not with CUG_ACC_DX). */
    cug_status (*bwd)(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *of, const cug_activation_shape *s,
                      unsigned accumulate, const cug_exec *ex);
} cug_activation_ops;

#ifdef __cplusplus
}
#endif
#endif
