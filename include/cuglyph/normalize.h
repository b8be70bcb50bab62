/* normalize.h - pixels to numbers: the first op of every model. */
#ifndef CUGLYPH_NORMALIZE_H
#define CUGLYPH_NORMALIZE_H

#include <cuglyph/exec.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cug_normalize_shape {
    size_t count; /* N*H*W*C */
    float scale, shift;
} cug_normalize_shape;

typedef struct cug_normalize_ops {
    /* y[i] = scale * u[i] + shift;  u uint8, y real. float32: one fused multiply-add, so the result is the exact value
     * rounded once. `unit`: 1/255, 0. `signed`: 2/255, -1. `std`: 1/(255 sd), -mean/sd. */
    cug_status (*fwd)(const cug_tensor *y, const cug_tensor *u, const cug_normalize_shape *s, const cug_exec *ex);
    /* The same of images picked out of a set: y's n-th of N equal parts is made of image ids[n] (int32, N) of `images`
     * (uint8). NULL: not on this backend, whose memory is not the host's own. */
    cug_status (*gather)(const cug_tensor *y, const cug_tensor *images, const cug_tensor *ids,
                         const cug_normalize_shape *s, const cug_exec *ex);
} cug_normalize_ops;

#ifdef __cplusplus
}
#endif
#endif
