// device.cuh - the kernels' only door to CUDA's device features.
//
// A .cu file includes this, launch.h and cuglyph headers, nothing else. nvcc gets the real thing; a host C++ compiler
// with -DCUG_EMU gets tests/emu/emu.h, where every thread is a fiber (docs/EMULATOR.md). What a kernel may use:
//
//   - threadIdx, blockIdx, blockDim, gridDim; __shared__ arrays; CUG_DYN_SHARED(type, name) for dynamic shared memory
//   - __syncthreads, __syncwarp, shuffles, votes, __ldg, fmaf and the rest of math.h, vector types (float4 ...)
//   - atomics on integers only: a float atomic makes the result depend on the order of threads, so it does not compile
//   - the cug_... wrappers below
//
// Raw PTX stays in this file, each piece with a twin in emu.h. A kernel must not return before a barrier that others of
// its block reach, and blocks must not wait for one another.
#ifndef CUG_DEVICE_CUH
#define CUG_DEVICE_CUH

#ifdef CUG_EMU
#include "emu/emu.h"
#else

#include <cuda_runtime.h>
#include <math.h>
#include <stdint.h>

// Dynamic shared memory, 16-byte aligned, as many bytes as the launch asked for.
#define CUG_DYN_SHARED(type, name)                                                                                     \
    extern __shared__ __align__(16) unsigned char cug_dyn_shared_bytes[];                                              \
    type *const name = reinterpret_cast<type *>(cug_dyn_shared_bytes)

// 16 bytes from global to shared memory, both 16-byte aligned, past the registers; a plain copy before sm_80. The
// bytes are there after cug_copy_wait and a barrier; until then the destination is undefined. `valid` false writes
// zeros and does not read src.
__device__ __forceinline__ void cug_copy_async16(void *shared, const void *global, bool valid = true) {
#if __CUDA_ARCH__ >= 800
    const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(valid ? 16 : 0)
                 : "memory");
#else
    *static_cast<uint4 *>(shared) = valid ? *static_cast<const uint4 *>(global) : make_uint4(0, 0, 0, 0);
#endif
}

// Closes this thread's group of copies.
__device__ __forceinline__ void cug_copy_commit() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most `keep` of this thread's groups are unfinished.
template <int keep> __device__ __forceinline__ void cug_copy_wait() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(keep) : "memory");
#endif
}

// Tensor cores on TF32 and bfloat16 need sm_80; before it the wrappers stop the kernel, and the host never launches
// one.
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
#define CUG_HAS_MMA 1
#else
#define CUG_HAS_MMA 0
#endif

// x rounded to TF32 (10 bits after the point, ties away from zero), as the bits of a float.
__device__ __forceinline__ uint32_t cug_to_tf32(float x) {
#if CUG_HAS_MMA
    uint32_t r;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));
    return r;
#else
    __trap();
    return __float_as_uint(x);
#endif
}

// Two numbers rounded to bfloat16 (7 bits after the point, ties to even), the first in the lower half.
__device__ __forceinline__ uint32_t cug_pack_bf16(float low, float high) {
#if CUG_HAS_MMA
    uint32_t r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
#else
    __trap();
    return __float_as_uint(low) ^ __float_as_uint(high);
#endif
}

// d += a b on tensor cores, all 32 lanes together; a is 16 x k, b is k x 8, d is 16 x 8 in float32. With g = lane / 4
// and t = lane % 4, a lane holds (row, column), in register order:
//   d: (g, 2t) (g, 2t + 1) (g + 8, 2t) (g + 8, 2t + 1)
//   TF32, k = 8:   a: (g, t) (g + 8, t) (g, t + 4) (g + 8, t + 4)   b: (t, g) (t + 4, g)
//   BF16, k = 16:  two columns of a (rows of b) in a register, 2t and 2t + 1 where TF32 has t, 2t + 8 and 2t + 9 where
//                  it has t + 4
// Factors are what cug_to_tf32 and cug_pack_bf16 made: the hardware would cut other floats off.
__device__ __forceinline__ void cug_mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if CUG_HAS_MMA
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    __trap();
#endif
}

__device__ __forceinline__ void cug_mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if CUG_HAS_MMA
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    __trap();
#endif
}

namespace cug {
template <class T> __device__ __forceinline__ T add_integer(T *p, T v) { return ::atomicAdd(p, v); }
template <class T> __device__ __forceinline__ T max_integer(T *p, T v) { return ::atomicMax(p, v); }
template <class T> __device__ __forceinline__ T min_integer(T *p, T v) { return ::atomicMin(p, v); }
template <class T> __device__ __forceinline__ T or_integer(T *p, T v) { return ::atomicOr(p, v); }
template <class T> __device__ __forceinline__ T exchange_integer(T *p, T v) { return ::atomicExch(p, v); }
template <class T> __device__ __forceinline__ T replace_integer(T *p, T from, T to) { return ::atomicCAS(p, from, to); }
} // namespace cug

