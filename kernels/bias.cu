// bias.cu - a constant per channel; backward sums columns in two passes of fixed order.
#include "common.cuh"

constexpr int kColumns = 32, kRowLanes = kBlock / kColumns, kRowsAPart = 512;

// Row ranges that blocks sum side by side; by the shape alone.
static int bias_parts(const cug_bias_shape *s) {
    size_t parts = ((size_t)s->rows + kRowsAPart - 1) / kRowsAPart;
    size_t room = CUG_CUDA_SCRATCH_BYTES / sizeof(float) / (size_t)s->C;
    parts = parts < room ? parts : room;
    parts = parts < 1024 ? parts : 1024;
    return parts < 1 ? 1 : (int)parts;
}

extern "C" size_t cug_cuda_bias_bwd_workspace(const cug_bias_shape *s) {
    int parts = bias_parts(s);
    return parts > 1 ? (size_t)parts * (size_t)s->C * sizeof(float) : 0;
}

static __global__ void __launch_bounds__(kBlock)
    bias_fwd_kernel(float *y, const float *x, const float *b, size_t count, int C) {
    size_t i = (size_t)blockIdx.x * kBlock + threadIdx.x;
    if (i < count) y[i] = x[i] + b[i % (size_t)C];
}

static __global__ void __launch_bounds__(kBlock)
    bias_bwd_copy_kernel(float *dx, const float *dy, size_t count, int accumulate) {
    size_t i = (size_t)blockIdx.x * kBlock + threadIdx.x;
    if (i < count) dx[i] = accumulate ? dx[i] + dy[i] : dy[i];
}

// out[part, c] = sum of column c over the part's rows; with one part, db itself.
static __global__ void __launch_bounds__(kBlock)
    bias_bwd_columns_kernel(float *out, const float *dy, int rows, int C, int a_part, int accumulate) {
    __shared__ float share[kRowLanes][kColumns];
    const int lane = (int)threadIdx.x % kColumns, row_lane = (int)threadIdx.x / kColumns;
    const int c = (int)blockIdx.x * kColumns + lane, first = (int)blockIdx.y * a_part;
    const int end = rows - first < a_part ? rows : first + a_part;
    float total = 0, sum = 0;
    if (c < C)
        for (int m = first + row_lane, n = 1; m < end; m += kRowLanes, n++) {
            sum += dy[(size_t)m * (size_t)C + (size_t)c];
            if (n % 16 == 0) total += sum, sum = 0;
        }
    share[row_lane][lane] = total + sum;
    __syncthreads();
    if (row_lane == 0 && c < C) {
        double all = 0;
        for (int i = 0; i < kRowLanes; i++) all += (double)share[i][lane];
        float *to = out + (size_t)blockIdx.y * (size_t)C + c;
        *to = (float)(accumulate ? all + (double)*to : all);
    }
}

static __global__ void __launch_bounds__(kBlock)
    bias_bwd_parts_kernel(float *db, const float *part, int C, int parts, int accumulate) {
    const int c = (int)(blockIdx.x * kSumColumns + threadIdx.x % kSumColumns);
    const double sum = column_sum(part, (size_t)C, (size_t)c, parts);
    if (threadIdx.x < kSumColumns && c < C) db[c] = (float)(accumulate ? (double)db[c] + sum : sum);
}

extern "C" cudaError_t cug_cuda_bias_fwd(float *y, const float *x, const float *b, const cug_bias_shape *s,
                                         cudaStream_t stream) {
    const size_t count = (size_t)s->rows * (size_t)s->C;
    return CUG_LAUNCH(bias_fwd_kernel, blocks_for(count, kBlock), kBlock, 0, stream, y, x, b, count, s->C);
}

extern "C" cudaError_t cug_cuda_bias_bwd(float *dx, float *db, const float *dy, const cug_bias_shape *s,
                                         unsigned accumulate, void *workspace, cudaStream_t stream) {
    const size_t count = (size_t)s->rows * (size_t)s->C;
    const int parts = bias_parts(s), add = (accumulate & CUG_ACC_DW) != 0;
    cudaError_t err = cudaSuccess;
    if (dx && dx != dy)
        err = CUG_LAUNCH(bias_bwd_copy_kernel, blocks_for(count, kBlock), kBlock, 0, stream, dx, dy, count,
                         (accumulate & CUG_ACC_DX) != 0);
    if (!db || err != cudaSuccess) return err;
    const int a_part = (s->rows + parts - 1) / parts;
    err = CUG_LAUNCH(bias_bwd_columns_kernel, dim3(blocks_for((size_t)s->C, kColumns), (unsigned)parts), kBlock, 0,
                     stream, parts > 1 ? (float *)workspace : db, dy, s->rows, s->C, a_part, parts > 1 ? 0 : add);
    if (err != cudaSuccess || parts == 1) return err;
    return CUG_LAUNCH(bias_bwd_parts_kernel, blocks_for((size_t)s->C, kSumColumns), kBlock, 0, stream, db,
                      (const float *)workspace, s->C, parts, add);
}
