/* batch_norm.h - batch normalisation: each channel brought to mean 0 and variance 1, then scaled and shifted by learned
 * factors. Ioffe and Szegedy, 2015. */
#ifndef CUGLYPH_BATCH_NORM_H
#define CUGLYPH_BATCH_NORM_H

#include <cuglyph/exec.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cug_batch_norm_shape {
    int rows, C;    /* x seen as (rows, C): rows = N*H*W, or N for a flat tensor */
    float eps;      /* > 0; added to the variance */
    float momentum; /* in [0, 1]: the share of the newest batch in the running statistics (PyTorch's meaning) */
} cug_batch_norm_shape;

/* x, y, dx, dy (rows, C); gamma, beta, dgamma, dbeta, running_mean, running_var (C); saved (3, C): mean[c], rstd[c],
 * and the biased variance var[c] of the batch. NaN or Inf in a channel spoils that whole channel and no other. */
typedef struct cug_batch_norm_ops {
    /* Scratch of fwd_train and fwd_eval (CUG_FWD), of bwd and bwd_eval (CUG_BWD); 0 where NULL. */
    size_t (*workspace)(const cug_device *dev, const cug_batch_norm_shape *s, cug_pass pass);
    /* mean[c] = sum_m x[m,c] / rows; var[c] = sum_m (x[m,c] - mean[c])^2 / rows; rstd[c] = 1 / sqrt(var[c] + eps);
     * y[m,c] = gamma[c] (x[m,c] - mean[c]) rstd[c] + beta[c].
     * rows must be at least 2: one value has no variance. y may be x itself (then bwd has nothing to read). */
    cug_status (*fwd_train)(const cug_tensor *y, const cug_tensor *saved, const cug_tensor *x, const cug_tensor *gamma,
                            const cug_tensor *beta, const cug_batch_norm_shape *s, const cug_exec *ex);
    /* The same with running statistics in place of the batch's; rows from 1. y may be x itself. */
    cug_status (*fwd_eval)(const cug_tensor *y, const cug_tensor *x, const cug_tensor *gamma, const cug_tensor *beta,
                           const cug_tensor *running_mean, const cug_tensor *running_var, const cug_batch_norm_shape *s,
                           const cug_exec *ex);
    /* Of fwd_train, with xhat[m,c] = (x[m,c] - mean[c]) rstd[c]:
     * dbeta[c] = sum_m dy[m,c]; dgamma[c] = sum_m dy[m,c] xhat[m,c];
     * dx[m,c] = gamma[c] rstd[c] (dy[m,c] - (sum_m dy[m,c] + xhat[m,c] sum_m dy[m,c] xhat[m,c]) / rows).
     * Each output may be NULL; dx may be dy itself (not with CUG_ACC_DX). */
    cug_status (*bwd)(const cug_tensor *dx, const cug_tensor *dgamma, const cug_tensor *dbeta, const cug_tensor *dy,
                      const cug_tensor *x, const cug_tensor *gamma, const cug_tensor *saved,
                      const cug_batch_norm_shape *s, unsigned accumulate, const cug_exec *ex);
    /* Of fwd_eval: dx[m,c] = gamma[c] dy[m,c] / sqrt(running_var[c] + eps); dx may be dy itself (not with
     * CUG_ACC_DX). */
    cug_status (*bwd_eval)(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *gamma,
                           const cug_tensor *running_var, const cug_batch_norm_shape *s, unsigned accumulate,
                           const cug_exec *ex);
    /* Takes the batch of the last fwd_train into the running statistics: running_mean[c] = (1 - momentum)
     * running_mean[c] + momentum mean[c]; running_var[c] likewise with the unbiased var[c] rows / (rows - 1). Does
     * nothing when step->nonfinite is set (step: backend memory): a step that failed leaves no trace. */
    cug_status (*track)(const cug_tensor *running_mean, const cug_tensor *running_var, const cug_tensor *saved,
                        const cug_step *step, const cug_batch_norm_shape *s, const cug_exec *ex);
} cug_batch_norm_ops;

#ifdef __cplusplus
}
#endif
#endif
