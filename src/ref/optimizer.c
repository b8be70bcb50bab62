/* optimizer.c - reference parameter updates. Hyper-parameters are float32 in their struct and widened here. */
#include "ref.h"
#include <math.h>

static cug_status grad_norm(cug_step *step, const cug_tensor *g, const cug_tensor *loss, const cug_param_run *runs,
                            int n_runs, const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_grad_norm(REF_REAL, step, g, loss, runs, n_runs));
    double sum = 0;
    for (int r = 0; r < n_runs; r++)
        for (size_t i = runs[r].offset; i < runs[r].offset + runs[r].count; i++) sum += ref_f64(g)[i] * ref_f64(g)[i];
    step->grad_norm = sqrt(sum);
    if (!isfinite(step->grad_norm)) step->nonfinite |= 1;
    for (size_t i = 0, n = loss ? cug_tensor_count(loss) : 0; i < n; i++)
        if (!isfinite(ref_f64(loss)[i])) step->nonfinite |= 1;
    return CUG_OK;
}

/* The gradient as the update sees it: clipped, then with the pull of l2 and l1. */
static double effective(double g, double w, const cug_opt_params *o, int decay, const cug_step *step) {
    if (o->clip_norm > 0) g *= fmin(1, (double)o->clip_norm / (step->grad_norm + 1e-6));
    if (o->clip_value > 0) g = fmin(fmax(g, -(double)o->clip_value), (double)o->clip_value);
    if (decay) g += (double)o->l2 * w + (double)o->l1 * ((w > 0) - (w < 0));
    return g;
}

static void update_one(double *w, double *m, double *v, double g, const cug_opt_params *o, int decay,
                       const cug_step *step) {
    double lr = (double)step->lr, mu = (double)o->momentum, b1 = (double)o->beta1, b2 = (double)o->beta2;
    g = effective(g, *w, o, decay, step);
    switch (o->kind) {
    case CUG_OPT_SGD:
        *w -= lr * g;
        break;
    case CUG_OPT_MOMENTUM:
        *m = mu * *m + g;
        *w -= lr * *m;
        break;
    case CUG_OPT_NESTEROV:
        *m = mu * *m + g;
        *w -= lr * (g + mu * *m);
        break;
    case CUG_OPT_ADAMW:
        if (decay) *w -= lr * (double)o->weight_decay * *w;
        /* fall through */
    case CUG_OPT_ADAM:
        *m = b1 * *m + (1 - b1) * g;
        *v = b2 * *v + (1 - b2) * g * g;
        *w -= lr * (*m / (double)step->bias_corr1) / (sqrt(*v / (double)step->bias_corr2) + (double)o->eps);
        break;
    }
}

static cug_status update(const cug_tensor *w, const cug_tensor *m, const cug_tensor *v, const cug_tensor *g,
                         const cug_opt_params *opt, const cug_param_run *runs, int n_runs, const cug_step *step,
                         const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_update(REF_REAL, w, m, v, g, opt, runs, n_runs, step));
    if (step->nonfinite) return CUG_OK;
    int states = cug_opt_state_count(opt->kind);
    for (int r = 0; r < n_runs; r++)
        for (size_t i = runs[r].offset; i < runs[r].offset + runs[r].count; i++)
            update_one(&ref_f64(w)[i], states > 0 ? &ref_f64(m)[i] : NULL, states > 1 ? &ref_f64(v)[i] : NULL,
                       ref_f64(g)[i], opt, runs[r].decay, step);
    return CUG_OK;
}

const cug_optimizer_ops cug_ref_optimizer = {.grad_norm = grad_norm, .update = update};
