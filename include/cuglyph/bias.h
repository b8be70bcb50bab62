/* bias.h - a learned constant per channel. */
#ifndef CUGLYPH_BIAS_H
#define CUGLYPH_BIAS_H

#include <cuglyph/exec.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cug_bias_shape {
    int rows, C; /* x seen as (rows, C): rows = N*H*W, or N for a flat tensor */
} cug_bias_shape;

typedef struct cug_bias_ops {
    /* y[m,c] = x[m,c] + b[c]; y may be x itself. */
    cug_status (*fwd)(const cug_tensor *y, const cug_tensor *x, const cug_tensor *b, const cug_bias_shape *s,
                      const cug_exec *ex);
    /* dx[m,c] = dy[m,c]; db[c] = sum_m dy[m,c]. Either may be NULL; dx may be dy itself (then nothing is copied; not
     * with CUG_ACC_DX). */
    cug_status (*bwd)(const cug_tensor *dx, const cug_tensor *db, const cug_tensor *dy, const cug_bias_shape *s,
                      unsigned accumulate, const cug_exec *ex);
} cug_bias_ops;

#ifdef __cplusplus
}
#endif
#endif
