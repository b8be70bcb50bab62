/* optimizer.h - parameter updates over flat buffers, one pass each; and the gradient norm that gates them. */
#ifndef CUGLYPH_OPTIMIZER_H
#define CUGLYPH_OPTIMIZER_H

#include <cuglyph/exec.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    CUG_OPT_SGD,      /* w -= lr * g */
    CUG_OPT_MOMENTUM, /* v = mu * v + g;  w -= lr * v            (v starts at 0; PyTorch's SGD with dampening 0) */
    CUG_OPT_NESTEROV, /* v = mu * v + g;  w -= lr * (g + mu * v) */
    CUG_OPT_ADAM,     /* m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  w -= lr * (m/c1) / (sqrt(v/c2) + eps)
                       * with c1 = 1 - b1^t, c2 = 1 - b2^t, t counted from 1. Kingma and Ba, 2015. */
    CUG_OPT_ADAMW,    /* w -= lr * weight_decay * w first, then Adam. Loshchilov and Hutter, 2019. */
} cug_opt_kind;

typedef struct cug_opt_params {
    cug_opt_kind kind;
    float momentum; /* mu */
    float beta1, beta2, eps;
    float weight_decay; /* ADAMW only, decoupled */
    float l1, l2;       /* added to the gradient of decayed runs before anything else: g += l2 * w + l1 * sign(w) */
    float clip_value;   /* 0: off; g = min(max(g, -c), c), before l1/l2 */
    float clip_norm;    /* 0: off; g *= min(1, c / (norm + 1e-6)), norm = step->grad_norm; before clip_value */
} cug_opt_params;

/* A stretch of the flat buffers that is treated alike; frozen stretches are simply not listed. */
typedef struct cug_param_run {
    size_t offset, count; /* elements */
    int decay;            /* l1, l2 and weight_decay apply (weights: yes, biases: no) */
} cug_param_run;

/* State buffers a kind needs: 0, 1 (v) or 2 (m, v), each as long as the parameters, starting at zero. */
CUG_API int cug_opt_state_count(cug_opt_kind kind);

typedef struct cug_optimizer_ops {
    /* step->grad_norm = sqrt(sum g^2) over the runs, summed in double in a fixed order; step->nonfinite |= 1 when it or
     * any of loss (N, real; NULL: not looked at) is NaN or Inf. `runs` is in host memory, `step` in backend memory. */
    cug_status (*grad_norm)(cug_step *step, const cug_tensor *g, const cug_tensor *loss, const cug_param_run *runs,
                            int n_runs, const cug_exec *ex);
    /* One update of w (and m, v) as opt->kind says, with step->lr and step->bias_corr1/2. Does nothing at all when
     * step->nonfinite is set. m is the first state buffer, v the second (momentum kinds use m alone);
     * unused ones are NULL. Order within an element: clip_norm, clip_value, l2, l1, update. */
    cug_status (*update)(const cug_tensor *w, const cug_tensor *m, const cug_tensor *v, const cug_tensor *g,
                         const cug_opt_params *opt, const cug_param_run *runs, int n_runs, const cug_step *step,
                         const cug_exec *ex);
} cug_optimizer_ops;

#ifdef __cplusplus
}
#endif
#endif
