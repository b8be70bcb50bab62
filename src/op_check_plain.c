/* op_check_plain.c - argument checks of the ops without windows or weights: elementwise ops, losses, optimizer,
 * metrics. */
#include "op_check_private.h"
#include <stdint.h>

static size_t size2(int a, int b) { return (size_t)a * (size_t)b; }

static cug_status check_rows(const char *op, const char *a_name, int a, const char *b_name, int b) {
    if (a < 1 || b < 1)
        return cug_fail(CUG_EINVAL, "%s: %s and %s must be at least 1, got %d and %d", op, a_name, b_name, a, b);
    if (size2(a, b) > INT32_MAX) return cug_fail(CUG_EINVAL, "%s: %d x %d is too large (2^31 elements)", op, a, b);
    return CUG_OK;
}

static cug_status check_count(const char *op, size_t count) {
    if (count < 1 || count > INT32_MAX)
        return cug_fail(CUG_EINVAL, "%s: count must lie in 1 to 2^31 - 1, got %zu", op, count);
    return CUG_OK;
}

/* dx may be dy itself, but not when it is added to. */
static const char *replaces(const char *name, unsigned accumulate) { return accumulate & CUG_ACC_DX ? NULL : name; }

/* --- bias --------------------------------------------------------------------------------------------------------- */

cug_status cug_check_bias_fwd(cug_dtype real, const cug_tensor *y, const cug_tensor *x, const cug_tensor *b,
                              const cug_bias_shape *s) {
    CUG_TRY(check_present("bias fwd", "shape", s));
    CUG_TRY(check_rows("bias fwd", "rows", s->rows, "C", s->C));
    size_t n = size2(s->rows, s->C);
    return CHECK_ARGS("bias fwd", {"y", y, real, n, ARG_OUT, "x"}, {"x", x, real, n, ARG_IN, NULL},
                      {"b", b, real, (size_t)s->C, ARG_IN, NULL});
}

cug_status cug_check_bias_bwd(cug_dtype real, const cug_tensor *dx, const cug_tensor *db, const cug_tensor *dy,
                              const cug_bias_shape *s, unsigned accumulate) {
    CUG_TRY(check_present("bias bwd", "shape", s));
    CUG_TRY(check_rows("bias bwd", "rows", s->rows, "C", s->C));
    CUG_TRY(check_accumulate("bias bwd", accumulate));
    size_t n = size2(s->rows, s->C);
    return CHECK_ARGS("bias bwd", {"dx", dx, real, n, ARG_OUT | ARG_OPTIONAL, replaces("dy", accumulate)},
                      {"db", db, real, (size_t)s->C, ARG_OUT | ARG_OPTIONAL, NULL}, {"dy", dy, real, n, ARG_IN, NULL});
}

/* --- batch_norm --------------------------------------------------------------------------------------------------- */

static cug_status batch_norm_shape(const char *op, const cug_batch_norm_shape *s, int least_rows) {
    CUG_TRY(check_present(op, "shape", s));
    CUG_TRY(check_rows(op, "rows", s->rows, "C", s->C));
    if (s->rows < least_rows)
        return cug_fail(CUG_EINVAL, "%s: one value a channel has no variance; rows must be at least 2", op);
    if (!(s->eps > 0)) return cug_fail(CUG_EINVAL, "%s: eps must be above 0, got %g", op, (double)s->eps);
    if (!(s->momentum >= 0 && s->momentum <= 1))
        return cug_fail(CUG_EINVAL, "%s: momentum must lie in [0,1], got %g", op, (double)s->momentum);
    return CUG_OK;
}

cug_status cug_check_batch_norm_fwd_train(cug_dtype real, const cug_tensor *y, const cug_tensor *saved,
                                          const cug_tensor *x, const cug_tensor *gamma, const cug_tensor *beta,
                                          const cug_batch_norm_shape *s) {
    const char *op = "batch_norm fwd_train";
    CUG_TRY(batch_norm_shape(op, s, 2));
    size_t n = size2(s->rows, s->C), C = (size_t)s->C;
    return CHECK_ARGS(op, {"y", y, real, n, ARG_OUT, "x"}, {"saved", saved, real, 3 * C, ARG_OUT, NULL},
                      {"x", x, real, n, ARG_IN, NULL}, {"gamma", gamma, real, C, ARG_IN, NULL},
                      {"beta", beta, real, C, ARG_IN, NULL});
}

