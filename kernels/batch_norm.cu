// batch_norm.cu - batch normalisation: each part of the rows gives its own mean and squares about it, which are joined
// in double in a fixed order. Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983.
#include "common.cuh"

constexpr int kColumns = 32, kRowLanes = kBlock / kColumns, kRowsAPart = 512, kMostParts = 1024, kSums = 3,
              kFactors = 3;

// Row ranges that blocks sum side by side; by the shape alone.
static int bn_parts(const cug_batch_norm_shape *s) {
    const int parts = (s->rows + kRowsAPart - 1) / kRowsAPart;
    return parts < kMostParts ? parts : kMostParts;
}

static int bn_rows_a_part(const cug_batch_norm_shape *s) { return (s->rows + bn_parts(s) - 1) / bn_parts(s); }

extern "C" size_t cug_cuda_batch_norm_workspace(const cug_batch_norm_shape *s) {
    return ((size_t)bn_parts(s) * kSums + kFactors) * (size_t)s->C * sizeof(float);
}

// Adds up over the block's row lanes, in their order; the result in lanes of row_lane 0.
static __device__ __forceinline__ double bn_over_lanes(float (*share)[kColumns], float v, int row_lane, int lane) {
    __syncthreads();
    share[row_lane][lane] = v;
    __syncthreads();
    double all = 0;
    if (row_lane == 0)
        for (int i = 0; i < kRowLanes; i++) all += (double)share[i][lane];
    return all;
}

// out[part, 0..2, c]: m near the mean of column c over the part's rows, the sum of x - m, the sum of its squares.
static __global__ void __launch_bounds__(kBlock)
    bn_moments_kernel(float *out, const float *x, int rows, int C, int a_part) {
    __shared__ float share[kRowLanes][kColumns], mean[kColumns];
    const int lane = (int)threadIdx.x % kColumns, row_lane = (int)threadIdx.x / kColumns;
    const int c = (int)blockIdx.x * kColumns + lane, first = (int)blockIdx.y * a_part;
    const int end = rows - first < a_part ? rows : first + a_part;
    float total = 0, sum = 0;
    if (c < C)
        for (int r = first + row_lane, n = 1; r < end; r += kRowLanes, n++) {
            sum += x[(size_t)r * (size_t)C + (size_t)c];
            if (n % 16 == 0) total += sum, sum = 0;
        }
    const double all = bn_over_lanes(share, total + sum, row_lane, lane);
    if (row_lane == 0) mean[lane] = end > first ? (float)(all / (double)(end - first)) : 0;
    __syncthreads();
    const float m = mean[lane];
    float off = 0, offs = 0, square = 0, squares = 0;
    if (c < C)
        for (int r = first + row_lane, n = 1; r < end; r += kRowLanes, n++) {
            const float d = x[(size_t)r * (size_t)C + (size_t)c] - m;
            off += d;
            square = cug_fma(d, d, square);
            if (n % 16 == 0) offs += off, squares += square, off = square = 0;
        }
    const double s = bn_over_lanes(share, offs + off, row_lane, lane);
    const double q = bn_over_lanes(share, squares + square, row_lane, lane);
    if (row_lane != 0 || c >= C) return;
    float *to = out + (size_t)blockIdx.y * kSums * (size_t)C + c;
    to[0] = m;
    to[C] = (float)s;
    to[2 * (size_t)C] = (float)q;
}

static __global__ void __launch_bounds__(kBlock)
    bn_join_kernel(float *saved, const float *part, int rows, int C, int parts, int a_part, float eps) {
    const int c = (int)(blockIdx.x * kBlock + threadIdx.x);
    if (c >= C) return;
    double sum = 0, squares = 0;
    for (int p = 0; p < parts; p++) {
        const float *of = part + (size_t)p * kSums * (size_t)C + c;
        const int left = rows - p * a_part, n = left < a_part ? left : a_part;
        if (n > 0) sum += (double)of[0] * n + (double)of[C];
    }
    const double mean = sum / rows;
    for (int p = 0; p < parts; p++) {
        const float *of = part + (size_t)p * kSums * (size_t)C + c;
        const int left = rows - p * a_part, n = left < a_part ? left : a_part;
        const double d = (double)of[0] - mean;
        if (n > 0) squares += (double)of[2 * (size_t)C] + d * (2 * (double)of[C] + d * n);
    }
    const double var = squares < 0 ? 0 : squares / rows; // NaN stays
    saved[c] = (float)mean;
    saved[C + c] = (float)(1 / sqrt(var + (double)eps));
    saved[2 * (size_t)C + c] = (float)var;
}

