/* op_data.c - numbers for tests: the same on every machine, exact in float32. */
#include "op_check.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* splitmix64 (Steele, Lea, Flood, 2014): apart from the library's own generator, which is under test too. */
static uint64_t next(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static int64_t between(uint64_t *state, int64_t lo, int64_t hi) {
    return lo + (int64_t)(next(state) % (uint64_t)(hi - lo + 1));
}

void *op_memory(op_world *w, size_t bytes) {
    void *p = calloc(1, bytes ? bytes : 1);
    void **more = p ? realloc(w->owned, (w->n_owned + 1) * sizeof *more) : NULL;
    if (!more) { /* a test process has nothing better to do */
        fputs("out of memory\n", w->log);
        abort();
    }
    w->owned = more;
    return w->owned[w->n_owned++] = p;
}

void op_release(op_world *w) {
    while (w->n_owned) free(w->owned[--w->n_owned]);
    free(w->owned);
    w->owned = NULL;
}

double *op_integers(op_world *w, uint64_t seed, size_t n, int lo, int hi) {
    double *v = op_memory(w, n * sizeof *v);
    for (size_t i = 0; i < n; i++) v[i] = (double)between(&seed, lo, hi);
    return v;
}

double *op_reals(op_world *w, uint64_t seed, size_t n, double lo, double hi) {
    double *v = op_memory(w, n * sizeof *v);
    for (size_t i = 0; i < n; i++) v[i] = (double)(float)(lo + (hi - lo) * ((double)(next(&seed) >> 11) * 0x1p-53));
    return v;
}

double *op_distinct(op_world *w, uint64_t seed, size_t n) {
    double *v = op_memory(w, n * sizeof *v);
    for (size_t i = 0; i < n; i++) v[i] = (double)i - (double)(n / 2);
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)(next(&seed) % i);
        double t = v[i - 1];
        v[i - 1] = v[j];
        v[j] = t;
    }
    return v;
}

int32_t *op_int32(op_world *w, uint64_t seed, size_t n, int32_t lo, int32_t hi) {
    int32_t *v = op_memory(w, n * sizeof *v);
    for (size_t i = 0; i < n; i++) v[i] = (int32_t)between(&seed, lo, hi);
    return v;
}

uint8_t *op_bytes(op_world *w, uint64_t seed, size_t n, unsigned lo, unsigned hi) {
    uint8_t *v = op_memory(w, n);
    for (size_t i = 0; i < n; i++) v[i] = (uint8_t)between(&seed, (int64_t)lo, (int64_t)hi);
    return v;
}

double *op_keep(op_world *w, const op_side *s, const op_call *c, int i) {
    double *v = op_memory(w, c->slots[i].count * sizeof *v);
    memcpy(v, s->value[i], c->slots[i].count * sizeof *v);
    return v;
}

void *op_keep_bytes(op_world *w, const op_side *s, const op_call *c, int i) {
    size_t bytes = c->slots[i].count * op_element(s, &c->slots[i]);
    return memcpy(op_memory(w, bytes), s->first[i] + OP_GUARD, bytes);
}

double op_rounded(double x, cug_precision p) {
    const double f = (double)(float)x;
    int exponent;
    if (p == CUG_PREC_FP32 || !isfinite(f)) return f;
    (void)frexp(f, &exponent);
    const int digits = p == CUG_PREC_TF32 ? 11 : 8; /* with the one before the point */
    const int last =
        (exponent < -125 ? -125 : exponent) - digits; /* denormal numbers are spaced like the least normal */
    const double m = ldexp(f, -last);
    return (double)(float)ldexp(p == CUG_PREC_TF32 ? round(m) : rint(m), last);
}
