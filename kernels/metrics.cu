// metrics.cu - running sums over a batch, in one block. The losses are added in sample order, so the sum is the same as
// on every other backend; hits are whole numbers, whose order does not matter.
#include "common.cuh"

static __global__ void __launch_bounds__(kBlock)
    metrics_add_kernel(cug_metrics *m, int64_t *confusion, const float *loss, const int32_t *pred,
                       const int32_t *labels, cug_metrics_shape s) {
    __shared__ float part[kBlock];
    __shared__ int hits[32];
    double sum = m->loss_sum;
    int correct = 0;
    for (int n0 = 0; n0 < s.N; n0 += kBlock) {
        const int n = n0 + (int)threadIdx.x;
        if (n < s.N) {
            const int label = labels[n], guess = pred[n];
            part[threadIdx.x] = loss[n];
            if (label >= 0 && label < s.classes && guess >= 0 && guess < s.classes) {
                correct += label == guess;
                if (confusion)
                    atomicAdd(reinterpret_cast<unsigned long long *>(confusion) + (size_t)label * (size_t)s.classes +
                                  (size_t)guess,
                              1);
            }
        }
        __syncthreads();
        if (threadIdx.x == 0)
            for (int i = 0; i < kBlock && n0 + i < s.N; i++) sum += (double)part[i];
        __syncthreads();
    }
    correct = cug_block_sum(correct, hits);
    if (threadIdx.x == 0) {
        m->loss_sum = sum;
        m->correct += correct;
        m->count += s.N;
    }
}

extern "C" cudaError_t cug_cuda_metrics_add(cug_metrics *m, int64_t *confusion, const float *loss, const int32_t *pred,
                                            const int32_t *labels, const cug_metrics_shape *s, cudaStream_t stream) {
    return CUG_LAUNCH(metrics_add_kernel, 1, kBlock, 0, stream, m, confusion, loss, pred, labels, *s);
}
