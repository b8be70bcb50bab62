/* batch_norm.c - reference batch normalisation: mean first, then the squares about it. */
#include "ref.h"
#include <math.h>

static size_t at(const cug_batch_norm_shape *s, int m, int c) { return (size_t)m * (size_t)s->C + (size_t)c; }

static cug_status fwd_train(const cug_tensor *y, const cug_tensor *saved, const cug_tensor *x, const cug_tensor *gamma,
                            const cug_tensor *beta, const cug_batch_norm_shape *s, const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_batch_norm_fwd_train(REF_REAL, y, saved, x, gamma, beta, s));
    for (int c = 0; c < s->C; c++) {
        double mean = 0, var = 0;
        for (int m = 0; m < s->rows; m++) mean += ref_f64(x)[at(s, m, c)];
        mean /= s->rows;
        for (int m = 0; m < s->rows; m++) var += pow(ref_f64(x)[at(s, m, c)] - mean, 2);
        var /= s->rows;
        double rstd = 1 / sqrt(var + (double)s->eps);
        for (int m = 0; m < s->rows; m++)
            ref_f64(y)[at(s, m, c)] = ref_f64(gamma)[c] * (ref_f64(x)[at(s, m, c)] - mean) * rstd + ref_f64(beta)[c];
        ref_f64(saved)[c] = mean;
        ref_f64(saved)[s->C + c] = rstd;
        ref_f64(saved)[2 * s->C + c] = var;
    }
    return CUG_OK;
}

static cug_status fwd_eval(const cug_tensor *y, const cug_tensor *x, const cug_tensor *gamma, const cug_tensor *beta,
                           const cug_tensor *running_mean, const cug_tensor *running_var, const cug_batch_norm_shape *s,
                           const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_batch_norm_fwd_eval(REF_REAL, y, x, gamma, beta, running_mean, running_var, s));
    for (int m = 0; m < s->rows; m++)
        for (int c = 0; c < s->C; c++)
            ref_f64(y)[at(s, m, c)] = ref_f64(gamma)[c] * (ref_f64(x)[at(s, m, c)] - ref_f64(running_mean)[c]) /
                                          sqrt(ref_f64(running_var)[c] + (double)s->eps) +
                                      ref_f64(beta)[c];
    return CUG_OK;
}

static cug_status bwd(const cug_tensor *dx, const cug_tensor *dgamma, const cug_tensor *dbeta, const cug_tensor *dy,
                      const cug_tensor *x, const cug_tensor *gamma, const cug_tensor *saved,
                      const cug_batch_norm_shape *s, unsigned accumulate, const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_batch_norm_bwd(REF_REAL, dx, dgamma, dbeta, dy, x, gamma, saved, s, accumulate));
    ref_start(dgamma, accumulate & CUG_ACC_DW);
    ref_start(dbeta, accumulate & CUG_ACC_DW);
    for (int c = 0; c < s->C; c++) {
        double mean = ref_f64(saved)[c], rstd = ref_f64(saved)[s->C + c], sum = 0, dot = 0;
        for (int m = 0; m < s->rows; m++) {
            sum += ref_f64(dy)[at(s, m, c)];
            dot += ref_f64(dy)[at(s, m, c)] * (ref_f64(x)[at(s, m, c)] - mean) * rstd;
        }
        if (dgamma) ref_f64(dgamma)[c] += dot;
        if (dbeta) ref_f64(dbeta)[c] += sum;
        for (int m = 0; dx && m < s->rows; m++) {
            double xhat = (ref_f64(x)[at(s, m, c)] - mean) * rstd;
            double v = ref_f64(gamma)[c] * rstd * (ref_f64(dy)[at(s, m, c)] - (sum + xhat * dot) / s->rows);
            double *to = &ref_f64(dx)[at(s, m, c)];
            *to = accumulate & CUG_ACC_DX ? *to + v : v;
        }
    }
    return CUG_OK;
}

static cug_status bwd_eval(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *gamma,
                           const cug_tensor *running_var, const cug_batch_norm_shape *s, unsigned accumulate,
                           const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_batch_norm_bwd_eval(REF_REAL, dx, dy, gamma, running_var, s, accumulate));
    for (int m = 0; m < s->rows; m++)
        for (int c = 0; c < s->C; c++) {
            double v = ref_f64(gamma)[c] * ref_f64(dy)[at(s, m, c)] / sqrt(ref_f64(running_var)[c] + (double)s->eps);
            double *to = &ref_f64(dx)[at(s, m, c)];
            *to = accumulate & CUG_ACC_DX ? *to + v : v;
        }
    return CUG_OK;
}

static cug_status track(const cug_tensor *running_mean, const cug_tensor *running_var, const cug_tensor *saved,
                        const cug_step *step, const cug_batch_norm_shape *s, const cug_exec *ex) {
    (void)ex;
    CUG_TRY(cug_check_batch_norm_track(REF_REAL, running_mean, running_var, saved, step, s));
    double k = (double)s->momentum;
    for (int c = 0; c < s->C && !step->nonfinite; c++) {
        double unbiased = ref_f64(saved)[2 * s->C + c] * s->rows / (s->rows - 1);
        ref_f64(running_mean)[c] = (1 - k) * ref_f64(running_mean)[c] + k * ref_f64(saved)[c];
        ref_f64(running_var)[c] = (1 - k) * ref_f64(running_var)[c] + k * unbiased;
    }
    return CUG_OK;
}

const cug_batch_norm_ops cug_ref_batch_norm = {
    .fwd_train = fwd_train, .fwd_eval = fwd_eval, .bwd = bwd, .bwd_eval = bwd_eval, .track = track};
