/* optimizer.h - parameter updates over flat buffers; and the gradient norm that gates them. */
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
    CUG_OPT_MUON,     /* Runs with rows and cols, as below; every other run by ADAMW, with its lr. */
} cug_opt_kind;

/* Muon of a matrix (rows x cols, row-major), Nesterov's momentum made orthogonal:
 *   v = mu * v + g,   u = g + mu * v                              (v starts at 0)
 *   X = u / (||u|| + 1e-7), Frobenius; transposed where rows > cols
 *   CUG_MUON_STEPS times:   A = X X',   X = a X + (b A + c A A) X
 *   lr_m = matrix_lr_scale * lr
 *   w -= lr_m * weight_decay * w,   then w -= lr_m * sqrt(max(1, rows / cols)) * X   (X transposed back)
 * The iteration is Newton and Schulz's with coefficients that lift small singular values fast and stop near 1, not at
 * it: those of u / ||u|| go through p(s) = a s + b s^3 + c s^5 five times, which takes all of [0.01, 1] into
 * [0.68, 1.14] (0.001: 0.47; nothing above 1.21); singular vectors stay. u = 0 gives X = 0. Products are float32 (ref:
 * float64), whatever the device's precision. Keller Jordan, "Muon: An optimizer for hidden layers in neural networks",
 * 2024, kellerjordan.github.io/posts/muon. The same as torch.optim.Muon with nesterov and adjust_lr_fn "original", but
 * for the iteration's bfloat16, and that the 1e-7 is added here and a lower bound there; PyTorch's v is (1 - mu) times
 * this one, which X does not depend on. */
#define CUG_MUON_A 3.4445
#define CUG_MUON_B (-4.7750)
#define CUG_MUON_C 2.0315
#define CUG_MUON_STEPS 5
#define CUG_MUON_EPS 1e-7

typedef struct cug_opt_params {
    cug_opt_kind kind;
    float momentum; /* mu */
    float beta1, beta2, eps;
    float weight_decay;    /* ADAMW and MUON only, decoupled */
    float matrix_lr_scale; /* MUON only: matrices' rate over step->lr */
    float l1, l2;          /* added to the gradient of decayed runs before anything else: g += l2 * w + l1 * sign(w) */
    float clip_value;      /* 0: off; g = min(max(g, -c), c), before l1/l2 */
    float clip_norm;       /* 0: off; g *= min(1, c / (norm + 1e-6)), norm = step->grad_norm; before clip_value */
} cug_opt_params;

/* A stretch of the flat buffers that is treated alike; frozen stretches are simply not listed. */
typedef struct cug_param_run {
    size_t offset, count; /* elements */
    int decay;            /* l1, l2 and weight_decay apply (weights: yes, biases: no) */
    int rows, cols;       /* of a matrix that is MUON's, row-major, rows * cols = count; both 0: not one */
} cug_param_run;

static inline int cug_run_is_matrix(const cug_opt_params *o, const cug_param_run *r) {
    return o->kind == CUG_OPT_MUON && r->rows > 0;
}

/* State buffers a kind needs: 0, 1 (v) or 2 (m, v), each as long as the parameters, starting at zero. */
CUG_API int cug_opt_state_count(cug_opt_kind kind);

typedef struct cug_optimizer_ops {
    /* step->grad_norm = sqrt(sum g^2) over the runs, summed in double in a fixed order; step->nonfinite |= 1 when it or
     * any of loss (N, real; NULL: not looked at) is NaN or Inf. `runs` is in host memory, `step` in backend memory. */
    cug_status (*grad_norm)(cug_step *step, const cug_tensor *g, const cug_tensor *loss, const cug_param_run *runs,
                            int n_runs, const cug_exec *ex);
    /* Bytes of scratch that update() takes from ex->workspace; 0 for every kind but MUON. */
    size_t (*workspace)(const cug_device *dev, const cug_opt_params *opt, const cug_param_run *runs, int n_runs);
    /* One update of w (and m, v) as opt->kind says, with step->lr and step->bias_corr1/2. Does nothing at all when
     * step->nonfinite is set. m is the first state buffer, v the second (momentum kinds use m alone, MUON's matrices
     * keep their momentum in m and leave v as it is); unused ones are NULL. Order within an element: clip_norm,
     * clip_value, l2, l1, update. */
    cug_status (*update)(const cug_tensor *w, const cug_tensor *m, const cug_tensor *v, const cug_tensor *g,
                         const cug_opt_params *opt, const cug_param_run *runs, int n_runs, const cug_step *step,
                         const cug_exec *ex);
} cug_optimizer_ops;

#ifdef __cplusplus
}
#endif
#endif