// y = (x - mean) gamma rstd + beta; rstd from var where that is given.
static __global__ void __launch_bounds__(kBlock)
    bn_map_kernel(float *y, const float *x, const float *gamma, const float *beta, const float *mean, const float *rstd,
                  const float *var, float eps, size_t count, int C) {
    const size_t i = (size_t)blockIdx.x * kBlock + threadIdx.x;
    if (i >= count) return;
    const size_t c = i % (size_t)C;
    const float r = var ? (float)(1 / sqrt((double)var[c] + (double)eps)) : rstd[c];
    y[i] = cug_fma(x[i] - mean[c], gamma[c] * r, beta[c]);
}

// out[part, 0..1, c]: the sums of dy and of dy (x - mean) over the part's rows.
static __global__ void __launch_bounds__(kBlock)
    bn_bwd_sums_kernel(float *out, const float *dy, const float *x, const float *mean, int rows, int C, int a_part) {
    __shared__ float share[kRowLanes][kColumns];
    const int lane = (int)threadIdx.x % kColumns, row_lane = (int)threadIdx.x / kColumns;
    const int c = (int)blockIdx.x * kColumns + lane, first = (int)blockIdx.y * a_part;
    const int end = rows - first < a_part ? rows : first + a_part;
    float sum = 0, sums = 0, dot = 0, dots = 0;
    if (c < C) {
        const float m = mean[c];
        for (int r = first + row_lane, n = 1; r < end; r += kRowLanes, n++) {
            const size_t i = (size_t)r * (size_t)C + (size_t)c;
            const float g = dy[i];
            sum += g;
            dot = cug_fma(g, x[i] - m, dot);
            if (n % 16 == 0) sums += sum, dots += dot, sum = dot = 0;
        }
    }
    const double s = bn_over_lanes(share, sums + sum, row_lane, lane);
    const double d = bn_over_lanes(share, dots + dot, row_lane, lane);
    if (row_lane != 0 || c >= C) return;
    float *to = out + (size_t)blockIdx.y * kSums * (size_t)C + c;
    to[0] = (float)s;
    to[C] = (float)d;
}

// factors (3, C): dx = dy f0 + (x - mean) f1 + f2.
static __global__ void __launch_bounds__(kBlock)
    bn_bwd_join_kernel(float *factors, float *dgamma, float *dbeta, const float *part, const float *gamma,
                       const float *rstd, int rows, int C, int parts, int accumulate) {
    const int c = (int)(blockIdx.x * kBlock + threadIdx.x);
    if (c >= C) return;
    double sum = 0, dot = 0;
    for (int p = 0; p < parts; p++) {
        const float *of = part + (size_t)p * kSums * (size_t)C + c;
        sum += (double)of[0];
        dot += (double)of[C];
    }
    const double r = (double)rstd[c], a = (double)gamma[c] * r;
    dot *= r;
    factors[c] = (float)a;
    factors[C + c] = (float)(-a * r * dot / rows);
    factors[2 * (size_t)C + c] = (float)(-a * sum / rows);
    if (dgamma) dgamma[c] = (float)(accumulate ? (double)dgamma[c] + dot : dot);
    if (dbeta) dbeta[c] = (float)(accumulate ? (double)dbeta[c] + sum : sum);
}

static __global__ void __launch_bounds__(kBlock)
    bn_bwd_map_kernel(float *dx, const float *dy, const float *x, const float *mean, const float *factors, size_t count,
                      int C, int accumulate) {
    const size_t i = (size_t)blockIdx.x * kBlock + threadIdx.x;
    if (i >= count) return;
    const size_t c = i % (size_t)C;
    const float *f = factors + c;
    const float v = cug_fma(dy[i], f[0], cug_fma(x[i] - mean[c], f[C], f[2 * (size_t)C]));
    dx[i] = accumulate ? dx[i] + v : v;
}

static __global__ void __launch_bounds__(kBlock)
    bn_bwd_eval_kernel(float *dx, const float *dy, const float *gamma, const float *var, float eps, size_t count, int C,
                       int accumulate) {
    const size_t i = (size_t)blockIdx.x * kBlock + threadIdx.x;
    if (i >= count) return;
    const size_t c = i % (size_t)C;
    const float v = dy[i] * (float)((double)gamma[c] / sqrt((double)var[c] + (double)eps));
    dx[i] = accumulate ? dx[i] + v : v;
}

