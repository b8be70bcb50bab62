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
} cug_act_kind;

typedef struct cug_activation_shape {
    cug_act_kind kind;
    float slope; /* LEAKY_RELU only */
    size_t count;
} cug_activation_shape;

typedef struct cug_activation_ops {
    int (*supports)(const cug_activation_shape *s);
    /* y[i] = f(x[i]); y may be x itself. */
    cug_status (*fwd)(const cug_tensor *y, const cug_tensor *x, const cug_activation_shape *s, const cug_exec *ex);
    /* dx[i] = dy[i] * f'(x[i]), the derivative taken from y as above; dx may be dy itself (not with CUG_ACC_DX). */
    cug_status (*bwd)(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *y, const cug_activation_shape *s,
                      unsigned accumulate, const cug_exec *ex);
} cug_activation_ops;

#ifdef __cplusplus
}
#endif
#endif
