/* conv2d.h - convolution shapes: corners of the contract first, then the models' own layers, then full batches.
 * P and Q are left to cug_conv2d_shape_init. */
#ifndef CASES_CONV2D_H
#define CASES_CONV2D_H

#include <cuglyph/conv2d.h>

typedef struct {
    const char *name;
    int large; /* a full batch: for threads and benchmarks, too slow to repeat in every variation */
    cug_conv2d_shape s;
} conv2d_case;

#define CONV(name, large, n, h, w, c, k, r, s, sh, sw, pt, pb, pl, pr)                                                 \
    {                                                                                                                  \
        name, large, { n, h, w, c, k, r, s, sh, sw, pt, pb, pl, pr, 0, 0 }                                             \
    }

static const conv2d_case conv2d_cases[] = {
    /*   name                     N    H   W   C   K  R  S  stride  pad: top bottom left right */
    CONV("one pixel", 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0),
    CONV("1x1 filter", 0, 2, 5, 7, 3, 10, 1, 1, 1, 1, 0, 0, 0, 0),
    CONV("1x1 filter, stride 2", 0, 2, 7, 9, 16, 33, 1, 1, 2, 2, 0, 0, 0, 0),
    CONV("filter as large as image", 0, 3, 4, 6, 3, 5, 4, 6, 1, 1, 0, 0, 0, 0),
    CONV("3x3 valid, one channel", 0, 3, 9, 11, 1, 1, 3, 3, 1, 1, 0, 0, 0, 0),
    CONV("3x3 same, odd image", 0, 2, 7, 5, 3, 16, 3, 3, 1, 1, 1, 1, 1, 1),
    CONV("3x3 same, 33 to 33", 0, 1, 6, 7, 33, 33, 3, 3, 1, 1, 1, 1, 1, 1),
    CONV("3x3 valid, 32 to 64", 0, 2, 8, 8, 32, 64, 3, 3, 1, 1, 0, 0, 0, 0),
    CONV("3x3 valid, 16 to 32", 0, 2, 10, 9, 16, 32, 3, 3, 1, 1, 0, 0, 0, 0),
    CONV("3x3 stride 2", 0, 2, 11, 10, 3, 10, 3, 3, 2, 2, 0, 0, 0, 0),
    CONV("3x3 stride 2, padded after", 0, 2, 8, 8, 16, 16, 3, 3, 2, 2, 0, 1, 0, 1),
    CONV("3x3 stride 3", 0, 1, 14, 13, 3, 33, 3, 3, 3, 3, 1, 1, 1, 1),
    CONV("3x3 strides 1 and 2", 0, 2, 9, 9, 4, 7, 3, 3, 1, 2, 1, 0, 0, 1),
    CONV("2x2 stride 3 (gaps)", 0, 2, 10, 10, 3, 5, 2, 2, 3, 3, 0, 0, 0, 0),
    CONV("2x2 same", 0, 2, 5, 5, 3, 4, 2, 2, 1, 1, 0, 1, 0, 1),
    CONV("5x5 valid", 0, 2, 12, 12, 3, 10, 5, 5, 1, 1, 0, 0, 0, 0),
    CONV("5x5 same, one filter", 0, 1, 9, 8, 16, 1, 5, 5, 1, 1, 2, 2, 2, 2),
    CONV("5x5 stride 2, uneven pads", 0, 2, 13, 11, 3, 16, 5, 5, 2, 2, 2, 1, 0, 3),
    CONV("1x7", 0, 2, 6, 15, 3, 10, 1, 7, 1, 1, 0, 0, 3, 3),
    CONV("7x1, stride 2 down", 0, 2, 15, 6, 3, 10, 7, 1, 2, 1, 3, 3, 0, 0),
    CONV("pads wider than the filter", 0, 1, 3, 3, 2, 3, 2, 2, 1, 1, 3, 2, 4, 3),
    CONV("stride past the image", 0, 2, 5, 5, 3, 4, 3, 3, 7, 9, 0, 0, 0, 0),
    CONV("one row", 0, 3, 1, 17, 8, 9, 1, 3, 1, 1, 0, 0, 1, 1),
    CONV("one column", 0, 3, 17, 1, 8, 9, 3, 1, 1, 1, 1, 1, 0, 0),
    CONV("wide image, few channels", 0, 1, 3, 67, 2, 6, 3, 3, 1, 1, 1, 1, 1, 1),
    CONV("11x11, one channel", 0, 2, 13, 14, 1, 12, 11, 11, 1, 1, 0, 0, 0, 0),
    CONV("17 to 15", 0, 1, 7, 7, 17, 15, 3, 3, 1, 1, 0, 0, 0, 0),
    CONV("65 to 66", 0, 1, 5, 5, 65, 66, 3, 3, 1, 1, 1, 1, 1, 1),
    CONV("cnn-a..d conv1", 0, 3, 28, 28, 1, 32, 3, 3, 1, 1, 0, 0, 0, 0),
    CONV("cnn-a, c, d conv2", 0, 2, 13, 13, 32, 64, 3, 3, 1, 1, 0, 0, 0, 0),
    CONV("cnn-e conv1", 0, 2, 28, 28, 1, 16, 3, 3, 1, 1, 1, 1, 1, 1),
    CONV("cnn-e conv2", 0, 2, 28, 28, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1),
    CONV("cifar conv1", 0, 2, 32, 32, 3, 32, 3, 3, 1, 1, 0, 0, 0, 0),
    CONV("cifar conv3", 0, 3, 6, 6, 64, 64, 3, 3, 1, 1, 0, 0, 0, 0),
    CONV("sprint conv1", 0, 3, 28, 28, 1, 24, 5, 5, 1, 1, 0, 0, 0, 0),
    CONV("sprint conv2", 0, 3, 12, 12, 24, 32, 3, 3, 1, 1, 0, 0, 0, 0),
    CONV("cnn-d conv1, batch 128", 1, 128, 28, 28, 1, 32, 3, 3, 1, 1, 0, 0, 0, 0),
    CONV("cnn-d conv2, batch 32", 1, 32, 13, 13, 32, 64, 3, 3, 1, 1, 0, 0, 0, 0),
    CONV("sprint conv2, batch 96", 1, 96, 12, 12, 24, 32, 3, 3, 1, 1, 0, 0, 0, 0),
    CONV("stride 2 same, batch 65", 1, 65, 15, 15, 8, 12, 3, 3, 2, 2, 1, 1, 1, 1),
};
#undef CONV

#define CONV2D_CASES ((int)(sizeof conv2d_cases / sizeof *conv2d_cases))

#endif
