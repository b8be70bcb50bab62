/* op_check_private.h - building blocks of the argument checks, for op_check*.c alone. */
#ifndef CUG_OP_CHECK_PRIVATE_H
#define CUG_OP_CHECK_PRIVATE_H

#include "op_check.h"

enum { ARG_IN = 0, ARG_OUT = 1, ARG_OPTIONAL = 2 };

/* One argument. ARG_OPTIONAL may be NULL; ARG_OUT is written, and may overlap another argument only when `inplace`
 * names that one and both start at the same byte. */
typedef struct {
    const char *name;
    const cug_tensor *get;
    cug_dtype dtype;
    size_t count;
    int flags;
    const char *inplace;
} arg_check;

cug_status check_args(const char *op, const arg_check *args, int n);
cug_status check_accumulate(const char *op, unsigned accumulate);
/* An argument that is not a tensor (step, metrics, saved ...). */
cug_status check_present(const char *op, const char *name, const void *ptr);

#define CHECK_ARGS(op, ...)                                                                                            \
    check_args(op, (const arg_check[]){__VA_ARGS__},                                                                   \
               (int)(sizeof((const arg_check[]){__VA_ARGS__}) / sizeof(arg_check)))

#endif
