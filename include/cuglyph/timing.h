/* timing.h - what a benchmark asks of a backend besides its ops: the device's own clock, and work whose only purpose is
 * to show what the device can do at most. */
#ifndef CUGLYPH_TIMING_H
#define CUGLYPH_TIMING_H

#include <cuglyph/exec.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CUG_TIMING_MARKS 256

typedef struct cug_timing {
    /* Mark i (0 .. CUG_TIMING_MARKS - 1) is the moment at which the stream's work queued so far is done. NULL, with
     * `between`: work is done on return, and the host's clock is the clock. */
    cug_status (*mark)(cug_device *dev, int i, void *stream);
    /* Seconds from mark a to mark b; waits for b. */
    cug_status (*between)(cug_device *dev, int a, int b, double *seconds);

    /* Independent chains of fused multiply-adds out of registers, in vectors (CPU) or on every multiprocessor (GPU);
     * with TF32 and BF16, products of tensor cores. `parts`: how many cores take part (CPU; 0: all). *flop: the
     * floating-point operations done, 2 a multiply-add. sink: 4096 bytes of backend memory, written so that nothing can
     * be left out. CUG_ENOTSUP: this device or build has no such products. */
    cug_status (*fma)(void *sink, int rounds, int parts, cug_precision precision, double *flop, const cug_exec *ex);
    /* dst[0..bytes) = src[0..bytes), the fastest way there is; `parts` as above. No overlap. */
    cug_status (*copy)(void *dst, const void *src, size_t bytes, int parts, const cug_exec *ex);
    /* Bytes of the last cache before memory; 0: not known. */
    size_t (*cache_bytes)(const cug_device *dev);
} cug_timing;

#ifdef __cplusplus
}
#endif
#endif
