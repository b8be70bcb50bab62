// optimizer.cu - the gradient norm and the update, over all runs of the flat buffers in one launch each. The runs
// travel as a kernel argument; a block finds its stretch of a run by its number.
#include "update.cuh"

constexpr int kRunTile = kBlock * 4; // elements of a block's stretch

// Runs of one launch; tiles are numbered through all of them.
struct Runs {
    int count;
    unsigned first_tile[CUG_CUDA_RUNS_A_LAUNCH + 1];
    unsigned offset[CUG_CUDA_RUNS_A_LAUNCH], length[CUG_CUDA_RUNS_A_LAUNCH];
    unsigned char decay[CUG_CUDA_RUNS_A_LAUNCH];
};

// `without`: its matrices count as empty; NULL: all runs are whole.
static bool runs_from(Runs *out, const cug_param_run *runs, int n_runs, const cug_opt_params *without) {
    out->count = n_runs;
    out->first_tile[0] = 0;
    for (int r = 0; r < n_runs; r++) {
        if (runs[r].offset + runs[r].count > UINT32_MAX) return false;
        out->offset[r] = (unsigned)runs[r].offset;
        const size_t count = without && cug_run_is_matrix(without, &runs[r]) ? 0 : runs[r].count;
        out->length[r] = (unsigned)count;
        out->decay[r] = runs[r].decay != 0;
        out->first_tile[r + 1] = out->first_tile[r] + blocks_for(count, kRunTile);
    }
    return true;
}

// The run that a tile belongs to: the last one that starts at or before it and is not empty.
__device__ __forceinline__ int run_of(const Runs &runs, unsigned tile) {
    int low = 0, high = runs.count - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (runs.first_tile[middle] <= tile)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

// part[block] = sum of squares of every kNormBlocks-th tile (+ part[block] when `resume`, from an earlier launch).
static __global__ void __launch_bounds__(kBlock)
    grad_norm_parts_kernel(double *part, const float *g, Runs runs, int resume) {
    __shared__ double scratch[32];
    double sum = 0;
    for (unsigned tile = blockIdx.x; tile < runs.first_tile[runs.count]; tile += kNormBlocks) {
        const int r = run_of(runs, tile);
        const unsigned start = (tile - runs.first_tile[r]) * kRunTile;
        for (unsigned i = start + threadIdx.x; i < runs.length[r] && i < start + kRunTile; i += kBlock) {
            const double v = (double)g[(size_t)runs.offset[r] + i];
            sum += v * v;
        }
    }
    sum = cug_block_sum(sum, scratch);
    if (threadIdx.x == 0) part[blockIdx.x] = resume ? part[blockIdx.x] + sum : sum;
}

// Neither NaN nor Inf: both less themselves are NaN.
template <class T> __device__ __forceinline__ bool is_finite(T x) { return x - x == 0; }

static __global__ void __launch_bounds__(kBlock)
    grad_norm_total_kernel(cug_step *step, const double *part, const float *loss, int N) {
    __shared__ double scratch[32];
    __shared__ int bad_scratch[32];
    const double norm = sqrt(cug_block_sum(threadIdx.x < kNormBlocks ? part[threadIdx.x] : 0.0, scratch));
    int bad = 0;
    for (int n = (int)threadIdx.x; n < N; n += kBlock) bad |= !is_finite(loss[n]);
    bad = cug_block_sum(bad, bad_scratch);
    if (threadIdx.x == 0) {
        step->grad_norm = norm;
        if (bad || !is_finite(norm)) step->nonfinite |= 1;
    }
}

__device__ __forceinline__ float updated(float w, float *m, float *v, float g, const cug_opt_params &o, bool decay,
                                         const cug_step *step) {
    const float lr = step->lr;
    switch (o.kind) {
    case CUG_OPT_SGD:
        return w - lr * g;
    case CUG_OPT_MOMENTUM:
        *m = o.momentum * *m + g;
        return w - lr * *m;
    case CUG_OPT_NESTEROV:
        *m = o.momentum * *m + g;
        return w - lr * (g + o.momentum * *m);
    default:
        break;
    }
    if (o.kind >= CUG_OPT_ADAMW && decay) w -= lr * o.weight_decay * w;
    *m = o.beta1 * *m + (1 - o.beta1) * g;
    *v = o.beta2 * *v + (1 - o.beta2) * g * g;
    return w - lr * (*m / step->bias_corr1) / (sqrtf(*v / step->bias_corr2) + o.eps);
}

static __global__ void __launch_bounds__(kBlock, 4)
    update_kernel(float *w, float *m, float *v, const float *g, cug_opt_params o, Runs runs, const cug_step *step) {
    __shared__ float scale;
    if (threadIdx.x == 0) scale = clip_scale(o, step);
    __syncthreads();
    if (step->nonfinite) return;
    const int r = run_of(runs, blockIdx.x);
    const bool decay = runs.decay[r] != 0;
    const unsigned start = (blockIdx.x - runs.first_tile[r]) * kRunTile;
    for (unsigned i = start + threadIdx.x; i < runs.length[r] && i < start + kRunTile; i += kBlock) {
        const size_t at = (size_t)runs.offset[r] + i;
        float mi = m ? m[at] : 0.0f, vi = v ? v[at] : 0.0f;
        const float wi = w[at], gi = effective(g[at], wi, o, decay, scale);
        w[at] = updated(wi, &mi, &vi, gi, o, decay, step);
        if (m) m[at] = mi;
        if (v) v[at] = vi;
    }
}

extern "C" cudaError_t cug_cuda_grad_norm(cug_step *step, const float *g, const float *loss, int N,
                                          const cug_param_run *runs, int n_runs, void *workspace, cudaStream_t stream) {
    int first = 0;
    do { // once even without a run: the parts are then zero
        Runs some;
        const int n = n_runs - first < CUG_CUDA_RUNS_A_LAUNCH ? n_runs - first : CUG_CUDA_RUNS_A_LAUNCH;
        if (!runs_from(&some, runs + first, n, nullptr)) return cudaErrorInvalidValue;
        cudaError_t err =
            CUG_LAUNCH(grad_norm_parts_kernel, kNormBlocks, kBlock, 0, stream, (double *)workspace, g, some, first > 0);
        if (err != cudaSuccess) return err;
        first += n;
    } while (first < n_runs);
    return CUG_LAUNCH(grad_norm_total_kernel, 1, kBlock, 0, stream, step, (const double *)workspace, loss,
                      loss ? N : 0);
}

extern "C" cudaError_t cug_cuda_update(float *w, float *m, float *v, const float *g, const cug_opt_params *opt,
                                       const cug_param_run *runs, int n_runs, const cug_step *step,
                                       cudaStream_t stream) {
    const int states = cug_opt_state_count(opt->kind);
    for (int first = 0; first < n_runs; first += CUG_CUDA_RUNS_A_LAUNCH) {
        Runs some;
        const int n = n_runs - first < CUG_CUDA_RUNS_A_LAUNCH ? n_runs - first : CUG_CUDA_RUNS_A_LAUNCH;
        if (!runs_from(&some, runs + first, n, opt)) return cudaErrorInvalidValue;
        if (!some.first_tile[n]) continue;
        cudaError_t err = CUG_LAUNCH(update_kernel, some.first_tile[n], kBlock, 0, stream, w, states > 0 ? m : nullptr,
                                     states > 1 ? v : nullptr, g, *opt, some, step);
        if (err != cudaSuccess) return err;
    }
    return cudaSuccess;
}