cug_status cug_check_batch_norm_fwd_eval(cug_dtype real, const cug_tensor *y, const cug_tensor *x,
                                         const cug_tensor *gamma, const cug_tensor *beta,
                                         const cug_tensor *running_mean, const cug_tensor *running_var,
                                         const cug_batch_norm_shape *s) {
    const char *op = "batch_norm fwd_eval";
    CUG_TRY(batch_norm_shape(op, s, 1));
    size_t n = size2(s->rows, s->C), C = (size_t)s->C;
    return CHECK_ARGS(op, {"y", y, real, n, ARG_OUT, "x"}, {"x", x, real, n, ARG_IN, NULL},
                      {"gamma", gamma, real, C, ARG_IN, NULL}, {"beta", beta, real, C, ARG_IN, NULL},
                      {"running_mean", running_mean, real, C, ARG_IN, NULL},
                      {"running_var", running_var, real, C, ARG_IN, NULL});
}

cug_status cug_check_batch_norm_bwd(cug_dtype real, const cug_tensor *dx, const cug_tensor *dgamma,
                                    const cug_tensor *dbeta, const cug_tensor *dy, const cug_tensor *x,
                                    const cug_tensor *gamma, const cug_tensor *saved, const cug_batch_norm_shape *s,
                                    unsigned accumulate) {
    const char *op = "batch_norm bwd";
    CUG_TRY(batch_norm_shape(op, s, 2));
    CUG_TRY(check_accumulate(op, accumulate));
    size_t n = size2(s->rows, s->C), C = (size_t)s->C;
    return CHECK_ARGS(op, {"dx", dx, real, n, ARG_OUT | ARG_OPTIONAL, replaces("dy", accumulate)},
                      {"dgamma", dgamma, real, C, ARG_OUT | ARG_OPTIONAL, NULL},
                      {"dbeta", dbeta, real, C, ARG_OUT | ARG_OPTIONAL, NULL}, {"dy", dy, real, n, ARG_IN, NULL},
                      {"x", x, real, n, ARG_IN, NULL}, {"gamma", gamma, real, C, ARG_IN, NULL},
                      {"saved", saved, real, 3 * C, ARG_IN, NULL});
}

cug_status cug_check_batch_norm_bwd_eval(cug_dtype real, const cug_tensor *dx, const cug_tensor *dy,
                                         const cug_tensor *gamma, const cug_tensor *running_var,
                                         const cug_batch_norm_shape *s, unsigned accumulate) {
    const char *op = "batch_norm bwd_eval";
    CUG_TRY(batch_norm_shape(op, s, 1));
    CUG_TRY(check_accumulate(op, accumulate));
    size_t n = size2(s->rows, s->C), C = (size_t)s->C;
    return CHECK_ARGS(op, {"dx", dx, real, n, ARG_OUT, replaces("dy", accumulate)}, {"dy", dy, real, n, ARG_IN, NULL},
                      {"gamma", gamma, real, C, ARG_IN, NULL}, {"running_var", running_var, real, C, ARG_IN, NULL});
}

cug_status cug_check_batch_norm_track(cug_dtype real, const cug_tensor *running_mean, const cug_tensor *running_var,
                                      const cug_tensor *saved, const cug_step *step, const cug_batch_norm_shape *s) {
    const char *op = "batch_norm track";
    CUG_TRY(batch_norm_shape(op, s, 2));
    CUG_TRY(check_present(op, "step", step));
    size_t C = (size_t)s->C;
    return CHECK_ARGS(op, {"running_mean", running_mean, real, C, ARG_OUT, NULL},
                      {"running_var", running_var, real, C, ARG_OUT, NULL},
                      {"saved", saved, real, 3 * C, ARG_IN, NULL});
}

/* --- activation --------------------------------------------------------------------------------------------------- */

static cug_status activation_shape(const char *op, const cug_activation_shape *s) {
    CUG_TRY(check_present(op, "shape", s));
    if (s->kind <= CUG_ACT_NONE || s->kind > CUG_ACT_GELU)
        return cug_fail(CUG_EINVAL, "%s: kind %d is not an activation", op, (int)s->kind);
    if (s->kind == CUG_ACT_LEAKY_RELU && !(s->slope >= 0 && s->slope <= 1))
        return cug_fail(CUG_EINVAL, "%s: slope must lie in [0,1], got %g", op, (double)s->slope);
    return check_count(op, s->count);
}

