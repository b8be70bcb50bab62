/* round.c - rounding on request: the factors of the products in conv2d and linear as a GPU's tensor cores take them
 * (docs/NUMERICS.md). A number is first what a float32 backend holds of it. */
#include "ref.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* x as a float32's upper bits, `drop` of them left out; ties go away from zero, or to even. */
static double round_bits(double x, unsigned drop, int to_even) {
    float f = (float)x;
    uint32_t u, half = (uint32_t)1 << (drop - 1);
    if (isnan(f) || isinf(f)) return (double)f;
    memcpy(&u, &f, sizeof u);
    if (to_even && !(u >> drop & 1)) half--; /* a tie stays below */
    u = (u + half) >> drop << drop;
    memcpy(&f, &u, sizeof f);
    return (double)f;
}

static double rounded(double x, cug_precision p) {
    return p == CUG_PREC_BF16 ? round_bits(x, 16, 1) : round_bits(x, 13, 0);
}

cug_status ref_factors(double **out, double **copy, const cug_tensor *t, const cug_exec *ex) {
    cug_precision p = ex && ex->device ? ex->device->precision : CUG_PREC_FP32;
    *out = ref_f64(t);
    *copy = NULL;
    if (!t || p == CUG_PREC_FP32) return CUG_OK;
    size_t n = cug_tensor_count(t);
    *copy = malloc((n + 1) * sizeof **copy);
    if (!*copy) return cug_fail(CUG_ENOMEM, "ref: no memory for %zu rounded numbers", n);
    for (size_t i = 0; i < n; i++) (*copy)[i] = rounded((*out)[i], p);
    *out = *copy;
    return CUG_OK;
}
