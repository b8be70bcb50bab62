/* exec.h - what an op is given besides its tensors: where to run and scratch memory. */
#ifndef CUGLYPH_EXEC_H
#define CUGLYPH_EXEC_H

#include <cuglyph/status.h>
#include <cuglyph/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cug_device cug_device; /* an opened backend; opaque, one struct a backend */

/* What the factors of the products in conv2d, conv_block and linear are rounded to (docs/NUMERICS.md says where):
 * float32 as they are, TF32 (10 bits after the point), bfloat16 (7). Everything else, sums included, is float32. */
typedef enum { CUG_PREC_FP32, CUG_PREC_TF32, CUG_PREC_BF16 } cug_precision;
/* "fp32", "tf32", "bf16"; NULL past the end. */
CUG_API const char *cug_precision_name(cug_precision p);

/* Whose code runs an op that a vendor's library has as well: the project's own, the library's, or the one that was
 * faster for the shape when both were timed. */
typedef enum { CUG_CHOOSE_OWN, CUG_CHOOSE_LIBRARY, CUG_CHOOSE_AUTO } cug_choice;

typedef struct cug_exec {
    cug_device *device;
    void *stream;    /* opaque; NULL on the CPU backends */
    void *workspace; /* backend memory, 256-byte aligned; at least what the op's workspace() asked for */
    size_t workspace_bytes;
    int frozen; /* a hint: parameters stay as they are from call to call. Results are the same to the bit. */
} cug_exec;

/* Which way an op runs; for workspace(). */
typedef enum { CUG_FWD, CUG_BWD } cug_pass;

/* Backward functions overwrite their outputs unless told to add to them: residual sums, tied weights. */
enum { CUG_ACC_DX = 1, CUG_ACC_DW = 2 }; /* CUG_ACC_DW covers every parameter gradient of the op */

/* The record of one step, in backend memory. Written by the host (or advanced by a kernel); ops read it there, so a
 * captured CUDA graph never changes its arguments. */
typedef struct cug_step {
    uint64_t seed;
    uint64_t step;      /* optimizer steps done before this one, from the start of the run */
    uint32_t slot;      /* staging slot in use */
    uint32_t valid;     /* samples of the batch that count */
    float lr;           /* this step's learning rate */
    float bias_corr1;   /* 1 - beta1^(step+1) */
    float bias_corr2;   /* 1 - beta2^(step+1) */
    uint32_t nonfinite; /* raised (1) when a gradient or the loss is NaN or Inf: the optimizer then does nothing */
    double grad_norm;   /* global L2 norm of the gradients, by grad_norm */
} cug_step;

#ifdef __cplusplus
}
#endif
#endif
