/* product.h - one product of conv2d or linear, and whose code runs it: the project's kernels or a vendor's library. */
#ifndef CUG_CUDA_PRODUCT_H
#define CUG_CUDA_PRODUCT_H

#include <cuda_runtime_api.h>
#include <cuglyph/backend.h>

/* out, a, b are (y, x, w), (dx, dy, w), (dw, dy, x). */
typedef enum { CUG_ROLE_FWD, CUG_ROLE_DGRAD, CUG_ROLE_WGRAD } cug_role;

/* Everything that a plan for a product depends on. Ints alone, the shape not meant is zero: compared as bytes. */
typedef struct cug_product {
    int is_conv;
    int role;      /* cug_role */
    int precision; /* cug_precision */
    cug_conv2d_shape conv;
    cug_linear_shape linear;
} cug_product;

/* What one call works on. bias: FWD, (K) or (O), or NULL. add: the result is added to out (not FWD). */
typedef struct cug_product_args {
    float *out;
    const float *a, *b, *bias;
    int add;
    void *workspace;
    size_t workspace_bytes;
    cudaStream_t stream;
} cug_product_args;

static inline cug_product cug_product_conv(const cug_conv2d_shape *s, cug_role role, cug_precision precision) {
    return (cug_product){.is_conv = 1, .role = (int)role, .precision = (int)precision, .conv = *s};
}
static inline cug_product cug_product_linear(const cug_linear_shape *s, cug_role role, cug_precision precision) {
    return (cug_product){.role = (int)role, .precision = (int)precision, .linear = *s};
}
int cug_product_same(const cug_product *a, const cug_product *b);
/* "conv2d fwd fp32 N=128 H=28 ...": one line, no two products the same; returns out. */
#define CUG_PRODUCT_TEXT 224
const char *cug_product_text(const cug_product *p, char out[CUG_PRODUCT_TEXT]);

/* Scratch that a library may ask for, for one product. */
#define CUG_LIBRARY_WORKSPACE_MOST ((size_t)64 << 20)

/* --- cublas.c: linear by cublasLtMatmul ------------------------------------------------------------------------------
 */
typedef struct cug_cublas cug_cublas;

/* Opens the library and a handle on the current device. nondeterministic: algorithms are welcome that may give other
 * bits on another run. CUG_ENOENT: no usable library. */
cug_status cug_cublas_open(cug_cublas **out, int nondeterministic);
void cug_cublas_close(cug_cublas *c); /* NULL is safe */
size_t cug_cublas_version(const cug_cublas *c);
/* Finds the algorithm for a product once and keeps it. *workspace: the bytes that run needs, with bias and without.
 * CUG_ENOTSUP: the library has none that is allowed. */
cug_status cug_cublas_prepare(cug_cublas *c, const cug_product *p, size_t *workspace);
/* Queues it on args->stream; p must have been prepared. CUG_EINVAL: less workspace than it said, a pointer that is not
 * 16-byte aligned. CUG_ECUDA: refused, with the library's words. */
cug_status cug_cublas_run(cug_cublas *c, const cug_product *p, const cug_product_args *args);
/* 1: both have prepared p and run it, without bias and overwriting, by the same algorithm. */
int cug_cublas_alike(const cug_cublas *a, const cug_cublas *b, const cug_product *p);

/* --- cudnn.c: conv2d by cuDNN's graphs; as above ---------------------------------------------------------------------
 */
typedef struct cug_cudnn cug_cudnn;

cug_status cug_cudnn_open(cug_cudnn **out, int nondeterministic);
void cug_cudnn_close(cug_cudnn *c);
size_t cug_cudnn_version(const cug_cudnn *c);
cug_status cug_cudnn_prepare(cug_cudnn *c, const cug_product *p, size_t *workspace);
cug_status cug_cudnn_run(cug_cudnn *c, const cug_product *p, const cug_product_args *args);
int cug_cudnn_alike(const cug_cudnn *a, const cug_cudnn *b, const cug_product *p);

#endif
