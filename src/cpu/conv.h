/* conv.h - what conv2d and conv_block share on the cpu: one forward and one backward pass over images in which
 * activation and 2x2 pooling are optional. */
#ifndef CUG_CPU_CONV_H
#define CUG_CPU_CONV_H

#include "cpu/gemm.h"

typedef struct cug_cpu_conv {
    cug_conv2d_shape s;
    cug_act_kind act; /* NONE, RELU or LEAKY_RELU */
    float slope;
    int pool;   /* 1: 2x2 max pooling with stride 2 follows, and the convolution has stride 1 */
    int PP, QQ; /* extents of the output */
    int span;   /* S * C floats: a filter's row, and the stretch of an image row that it meets */
    int Hp, Wp; /* extents of an image with its padding */
    int padded; /* there is padding: images are copied into a frame of zeros */
} cug_cpu_conv;

cug_cpu_conv cug_cpu_conv_plain(const cug_conv2d_shape *s);
cug_cpu_conv cug_cpu_conv_of_block(const cug_conv_block_shape *s);

size_t cug_cpu_conv_fwd_workspace(const cug_device *dev, const cug_cpu_conv *g);
size_t cug_cpu_conv_bwd_workspace(const cug_device *dev, const cug_cpu_conv *g);

/* arg: (N,PP,QQ,K) winners 0..3 of each window, or NULL. */
void cug_cpu_conv_fwd(const cug_device *dev, void *workspace, const cug_cpu_conv *g, float *y, uint8_t *arg,
                      const float *x, const float *w, const float *b);
/* dx, dw, db: NULL when not wanted. y is read for the activation's derivative only. */
typedef struct cug_cpu_conv_grads {
    float *dx, *dw, *db;
    const float *dy, *y, *x, *w;
    const uint8_t *arg;
    unsigned accumulate;
} cug_cpu_conv_grads;
void cug_cpu_conv_bwd(const cug_device *dev, void *workspace, const cug_cpu_conv *g, const cug_cpu_conv_grads *t);

/* conv_winograd.c: whether it takes this shape, and then the forward pass. */
int cug_cpu_conv_winograd(const cug_cpu_conv *g);
size_t cug_cpu_conv_winograd_workspace(const cug_device *dev, const cug_cpu_conv *g);
void cug_cpu_conv_winograd_fwd(const cug_device *dev, void *workspace, const cug_cpu_conv *g, float *y, uint8_t *arg,
                               const float *x, const float *w, const float *b);

/* Floats of one image, and of one with its padding. */
static inline size_t cpu_conv_image(const cug_cpu_conv *g) { return (size_t)g->s.H * (size_t)g->s.W * (size_t)g->s.C; }
static inline size_t cpu_conv_frame(const cug_cpu_conv *g) { return (size_t)g->Hp * (size_t)g->Wp * (size_t)g->s.C; }
/* Image n of x: where it is, or copied into `frame`, whose border the caller has set to zero. */
const float *cug_cpu_conv_image_in(const cug_cpu_conv *g, const float *x, size_t n, float *frame);
/* Offset of output (p,q)'s input corner in the frame. */
static inline size_t cpu_conv_corner(const cug_cpu_conv *g, size_t p, size_t q) {
    size_t sh = g->pool ? 2 : (size_t)g->s.stride_h, sw = g->pool ? 2 : (size_t)g->s.stride_w;
    return (p * sh * (size_t)g->Wp + q * sw) * (size_t)g->s.C;
}

#endif
