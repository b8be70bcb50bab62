/* ladder.h - how each convolution and matrix kernel came to be as fast as it is: rungs, one idea each, from the obvious
 * kernel up to the one that training uses. Every rung computes the same product and is held against the float64
 * reference before it is timed, and set beside the vendor's library (library.h). Rungs that production uses are the
 * production code itself (kernels/), called through its launchers; only what was left behind lives here. */
#ifndef LADDER_H
#define LADDER_H

#include "../../kernels/launch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Device memory and extents of one product. No bias: it costs nothing on any rung.
 *   linear fwd    out y (N,O)      = a x (N,I)      . b w (O,I)
 *   conv2d fwd    out y (N,P,Q,K)  = a x (N,H,W,C)  * b w (K,R,S,C)
 *   conv2d dgrad  out dx (N,H,W,C) from a dy (N,P,Q,K), b w
 *   conv2d wgrad  out dw (K,R,S,C) from a dy, b x */
typedef struct ladder_task {
    cug_linear_shape linear;
    cug_conv2d_shape conv;
    float *out;
    const float *a, *b;
    void *workspace;                /* as large as the production launchers ask for */
    const struct ladder_plan *plan; /* read by a library's rung alone (library.h) */
} ladder_task;

typedef struct ladder_rung {
    const char *name, *idea;
    cug_precision precision; /* of the factors */
    int production;          /* training runs this one, for the shapes it takes */
    cudaError_t (*run)(const ladder_task *t, cudaStream_t stream);
} ladder_rung;

#define LADDER_RUNGS 10
typedef struct ladder {
    const char *name;
    ladder_rung rungs[LADDER_RUNGS]; /* ends with a NULL name */
} ladder;

extern const ladder ladder_linear_fwd, ladder_conv_fwd, ladder_conv_dgrad, ladder_conv_wgrad;

#ifdef __cplusplus
}
#endif
#endif
