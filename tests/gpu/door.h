/* door.h - one small kernel for each thing that kernels/device.cuh offers, for gpu-check. */
#ifndef GPU_DOOR_H
#define GPU_DOOR_H

#include <cuda_runtime_api.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DOOR_THREADS 256
#define DOOR_OUT 4 /* words that each thread writes: out[k * DOOR_THREADS + t] */
#define DOOR_IN 2048
#define DOOR_SHARED (64 * 1024) /* bytes of the dynamic shared memory test: what every architecture has */

typedef enum {
    DOOR_WARP,     /* cug_warp_sum, cug_warp_max */
    DOOR_BLOCK,    /* cug_block_sum, twice with the same scratch */
    DOOR_SHUFFLE,  /* __shfl_sync and its relatives, widths 32 and 16 */
    DOOR_VOTE,     /* __ballot_sync, __any_sync, __all_sync; __syncthreads_count, _and, _or */
    DOOR_BARRIER,  /* values handed on through shared memory, over __syncwarp and __syncthreads */
    DOOR_COPY,     /* cug_copy_async16, two groups in flight */
    DOOR_DYNAMIC,  /* CUG_DYN_SHARED, more than 48 KB */
    DOOR_FMA,      /* cug_fma, cug_max_nan */
    DOOR_IEEE,     /* division, square root and denormal numbers as IEEE 754 has them */
    DOOR_ATOMIC,   /* integer atomics */
    DOOR_BITS,     /* counts of bits, high products, float and integer bits */
    DOOR_TF32,     /* cug_to_tf32; this one and those below: sm_80 */
    DOOR_BF16,     /* cug_pack_bf16 */
    DOOR_MMA_TF32, /* cug_mma_tf32: fragments, on numbers whose sums are exact in any order */
    DOOR_MMA_BF16, /* cug_mma_bf16 */
    DOOR_COUNT
} door_kind;

/* out (DOOR_OUT * DOOR_THREADS) and in (DOOR_IN): device memory. */
cudaError_t door_run(door_kind kind, uint32_t *out, const uint32_t *in, cudaStream_t stream);

/* A launch that asks for more shared memory than any GPU has: must return an error and leave none behind. */
cudaError_t door_refused(uint32_t *out, const uint32_t *in, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
