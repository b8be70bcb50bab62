/* pool2d.h - pooling shapes; each is run as max and as average. P and Q are left to cug_pool2d_shape_init. */
#ifndef CASES_POOL2D_H
#define CASES_POOL2D_H

#include <cuglyph/pool2d.h>

typedef struct {
    const char *name;
    int large; /* a full batch */
    cug_pool2d_shape s;
} pool2d_case;

#define POOL(name, large, n, h, w, c, r, s, sh, sw, pt, pb, pl, pr)                                                    \
    {                                                                                                                  \
        name, large, { CUG_POOL_MAX, n, h, w, c, r, s, sh, sw, pt, pb, pl, pr, 0, 0 }                                  \
    }

static const pool2d_case pool2d_cases[] = {
    /*   name                  N   H   W   C  R  S  stride  pad: top bottom left right */
    POOL("one pixel", 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0),
    POOL("1x1 stride 2", 0, 2, 5, 7, 3, 1, 1, 2, 2, 0, 0, 0, 0),
    POOL("2x2, even", 0, 2, 6, 8, 16, 2, 2, 2, 2, 0, 0, 0, 0),
    POOL("2x2, odd: last row and column unused", 0, 3, 7, 5, 3, 2, 2, 2, 2, 0, 0, 0, 0),
    POOL("2x2 stride 1", 0, 2, 6, 5, 33, 2, 2, 1, 1, 0, 0, 0, 0),
    POOL("2x2 stride 3 (gaps)", 0, 2, 11, 11, 5, 2, 2, 3, 3, 0, 0, 0, 0),
    POOL("3x3 stride 2", 0, 2, 9, 9, 10, 3, 3, 2, 2, 0, 0, 0, 0),
    POOL("3x3 stride 2 same", 0, 2, 9, 8, 32, 3, 3, 2, 2, 1, 1, 1, 1),
    POOL("3x3 stride 1 same", 0, 1, 7, 7, 64, 3, 3, 1, 1, 1, 1, 1, 1),
    POOL("3x3 stride 3", 0, 2, 9, 12, 1, 3, 3, 3, 3, 0, 0, 0, 0),
    POOL("5x5 stride 2, uneven pads", 0, 2, 11, 10, 3, 5, 5, 2, 2, 4, 1, 0, 3),
    POOL("1x7", 0, 2, 4, 15, 3, 1, 7, 1, 2, 0, 0, 3, 3),
    POOL("7x1", 0, 2, 15, 4, 3, 7, 1, 2, 1, 3, 3, 0, 0),
    POOL("15x15: the largest window", 0, 1, 17, 19, 2, 15, 15, 3, 2, 7, 7, 14, 14),
    POOL("whole image", 0, 3, 7, 7, 33, 7, 7, 1, 1, 0, 0, 0, 0),
    POOL("padded 2x2 on one pixel", 0, 2, 1, 1, 4, 2, 2, 1, 1, 1, 1, 1, 1),
    POOL("cnn-a, c, d pool1", 0, 3, 26, 26, 32, 2, 2, 2, 2, 0, 0, 0, 0),
    POOL("cnn-a, c, d pool2", 0, 3, 11, 11, 64, 2, 2, 2, 2, 0, 0, 0, 0),
    POOL("cnn-e pool", 0, 2, 28, 28, 16, 2, 2, 2, 2, 0, 0, 0, 0),
    POOL("sprint pool", 0, 2, 24, 24, 24, 2, 2, 2, 2, 0, 0, 0, 0),
    POOL("cnn-d pool1, batch 64", 1, 64, 26, 26, 32, 2, 2, 2, 2, 0, 0, 0, 0),
    POOL("3x3 stride 2, batch 65", 1, 65, 15, 15, 8, 3, 3, 2, 2, 1, 1, 1, 1),
};
#undef POOL

#define POOL2D_CASES ((int)(sizeof pool2d_cases / sizeof *pool2d_cases))

#endif