cug_status cug_check_activation_fwd(cug_dtype real, const cug_tensor *y, const cug_tensor *x,
                                    const cug_activation_shape *s) {
    CUG_TRY(activation_shape("activation fwd", s));
    return CHECK_ARGS("activation fwd", {"y", y, real, s->count, ARG_OUT, "x"}, {"x", x, real, s->count, ARG_IN, NULL});
}

cug_status cug_check_activation_bwd(cug_dtype real, const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *of,
                                    const cug_activation_shape *s, unsigned accumulate) {
    CUG_TRY(activation_shape("activation bwd", s));
    CUG_TRY(check_accumulate("activation bwd", accumulate));
    return CHECK_ARGS("activation bwd", {"dx", dx, real, s->count, ARG_OUT, replaces("dy", accumulate)},
                      {"dy", dy, real, s->count, ARG_IN, NULL},
                      {cug_act_reads_x(s->kind) ? "x" : "y", of, real, s->count, ARG_IN, NULL});
}

/* --- dropout ------------------------------------------------------------------------------------------------------ */

cug_status cug_check_dropout(cug_dtype real, const cug_tensor *out, const cug_tensor *in, const cug_tensor *ids,
                             const cug_step *step, const cug_dropout_shape *s, unsigned accumulate) {
    CUG_TRY(check_present("dropout", "shape", s));
    CUG_TRY(check_rows("dropout", "N", s->N, "F", s->F));
    CUG_TRY(check_present("dropout", "step", step));
    CUG_TRY(check_accumulate("dropout", accumulate));
    size_t n = size2(s->N, s->F);
    return CHECK_ARGS("dropout", {"output", out, real, n, ARG_OUT, replaces("input", accumulate)},
                      {"input", in, real, n, ARG_IN, NULL}, {"ids", ids, CUG_I32, (size_t)s->N, ARG_IN, NULL});
}

/* --- add, concat -------------------------------------------------------------------------------------------------- */

cug_status cug_check_add_fwd(cug_dtype real, const cug_tensor *y, const cug_tensor *const *x, const cug_add_shape *s) {
    CUG_TRY(check_present("add fwd", "shape", s));
    CUG_TRY(check_present("add fwd", "x", x));
    if (s->inputs < 1) return cug_fail(CUG_EINVAL, "add fwd: needs an input, got %d", s->inputs);
    CUG_TRY(check_count("add fwd", s->count));
    for (int j = 0; j < s->inputs; j++)
        CUG_TRY(
            CHECK_ARGS("add fwd", {"y", y, real, s->count, ARG_OUT, NULL}, {"x", x[j], real, s->count, ARG_IN, NULL}));
    return CUG_OK;
}

cug_status cug_check_add_bwd(cug_dtype real, const cug_tensor *dx, const cug_tensor *dy, const cug_add_shape *s,
                             unsigned accumulate) {
    CUG_TRY(check_present("add bwd", "shape", s));
    CUG_TRY(check_count("add bwd", s->count));
    CUG_TRY(check_accumulate("add bwd", accumulate));
    return CHECK_ARGS("add bwd", {"dx", dx, real, s->count, ARG_OUT, NULL}, {"dy", dy, real, s->count, ARG_IN, NULL});
}

static cug_status concat_shape(const char *op, const cug_concat_shape *s) {
    CUG_TRY(check_present(op, "shape", s));
    if (s->inputs < 1 || s->inputs > CUG_MAX_INPUTS)
        return cug_fail(CUG_EINVAL, "%s: inputs must lie in 1 to %d, got %d", op, CUG_MAX_INPUTS, s->inputs);
    int64_t total = 0;
    for (int j = 0; j < s->inputs; j++) {
        if (s->C[j] < 1) return cug_fail(CUG_EINVAL, "%s: input %d has %d channels", op, j, s->C[j]);
        total += s->C[j];
    }
    if (total != s->total)
        return cug_fail(CUG_EINVAL, "%s: total is %d, the inputs have %lld channels", op, s->total, (long long)total);
    return check_rows(op, "rows", s->rows, "total", s->total);
}

