// linear.cu - the dense layer: three products of gemm.cuh and bias's column sums.
#include "gemm.cuh"

static GemmPlan fwd_plan(const cug_linear_shape *s, cug_precision p) { return gemm_plan(s->N, s->O, s->I, true, p); }
static GemmPlan dx_plan(const cug_linear_shape *s, cug_precision p) { return gemm_plan(s->N, s->I, s->O, true, p); }
static GemmPlan dw_plan(const cug_linear_shape *s, cug_precision p) { return gemm_plan(s->O, s->I, s->N, true, p); }

extern "C" size_t cug_cuda_linear_fwd_workspace(const cug_linear_shape *s, cug_precision precision) {
    return gemm_workspace(fwd_plan(s, precision));
}

extern "C" size_t cug_cuda_linear_bwd_workspace(const cug_linear_shape *s, cug_precision precision) {
    const cug_bias_shape rows = {s->N, s->O};
    size_t most = cug_cuda_bias_bwd_workspace(&rows), dx = gemm_workspace(dx_plan(s, precision)),
           dw = gemm_workspace(dw_plan(s, precision));
    most = dx > most ? dx : most;
    return dw > most ? dw : most;
}

extern "C" cudaError_t cug_cuda_linear_fwd(float *y, const float *x, const float *w, const float *b,
                                           const cug_linear_shape *s, cug_precision precision, void *workspace,
                                           cudaStream_t stream) {
    const DenseOperand<true> rows(x, s->I), columns(w, s->I);
    return gemm(y, rows, columns, b, fwd_plan(s, precision), 0, workspace, stream);
}

extern "C" cudaError_t cug_cuda_linear_bwd(float *dx, float *dw, float *db, const float *dy, const float *x,
                                           const float *w, const cug_linear_shape *s, cug_precision precision,
                                           unsigned accumulate, void *workspace, cudaStream_t stream) {
    cudaError_t err = cudaSuccess;
    if (dx) {
        const DenseOperand<true> rows(dy, s->O);
        const DenseOperand<false> columns(w, s->I);
        err =
            gemm(dx, rows, columns, nullptr, dx_plan(s, precision), (accumulate & CUG_ACC_DX) != 0, workspace, stream);
    }
    if (dw && err == cudaSuccess) {
        const DenseOperand<false> rows(dy, s->O), columns(x, s->I);
        err =
            gemm(dw, rows, columns, nullptr, dw_plan(s, precision), (accumulate & CUG_ACC_DW) != 0, workspace, stream);
    }
    if (db && err == cudaSuccess) {
        const cug_bias_shape rows = {s->N, s->O};
        err = cug_cuda_bias_bwd(nullptr, db, dy, &rows, accumulate, workspace, stream);
    }
    return err;
}
