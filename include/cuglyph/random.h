/* random.h - counter-based random numbers: the same bits on every backend, in any order, from any thread.
 * Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
#ifndef CUGLYPH_RANDOM_H
#define CUGLYPH_RANDOM_H

#include <cuglyph/version.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a number is for; part of the counter, so that no two uses share a stream. */
typedef enum {
    CUG_RNG_INIT = 1,    /* initial weights; counter = {index/4 low, high, segment, purpose} */
    CUG_RNG_SHUFFLE = 2, /* epoch order; key of the bijection */
    CUG_RNG_SPLIT = 3,   /* train/validation split */
    CUG_RNG_DROPOUT = 4, /* counter = {feature/4, sample id, step, purpose | node << 8} */
    CUG_RNG_GRADCHECK = 5,
    CUG_RNG_TEST = 6,
    CUG_RNG_SHIFT = 7, /* counter = {0, sample id, epoch, purpose} */
} cug_rng_purpose;

/* out = Philox4x32-10(counter, key = {low, high word of seed}). */
CUG_API void cug_philox(uint64_t seed, const uint32_t counter[4], uint32_t out[4]);

/* [0, 1): the upper 24 bits, exact in float32. */
static inline float cug_u01(uint32_t r) { return (float)(r >> 8) * 0x1p-24f; }

/* Element i of a keyed permutation of 0..n-1 (a Feistel network with cycle walking): a shuffle that can be entered at
 * any place without holding it. n >= 1, i < n. Streams with different (seed, purpose, epoch) are independent. */
CUG_API uint32_t cug_permute(uint64_t seed, cug_rng_purpose purpose, uint32_t epoch, uint32_t n, uint32_t i);
/* Elements first .. first + count - 1 of it, at a third of the cost each. */
CUG_API void cug_permute_many(uint64_t seed, cug_rng_purpose purpose, uint32_t epoch, uint32_t n, uint32_t first,
                              size_t count, uint32_t *out);

/* One uniform number in [0,1) for element `index` of stream `stream` (host side: init, checks). */
CUG_API float cug_uniform(uint64_t seed, cug_rng_purpose purpose, uint32_t stream, uint64_t index);
/* One standard normal number (Box-Muller on two uniforms). */
CUG_API float cug_normal(uint64_t seed, cug_rng_purpose purpose, uint32_t stream, uint64_t index);

#ifdef __cplusplus
}
#endif
#endif
