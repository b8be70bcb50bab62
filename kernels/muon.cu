// muon.cu - Muon's step of one matrix (optimizer.h). The products are the dense layer's, which has all three ways
// round: a tall matrix stays as it is, its X' X and X B being the X X' and B X of its transpose. Elementwise kernels do
// the rest.
#include "update.cuh"

struct Room {
    double *part;   // kNormBlocks sums of squares
    float *x, *y;   // the matrix, and where its next one goes
    float *a, *b;   // squares of its shorter side
    void *products; // linear's own workspace
    size_t bytes;
};

// The products of an iteration as dense layers: x x', or x' x of a tall one; the square of that; b x, or x b.
struct Shapes {
    cug_linear_shape gram, square, next;
    bool wide;
    int S;
    explicit Shapes(const cug_param_run &r) : wide(r.rows <= r.cols), S(wide ? r.rows : r.cols) {
        gram = wide ? cug_linear_shape{r.rows, r.cols, r.rows} : cug_linear_shape{r.rows, r.cols, r.cols};
        square = cug_linear_shape{S, S, S};
        next = cug_linear_shape{r.rows, r.cols, S};
    }
};

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static Room rooms(const cug_param_run &r, char *base) {
    const Shapes s(r);
    const size_t side = (size_t)s.S * (size_t)s.S * sizeof(float), whole = r.count * sizeof(float);
    Room room = {};
    const auto take = [&](size_t bytes) {
        char *at = base ? base + room.bytes : nullptr;
        room.bytes += (bytes + 255) / 256 * 256;
        return (void *)at;
    };
    room.part = (double *)take(kNormBlocks * sizeof(double));
    room.x = (float *)take(whole);
    room.y = (float *)take(whole);
    room.a = (float *)take(side);
    room.b = (float *)take(side);
    size_t most = s.wide ? cug_cuda_linear_fwd_workspace(&s.gram, CUG_PREC_FP32)
                         : cug_cuda_linear_bwd_workspace(&s.gram, CUG_PREC_FP32);
    most = larger(most, cug_cuda_linear_bwd_workspace(&s.square, CUG_PREC_FP32));
    room.products = take(larger(most, cug_cuda_linear_bwd_workspace(&s.next, CUG_PREC_FP32)));
    return room;
}

// m = mu m + g, x = g + mu m, part[block] = sum of squares of the block's x.
static __global__ void __launch_bounds__(kBlock)
    muon_ahead_kernel(float *x, double *part, float *m, const float *w, const float *g, size_t count, cug_opt_params o,
                      int decay, const cug_step *step) {
    __shared__ double scratch[32];
    if (step->nonfinite) return;
    const float scale = clip_scale(o, step);
    double sum = 0;
    for (size_t i = (size_t)blockIdx.x * kBlock + threadIdx.x; i < count; i += (size_t)gridDim.x * kBlock) {
        const float d = effective(g[i], w[i], o, decay != 0, scale), mi = o.momentum * m[i] + d;
        const float u = d + o.momentum * mi;
        m[i] = mi;
        x[i] = u;
        sum += (double)u * (double)u;
    }
    sum = cug_block_sum(sum, scratch);
    if (threadIdx.x == 0) part[blockIdx.x] = sum;
}

// x /= its norm, which every block adds up for itself, in one order; as many parts as blocks.
static __global__ void __launch_bounds__(kBlock) muon_normalize_kernel(float *x, const double *part, size_t count) {
    static_assert(kNormBlocks == kBlock, "a thread a part");
    __shared__ double scratch[32];
    const double by =
        1.0 / (sqrt(cug_block_sum(threadIdx.x < gridDim.x ? part[threadIdx.x] : 0.0, scratch)) + CUG_MUON_EPS);
    for (size_t i = (size_t)blockIdx.x * kBlock + threadIdx.x; i < count; i += (size_t)gridDim.x * kBlock)
        x[i] = (float)((double)x[i] * by);
}

