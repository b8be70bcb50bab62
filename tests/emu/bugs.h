// bugs.h - the list of seeded bugs: each scenario is right with bug 0 and wrong with its other numbers.
#ifndef CUG_EMU_BUGS_H
#define CUG_EMU_BUGS_H

#include "device.cuh"

#include <cstdio>
#include <cstdlib>

// Returns 0 when what it computed is right. Whatever goes wrong otherwise ends the process.
typedef int (*Scenario)(int bug);

int in_a_block(int bug), in_a_warp(int bug), async_copies(int bug), dynamic_memory(int bug), across_blocks(int bug),
    addresses(int bug);
int tensor_cores_tf32(int bug), tensor_cores_bf16(int bug);
int staging(int bug), results(int bug), handles(int bug), memory(int bug), graphs(int bug), threads(int bug);
int dense(int bug), convolution(int bug);

#define OK(call) check((call), #call, __LINE__)
inline void check(cudaError_t err, const char *what, int line) {
    if (err == cudaSuccess) return;
    fprintf(stderr, "line %d: %s: %s\n", line, what, cudaGetErrorString(err));
    exit(2);
}

inline float *device_floats(int n) {
    void *p;
    OK(cudaMalloc(&p, static_cast<size_t>(n) * sizeof(float)));
    return static_cast<float *>(p);
}

// n floats on the device: first, first + step ...
inline float *device_ramp(int n, float first, float step) {
    float *p = device_floats(n), *h = static_cast<float *>(malloc(static_cast<size_t>(n) * sizeof(float)));
    for (int i = 0; i < n; i++) h[i] = first + step * static_cast<float>(i);
    OK(cudaMemcpy(p, h, static_cast<size_t>(n) * sizeof(float), cudaMemcpyHostToDevice));
    free(h);
    return p;
}

// Whether n floats on the device are want(i); frees them.
template <class F> int differ(float *p, int n, F want) {
    float *h = static_cast<float *>(malloc(static_cast<size_t>(n) * sizeof(float)));
    OK(cudaMemcpy(h, p, static_cast<size_t>(n) * sizeof(float), cudaMemcpyDeviceToHost));
    int bad = 0;
    for (int i = 0; i < n; i++) bad |= !(h[i] == want(i)); // one bit, or MemorySanitizer takes a sum for known
    free(h);
    OK(cudaFree(p));
    return bad;
}

#endif
