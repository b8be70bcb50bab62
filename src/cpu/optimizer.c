/* optimizer.c - the gradient norm and one-pass parameter updates. */
#include "cpu/cpu.h"
#include <math.h>

#define NORM_PARTS 64 /* partial sums of one run: fixed, so that the norm does not depend on the thread count */

typedef struct norm_job {
    const cug_device *dev;
    const float *g;
    size_t count;
    double sum[NORM_PARTS];
} norm_job;

static void norm_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    norm_job *j = ctx;
    for (size_t i = lo; i < hi; i++) {
        size_t a = j->count * i / NORM_PARTS, b = j->count * (i + 1) / NORM_PARTS;
        j->sum[i] = j->dev->simd->sum_squares(j->g + a, b - a);
    }
}

double cug_cpu_sum_squares(const cug_device *dev, const float *g, size_t count) {
    norm_job j = {.dev = dev, .g = g, .count = count};
    double sum = 0;
    cug_cpu_run(dev, NORM_PARTS, count < CUG_CPU_GRAIN ? NORM_PARTS : 1, norm_part, &j);
    for (int i = 0; i < NORM_PARTS; i++) sum += j.sum[i];
    return sum;
}

static cug_status grad_norm(cug_step *step, const cug_tensor *g, const cug_tensor *loss, const cug_param_run *runs,
                            int n_runs, const cug_exec *ex) {
    CUG_TRY(cug_check_grad_norm(CPU_REAL, step, g, loss, runs, n_runs));
    CUG_TRY(cpu_ready("grad_norm", ex, 0));
    double sum = 0;
    for (int r = 0; r < n_runs; r++) sum += cug_cpu_sum_squares(ex->device, cpu_f32(g) + runs[r].offset, runs[r].count);
    step->grad_norm = sqrt(sum);
    if (!isfinite(step->grad_norm)) step->nonfinite |= 1;
    for (size_t i = 0, n = loss ? cug_tensor_count(loss) : 0; i < n; i++)
        if (!isfinite(cpu_f32(loss)[i])) step->nonfinite |= 1;
    return CUG_OK;
}

typedef struct update_job {
    const cug_device *dev;
    float *w, *m, *v;
    const float *g;
    cug_update u;
} update_job;

static void update_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    update_job *j = ctx;
    j->dev->simd->update(j->w + lo, j->m ? j->m + lo : NULL, j->v ? j->v + lo : NULL, j->g + lo, &j->u, hi - lo);
}

static cug_update constants(const cug_opt_params *o, const cug_param_run *r, const cug_step *step) {
    const int decay = r->decay, matrix = cug_run_is_matrix(o, r);
    const cug_opt_kind kind = o->kind == CUG_OPT_MUON && !matrix ? CUG_OPT_ADAMW : o->kind;
    const float lr = matrix ? o->matrix_lr_scale * step->lr : step->lr;
    cug_update u = {
        .kind = kind,
        .scale = 1,
        .clip_value = o->clip_value > 0 ? o->clip_value : INFINITY,
        .l1 = decay ? o->l1 : 0,
        .l2 = decay ? o->l2 : 0,
        .keep = kind >= CUG_OPT_ADAMW && decay ? 1 - lr * o->weight_decay : 1,
        .lr = lr,
        .momentum = o->momentum,
        .beta1 = o->beta1,
        .beta2 = o->beta2,
        .eps = o->eps,
    };
    if (o->clip_norm > 0) u.scale = (float)fmin(1, (double)o->clip_norm / (step->grad_norm + 1e-6));
    if (cug_opt_state_count(o->kind) == 2) {
        u.lr1 = step->lr / step->bias_corr1;
        u.inv2 = 1 / step->bias_corr2;
    }
    return u;
}

static size_t workspace(const cug_device *dev, const cug_opt_params *opt, const cug_param_run *runs, int n_runs) {
    size_t most = 0;
    for (int r = 0; r < n_runs; r++) {
        size_t bytes = cug_run_is_matrix(opt, &runs[r]) ? cug_cpu_muon_workspace(dev, &runs[r]) : 0;
        if (bytes > most) most = bytes;
    }
    return most;
}

static cug_status update(const cug_tensor *w, const cug_tensor *m, const cug_tensor *v, const cug_tensor *g,
                         const cug_opt_params *opt, const cug_param_run *runs, int n_runs, const cug_step *step,
                         const cug_exec *ex) {
    CUG_TRY(cug_check_update(CPU_REAL, w, m, v, g, opt, runs, n_runs, step));
    CUG_TRY(cpu_ready("update", ex, 0));
    CUG_TRY(cpu_ready("update", ex, workspace(ex->device, opt, runs, n_runs)));
    if (step->nonfinite) return CUG_OK;
    int states = cug_opt_state_count(opt->kind);
    for (int r = 0; r < n_runs; r++) {
        size_t at = runs[r].offset;
        update_job j = {.dev = ex->device,
                        .w = cpu_f32(w) + at,
                        .m = states > 0 ? cpu_f32(m) + at : NULL,
                        .v = states > 1 ? cpu_f32(v) + at : NULL,
                        .g = cpu_f32(g) + at,
                        .u = constants(opt, &runs[r], step)};
        if (cug_run_is_matrix(opt, &runs[r]))
            cug_cpu_muon(ex->device, j.w, j.m, j.g, &runs[r], &j.u, ex->workspace);
        else
            cug_cpu_run(ex->device, runs[r].count, CUG_CPU_GRAIN, update_part, &j);
    }
    return CUG_OK;
}

const cug_optimizer_ops cug_cpu_optimizer = {.grad_norm = grad_norm, .workspace = workspace, .update = update};
