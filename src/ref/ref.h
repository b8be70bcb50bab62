/* ref.h - the reference backend's tables and its way of reading a tensor. Everything here is float64 and one loop after
 * the header's formula: it is what the other backends are judged by, so it must be obviously right before it is fast.
 */
#ifndef CUG_REF_H
#define CUG_REF_H

#include "op_check.h"

#define REF_REAL CUG_F64

struct cug_device {
    cug_precision precision;
    char text[64];
};

extern const cug_conv2d_ops cug_ref_conv2d;
extern const cug_pool2d_ops cug_ref_pool2d;
extern const cug_linear_ops cug_ref_linear;
extern const cug_bias_ops cug_ref_bias;
extern const cug_batch_norm_ops cug_ref_batch_norm;
extern const cug_activation_ops cug_ref_activation;
extern const cug_dropout_ops cug_ref_dropout;
extern const cug_add_ops cug_ref_add;
extern const cug_concat_ops cug_ref_concat;
extern const cug_loss_ops cug_ref_softmax_xent;
extern const cug_loss_ops cug_ref_bce_logits;
extern const cug_loss_ops cug_ref_mse;
extern const cug_normalize_ops cug_ref_normalize;
extern const cug_optimizer_ops cug_ref_optimizer;
extern const cug_metrics_ops cug_ref_metrics;

/* The numbers of a checked tensor; NULL for one that was not given. */
static inline double *ref_f64(const cug_tensor *t) { return t ? (double *)t->ptr : NULL; }
static inline int32_t *ref_i32(const cug_tensor *t) { return t ? (int32_t *)t->ptr : NULL; }
static inline uint8_t *ref_u8(const cug_tensor *t) { return t ? (uint8_t *)t->ptr : NULL; }

/* Place of element (a,b,c,d) in a dense tensor whose last three extents are B, C, D. */
static inline size_t ref_at(int a, int b, int c, int d, int B, int C, int D) {
    return (((size_t)a * (size_t)B + (size_t)b) * (size_t)C + (size_t)c) * (size_t)D + (size_t)d;
}

/* Starts a gradient: zero, or what is there already when it is added to. t may be NULL. */
static inline void ref_start(const cug_tensor *t, int add) {
    for (size_t i = 0, n = t && !add ? cug_tensor_count(t) : 0; i < n; i++) ref_f64(t)[i] = 0;
}

/* round.c: the factors of a product as `ex`'s device rounds them. *out is the tensor's own memory in float32 precision
 * (which rounds nothing) or when t is NULL, else a rounded copy; `copy` is what to free. */
cug_status ref_factors(double **out, double **copy, const cug_tensor *t, const cug_exec *ex);

#endif
