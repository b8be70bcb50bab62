/* smooth.c - silu and gelu, whose values and derivatives are made of one exponential, a whole vector at a time.
 *
 * Both are x F(x) with F(-x) = 1 - F(x), so y = max(x, 0) - a F(-a) with a = |x|: one formula for both signs, whose
 * second term goes to 0 at both ends. a is cut off where F(-a) is 0 in float32, so that no Inf meets that 0. */
#include "cpu/simd/vec.h"
#include <string.h>

/* exp(x) for x <= 0, within 1.5 units in the last place; 0 where the result would not be a normal number, NaN for NaN.
 * x = n ln 2 + r, |r| <= ln 2 / 2; the polynomial is within 2^-25 of exp(r), minimax in relative error. */
CUG_INLINE vf exp_of_negative(vf x) {
    const vf magic = vset(12582912.0f); /* 1.5 * 2^23: what is added to it is rounded to an integer */
    vf shifted = x * 1.44269504f + magic, n = shifted - magic;
    vf r = x - n * 0.693359375f; /* ln 2 in two parts; the first has so few bits that n times it is exact */
    r = r + n * 2.12194440e-4f;
    vf p = r * 1.3843653723597527e-3f + 8.37415549904108e-3f;
    p = p * r + 4.166800156235695e-2f;
    p = p * r + 1.6666431725025177e-1f;
    p = p * r + 4.999999403953552e-1f;
    p = p * r + 1;
    p = p * r + 1;
    vi exponent = (vi)shifted - (vi)magic + 127;
    return vselect((vi)(x < -87.3f), (vf){0}, p * (vf)(exponent << 23));
}

/* Phi(-a) exp(a^2 / 2) for a >= 0 as a polynomial in 1 / (1 + 0.3 a), minimax in relative error: within 2^-24 by
 * itself, 2^-21 as float32 computes it. */
CUG_INLINE vf normal_tail(vf a) {
    vf t = 1 / (a * 0.3f + 1);
    vf p = t * 3.831154853105545e-2f - 1.6884127259254456e-1f;
    p = p * t + 2.279880791902542e-1f;
    p = p * t - 7.57366493344307e-2f;
    p = p * t + 1.4200282096862793e-1f;
    p = p * t + 9.491090476512909e-2f;
    p = p * t + 1.218620240688324e-1f;
    p = p * t + 1.1949588358402252e-1f;
    return p * t + 6.686178494419437e-6f;
}

#define SILU_END 128.0f /* exp(-a) is 0 from here on, and exp(-a^2 / 2) from GELU_END */
#define GELU_END 16.0f

CUG_INLINE vf size_of(vf x, float most) { /* NaN stays */
    vf a = vselect((vi)(x < 0), -x, x);
    return vselect((vi)(a > most), vset(most), a);
}

CUG_INLINE vf value(vf x, cug_act_kind kind) {
    vf positive = vselect((vi)(x <= 0), (vf){0}, x);
    if (kind == CUG_ACT_SILU) {
        vf a = size_of(x, SILU_END), e = exp_of_negative(-a);
        return positive - a * e / (1 + e);
    }
    vf a = size_of(x, GELU_END);
    return positive - a * (exp_of_negative(a * a * -0.5f) * normal_tail(a));
}

/* silu: F + x F (1 - F); gelu: F + x exp(-x^2 / 2) / sqrt(2 pi); each with F(x) = 1 - F(-x) taken from a. */
CUG_INLINE vf slope_at(vf x, cug_act_kind kind) {
    vi negative = (vi)(x < 0);
    if (kind == CUG_ACT_SILU) {
        vf a = size_of(x, SILU_END), e = exp_of_negative(-a), most = 1 / (1 + e), rest = e * most;
        return vselect(negative, rest * (1 - a * most), most * (1 + a * rest));
    }
    vf a = size_of(x, GELU_END), e = exp_of_negative(a * a * -0.5f);
    vf tail = e * normal_tail(a) - a * e * 0.398942280f; /* the derivative at -a; at a it is 1 - that */
    return vselect(negative, tail, 1 - tail);
}

/* The last n % V elements go through a vector of their own, so that an element's bits do not depend on its place. */
CUG_INLINE void forward(float *y, const float *x, cug_act_kind kind, size_t n) {
    size_t i = 0;
    for (; i + V <= n; i += V) vstore(y + i, value(vload(x + i), kind));
    if (i == n) return;
    float rest[V] = {0};
    memcpy(rest, x + i, (n - i) * sizeof *rest);
    vstore(rest, value(vload(rest), kind));
    memcpy(y + i, rest, (n - i) * sizeof *rest);
}

CUG_INLINE void backward(float *dx, const float *dy, const float *x, cug_act_kind kind, int add, size_t n) {
    size_t i = 0;
    for (; i + V <= n; i += V) {
        vf g = vload(dy + i) * slope_at(vload(x + i), kind);
        vstore(dx + i, add ? vload(dx + i) + g : g);
    }
    if (i == n) return;
    float rest[3][V] = {{0}};
    const size_t bytes = (n - i) * sizeof **rest;
    memcpy(rest[0], dx + i, add ? bytes : 0);
    memcpy(rest[1], dy + i, bytes);
    memcpy(rest[2], x + i, bytes);
    vf g = vload(rest[1]) * slope_at(vload(rest[2]), kind);
    vstore(rest[0], add ? vload(rest[0]) + g : g);
    memcpy(dx + i, rest[0], bytes);
}

void CUG_SYM(smooth_fwd)(float *y, const float *x, cug_act_kind kind, size_t n) {
    if (kind == CUG_ACT_SILU)
        forward(y, x, CUG_ACT_SILU, n);
    else
        forward(y, x, CUG_ACT_GELU, n);
}

void CUG_SYM(smooth_bwd)(float *dx, const float *dy, const float *x, cug_act_kind kind, int add, size_t n) {
    if (kind == CUG_ACT_SILU)
        backward(dx, dy, x, CUG_ACT_SILU, add, n);
    else
        backward(dx, dy, x, CUG_ACT_GELU, add, n);
}
