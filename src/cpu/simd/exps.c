/* exps.c - exponentials in double for the losses: a batch has a thousand and the library computes them one by one. */
#include "cpu/simd/vec.h"
#include <string.h>

#define W (V / 2)
typedef double vd __attribute__((vector_size(8 * W)));
typedef int64_t vl __attribute__((vector_size(8 * W)));

/* exp(x) for x <= 0, within 2 units in the last place; 0 where the result would not be a normal number, NaN for NaN.
 * x = n ln 2 + r, |r| <= ln 2 / 2; the series of exp(r) is cut off at 2^-57. */
CUG_INLINE vd exp_of_negative(vd x) {
    static const double terms[] = {
        1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720,
        1.0 / 120,       1.0 / 24,       1.0 / 6,       0.5,          1,           1};
    const vd magic = 0x1.8p52 - (vd){0}; /* what is added to it is rounded to an integer */
    vd shifted = x * 1.44269504088896338700 + magic, n = shifted - magic;
    vd r = x - n * 6.93147180369123816490e-01; /* ln 2 in two parts; n times the first is exact */
    r = r - n * 1.90821492927058770002e-10;
    vd p = r * (1.0 / 6227020800) + terms[0];
    for (size_t i = 1; i < sizeof terms / sizeof *terms; i++) p = p * r + terms[i];
    vl exponent = (vl)shifted - (vl)magic + 1023, small = (vl)(x < -708.0);
    return (vd)(~small & (vl)(p * (vd)(exponent << 52)));
}

void CUG_SYM(exps)(double *x, size_t n) {
    vd v;
    for (; n >= W; x += W, n -= W) {
        memcpy(&v, x, sizeof v);
        v = exp_of_negative(v);
        memcpy(x, &v, sizeof v);
    }
    if (!n) return;
    v = (vd){0};
    memcpy(&v, x, n * sizeof *x);
    v = exp_of_negative(v);
    memcpy(x, &v, n * sizeof *x);
}