#endif // CUG_EMU

// ---- the same in both worlds from here on ---------------------------------------------------------------------------

// Atomics take integers and nothing else; the names of CUDA, so that a kernel reads as usual.
namespace cug {
template <class T> struct integer_only; // undefined: "incomplete type" here means an atomic on a floating-point number
template <> struct integer_only<int> { using type = int; };
template <> struct integer_only<unsigned> { using type = unsigned; };
template <> struct integer_only<unsigned long long> { using type = unsigned long long; };
template <class T> using integer_t = typename integer_only<T>::type;

template <class T> __device__ __forceinline__ T atomic_add(T *p, integer_t<T> v) { return add_integer(p, v); }
template <class T> __device__ __forceinline__ T atomic_max(T *p, integer_t<T> v) { return max_integer(p, v); }
template <class T> __device__ __forceinline__ T atomic_min(T *p, integer_t<T> v) { return min_integer(p, v); }
template <class T> __device__ __forceinline__ T atomic_or(T *p, integer_t<T> v) { return or_integer(p, v); }
template <class T> __device__ __forceinline__ T atomic_exch(T *p, integer_t<T> v) { return exchange_integer(p, v); }
template <class T> __device__ __forceinline__ T atomic_cas(T *p, integer_t<T> from, integer_t<T> to) {
    return replace_integer(p, static_cast<T>(from), static_cast<T>(to));
}
} // namespace cug
#define atomicAdd cug::atomic_add
#define atomicMax cug::atomic_max
#define atomicMin cug::atomic_min
#define atomicOr cug::atomic_or
#define atomicExch cug::atomic_exch
#define atomicCAS cug::atomic_cas

// a * b + c, rounded once; on the emulator too, so that both worlds agree where a kernel says so.
__device__ __forceinline__ float cug_fma(float a, float b, float c) { return fmaf(a, b, c); }

// Maximum that keeps NaN, unlike fmaxf.
__device__ __forceinline__ float cug_max_nan(float a, float b) { return a > b || a != a ? a : b; }

// Sum and maximum over the 32 lanes, the result in every lane. All lanes must call. Fixed order: same bits every time.
template <class T> __device__ __forceinline__ T cug_warp_sum(T v) {
#pragma unroll
    for (int d = 16; d > 0; d >>= 1) v += __shfl_xor_sync(0xffffffffu, v, d);
    return v;
}

__device__ __forceinline__ float cug_warp_max(float v) {
#pragma unroll
    for (int d = 16; d > 0; d >>= 1) v = cug_max_nan(v, __shfl_xor_sync(0xffffffffu, v, d));
    return v;
}

// Sum over a one-dimensional block of whole warps, the result in every thread, in a fixed order. All threads must call;
// scratch: 32 elements of shared memory, free to be used again right after.
template <class T> __device__ __forceinline__ T cug_block_sum(T v, T *scratch) {
    const int warps = static_cast<int>(blockDim.x) / 32;
    const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    v = cug_warp_sum(v);
    if (lane == 0) scratch[warp] = v;
    __syncthreads();
    T sum = scratch[0];
    for (int i = 1; i < warps; i++) sum += scratch[i];
    __syncthreads();
    return sum;
}

// ---- host side: the one way to launch -------------------------------------------------------------------------------

// Launches and returns the launch's error (what the kernel itself does wrong comes with a later synchronisation).
// Asks for more than 48 KB of dynamic shared memory where a launch needs it.
template <class... Params, class... Args>
inline cudaError_t cug_launch(const char *name, void (*kernel)(Params...), dim3 grid, dim3 block, size_t shared,
                              cudaStream_t stream, Args... args) {
#ifdef CUG_EMU
    emu::name_launch(name);
#else
    (void)name;
#endif
    if (shared > 48u * 1024u) {
        const cudaError_t err =
            cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(shared));
        if (err != cudaSuccess) {
            (void)cudaGetLastError();
            return err;
        }
    }
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = shared;
    config.stream = stream;
    const cudaError_t err = cudaLaunchKernelEx(&config, kernel, static_cast<Params>(args)...);
    if (err != cudaSuccess) (void)cudaGetLastError(); // reported here; not once more by whoever asks next
    return err;
}

// CUG_LAUNCH((kernel<4, 2>), grid, block, shared bytes, stream, arguments ...): parentheses round a template kernel.
#define CUG_LAUNCH(kernel, grid, block, shared, stream, ...)                                                           \
    cug_launch(#kernel, kernel, dim3(grid), dim3(block), shared, stream, __VA_ARGS__)

#endif
