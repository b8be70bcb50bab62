/* optimizer.c - the gradient norm and the updates on the GPU. The step record is read there, so nothing waits for the
 * host; runs travel as kernel arguments. */
#include "cuda/cuda.h"

static cug_status grad_norm(cug_step *step, const cug_tensor *g, const cug_tensor *loss, const cug_param_run *runs,
                            int n_runs, const cug_exec *ex) {
    const char *op = "grad_norm";
    CUG_TRY(cug_check_grad_norm(CUDA_REAL, step, g, loss, runs, n_runs));
    CUG_TRY(cuda_ready(op, ex, 0));
    int N = loss ? (int)cug_tensor_count(loss) : 0;
    cudaError_t err =
        cug_cuda_grad_norm(step, cuda_f32(g), cuda_f32(loss), N, runs, n_runs, ex->device->scratch, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

static size_t workspace(const cug_device *dev, const cug_opt_params *opt, const cug_param_run *runs, int n_runs) {
    size_t most = 0;
    (void)dev;
    for (int r = 0; r < n_runs; r++) {
        size_t bytes = cug_run_is_matrix(opt, &runs[r]) ? cug_cuda_muon_workspace(&runs[r]) : 0;
        if (bytes > most) most = bytes;
    }
    return most;
}

static cug_status update(const cug_tensor *w, const cug_tensor *m, const cug_tensor *v, const cug_tensor *g,
                         const cug_opt_params *opt, const cug_param_run *runs, int n_runs, const cug_step *step,
                         const cug_exec *ex) {
    const char *op = "optimizer update";
    CUG_TRY(cug_check_update(CUDA_REAL, w, m, v, g, opt, runs, n_runs, step));
    CUG_TRY(cuda_ready(op, ex, workspace(NULL, opt, runs, n_runs)));
    int states = cug_opt_state_count(opt->kind);
    cudaError_t err = cug_cuda_update(cuda_f32(w), states > 0 ? cuda_f32(m) : NULL, states > 1 ? cuda_f32(v) : NULL,
                                      cuda_f32(g), opt, runs, n_runs, step, cuda_stream(ex));
    for (int r = 0; r < n_runs && err == cudaSuccess; r++)
        if (cug_run_is_matrix(opt, &runs[r]))
            err = cug_cuda_muon(cuda_f32(w), cuda_f32(m), cuda_f32(g), opt, &runs[r], step, ex->workspace,
                                cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

const cug_optimizer_ops cug_cuda_optimizer = {.grad_norm = grad_norm, .workspace = workspace, .update = update};