static __global__ void __launch_bounds__(kBlock)
    bn_track_kernel(float *running_mean, float *running_var, const float *saved, const cug_step *step, int rows, int C,
                    float momentum) {
    const int c = (int)(blockIdx.x * kBlock + threadIdx.x);
    if (c >= C || step->nonfinite) return;
    const double k = (double)momentum, var = (double)saved[2 * (size_t)C + c] * rows / (rows - 1);
    running_mean[c] = (float)((1 - k) * (double)running_mean[c] + k * (double)saved[c]);
    running_var[c] = (float)((1 - k) * (double)running_var[c] + k * var);
}

static dim3 bn_grid(const cug_batch_norm_shape *s) {
    return dim3(blocks_for((size_t)s->C, kColumns), (unsigned)bn_parts(s));
}

extern "C" cudaError_t cug_cuda_batch_norm_fwd_train(float *y, float *saved, const float *x, const float *gamma,
                                                     const float *beta, const cug_batch_norm_shape *s, void *workspace,
                                                     cudaStream_t stream) {
    const size_t count = (size_t)s->rows * (size_t)s->C, C = (size_t)s->C;
    float *part = (float *)workspace;
    cudaError_t err =
        CUG_LAUNCH(bn_moments_kernel, bn_grid(s), kBlock, 0, stream, part, x, s->rows, s->C, bn_rows_a_part(s));
    if (err == cudaSuccess)
        err = CUG_LAUNCH(bn_join_kernel, blocks_for(C, kBlock), kBlock, 0, stream, saved, (const float *)part, s->rows,
                         s->C, bn_parts(s), bn_rows_a_part(s), s->eps);
    if (err != cudaSuccess) return err;
    return CUG_LAUNCH(bn_map_kernel, blocks_for(count, kBlock), kBlock, 0, stream, y, x, gamma, beta,
                      (const float *)saved, (const float *)(saved + C), (const float *)nullptr, s->eps, count, s->C);
}

extern "C" cudaError_t cug_cuda_batch_norm_fwd_eval(float *y, const float *x, const float *gamma, const float *beta,
                                                    const float *mean, const float *var, const cug_batch_norm_shape *s,
                                                    cudaStream_t stream) {
    const size_t count = (size_t)s->rows * (size_t)s->C;
    return CUG_LAUNCH(bn_map_kernel, blocks_for(count, kBlock), kBlock, 0, stream, y, x, gamma, beta, mean,
                      (const float *)nullptr, var, s->eps, count, s->C);
}

extern "C" cudaError_t cug_cuda_batch_norm_bwd(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x,
                                               const float *gamma, const float *saved, const cug_batch_norm_shape *s,
                                               unsigned accumulate, void *workspace, cudaStream_t stream) {
    const size_t count = (size_t)s->rows * (size_t)s->C, C = (size_t)s->C;
    const int parts = bn_parts(s);
    float *part = (float *)workspace, *factors = part + (size_t)parts * kSums * C;
    cudaError_t err = CUG_LAUNCH(bn_bwd_sums_kernel, bn_grid(s), kBlock, 0, stream, part, dy, x, saved, s->rows, s->C,
                                 bn_rows_a_part(s));
    if (err == cudaSuccess)
        err = CUG_LAUNCH(bn_bwd_join_kernel, blocks_for(C, kBlock), kBlock, 0, stream, factors, dgamma, dbeta,
                         (const float *)part, gamma, saved + C, s->rows, s->C, parts, (accumulate & CUG_ACC_DW) != 0);
    if (err != cudaSuccess || !dx) return err;
    return CUG_LAUNCH(bn_bwd_map_kernel, blocks_for(count, kBlock), kBlock, 0, stream, dx, dy, x, saved,
                      (const float *)factors, count, s->C, (accumulate & CUG_ACC_DX) != 0);
}

extern "C" cudaError_t cug_cuda_batch_norm_bwd_eval(float *dx, const float *dy, const float *gamma, const float *var,
                                                    const cug_batch_norm_shape *s, unsigned accumulate,
                                                    cudaStream_t stream) {
    const size_t count = (size_t)s->rows * (size_t)s->C;
    return CUG_LAUNCH(bn_bwd_eval_kernel, blocks_for(count, kBlock), kBlock, 0, stream, dx, dy, gamma, var, s->eps,
                      count, s->C, (accumulate & CUG_ACC_DX) != 0);
}

extern "C" cudaError_t cug_cuda_batch_norm_track(float *running_mean, float *running_var, const float *saved,
                                                 const cug_step *step, const cug_batch_norm_shape *s,
                                                 cudaStream_t stream) {
    return CUG_LAUNCH(bn_track_kernel, blocks_for((size_t)s->C, kBlock), kBlock, 0, stream, running_mean, running_var,
                      saved, step, s->rows, s->C, s->momentum);
}
