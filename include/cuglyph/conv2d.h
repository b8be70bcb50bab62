/* conv2d.h - two-dimensional cross-correlation ("convolution"), with optional bias. */
#ifndef CUGLYPH_CONV2D_H
#define CUGLYPH_CONV2D_H

#include <cuglyph/exec.h>

#ifdef __cplusplus
extern "C" {
#endif

/* P = (H + pad_top + pad_bottom - R) / stride_h + 1 (rounded down), Q likewise; the shape's maker fills P and Q. */
typedef struct cug_conv2d_shape {
    int N, H, W, C, K, R, S;
    int stride_h, stride_w;
    int pad_top, pad_bottom, pad_left, pad_right;
    int P, Q;
} cug_conv2d_shape;

/* Computes P and Q and checks every extent and product (all tensors under 2^31 elements).
 * CUG_EINVAL with the reason otherwise. */
CUG_API cug_status cug_conv2d_shape_init(cug_conv2d_shape *s);

typedef struct cug_conv2d_ops {
    /* NULL means every valid shape. */
    int (*supports)(const cug_conv2d_shape *s);
    /* Scratch bytes for one call; NULL means none. */
    size_t (*workspace)(const cug_device *dev, const cug_conv2d_shape *s, cug_pass pass);

    /* y[n,p,q,k] = b[k] + sum_{r,s,c} x[n, p*stride_h+r-pad_top, q*stride_w+s-pad_left, c] * w[k,r,s,c]
     * x (N,H,W,C), w (K,R,S,C), b (K) or NULL, y (N,P,Q,K); zero padding; no aliasing; y is overwritten.
     * CUG_EINVAL (tensor or shape does not fit): nothing written. CUG_ENOTSUP. CUG_ECUDA: y undefined.
     * Asynchronous on CUDA. */
    cug_status (*fwd)(const cug_tensor *y, const cug_tensor *x, const cug_tensor *w, const cug_tensor *b,
                      const cug_conv2d_shape *s, const cug_exec *ex);

    /* dx[n,h,w,c] = sum_{k,r,s : h = p*stride_h+r-pad_top, w = q*stride_w+s-pad_left} dy[n,p,q,k] * w[k,r,s,c]
     * dw[k,r,s,c] = sum_{n,p,q} dy[n,p,q,k] * x[n, p*stride_h+r-pad_top, q*stride_w+s-pad_left, c]
     * db[k]       = sum_{n,p,q} dy[n,p,q,k]
     * dx, dw, db may each be NULL (not wanted); `accumulate` (CUG_ACC_*) adds instead of overwriting. No aliasing.
     * Errors as fwd. Fixed summation order: same bits for the same device and thread count. */
    cug_status (*bwd)(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                      const cug_tensor *x, const cug_tensor *w, const cug_conv2d_shape *s, unsigned accumulate,
                      const cug_exec *ex);
} cug_conv2d_ops;

#ifdef __cplusplus
}
#endif
#endif
