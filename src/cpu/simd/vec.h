/* vec.h - GCC vector types at the width of the instruction set this file is being compiled for. */
#ifndef CUG_SIMD_VEC_H
#define CUG_SIMD_VEC_H

#include "cpu/simd.h"

#define CUG_PASTE2(a, b) a##_##b
#define CUG_PASTE(a, b) CUG_PASTE2(a, b)
/* tile -> cug_tile_avx512: symbols of one instruction set. */
#define CUG_SYM(name) CUG_PASTE(CUG_PASTE(cug_simd, name), CUG_ISA)

#if defined CUG_ISA_avx512
#define V 16
#define CUG_REGISTERS 32
#elif defined CUG_ISA_avx2
#define V 8
#define CUG_REGISTERS 16
#else
#define V 4
#define CUG_REGISTERS 16
#endif

#define CUG_PANEL (2 * V)
#define CUG_FMA_CHAINS 12 /* 2 units with a latency of up to 5 need 10; more than 14 would not fit 16 registers */

#define CUG_INLINE static inline __attribute__((always_inline))

typedef float vf __attribute__((vector_size(4 * V)));
typedef int32_t vi __attribute__((vector_size(4 * V)));
typedef uint8_t vb __attribute__((vector_size(V)));
typedef float vf_mem __attribute__((vector_size(4 * V), aligned(4), may_alias));
typedef uint8_t vb_mem __attribute__((vector_size(V), aligned(1), may_alias));

CUG_INLINE vf vload(const float *p) { return *(const vf_mem *)p; }
CUG_INLINE void vstore(float *p, vf v) { *(vf_mem *)p = v; }
CUG_INLINE vf vset(float x) { return x - (vf){0}; }
CUG_INLINE vf vselect(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }

CUG_INLINE vf vact(vf x, cug_act_kind act, vf slope) {
    if (act == CUG_ACT_RELU) return vselect((vi)(x <= 0), (vf){0}, x); /* NaN stays */
    if (act == CUG_ACT_LEAKY_RELU) return vselect((vi)(x > 0), x, x * slope);
    return x;
}

void CUG_SYM(tile)(const cug_tile *t, const float *a, float *c);
void CUG_SYM(tile_pool)(const cug_tile *t, const float *a, float *c, uint8_t *arg);
void CUG_SYM(tile_pool_pairs)(const cug_tile *t, const float *a, float *c, uint8_t *arg);
void CUG_SYM(spans)(float *dst, ptrdiff_t dst_row, const float *src, ptrdiff_t src_row, cug_terms terms,
                    const cug_term_list *lists, int n_lists, int rows, int len);
void CUG_SYM(axpy1)(float *y, const float *x, size_t n);
void CUG_SYM(axpy)(float *y, float a, const float *x, size_t n);
void CUG_SYM(sum)(float *y, const float *a, const float *b, size_t n);
void CUG_SYM(add_row)(float *y, const float *x, const float *b, size_t rows, size_t cols);
void CUG_SYM(normalize)(float *y, const uint8_t *u, float scale, float shift, size_t n);
void CUG_SYM(normalize_images)(float *y, const uint8_t *images, const int32_t *ids, float scale, float shift, size_t n,
                               size_t size);
void CUG_SYM(act_fwd)(float *y, const float *x, cug_act_kind kind, float slope, size_t n);
void CUG_SYM(act_bwd)(float *dx, const float *dy, const float *of, cug_act_kind kind, float slope, int add, size_t n);
void CUG_SYM(smooth_fwd)(float *y, const float *x, cug_act_kind kind, size_t n);
void CUG_SYM(smooth_bwd)(float *dx, const float *dy, const float *x, cug_act_kind kind, int add, size_t n);
void CUG_SYM(exps)(double *x, size_t n);
double CUG_SYM(sum_squares)(const float *g, size_t n);
void CUG_SYM(update)(float *w, float *m, float *v, const float *g, const cug_update *u, size_t n);
void CUG_SYM(pool_max)(float *y, uint8_t *arg, const float *x, size_t n, int which);
void CUG_SYM(pool_max_bwd)(float *dx, const float *dy, const uint8_t *arg, int which, size_t n);
void CUG_SYM(lists_by_channel)(cug_terms terms, cug_term_list *lists, const float *g, const uint8_t *arg,
                               const int32_t *where, const int32_t *way, int pixels, int K);
void CUG_SYM(lists_by_pixel)(cug_terms terms, cug_term_list *lists, const float *g, const uint8_t *arg,
                             const int32_t *where, const int32_t *way, int ways, int pixels, int K, int len);
void CUG_SYM(quads)(float *to, const float *x, ptrdiff_t right, ptrdiff_t down, size_t n);
void CUG_SYM(tap_sums)(const cug_taps *t);
void CUG_SYM(pack)(float *to, const float *b, size_t row, size_t len, size_t cols);
void CUG_SYM(pack_transposed)(float *to, const float *b, size_t row, size_t len, size_t cols);
void CUG_SYM(wino_input)(float *v, size_t v_point, float *t, const float *x, ptrdiff_t row, int Q, int C);
void CUG_SYM(wino_filter)(float *u, const float *packed, int C);
void CUG_SYM(wino_pool)(float *c, uint8_t *arg, ptrdiff_t c_step, const float *m, int blocks, int cols,
                        const float *bias, cug_act_kind act, float slope);
void CUG_SYM(moments)(float *s, float *q, const float *x, const float *mean, size_t rows, size_t width);
void CUG_SYM(comoments)(float *s, float *q, const float *g, const float *x, const float *mean, size_t rows,
                        size_t width);
void CUG_SYM(affine)(float *y, const float *x, const float *mean, const float *a, const float *b, int add, size_t rows,
                     size_t width);
void CUG_SYM(affine2)(float *dx, const float *g, const float *x, const float *mean, const float *a, const float *b,
                      const float *c, int add, size_t rows, size_t width);
void CUG_SYM(sum_rows)(float *y, const float *x, size_t rows, size_t cols);
float CUG_SYM(fma)(int rounds);

#endif
