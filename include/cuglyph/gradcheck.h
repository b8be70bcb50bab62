/* gradcheck.h - two proofs of a model's gradients: the reference against central differences, and every other backend
 * against the reference. */
#ifndef CUGLYPH_GRADCHECK_H
#define CUGLYPH_GRADCHECK_H

#include <cuglyph/exec.h>
#include <cuglyph/graph.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cug_gradcheck_options {
    int batch;               /* samples; 2 */
    int entries;             /* single entries of each tensor, drawn at random (all, if it has fewer); 64 */
    int directions;          /* random directions through each whole tensor; 3 */
    double eps;              /* step of the differences; 1e-6 */
    double rtol, atol;       /* |numeric - analytic| <= atol + rtol |numeric|; 1e-3, 1e-7 */
    uint64_t seed;           /* of parameters, inputs, labels and choices; 1 */
    int threads;             /* of the cpu backend; 0 = one a core */
    cug_precision precision; /* parity: of both sides, so that tolerances stay; numeric: always FP32 */
    cug_choice conv, gemm;   /* of the cuda backend: whose code runs; own */
} cug_gradcheck_options;

CUG_API void cug_gradcheck_defaults(cug_gradcheck_options *o);

typedef struct cug_check_row {
    char tensor[160]; /* "conv1.weight", "input"; "conv1 output", "conv1.weight gradient" */
    size_t count;     /* elements */
    int checked;      /* comparisons made */
    int skipped;      /* a ReLU mask or pool argmax changed within +-eps */
    int failed;
    double worst;     /* largest |difference| / tolerance; above 1 (or NaN) fails */
    double got, want; /* at the worst */
} cug_check_row;

typedef struct cug_check_table {
    int n, failed; /* rows; rows that failed */
    cug_check_row *rows;
} cug_check_table;

CUG_API void cug_check_table_free(cug_check_table *t);

/* Central differences in float64 through `ref` (normally &cug_backend_ref) for every parameter tensor and the input.
 * Inputs and biases are random, so that no pre-activation sits on a kink. At most 1 % of comparisons may be skipped.
 * CUG_EMISMATCH when a row failed; the table is made all the same. */
CUG_API cug_status cug_gradcheck_numeric(cug_check_table *out, const cug_graph *g, const cug_backend *ref,
                                         const cug_gradcheck_options *o);

/* `be` against `ref`. First op by op, each given the reference's own inputs, masks and argmax, so a near tie is no
 * error: elementwise |d| <= 4 * 2^-24 * sum|terms| for sums (8 for one element in 1,000), 1.3e-6 relative + 1e-5 of the
 * tensor's largest for elementwise functions. Then the whole step as training runs it (fused, memory reused): loss
 * within 1e-5 relative, and each gradient and one step of Adam within 1e-3 in relative L2 norm. Where factors are
 * rounded, twice that for sums, as tensor cores cut off where others round, and for the whole step 10 times that in
 * TF32 and 30 times in bfloat16, as an activation next to a rounding edge may go to either neighbour. */
CUG_API cug_status cug_gradcheck_parity(cug_check_table *out, const cug_graph *g, const cug_backend *ref,
                                        const cug_backend *be, const cug_gradcheck_options *o);

#ifdef __cplusplus
}
#endif
#endif
