/* dropout.h - inverted dropout (Srivastava et al., 2014) from counter-based random numbers: no mask is stored. */
#ifndef CUGLYPH_DROPOUT_H
#define CUGLYPH_DROPOUT_H

#include <cuglyph/exec.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cug_dropout_shape {
    int N, F;      /* samples, features of a sample (H*W*C) */
    uint32_t drop; /* dropped where the draw is below this: p * 2^32, rounded; cug_dropout_threshold(p) */
    float scale;   /* 1 / (1 - p) */
    uint32_t node; /* the layer's number in the graph */
} cug_dropout_shape;

/* p in [0, 1). */
CUG_API uint32_t cug_dropout_threshold(double p);

typedef struct cug_dropout_ops {
    /* draw(n,f) = word f%4 of Philox(step->seed, {f/4, ids[n], (uint32) step->step, CUG_RNG_DROPOUT | node << 8})
     * y[n,f] = draw(n,f) < drop ? 0 : x[n,f] * scale.  x, y (N,F); ids (N) int32: each sample's number in the data set;
     * step: a cug_step in backend memory. y may be x itself. */
    cug_status (*fwd)(const cug_tensor *y, const cug_tensor *x, const cug_tensor *ids, const cug_step *step,
                      const cug_dropout_shape *s, const cug_exec *ex);
    /* dx[n,f] = draw(n,f) < drop ? 0 : dy[n,f] * scale; dx may be dy itself (not with CUG_ACC_DX). */
    cug_status (*bwd)(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *ids, const cug_step *step,
                      const cug_dropout_shape *s, unsigned accumulate, const cug_exec *ex);
} cug_dropout_ops;

#ifdef __cplusplus
}
#endif
#endif
