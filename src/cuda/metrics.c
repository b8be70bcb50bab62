/* metrics.c - running sums over a batch, kept on the GPU. */
#include "cuda/cuda.h"

static cug_status metrics_add(cug_metrics *m, const cug_tensor *confusion, const cug_tensor *loss,
                              const cug_tensor *pred, const cug_tensor *labels, const cug_metrics_shape *s,
                              const cug_exec *ex) {
    const char *op = "metrics add";
    CUG_TRY(cug_check_metrics(CUDA_REAL, m, confusion, loss, pred, labels, s));
    CUG_TRY(cuda_ready(op, ex, 0));
    int64_t *matrix = confusion ? confusion->ptr : NULL;
    cudaError_t err =
        cug_cuda_metrics_add(m, matrix, cuda_f32(loss), cuda_i32(pred), cuda_i32(labels), s, cuda_stream(ex));
    return cug_cuda_launched(ex->device, err, op);
}

const cug_metrics_ops cug_cuda_metrics = {.add = metrics_add};
