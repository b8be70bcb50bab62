/* add.h - elementwise sum of several tensors of one shape (residual connections). */
#ifndef CUGLYPH_ADD_H
#define CUGLYPH_ADD_H

#include <cuglyph/exec.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cug_add_shape {
    int inputs;
    size_t count; /* elements of each */
} cug_add_shape;

typedef struct cug_add_ops {
    /* y[i] = x[0][i] + x[1][i] + ... in that order; no aliasing. */
    cug_status (*fwd)(const cug_tensor *y, const cug_tensor *const *x, const cug_add_shape *s, const cug_exec *ex);
    /* The gradient of one input: dx[i] = dy[i], or dx[i] += dy[i] with CUG_ACC_DX. */
    cug_status (*bwd)(const cug_tensor *dx, const cug_tensor *dy, const cug_add_shape *s, unsigned accumulate,
                      const cug_exec *ex);
} cug_add_ops;

#ifdef __cplusplus
}
#endif
#endif
