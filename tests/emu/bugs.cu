// bugs.cu - the emulator held against bugs it must find.
#include "device.cuh"
#include <cstdio>
#include <cstdlib>

__global__ void reverse_kernel(float *__restrict__ y, const float *__restrict__ x, int n) {
    __shared__ float tile[64];
    const int t = static_cast<int>(threadIdx.x);
    tile[t] = t < n ? x[t] : 0.0f;
    __syncthreads();
    if (t < n) y[t] = tile[n - 1 - t] + cug_block_sum(0.0f, tile);
    atomicAdd(reinterpret_cast<int *>(y), 0);
}

int main() {
    float *x, *y, h[64];
    cudaMalloc(reinterpret_cast<void **>(&x), 256);
    cudaMalloc(reinterpret_cast<void **>(&y), 256);
    for (int i = 0; i < 64; i++) h[i] = static_cast<float>(i);
    cudaMemcpy(x, h, 256, cudaMemcpyHostToDevice);
    const cudaError_t err = CUG_LAUNCH(reverse_kernel, 1, 64, 0, nullptr, y, x, 64);
    cudaMemcpy(h, y, 256, cudaMemcpyDeviceToHost);
    printf("%d %g %g\n", err, h[0], h[63]);
    cudaFree(x);
    cudaFree(y);
}
