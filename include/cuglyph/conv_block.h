/* conv_block.h - conv2d + bias + activation + optional max pooling in one pass; what the plan puts in place of those
 * ops where a backend supports it. The convolution's own output is never stored. */
#ifndef CUGLYPH_CONV_BLOCK_H
#define CUGLYPH_CONV_BLOCK_H

#include <cuglyph/activation.h>
#include <cuglyph/conv2d.h>
#include <cuglyph/pool2d.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cug_conv_block_shape {
    cug_conv2d_shape conv;
    cug_act_kind act; /* CUG_ACT_NONE or a kind whose derivative follows from y */
    float slope;
    int has_pool;          /* 0: y is the activation's output */
    cug_pool2d_shape pool; /* max pooling of the activation's output: pool.H = conv.P, pool.C = conv.K ... */
} cug_conv_block_shape;

typedef struct cug_conv_block_ops {
    /* Never NULL: a backend says which combinations it has. */
    int (*supports)(const cug_conv_block_shape *s);
    /* 0: this device would rather run the ops apart. NULL: wherever it is supported. dev may be NULL. */
    int (*wanted)(const cug_device *dev, const cug_conv_block_shape *s);
    size_t (*workspace)(const cug_device *dev, const cug_conv_block_shape *s, cug_pass pass);
    /* Bytes that fwd writes to `saved` for bwd, in a form private to the backend. May be 0. */
    size_t (*saved_bytes)(const cug_conv_block_shape *s);

    /* y = pool(act(conv2d(x, w) + b)), each as its own header says (ties, NaN, padding). b may be NULL.
     * saved: memory of saved_bytes, NULL when no backward follows. No aliasing. */
    cug_status (*fwd)(const cug_tensor *y, void *saved, const cug_tensor *x, const cug_tensor *w, const cug_tensor *b,
                      const cug_conv_block_shape *s, const cug_exec *ex);
    /* Gradients of x, w, b from dy (shape of y), y and saved; dx, dw, db may be NULL; `accumulate` as CUG_ACC_*. */
    cug_status (*bwd)(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                      const cug_tensor *y, const void *saved, const cug_tensor *x, const cug_tensor *w,
                      const cug_conv_block_shape *s, unsigned accumulate, const cug_exec *ex);
} cug_conv_block_ops;

#ifdef __cplusplus
}
#endif
#endif
