/* op_check.h - runs one op call on the reference and on other backends and holds the results against each other.
 *
 * Every buffer stands between guard bands; outputs are poisoned before a run; inputs must come back unchanged; each
 * call is made twice, with different poison, guards and scratch contents, and must give the same bits. Nothing here
 * knows a test framework: functions count failures and write to a stream, so that a plain main() can drive them as
 * well. */
#ifndef TEST_OP_CHECK_H
#define TEST_OP_CHECK_H

#include <cuglyph/backend.h>
#include <stddef.h>
#include <stdio.h>

#define OP_SLOTS 12
#define OP_SIDES 8
#define OP_GUARD 256 /* bytes on either side of a buffer; keeps the 256-byte alignment of what lies between */

/* One tensor argument of a call. */
typedef struct {
    const char *name;
    enum { OP_ABSENT, OP_IN, OP_OUT, OP_ADD } role; /* absent: NULL is passed. add: starts with `data`, is added to */
    cug_dtype dtype;                                /* CUG_F64 stands for the backend's own float type */
    size_t count;
    const void *data; /* double, int32_t, uint8_t or int64_t by dtype; NULL for OP_OUT */
    int raw;          /* not a tensor on the far side (step, metrics): its memory alone is passed */
    int any_count;    /* every size of this argument is right */
    int inplace;      /* OP_OUT only: 1 + index of the input whose memory it shares; 0: memory of its own */
    /* How a float output is judged: |got - ref| <= atol + rtol |ref| + 4 u terms, u the float type's roundoff and terms
     * what the reference makes of the inputs' absolute values. Sums may exceed that for one element in a thousand (ten
     * in a small tensor) up to 8 u: plain float32 sums of 10 to 1,600 terms do, about once in 10^5 elements. All zero:
     * equal to the reference rounded to the float type. Where factors are rounded (op_world.precision), 8 u and 16 u:
     * tensor cores cut sums off where others round them. */
    double atol, rtol;
    int by_terms;
    const double *terms; /* instead of that second reference run */
} op_slot;

typedef struct op_call op_call;
struct op_call {
    const char *op;   /* "conv2d bwd" */
    const char *name; /* the case */
    const void *shape;
    unsigned accumulate;
    int index;       /* one more integer argument: concat's input, the number of runs ... */
    const void *aux; /* one more pointer to host memory */
    op_slot slots[OP_SLOTS];
    /* t[i] is slot i's tensor on that backend, NULL where absent. */
    cug_status (*run)(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex);
    size_t table; /* offsetof(cug_backend, conv2d): where the op's functions are, NULL if the backend lacks it */
    int (*has)(const cug_backend *be); /* whether that table has this function; NULL: every such table does */
    int (*supports)(const cug_backend *be, const op_call *c);                          /* NULL: every shape */
    size_t (*workspace)(const cug_backend *be, const cug_device *d, const op_call *c); /* NULL: none needed */
};

/* An opened device and its buffers, kept from call to call. */
typedef struct {
    const cug_backend *be;
    cug_device *dev;
    char label[96];
    void *buf[OP_SLOTS + 1]; /* the last is scratch memory */
    size_t cap[OP_SLOTS + 1];
    unsigned char *first[OP_SLOTS], *second[OP_SLOTS]; /* bytes of the slots after each of the two runs */
    size_t first_cap[OP_SLOTS], second_cap[OP_SLOTS];
    double *value[OP_SLOTS]; /* float slots of the first run, widened */
    size_t value_cap[OP_SLOTS];
    long cases, skipped;
} op_side;

typedef struct {
    FILE *log;
    int failures, printed;
    op_side ref, terms; /* terms: a second reference device, for the sums of absolute values */
    op_side side[OP_SIDES];
    int sides;
    int small; /* leave the full batches out */
    int tiny;  /* and whatever else is much work */
    cug_precision precision;
    /* How far one term of a sum may be off besides, relative: factors that a library rounds in its own way. */
    double product_error;
    void **owned;
    size_t n_owned;
} op_world;

