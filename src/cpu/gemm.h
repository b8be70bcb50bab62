/* gemm.h - matrix products on the register tiles of simd.h, and the packed panels they read. */
#ifndef CUG_CPU_GEMM_H
#define CUG_CPU_GEMM_H

#include "cpu/cpu.h"

#define CUG_PANEL_MAX 32 /* columns of the widest panel */

static inline size_t cpu_panel(const cug_device *dev) { return 2 * (size_t)dev->simd->lanes; }
static inline size_t cpu_panels(const cug_device *dev, size_t cols) {
    return (cols + cpu_panel(dev) - 1) / cpu_panel(dev);
}
/* Floats of a packed (len, cols) matrix. */
static inline size_t cpu_packed_count(const cug_device *dev, size_t len, size_t cols) {
    return cpu_panels(dev, cols) * cpu_panel(dev) * len;
}

/* packed[panel][l][j] = b[l * bl + (panel * width + j) * bn], zero past cols. One of bl, bn is 1. A part packs what it
 * reads for itself, in memory of its own: of what another core has packed, each line costs a journey. */
void cug_cpu_pack(const cug_device *dev, float *packed, const float *b, size_t bl, size_t bn, size_t len, size_t cols);

/* One tile whose panel has `cols` columns in use; t->vectors is chosen here. arg may be NULL; windows: 0, or how many
 * pooling windows the pixels make. */
void cug_cpu_tile(const cug_device *dev, cug_tile *t, const float *a, float *c, uint8_t *arg, size_t cols, int windows);

/* c[m * N + n] (+)= bias[n] + sum_l a[m * am + l * al] * b[l * bl + n * bn]; bias may be NULL, and is when adding. One
 * of bl, bn is 1. */
typedef struct cug_cpu_gemm {
    float *c;
    const float *a, *b, *bias;
    size_t am, al, bl, bn;
    size_t M, N, L;
    int add;
    int still; /* b was the same when this product was last taken */
} cug_cpu_gemm;
void cug_cpu_gemm_run(const cug_device *dev, const cug_cpu_gemm *g);

/* y[c] (+)= sum_m x[m * cols + c], long sums kept accurate. */
void cug_cpu_column_sums(const cug_device *dev, float *y, const float *x, size_t rows, size_t cols, int add);

#endif
