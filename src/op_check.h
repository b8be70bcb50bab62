/* op_check.h - what every op asks of its arguments before it writes anything, the same for all backends. `real` is the
 * backend's float type. Each returns CUG_OK, or CUG_EINVAL with a message naming the op, the argument and what was
 * expected. Arguments that a contract calls optional may be NULL here too. Buffers may overlap only where the contract
 * lets one be another "itself". */
#ifndef CUG_OP_CHECK_H
#define CUG_OP_CHECK_H

#include <cuglyph/backend.h>

/* Scratch that the op asked for with its workspace(): present, large enough, ex itself not NULL. */
cug_status cug_check_workspace(const char *op, const cug_exec *ex, size_t need);

/* Shapes: extents valid, derived fields (P, Q, total) consistent. The *_fwd and *_bwd checks below include these. */
cug_status cug_check_conv2d_shape(const cug_conv2d_shape *s);
cug_status cug_check_pool2d_shape(const cug_pool2d_shape *s);
cug_status cug_check_linear_shape(const cug_linear_shape *s);
cug_status cug_check_conv_block_shape(const cug_conv_block_shape *s);

cug_status cug_check_conv2d_fwd(cug_dtype real, const cug_tensor *y, const cug_tensor *x, const cug_tensor *w,
                                const cug_tensor *b, const cug_conv2d_shape *s);
cug_status cug_check_conv2d_bwd(cug_dtype real, const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db,
                                const cug_tensor *dy, const cug_tensor *x, const cug_tensor *w,
                                const cug_conv2d_shape *s, unsigned accumulate);

/* saved_bytes: what the backend's saved_bytes() answers; bwd wants `saved` when it is not 0. */
cug_status cug_check_conv_block_fwd(cug_dtype real, const cug_tensor *y, const cug_tensor *x, const cug_tensor *w,
                                    const cug_tensor *b, const cug_conv_block_shape *s);
cug_status cug_check_conv_block_bwd(cug_dtype real, const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db,
                                    const cug_tensor *dy, const cug_tensor *y, const void *saved, size_t saved_bytes,
                                    const cug_tensor *x, const cug_tensor *w, const cug_conv_block_shape *s,
                                    unsigned accumulate);

cug_status cug_check_pool2d_fwd(cug_dtype real, const cug_tensor *y, const cug_tensor *argmax, const cug_tensor *x,
                                const cug_pool2d_shape *s);
cug_status cug_check_pool2d_bwd(cug_dtype real, const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *argmax,
                                const cug_pool2d_shape *s, unsigned accumulate);

cug_status cug_check_linear_fwd(cug_dtype real, const cug_tensor *y, const cug_tensor *x, const cug_tensor *w,
                                const cug_tensor *b, const cug_linear_shape *s);
cug_status cug_check_linear_bwd(cug_dtype real, const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db,
                                const cug_tensor *dy, const cug_tensor *x, const cug_tensor *w,
                                const cug_linear_shape *s, unsigned accumulate);

cug_status cug_check_bias_fwd(cug_dtype real, const cug_tensor *y, const cug_tensor *x, const cug_tensor *b,
                              const cug_bias_shape *s);
cug_status cug_check_bias_bwd(cug_dtype real, const cug_tensor *dx, const cug_tensor *db, const cug_tensor *dy,
                              const cug_bias_shape *s, unsigned accumulate);

cug_status cug_check_batch_norm_fwd_train(cug_dtype real, const cug_tensor *y, const cug_tensor *saved,
                                          const cug_tensor *x, const cug_tensor *gamma, const cug_tensor *beta,
                                          const cug_batch_norm_shape *s);
cug_status cug_check_batch_norm_fwd_eval(cug_dtype real, const cug_tensor *y, const cug_tensor *x,
                                         const cug_tensor *gamma, const cug_tensor *beta,
                                         const cug_tensor *running_mean, const cug_tensor *running_var,
                                         const cug_batch_norm_shape *s);
cug_status cug_check_batch_norm_bwd(cug_dtype real, const cug_tensor *dx, const cug_tensor *dgamma,
                                    const cug_tensor *dbeta, const cug_tensor *dy, const cug_tensor *x,
                                    const cug_tensor *gamma, const cug_tensor *saved, const cug_batch_norm_shape *s,
                                    unsigned accumulate);
cug_status cug_check_batch_norm_bwd_eval(cug_dtype real, const cug_tensor *dx, const cug_tensor *dy,
                                         const cug_tensor *gamma, const cug_tensor *running_var,
                                         const cug_batch_norm_shape *s, unsigned accumulate);
cug_status cug_check_batch_norm_track(cug_dtype real, const cug_tensor *running_mean, const cug_tensor *running_var,
                                      const cug_tensor *saved, const cug_step *step, const cug_batch_norm_shape *s);

cug_status cug_check_activation_fwd(cug_dtype real, const cug_tensor *y, const cug_tensor *x,
                                    const cug_activation_shape *s);
cug_status cug_check_activation_bwd(cug_dtype real, const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *of,
                                    const cug_activation_shape *s, unsigned accumulate);

/* Both directions: `out` is y or dx, `in` is x or dy. fwd passes accumulate 0. */
cug_status cug_check_dropout(cug_dtype real, const cug_tensor *out, const cug_tensor *in, const cug_tensor *ids,
                             const cug_step *step, const cug_dropout_shape *s, unsigned accumulate);

cug_status cug_check_add_fwd(cug_dtype real, const cug_tensor *y, const cug_tensor *const *x, const cug_add_shape *s);
cug_status cug_check_add_bwd(cug_dtype real, const cug_tensor *dx, const cug_tensor *dy, const cug_add_shape *s,
                             unsigned accumulate);

cug_status cug_check_concat_fwd(cug_dtype real, const cug_tensor *y, const cug_tensor *const *x,
                                const cug_concat_shape *s);
cug_status cug_check_concat_bwd(cug_dtype real, const cug_tensor *dx, const cug_tensor *dy, int j,
                                const cug_concat_shape *s, unsigned accumulate);

/* op: "softmax_xent", "bce_logits" or "mse"; min_k: 2 for softmax_xent, 1 for the others. */
cug_status cug_check_loss(const char *op, int min_k, cug_dtype real, const cug_tensor *loss, const cug_tensor *dz,
                          const cug_tensor *pred, const cug_tensor *z, const cug_tensor *labels,
                          const cug_loss_shape *s);

cug_status cug_check_normalize(cug_dtype real, const cug_tensor *y, const cug_tensor *u, const cug_normalize_shape *s);
cug_status cug_check_normalize_gather(cug_dtype real, const cug_tensor *y, const cug_tensor *images,
                                      const cug_tensor *ids, const cug_normalize_shape *s);

cug_status cug_check_grad_norm(cug_dtype real, const cug_step *step, const cug_tensor *g, const cug_tensor *loss,
                               const cug_param_run *runs, int n_runs);
cug_status cug_check_update(cug_dtype real, const cug_tensor *w, const cug_tensor *m, const cug_tensor *v,
                            const cug_tensor *g, const cug_opt_params *opt, const cug_param_run *runs, int n_runs,
                            const cug_step *step);

cug_status cug_check_metrics(cug_dtype real, const cug_metrics *m, const cug_tensor *confusion, const cug_tensor *loss,
                             const cug_tensor *pred, const cug_tensor *labels, const cug_metrics_shape *s);

#endif
