/* conv_block.h - convolution + bias + activation (+ max pool) as one op. The pool's input extents and all derived
 * extents are filled in by conv_block_case_shape. */
#ifndef CASES_CONV_BLOCK_H
#define CASES_CONV_BLOCK_H

#include <cuglyph/conv_block.h>

typedef struct {
    const char *name;
    int large;             /* a full batch */
    cug_conv2d_shape conv; /* P and Q zero */
    int pool, stride, pad; /* square window, 0: none */
} conv_block_case;

#define BLOCK(name, large, n, h, w, c, k, r, s, stride, pad, pool, pool_stride, pool_pad)                              \
    { name, large, {n, h, w, c, k, r, s, stride, stride, pad, pad, pad, pad, 0, 0}, pool, pool_stride, pool_pad }

static const conv_block_case conv_block_cases[] = {
    /*    name              N   H   W   C  K  R  S stride pad  pool stride pad */
    BLOCK("one pixel", 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0),
    BLOCK("1x1, no pool", 0, 2, 5, 6, 3, 10, 1, 1, 1, 0, 0, 0, 0),
    BLOCK("3x3 valid, no pool", 0, 2, 7, 9, 3, 16, 3, 3, 1, 0, 0, 0, 0),
    BLOCK("3x3 same, no pool", 0, 2, 7, 5, 16, 33, 3, 3, 1, 1, 0, 0, 0),
    BLOCK("3x3 stride 2, no pool", 0, 2, 9, 8, 3, 7, 3, 3, 2, 1, 0, 0, 0),
    BLOCK("3x3 valid, even output", 0, 2, 10, 8, 3, 16, 3, 3, 1, 0, 2, 2, 0),
    BLOCK("3x3 valid, odd output", 0, 3, 9, 7, 3, 10, 3, 3, 1, 0, 2, 2, 0),
    BLOCK("3x3 same, pool", 0, 2, 8, 8, 16, 32, 3, 3, 1, 1, 2, 2, 0),
    BLOCK("5x5 valid, one channel", 0, 2, 12, 13, 1, 8, 5, 5, 1, 0, 2, 2, 0),
    BLOCK("8x12, one channel", 0, 2, 13, 19, 1, 13, 8, 12, 1, 0, 2, 2, 0),
    BLOCK("1x7, pool", 0, 2, 6, 16, 3, 5, 1, 7, 1, 0, 2, 2, 0),
    BLOCK("3x3, pool 3 stride 2", 0, 2, 11, 11, 3, 9, 3, 3, 1, 0, 3, 2, 0),
    BLOCK("3x3, pool 3 stride 2 same", 0, 2, 9, 9, 4, 6, 3, 3, 1, 1, 3, 2, 1),
    BLOCK("3x3, pool 2 stride 1", 0, 2, 7, 7, 3, 16, 3, 3, 1, 0, 2, 1, 0),
    BLOCK("wide image, pool", 0, 1, 4, 133, 2, 6, 3, 3, 1, 0, 2, 2, 0),
    BLOCK("one filter", 0, 2, 8, 8, 3, 1, 3, 3, 1, 0, 2, 2, 0),
    BLOCK("20 filters", 0, 2, 9, 10, 5, 20, 5, 5, 1, 0, 2, 2, 0),
    BLOCK("28 filters, no pool", 0, 2, 6, 7, 7, 28, 3, 3, 1, 1, 0, 0, 0),
    BLOCK("28 filters", 0, 2, 7, 6, 2, 28, 2, 2, 1, 0, 2, 2, 0),
    BLOCK("65 filters", 0, 1, 6, 6, 5, 65, 3, 3, 1, 0, 2, 2, 0),
    BLOCK("cnn-a..d block 1", 0, 3, 28, 28, 1, 32, 3, 3, 1, 0, 2, 2, 0),
    BLOCK("cnn-a, c, d block 2", 0, 2, 13, 13, 32, 64, 3, 3, 1, 0, 2, 2, 0),
    BLOCK("cnn-e block 1", 0, 2, 28, 28, 1, 16, 3, 3, 1, 1, 0, 0, 0),
    BLOCK("cnn-e block 2", 0, 2, 28, 28, 16, 16, 3, 3, 1, 1, 2, 2, 0),
    BLOCK("cifar block 1", 0, 2, 32, 32, 3, 32, 3, 3, 1, 0, 2, 2, 0),
    BLOCK("cifar block 3", 0, 3, 6, 6, 64, 64, 3, 3, 1, 0, 0, 0, 0),
    BLOCK("sprint block 1", 0, 3, 28, 28, 1, 24, 5, 5, 1, 0, 2, 2, 0),
    BLOCK("sprint block 2", 0, 3, 12, 12, 24, 32, 3, 3, 1, 0, 2, 2, 0),
    BLOCK("3x3, part vectors, pool", 0, 3, 9, 8, 9, 40, 3, 3, 1, 0, 2, 2, 0),
    BLOCK("3x3, many channels, pool", 0, 1, 6, 7, 130, 18, 3, 3, 1, 1, 2, 2, 0),
    BLOCK("3x3, long rows, pool", 0, 2, 6, 106, 8, 8, 3, 3, 1, 0, 2, 2, 0),
    BLOCK("sprint recipe block 1", 0, 2, 24, 24, 1, 8, 5, 5, 1, 0, 2, 2, 0),
    BLOCK("7 windows a row, few filters", 0, 2, 6, 16, 1, 3, 3, 3, 1, 0, 2, 2, 0),
    BLOCK("7 windows a row, two channels", 0, 2, 6, 14, 2, 4, 3, 3, 1, 1, 2, 2, 0),
    BLOCK("cnn-d block 1, batch 64", 1, 64, 28, 28, 1, 32, 3, 3, 1, 0, 2, 2, 0),
    BLOCK("cnn-d block 2, batch 33", 1, 33, 13, 13, 32, 64, 3, 3, 1, 0, 2, 2, 0),
};
#undef BLOCK

#define CONV_BLOCK_CASES ((int)(sizeof conv_block_cases / sizeof *conv_block_cases))

static inline cug_status conv_block_case_shape(cug_conv_block_shape *out, const conv_block_case *c, cug_act_kind act,
                                               float slope) {
    *out = (cug_conv_block_shape){.conv = c->conv, .act = act, .slope = slope, .has_pool = c->pool > 0};
    CUG_TRY(cug_conv2d_shape_init(&out->conv));
    if (!c->pool) return CUG_OK;
    out->pool = (cug_pool2d_shape){CUG_POOL_MAX, out->conv.N, out->conv.P, out->conv.Q, out->conv.K,
                                   c->pool,      c->pool,     c->stride,   c->stride,   c->pad,
                                   c->pad,       c->pad,      c->pad,      0,           0};
    return cug_pool2d_shape_init(&out->pool);
}

#endif