/* Opens ref and every other backend of this build whose device opens (the cpu backend several times, with different
 * numbers of threads). with_ref: ref is held against itself instead, which checks its manners. Everything in
 * `precision`, the reference included. 0 on success.
 * CUGLYPH_TEST_BACKEND=cuda: that backend alone, and it is an error if it does not open (unless for the precision).
 * CUGLYPH_TEST_TINY=1: tiny. */
int op_open(op_world *w, FILE *log, int with_ref, cug_precision precision);
/* ref, in float64 throughout, and one cuda device with these options, whose library may round both factors of a product
 * to TF32 or bfloat16, to nearest or towards zero. -1: it does not open, cug_error() says why. */
int op_open_cuda(op_world *w, FILE *log, const cug_device_options *opt, const char *label);
void op_close(op_world *w);
/* Whether a case is too much work for this world: `work` is its multiply-adds, or the elements it goes through. `large`
 * says that it is a full batch. */
int op_too_large(const op_world *w, int large, double work);
/* One line: cases and skips of each side; then returns the failures. */
int op_summary(op_world *w, const char *title);

/* The i-th of: the sides, then the reference itself; NULL past the end. */
op_side *op_any_side(op_world *w, int i);

/* Counts and prints a failure (only the first few are printed). */
void op_failed(op_world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Runs the call on ref and on every side, and compares. */
void op_compare(op_world *w, const op_call *c);
/* Runs the call on ref and on every side and holds each against numbers from elsewhere: want[i] of slot i, double (or
 * int32_t for an integer slot), NULL: not looked at. wide: they were computed in float64, else in float32. Slots judge
 * float32 sides as in op_compare, and wants in float32 make that of ref as well; ref in float64 has to agree to
 * OP_WIDE_RTOL of the number and of its terms. */
void op_against(op_world *w, const op_call *c, const void *const want[OP_SLOTS], int wide);
#define OP_WIDE_RTOL 1e-12
#define OP_WIDE_ATOL 1e-14
/* Every argument wrong in turn (NULL, other type, other size, no memory, no shape): CUG_EINVAL, nothing written.
 * `optional` is a bit mask of slots that may be NULL. */
void op_bad_arguments(op_world *w, const op_call *c, unsigned optional);
/* The same for a shape that the caller has made invalid; `what` says how. */
void op_bad_shape(op_world *w, const op_call *c, const char *what);
/* Runs on one side, twice, with all checks but the comparison: the results are in first[] and value[].
 * 1: ran, 0: the backend lacks it, -1: failed (counted). */
int op_run(op_world *w, op_side *s, const op_call *c);

/* --- deterministic test data (op_data.c), owned by the world until op_release ----------------------------------------
 */

void *op_memory(op_world *w, size_t bytes);                                   /* zeroed */
double *op_integers(op_world *w, uint64_t seed, size_t n, int lo, int hi);    /* whole numbers in [lo, hi] */
double *op_reals(op_world *w, uint64_t seed, size_t n, double lo, double hi); /* uniform, exact in float32 */
/* x in float32 as the precision rounds a factor, worked out on the number rather than on its bits. */
double op_rounded(double x, cug_precision p);
double *op_distinct(op_world *w, uint64_t seed, size_t n); /* a permutation of 0..n-1, minus n/2 */
int32_t *op_int32(op_world *w, uint64_t seed, size_t n, int32_t lo, int32_t hi);
uint8_t *op_bytes(op_world *w, uint64_t seed, size_t n, unsigned lo, unsigned hi);
void op_release(op_world *w);

/* Copies of slot i after op_run: widened floats, or the bytes as they are. */
double *op_keep(op_world *w, const op_side *s, const op_call *c, int i);
void *op_keep_bytes(op_world *w, const op_side *s, const op_call *c, int i);

/* Size of an element in memory. */
size_t op_element(const op_side *s, const op_slot *slot);

#endif
