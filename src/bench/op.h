/* op.h - one benchmark of one op: its shape, its arguments, how to call it, how much work it is, and what its results
 * must be. The same list serves `cuglyph bench kernels` and gpu-check. */
#ifndef CUG_BENCH_OP_H
#define CUG_BENCH_OP_H

#include <cuglyph/backend.h>

#define BENCH_ARGS 12

typedef enum { BENCH_ABSENT, BENCH_IN, BENCH_OUT, BENCH_INOUT } bench_role;

/* What an input holds. */
typedef enum {
    BENCH_REALS,    /* multiples of 1/64 in [-1, 1]: exact in bfloat16 and TF32, so that all precisions answer to one
                     * tolerance; the sums of a layer are exact in float32, so that ties fall alike everywhere */
    BENCH_POSITIVE, /* their absolute values: second moments */
    BENCH_CLASSES,  /* int32 in [0, limit) */
    BENCH_NUMBERS,  /* int32 0, 1, 2 ... wrapping at limit */
    BENCH_PIXELS,   /* uint8, about four in five of them zero */
    BENCH_DATA      /* the bytes at `data` */
} bench_fill;

typedef struct bench_arg {
    const char *name;
    bench_role role;
    cug_dtype dtype; /* CUG_F64 stands for the backend's own float type */
    size_t count;
    bench_fill fill;
    uint32_t limit;
    const void *data;
    /* Of a result: |got - ref| <= atol + rtol |ref| + 4 u terms, with terms what the reference makes of absolute inputs
     * (docs/NUMERICS.md). `primed`: written before timing by prime(), or private; not compared. */
    double atol, rtol;
    int by_terms, primed;
    int aside; /* prime() uses it, the call that is timed does not */
} bench_arg;

typedef struct bench_case bench_case;
typedef cug_status bench_run(const cug_backend *be, const cug_tensor *const *t, const bench_case *c,
                             const cug_exec *ex);

typedef struct bench_optimizer {
    cug_opt_params params;
    cug_param_run run;
    cug_step step;
} bench_optimizer;

struct bench_case {
    const char *op, *pass; /* "conv2d", "fwd" */
    char name[48];         /* the case, unique within op and pass */
    char shape[96];        /* "128x28x28x1 conv 32 3x3" */
    const char *source;    /* "cases", "models", "deepbench" */
    int batch;             /* set before: of the models' products, in place of their own; 0: their own */
    union {
        cug_conv2d_shape conv2d;
        cug_conv_block_shape conv_block;
        cug_pool2d_shape pool2d;
        cug_linear_shape linear;
        cug_bias_shape bias;
        cug_batch_norm_shape batch_norm;
        cug_activation_shape activation;
        cug_dropout_shape dropout;
        cug_add_shape add;
        cug_concat_shape concat;
        cug_loss_shape loss;
        cug_normalize_shape normalize;
        cug_metrics_shape metrics;
        cug_gather_shape gather;
    } u;
    bench_optimizer opt;
    cug_step step;     /* dropout's */
    cug_cursor cursor; /* gather's */
    bench_arg arg[BENCH_ARGS];
    double flop;      /* dense work, 2 a multiply-add, also where an implementation skips zeros; 0: not counted */
    int products;     /* runs in the precisions of exec.h; else in float32 alone */
    bench_run *run;   /* the call that is timed */
    bench_run *prime; /* once before, on each backend: what a forward pass leaves for its backward; may be NULL */
    /* On ref, where ref has no such op; NULL: run. truth: the same arguments with the true inputs, where t holds
     * absolute values for the terms; else t itself. Which output was positive and which pixel won is settled by the
     * truth. */
    cug_status (*reference)(const cug_backend *be, const cug_tensor *const *t, const cug_tensor *const *truth,
                            const bench_case *c, const cug_exec *ex);
    int (*supports)(const cug_backend *be, const bench_case *c); /* NULL: wherever `table` is not */
    size_t (*workspace)(const cug_backend *be, const cug_device *d, const bench_case *c); /* NULL: none */
    size_t (*private_bytes)(const cug_backend *be, const bench_case *c); /* count of the argument `private_arg` */
    int private_arg;                                                     /* with private_bytes */
    size_t table;                                                        /* offsetof(cug_backend, conv2d) */
};

/* Fills in case i of a family; 0: there is no such. */
typedef int bench_family(bench_case *c, int i);

/* All benchmarks in a fixed order, from {.batch}: 1 and the next one, 0 past the end. A case points into itself: it
 * must stay in place. */
typedef struct bench_cursor {
    int family, i, batch;
} bench_cursor;
int bench_case_next(bench_cursor *at, bench_case *c);

/* Bytes that must move at least: each input read once, each output written once. */
double bench_case_bytes(const cug_backend *be, const bench_case *c);
size_t bench_arg_bytes(const cug_backend *be, const bench_arg *a);

/* op_conv.c, op_layers.c, op_norm.c, op_step.c: the families. */
extern bench_family bench_conv2d, bench_conv_block, bench_linear, bench_pool2d, bench_bias, bench_batch_norm,
    bench_activation, bench_dropout, bench_add, bench_concat, bench_loss, bench_normalize, bench_metrics, bench_gather,
    bench_grad_norm, bench_update;

/* Makers for arguments. */
static inline bench_arg bench_in(const char *name, size_t n) {
    return (bench_arg){.name = name, .role = BENCH_IN, .dtype = CUG_F64, .count = n};
}
static inline bench_arg bench_sum(const char *name, size_t n) {
    return (bench_arg){.name = name, .role = BENCH_OUT, .dtype = CUG_F64, .count = n, .by_terms = 1};
}
/* An elementwise result, by PyTorch's float32 table; atol is of values about 1. */
static inline bench_arg bench_out(const char *name, size_t n) {
    return (bench_arg){.name = name, .role = BENCH_OUT, .dtype = CUG_F64, .count = n, .rtol = 1.3e-6, .atol = 1e-6};
}

#endif
