/* batch_norm.c - batch normalisation on the GPU. */
#include "cuda/cuda.h"

static size_t workspace(const cug_device *dev, const cug_batch_norm_shape *s, cug_pass pass) {
    (void)dev, (void)pass;
    return cug_cuda_batch_norm_workspace(s);
}

static cug_status fwd_train(const cug_tensor *y, const cug_tensor *saved, const cug_tensor *x, const cug_tensor *gamma,
                            const cug_tensor *beta, const cug_batch_norm_shape *s, const cug_exec *ex) {
    const char *op = "batch_norm fwd_train";
    CUG_TRY(cug_check_batch_norm_fwd_train(CUDA_REAL, y, saved, x, gamma, beta, s));
    CUG_TRY(cuda_ready(op, ex, cug_cuda_batch_norm_workspace(s)));
    cudaError_t err = cug_cuda_batch_norm_fwd_train(cuda_f32(y), cuda_f32(saved), cuda_f32(x), cuda_f32(gamma),
                                                    cuda_f32(beta), s, ex->workspace, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

static cug_status fwd_eval(const cug_tensor *y, const cug_tensor *x, const cug_tensor *gamma, const cug_tensor *beta,
                           const cug_tensor *running_mean, const cug_tensor *running_var, const cug_batch_norm_shape *s,
                           const cug_exec *ex) {
    const char *op = "batch_norm fwd_eval";
    CUG_TRY(cug_check_batch_norm_fwd_eval(CUDA_REAL, y, x, gamma, beta, running_mean, running_var, s));
    CUG_TRY(cuda_ready(op, ex, 0));
    cudaError_t err = cug_cuda_batch_norm_fwd_eval(cuda_f32(y), cuda_f32(x), cuda_f32(gamma), cuda_f32(beta),
                                                   cuda_f32(running_mean), cuda_f32(running_var), s, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

static cug_status bwd(const cug_tensor *dx, const cug_tensor *dgamma, const cug_tensor *dbeta, const cug_tensor *dy,
                      const cug_tensor *x, const cug_tensor *gamma, const cug_tensor *saved,
                      const cug_batch_norm_shape *s, unsigned accumulate, const cug_exec *ex) {
    const char *op = "batch_norm bwd";
    CUG_TRY(cug_check_batch_norm_bwd(CUDA_REAL, dx, dgamma, dbeta, dy, x, gamma, saved, s, accumulate));
    CUG_TRY(cuda_ready(op, ex, cug_cuda_batch_norm_workspace(s)));
    cudaError_t err =
        cug_cuda_batch_norm_bwd(cuda_f32(dx), cuda_f32(dgamma), cuda_f32(dbeta), cuda_f32(dy), cuda_f32(x),
                                cuda_f32(gamma), cuda_f32(saved), s, accumulate, ex->workspace, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

static cug_status bwd_eval(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *gamma,
                           const cug_tensor *running_var, const cug_batch_norm_shape *s, unsigned accumulate,
                           const cug_exec *ex) {
    const char *op = "batch_norm bwd_eval";
    CUG_TRY(cug_check_batch_norm_bwd_eval(CUDA_REAL, dx, dy, gamma, running_var, s, accumulate));
    CUG_TRY(cuda_ready(op, ex, 0));
    cudaError_t err = cug_cuda_batch_norm_bwd_eval(cuda_f32(dx), cuda_f32(dy), cuda_f32(gamma), cuda_f32(running_var),
                                                   s, accumulate, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

static cug_status track(const cug_tensor *running_mean, const cug_tensor *running_var, const cug_tensor *saved,
                        const cug_step *step, const cug_batch_norm_shape *s, const cug_exec *ex) {
    const char *op = "batch_norm track";
    CUG_TRY(cug_check_batch_norm_track(CUDA_REAL, running_mean, running_var, saved, step, s));
    CUG_TRY(cuda_ready(op, ex, 0));
    cudaError_t err = cug_cuda_batch_norm_track(cuda_f32(running_mean), cuda_f32(running_var), cuda_f32(saved), step, s,
                                                cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

const cug_batch_norm_ops cug_cuda_batch_norm = {.workspace = workspace,
                                                .fwd_train = fwd_train,
                                                .fwd_eval = fwd_eval,
                                                .bwd = bwd,
                                                .bwd_eval = bwd_eval,
                                                .track = track};