// b = a I + b A + c A A, where b holds A A; its product with X is the whole iteration.
static __global__ void __launch_bounds__(kBlock) muon_polynomial_kernel(float *b, const float *a, unsigned side) {
    const unsigned i = blockIdx.x * kBlock + threadIdx.x;
    if (i >= side * side) return;
    const float p = (float)CUG_MUON_B * a[i] + (float)CUG_MUON_C * b[i];
    b[i] = i % (side + 1) ? p : p + (float)CUG_MUON_A;
}

static __global__ void __launch_bounds__(kBlock)
    muon_apply_kernel(float *w, const float *x, size_t count, cug_opt_params o, int decay, float grown,
                      const cug_step *step) {
    if (step->nonfinite) return;
    const float lr = o.matrix_lr_scale * step->lr, keep = decay ? 1 - lr * o.weight_decay : 1.0f, rate = lr * grown;
    const size_t i = (size_t)blockIdx.x * kBlock + threadIdx.x;
    if (i < count) w[i] = keep * w[i] - rate * x[i];
}

extern "C" size_t cug_cuda_muon_workspace(const cug_param_run *run) { return rooms(*run, nullptr).bytes; }

static cudaError_t iterate(Room *r, const Shapes &s, cudaStream_t stream) {
    cudaError_t err = s.wide
                          ? cug_cuda_linear_fwd(r->a, r->x, r->x, nullptr, &s.gram, CUG_PREC_FP32, r->products, stream)
                          : cug_cuda_linear_bwd(nullptr, r->a, nullptr, r->x, r->x, nullptr, &s.gram, CUG_PREC_FP32, 0,
                                                r->products, stream);
    if (err == cudaSuccess)
        err = cug_cuda_linear_bwd(r->b, nullptr, nullptr, r->a, nullptr, r->a, &s.square, CUG_PREC_FP32, 0, r->products,
                                  stream);
    const unsigned side = (unsigned)s.S;
    if (err == cudaSuccess)
        err = CUG_LAUNCH(muon_polynomial_kernel, blocks_for((size_t)side * side, kBlock), kBlock, 0, stream, r->b, r->a,
                         side);
    if (err == cudaSuccess)
        err = cug_cuda_linear_bwd(r->y, nullptr, nullptr, s.wide ? r->b : r->x, nullptr, s.wide ? r->x : r->b, &s.next,
                                  CUG_PREC_FP32, 0, r->products, stream);
    float *done = r->y;
    r->y = r->x;
    r->x = done;
    return err;
}

extern "C" cudaError_t cug_cuda_muon(float *w, float *m, const float *g, const cug_opt_params *opt,
                                     const cug_param_run *run, const cug_step *step, void *workspace,
                                     cudaStream_t stream) {
    const Shapes shapes(*run);
    Room r = rooms(*run, (char *)workspace);
    const size_t at = run->offset, n = run->count;
    const unsigned blocks = blocks_for(n, kBlock), some = blocks < kNormBlocks ? blocks : (unsigned)kNormBlocks;
    const float ratio = (float)run->rows / (float)run->cols;
    cudaError_t err = CUG_LAUNCH(muon_ahead_kernel, some, kBlock, 0, stream, r.x, r.part, m + at, w + at, g + at, n,
                                 *opt, run->decay, step);
    if (err == cudaSuccess) err = CUG_LAUNCH(muon_normalize_kernel, some, kBlock, 0, stream, r.x, r.part, n);
    for (int k = 0; k < CUG_MUON_STEPS && err == cudaSuccess; k++) err = iterate(&r, shapes, stream);
    if (err == cudaSuccess)
        err = CUG_LAUNCH(muon_apply_kernel, blocks, kBlock, 0, stream, w + at, r.x, n, *opt, run->decay,
                         ratio > 1 ? sqrtf(ratio) : 1.0f, step);
    return err;
}
