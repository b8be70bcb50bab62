/* linear.h - dense (fully connected) layer. */
#ifndef CUGLYPH_LINEAR_H
#define CUGLYPH_LINEAR_H

#include <cuglyph/exec.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cug_linear_shape {
    int N, I, O; /* samples, inputs, outputs */
} cug_linear_shape;

CUG_API cug_status cug_linear_shape_init(cug_linear_shape *s); /* checks extents and products */

typedef struct cug_linear_ops {
    int (*supports)(const cug_linear_shape *s);
    size_t (*workspace)(const cug_device *dev, const cug_linear_shape *s, cug_pass pass);

    /* y[n,o] = b[o] + sum_i x[n,i] * w[o,i];  x (N,I), w (O,I), b (O) or NULL, y (N,O). x may have more dims whose
     * product is N*I. No aliasing; y is overwritten. */
    cug_status (*fwd)(const cug_tensor *y, const cug_tensor *x, const cug_tensor *w, const cug_tensor *b,
                      const cug_linear_shape *s, const cug_exec *ex);

    /* dx[n,i] = sum_o dy[n,o] * w[o,i];  dw[o,i] = sum_n dy[n,o] * x[n,i];  db[o] = sum_n dy[n,o].
     * dx, dw, db may each be NULL; `accumulate` as CUG_ACC_*. Fixed summation order. */
    cug_status (*bwd)(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                      const cug_tensor *x, const cug_tensor *w, const cug_linear_shape *s, unsigned accumulate,
                      const cug_exec *ex);
} cug_linear_ops;

#ifdef __cplusplus
}
#endif
#endif
