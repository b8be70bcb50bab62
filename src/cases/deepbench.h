/* deepbench.h - shapes from DeepBench (https://github.com/baidu-research/DeepBench, code/kernels/conv_problems.h and
 * gemm_problems.h, the training and the device sets): those of a size that a trainer of small images meets, under
 * 1 GMAC a forward pass. Facts only; the names are ours. */
#ifndef CASES_DEEPBENCH_H
#define CASES_DEEPBENCH_H

/* W x H images with C channels, N of them; K filters of S x R (width x height). */
static const struct {
    const char *name;
    int W, H, C, N, K, S, R, pad_w, pad_h, stride_w, stride_h;
} deepbench_convs[] = {
    {"speech 700x161", 700, 161, 1, 4, 32, 20, 5, 0, 0, 2, 2},
    {"ocr 480x48", 480, 48, 1, 16, 16, 3, 3, 1, 1, 1, 1},
    {"ocr 240x24", 240, 24, 16, 16, 32, 3, 3, 1, 1, 1, 1},
    {"ocr 120x12", 120, 12, 32, 16, 64, 3, 3, 1, 1, 1, 1},
    {"ocr 60x6", 60, 6, 64, 16, 128, 3, 3, 1, 1, 1, 1},
    {"face 108x108", 108, 108, 3, 8, 64, 3, 3, 1, 1, 2, 2},
    {"face 54x54", 54, 54, 64, 8, 64, 3, 3, 1, 1, 1, 1},
    {"face 27x27", 27, 27, 128, 8, 128, 3, 3, 1, 1, 1, 1},
    {"face 14x14", 14, 14, 128, 8, 256, 3, 3, 1, 1, 1, 1},
    {"face 7x7", 7, 7, 256, 8, 512, 3, 3, 1, 1, 1, 1},
    {"vision 7x7 3x3", 7, 7, 512, 8, 512, 3, 3, 1, 1, 1, 1},
    {"inception 28x28 1x1", 28, 28, 192, 16, 64, 1, 1, 0, 0, 1, 1},
    {"inception 14x14 1x1", 14, 14, 512, 16, 192, 1, 1, 0, 0, 1, 1},
    {"inception 7x7 1x1", 7, 7, 832, 16, 256, 1, 1, 0, 0, 1, 1},
    {"residual 56x56 3x3", 56, 56, 64, 8, 64, 3, 3, 1, 1, 1, 1},
    {"residual 56x56 1x1 s2", 56, 56, 64, 8, 256, 1, 1, 0, 0, 2, 2},
    {"residual 28x28 3x3", 28, 28, 128, 8, 128, 3, 3, 1, 1, 1, 1},
    {"residual 14x14 3x3", 14, 14, 256, 8, 256, 3, 3, 1, 1, 1, 1},
    {"residual 7x7 1x1", 7, 7, 512, 8, 2048, 1, 1, 0, 0, 1, 1},
};
#define DEEPBENCH_CONVS ((int)(sizeof deepbench_convs / sizeof *deepbench_convs))

/* C (M x N) = A (M x K) B (K x N), as the dense layer of N samples, K inputs, M outputs that it comes from. */
static const struct {
    const char *name;
    int M, N, K;
} deepbench_gemms[] = {
    {"1760x16x1760", 1760, 16, 1760},   {"1760x32x1760", 1760, 32, 1760},   {"1760x64x1760", 1760, 64, 1760},
    {"1760x128x1760", 1760, 128, 1760}, {"2048x32x2048", 2048, 32, 2048},   {"2560x64x2560", 2560, 64, 2560},
    {"3072x16x1024", 3072, 16, 1024},   {"3072x128x1024", 3072, 128, 1024}, {"1024x700x512", 1024, 700, 512},
    {"512x16x512", 512, 16, 512},       {"1024x32x512", 1024, 32, 512},     {"35x700x2048", 35, 700, 2048},
    {"64x1x1216", 64, 1, 1216},         {"128x1500x1280", 128, 1500, 1280}, {"176x1500x1408", 176, 1500, 1408},
    {"128x1x1408", 128, 1, 1408},
};
#define DEEPBENCH_GEMMS ((int)(sizeof deepbench_gemms / sizeof *deepbench_gemms))

#endif
