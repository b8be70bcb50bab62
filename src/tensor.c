/* tensor.c - sizes and makers of tensor views. */
#include <cuglyph/tensor.h>

size_t cug_dtype_size(cug_dtype t) {
    switch (t) {
    case CUG_F32:
    case CUG_I32:
        return 4;
    case CUG_F64:
    case CUG_I64:
        return 8;
    case CUG_BF16:
        return 2;
    case CUG_U8:
        return 1;
    }
    return 0;
}

const char *cug_dtype_name(cug_dtype t) {
    switch (t) {
    case CUG_F32:
        return "F32";
    case CUG_F64:
        return "F64";
    case CUG_BF16:
        return "BF16";
    case CUG_U8:
        return "U8";
    case CUG_I32:
        return "I32";
    case CUG_I64:
        return "I64";
    }
    return "?";
}

size_t cug_tensor_count(const cug_tensor *t) {
    size_t n = 1;
    for (int i = 0; i < t->ndim; i++)
        if (t->dims[i] < 0 || __builtin_mul_overflow(n, (size_t)t->dims[i], &n)) return SIZE_MAX;
    return n;
}

size_t cug_tensor_bytes(const cug_tensor *t) {
    size_t n = cug_tensor_count(t), b;
    return n == SIZE_MAX || __builtin_mul_overflow(n, cug_dtype_size(t->dtype), &b) ? SIZE_MAX : b;
}

cug_tensor cug_tensor1(void *ptr, cug_dtype t, int a) { return (cug_tensor){ptr, t, 1, {a, 1, 1, 1}}; }
cug_tensor cug_tensor2(void *ptr, cug_dtype t, int a, int b) { return (cug_tensor){ptr, t, 2, {a, b, 1, 1}}; }
cug_tensor cug_tensor4(void *ptr, cug_dtype t, int a, int b, int c, int d) {
    return (cug_tensor){ptr, t, 4, {a, b, c, d}};
}

int cug_tensor_is(const cug_tensor *t, cug_dtype dtype, size_t count) {
    return t && t->ptr && t->dtype == dtype && cug_tensor_count(t) == count;
}