cug_status cug_check_concat_fwd(cug_dtype real, const cug_tensor *y, const cug_tensor *const *x,
                                const cug_concat_shape *s) {
    CUG_TRY(concat_shape("concat fwd", s));
    CUG_TRY(check_present("concat fwd", "x", x));
    for (int j = 0; j < s->inputs; j++)
        CUG_TRY(CHECK_ARGS("concat fwd", {"y", y, real, size2(s->rows, s->total), ARG_OUT, NULL},
                           {"x", x[j], real, size2(s->rows, s->C[j]), ARG_IN, NULL}));
    return CUG_OK;
}

cug_status cug_check_concat_bwd(cug_dtype real, const cug_tensor *dx, const cug_tensor *dy, int j,
                                const cug_concat_shape *s, unsigned accumulate) {
    CUG_TRY(concat_shape("concat bwd", s));
    CUG_TRY(check_accumulate("concat bwd", accumulate));
    if (j < 0 || j >= s->inputs)
        return cug_fail(CUG_EINVAL, "concat bwd: input %d asked for, there are %d", j, s->inputs);
    return CHECK_ARGS("concat bwd", {"dx", dx, real, size2(s->rows, s->C[j]), ARG_OUT, NULL},
                      {"dy", dy, real, size2(s->rows, s->total), ARG_IN, NULL});
}

/* --- losses, normalize -------------------------------------------------------------------------------------------- */

cug_status cug_check_loss(const char *op, int min_k, cug_dtype real, const cug_tensor *loss, const cug_tensor *dz,
                          const cug_tensor *pred, const cug_tensor *z, const cug_tensor *labels,
                          const cug_loss_shape *s) {
    CUG_TRY(check_present(op, "shape", s));
    CUG_TRY(check_rows(op, "N", s->N, "K", s->K));
    if (s->K < min_k) return cug_fail(CUG_EINVAL, "%s: needs at least %d outputs, got %d", op, min_k, s->K);
    if (!(s->smoothing >= 0 && s->smoothing < 1))
        return cug_fail(CUG_EINVAL, "%s: smoothing must lie in [0,1), got %g", op, (double)s->smoothing);
    size_t n = (size_t)s->N, nk = size2(s->N, s->K);
    return CHECK_ARGS(op, {"loss", loss, real, n, ARG_OUT, NULL}, {"dz", dz, real, nk, ARG_OUT | ARG_OPTIONAL, "z"},
                      {"pred", pred, CUG_I32, n, ARG_OUT | ARG_OPTIONAL, NULL}, {"z", z, real, nk, ARG_IN, NULL},
                      {"labels", labels, CUG_I32, n, ARG_IN, NULL});
}

cug_status cug_check_normalize(cug_dtype real, const cug_tensor *y, const cug_tensor *u, const cug_normalize_shape *s) {
    CUG_TRY(check_present("normalize", "shape", s));
    CUG_TRY(check_count("normalize", s->count));
    return CHECK_ARGS("normalize", {"y", y, real, s->count, ARG_OUT, NULL}, {"u", u, CUG_U8, s->count, ARG_IN, NULL});
}

cug_status cug_check_normalize_gather(cug_dtype real, const cug_tensor *y, const cug_tensor *images,
                                      const cug_tensor *ids, const cug_normalize_shape *s) {
    const char *op = "normalize gather";
    CUG_TRY(check_present(op, "shape", s));
    CUG_TRY(check_count(op, s->count));
    CUG_TRY(check_present(op, "images", images));
    CUG_TRY(check_present(op, "ids", ids));
    size_t n = cug_tensor_count(ids), pixels = cug_tensor_count(images), size = n ? s->count / n : 0;
    if (!size || s->count % n) return cug_fail(CUG_EINVAL, "%s: %zu pixels are not those of %zu ids", op, s->count, n);
    if (pixels % size)
        return cug_fail(CUG_EINVAL, "%s: images has %zu pixels, not a multiple of %zu", op, pixels, size);
    CUG_TRY(CHECK_ARGS(op, {"y", y, real, s->count, ARG_OUT, NULL}, {"images", images, CUG_U8, pixels, ARG_IN, NULL},
                       {"ids", ids, CUG_I32, n, ARG_IN, NULL}));
    const int32_t *id = ids->ptr;
    for (size_t i = 0; i < n; i++)
        if (id[i] < 0 || (size_t)id[i] >= pixels / size)
            return cug_fail(CUG_EINVAL, "%s: ids names image %d of %zu", op, id[i], pixels / size);
    return CUG_OK;
}

/* --- optimizer, metrics ------------------------------------------------------------------------------------------- */

