/* optimizer.c - reference parameter updates. Hyper-parameters are float32 in their struct and widened here. */
#include "ref.h"
#include <math.h>
#include <string.h>

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
    case CUG_OPT_MUON: /* what is no matrix */
        if (decay) *w -= lr * (double)o->weight_decay * *w;
        /* fall through */
    case CUG_OPT_ADAM:
        *m = b1 * *m + (1 - b1) * g;
        *v = b2 * *v + (1 - b2) * g * g;
        *w -= lr * (*m / (double)step->bias_corr1) / (sqrt(*v / (double)step->bias_corr2) + (double)o->eps);
        break;
    }
}

/* c (M,N) = a (M,L) b (L,N) */
static void product(double *c, const double *a, const double *b, size_t M, size_t N, size_t L) {
    memset(c, 0, M * N * sizeof *c);
    for (size_t i = 0; i < M; i++)
        for (size_t l = 0; l < L; l++)
            for (size_t j = 0; j < N; j++) c[i * N + j] += a[i * L + l] * b[l * N + j];
}

/* to (cols,rows) = from (rows,cols) transposed */
static void transpose(double *to, const double *from, size_t rows, size_t cols) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) to[j * rows + i] = from[i * cols + j];
}

/* One iteration on x (S,L), S <= L; t has the room of x, a, aa that of a square. */
static void newton_schulz(double *x, double *t, double *a, double *aa, size_t S, size_t L) {
    transpose(t, x, S, L);
    product(a, x, t, S, S, L);
    product(aa, a, a, S, S, S);
    for (size_t i = 0; i < S * S; i++) a[i] = CUG_MUON_B * a[i] + CUG_MUON_C * aa[i];
    product(t, a, x, S, L, S);
    for (size_t i = 0; i < S * L; i++) x[i] = CUG_MUON_A * x[i] + t[i];
}

static void muon(double *w, double *m, const double *g, const cug_opt_params *o, const cug_param_run *r,
                 const cug_step *step, double *work) {
    size_t n = r->count, rows = (size_t)r->rows, cols = (size_t)r->cols, S = rows < cols ? rows : cols;
    double *x = work, *t = x + n, *a = t + n, *aa = a + S * S, mu = (double)o->momentum, sum = 0;
    for (size_t i = 0; i < n; i++) {
        double d = effective(g[i], w[i], o, r->decay, step);
        m[i] = mu * m[i] + d;
        x[i] = d + mu * m[i];
        sum += x[i] * x[i];
    }
    for (size_t i = 0; i < n; i++) x[i] /= sqrt(sum) + CUG_MUON_EPS;
    if (rows > cols) {
        transpose(t, x, rows, cols);
        memcpy(x, t, n * sizeof *x);
    }
    for (int k = 0; k < CUG_MUON_STEPS; k++) newton_schulz(x, t, a, aa, S, n / S);
    if (rows > cols) {
        transpose(t, x, cols, rows);
        memcpy(x, t, n * sizeof *x);
    }
    double lr = (double)o->matrix_lr_scale * (double)step->lr, grown = sqrt(fmax(1, (double)rows / (double)cols));
    for (size_t i = 0; i < n; i++) {
        if (r->decay) w[i] -= lr * (double)o->weight_decay * w[i];
        w[i] -= lr * grown * x[i];
    }
}

static size_t workspace(const cug_device *dev, const cug_opt_params *opt, const cug_param_run *runs, int n_runs) {
    size_t most = 0;
    (void)dev;
    for (int r = 0; r < n_runs; r++) {
        if (!cug_run_is_matrix(opt, &runs[r])) continue;
        size_t S = (size_t)(runs[r].rows < runs[r].cols ? runs[r].rows : runs[r].cols);
        size_t count = 2 * runs[r].count + 2 * S * S;
        if (count > most) most = count;
    }
    return most * sizeof(double);
}

static cug_status update(const cug_tensor *w, const cug_tensor *m, const cug_tensor *v, const cug_tensor *g,
                         const cug_opt_params *opt, const cug_param_run *runs, int n_runs, const cug_step *step,
                         const cug_exec *ex) {
    CUG_TRY(cug_check_update(REF_REAL, w, m, v, g, opt, runs, n_runs, step));
    CUG_TRY(cug_check_workspace("optimizer update", ex, workspace(NULL, opt, runs, n_runs)));
    if (step->nonfinite) return CUG_OK;
    int states = cug_opt_state_count(opt->kind);
    for (int r = 0; r < n_runs; r++) {
        size_t at = runs[r].offset;
        if (cug_run_is_matrix(opt, &runs[r])) {
            muon(ref_f64(w) + at, ref_f64(m) + at, ref_f64(g) + at, opt, &runs[r], step, ex->workspace);
            continue;
        }
        for (size_t i = at; i < at + runs[r].count; i++)
            update_one(&ref_f64(w)[i], states > 0 ? &ref_f64(m)[i] : NULL, states > 1 ? &ref_f64(v)[i] : NULL,
                       ref_f64(g)[i], opt, runs[r].decay, step);
    }
    return CUG_OK;
}

const cug_optimizer_ops cug_ref_optimizer = {.grad_norm = grad_norm, .workspace = workspace, .update = update};
