/* pool2d.h - max and average pooling over windows of an NHWC tensor. */
#ifndef CUGLYPH_POOL2D_H
#define CUGLYPH_POOL2D_H

#include <cuglyph/exec.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { CUG_POOL_MAX, CUG_POOL_AVG } cug_pool_kind;

/* P = (H + pad_top + pad_bottom - R) / stride_h + 1 (rounded down), Q likewise. R, S at most 15. Every pad is smaller
 * than the window, so each window sees at least one real pixel. */
typedef struct cug_pool2d_shape {
    cug_pool_kind kind;
    int N, H, W, C, R, S;
    int stride_h, stride_w;
    int pad_top, pad_bottom, pad_left, pad_right;
    int P, Q;
} cug_pool2d_shape;

CUG_API cug_status cug_pool2d_shape_init(cug_pool2d_shape *s);

typedef struct cug_pool2d_ops {
    int (*supports)(const cug_pool2d_shape *s); /* NULL: every valid shape */

    /* max: y[n,p,q,c] = max over the window's real pixels (padding never wins); ties go to the first in (r,s) order,
     *      the first NaN met wins and stays. argmax[n,p,q,c] = r*S + s of the winner (uint8), or argmax NULL.
     * avg: y = sum of the window's real pixels / number of real pixels (padding is not counted); argmax unused.
     * x (N,H,W,C), y and argmax (N,P,Q,C); no aliasing; outputs are overwritten. */
    cug_status (*fwd)(const cug_tensor *y, const cug_tensor *argmax, const cug_tensor *x, const cug_pool2d_shape *s,
                      const cug_exec *ex);

    /* max: dx[n,h,w,c] = sum of dy over the windows whose winner is (h,w); every dx is written (zero where none).
     * avg: dx = sum over windows holding (h,w) of dy / number of real pixels of that window.
     * `accumulate` may hold CUG_ACC_DX. No atomics: fixed order. */
    cug_status (*bwd)(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *argmax, const cug_pool2d_shape *s,
                      unsigned accumulate, const cug_exec *ex);
} cug_pool2d_ops;

#ifdef __cplusplus
}
#endif
#endif
