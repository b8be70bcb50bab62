/* tensor.h - a typed view of memory: pointer, element type, extents. Owns nothing. */
#ifndef CUGLYPH_TENSOR_H
#define CUGLYPH_TENSOR_H

#include <cuglyph/version.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { CUG_F32, CUG_F64, CUG_BF16, CUG_U8, CUG_I32, CUG_I64 } cug_dtype;

#define CUG_MAX_DIMS 4

/* Dense, row-major (last extent fastest). Activations are NHWC or (N, features), filters KRSC, dense weights (out, in).
 */
typedef struct cug_tensor {
    void *ptr;
    cug_dtype dtype;
    int ndim;
    int dims[CUG_MAX_DIMS];
} cug_tensor;

/* Bytes of one element; 0 for an unknown type. */
CUG_API size_t cug_dtype_size(cug_dtype t);
CUG_API const char *
cug_dtype_name(cug_dtype t); /* "F32", "F64", "BF16", "U8", "I32", "I64", as safetensors spells them */

/* Product of extents (1 for ndim 0); SIZE_MAX on overflow or a negative extent. */
CUG_API size_t cug_tensor_count(const cug_tensor *t);
CUG_API size_t cug_tensor_bytes(const cug_tensor *t);

/* Makers; dims beyond ndim are 1. */
CUG_API cug_tensor cug_tensor1(void *ptr, cug_dtype t, int a);
CUG_API cug_tensor cug_tensor2(void *ptr, cug_dtype t, int a, int b);
CUG_API cug_tensor cug_tensor4(void *ptr, cug_dtype t, int a, int b, int c, int d);

/* True when t is non-NULL, has memory, this element type and exactly `count` elements: what every op asks first. */
CUG_API int cug_tensor_is(const cug_tensor *t, cug_dtype dtype, size_t count);

#ifdef __cplusplus
}
#endif
#endif
