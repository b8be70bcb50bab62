/* concat.h - tensors of equal N, H, W side by side in the channel axis. */
#ifndef CUGLYPH_CONCAT_H
#define CUGLYPH_CONCAT_H

#include <cuglyph/exec.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CUG_MAX_INPUTS 8

typedef struct cug_concat_shape {
    int inputs;
    int rows;              /* N*H*W, or N for flat tensors */
    int C[CUG_MAX_INPUTS]; /* channels of each input */
    int total;             /* their sum */
} cug_concat_shape;

typedef struct cug_concat_ops {
    /* y[m, C[0]+...+C[j-1]+c] = x[j][m,c];  y (rows, total); no aliasing. */
    cug_status (*fwd)(const cug_tensor *y, const cug_tensor *const *x, const cug_concat_shape *s, const cug_exec *ex);
    /* The gradient of input j: dx[m,c] = dy[m, C[0]+...+C[j-1]+c] (or += with CUG_ACC_DX). */
    cug_status (*bwd)(const cug_tensor *dx, const cug_tensor *dy, int j, const cug_concat_shape *s, unsigned accumulate,
                      const cug_exec *ex);
} cug_concat_ops;

#ifdef __cplusplus
}
#endif
#endif