static cug_status check_runs(const char *op, const cug_param_run *runs, int n_runs, size_t count) {
    if (n_runs < 0) return cug_fail(CUG_EINVAL, "%s: %d runs", op, n_runs);
    if (n_runs) CUG_TRY(check_present(op, "runs", runs));
    for (int i = 0; i < n_runs; i++)
        if (runs[i].offset > count || runs[i].count > count - runs[i].offset)
            return cug_fail(CUG_EINVAL, "%s: run %d (%zu from %zu) leaves the %zu parameters", op, i, runs[i].count,
                            runs[i].offset, count);
    for (int i = 0; i < n_runs; i++) {
        const int rows = runs[i].rows, cols = runs[i].cols;
        if ((rows || cols) && (rows < 1 || cols < 1 || (size_t)rows * (size_t)cols != runs[i].count))
            return cug_fail(CUG_EINVAL, "%s: run %d has %zu elements, which is no matrix of %d x %d", op, i,
                            runs[i].count, rows, cols);
    }
    return CUG_OK;
}

cug_status cug_check_grad_norm(cug_dtype real, const cug_step *step, const cug_tensor *g, const cug_tensor *loss,
                               const cug_param_run *runs, int n_runs) {
    const char *op = "grad_norm";
    CUG_TRY(check_present(op, "step", step));
    CUG_TRY(check_present(op, "g", g));
    CUG_TRY(CHECK_ARGS(op, {"g", g, real, cug_tensor_count(g), ARG_IN, NULL},
                       {"loss", loss, real, loss ? cug_tensor_count(loss) : 0, ARG_OPTIONAL, NULL}));
    return check_runs(op, runs, n_runs, cug_tensor_count(g));
}

cug_status cug_check_update(cug_dtype real, const cug_tensor *w, const cug_tensor *m, const cug_tensor *v,
                            const cug_tensor *g, const cug_opt_params *opt, const cug_param_run *runs, int n_runs,
                            const cug_step *step) {
    const char *op = "optimizer update";
    CUG_TRY(check_present(op, "w", w));
    CUG_TRY(check_present(op, "opt", opt));
    CUG_TRY(check_present(op, "step", step));
    if (opt->kind < CUG_OPT_SGD || opt->kind > CUG_OPT_MUON)
        return cug_fail(CUG_EINVAL, "%s: unknown kind %d", op, (int)opt->kind);
    if (!(opt->clip_value >= 0) || !(opt->clip_norm >= 0))
        return cug_fail(CUG_EINVAL, "%s: clip_value and clip_norm must be 0 or more", op);
    if (opt->kind == CUG_OPT_MUON && !(opt->matrix_lr_scale >= 0))
        return cug_fail(CUG_EINVAL, "%s: matrix_lr_scale must be 0 or more", op);
    int states = cug_opt_state_count(opt->kind);
    size_t n = cug_tensor_count(w);
    CUG_TRY(CHECK_ARGS(op, {"w", w, real, n, ARG_OUT, NULL},
                       {"m", states > 0 ? m : NULL, real, n, states > 0 ? ARG_OUT : ARG_OPTIONAL, NULL},
                       {"v", states > 1 ? v : NULL, real, n, states > 1 ? ARG_OUT : ARG_OPTIONAL, NULL},
                       {"g", g, real, n, ARG_IN, NULL}));
    return check_runs(op, runs, n_runs, n);
}

cug_status cug_check_metrics(cug_dtype real, const cug_metrics *m, const cug_tensor *confusion, const cug_tensor *loss,
                             const cug_tensor *pred, const cug_tensor *labels, const cug_metrics_shape *s) {
    const char *op = "metrics add";
    CUG_TRY(check_present(op, "metrics", m));
    CUG_TRY(check_present(op, "shape", s));
    CUG_TRY(check_rows(op, "N", s->N, "classes", s->classes));
    CUG_TRY(check_rows(op, "classes", s->classes, "classes", s->classes));
    size_t n = (size_t)s->N;
    return CHECK_ARGS(op,
                      {"confusion", confusion, CUG_I64, size2(s->classes, s->classes), ARG_OUT | ARG_OPTIONAL, NULL},
                      {"loss", loss, real, n, ARG_IN, NULL}, {"pred", pred, CUG_I32, n, ARG_IN, NULL},
                      {"labels", labels, CUG_I32, n, ARG_IN, NULL});
}
