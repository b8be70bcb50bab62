/* backend.c - the reference backend: host memory, one thread, everything done when the call returns. */
#include "host_step.h"
#include "ref.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cug_status ref_open(cug_device **out, const cug_device_options *opt) {
    static const char *const words[] = {"float64", "float64, factors rounded to TF32",
                                        "float64, factors rounded to bfloat16"};
    if (!out) return cug_fail(CUG_EINVAL, "ref: no place for the device");
    *out = malloc(sizeof **out);
    if (!*out) return cug_fail(CUG_ENOMEM, "ref: no memory for the device");
    (*out)->precision = opt ? opt->precision : CUG_PREC_FP32;
    snprintf((*out)->text, sizeof(*out)->text, "ref, 1 thread, %s", words[(*out)->precision]);
    return CUG_OK;
}

static void ref_close(cug_device *dev) { free(dev); }
static const char *ref_describe(const cug_device *dev) { return dev->text; }

static cug_status ref_alloc(cug_device *dev, void **out, size_t bytes) {
    (void)dev;
    if (!out) return cug_fail(CUG_EINVAL, "ref: no place for the pointer");
    *out = NULL;
    size_t rounded = (bytes + 255) / 256 * 256;
    if (rounded < bytes) return cug_fail(CUG_ENOMEM, "ref: %zu bytes are more than there can be", bytes);
    *out = aligned_alloc(256, rounded ? rounded : 256);
    return *out ? CUG_OK : cug_fail(CUG_ENOMEM, "ref: no memory for %zu bytes", bytes);
}

static void ref_free(cug_device *dev, void *ptr) {
    (void)dev;
    free(ptr);
}

static cug_status move(cug_device *dev, void *dst, const void *src, size_t bytes, void *stream) {
    (void)dev, (void)stream;
    if (bytes && (!dst || !src)) return cug_fail(CUG_EINVAL, "ref: copy of %zu bytes from or to NULL", bytes);
    if (bytes) memmove(dst, src, bytes);
    return CUG_OK;
}

static cug_status fill(cug_device *dev, void *dst, int byte, size_t bytes, void *stream) {
    (void)dev, (void)stream;
    if (bytes && !dst) return cug_fail(CUG_EINVAL, "ref: fill of %zu bytes at NULL", bytes);
    if (bytes) memset(dst, byte, bytes);
    return CUG_OK;
}

static cug_status ref_sync(cug_device *dev, void *stream) {
    (void)dev, (void)stream;
    return CUG_OK;
}

const cug_backend cug_backend_ref = {
    .name = "ref",
    .real = REF_REAL,
    .open = ref_open,
    .close = ref_close,
    .describe = ref_describe,
    .alloc = ref_alloc,
    .free = ref_free,
    .upload = move,
    .download = move,
    .copy = move,
    .fill = fill,
    .sync = ref_sync,
    .conv2d = &cug_ref_conv2d,
    .pool2d = &cug_ref_pool2d,
    .linear = &cug_ref_linear,
    .bias = &cug_ref_bias,
    .batch_norm = &cug_ref_batch_norm,
    .activation = &cug_ref_activation,
    .dropout = &cug_ref_dropout,
    .add = &cug_ref_add,
    .concat = &cug_ref_concat,
    .softmax_xent = &cug_ref_softmax_xent,
    .bce_logits = &cug_ref_bce_logits,
    .mse = &cug_ref_mse,
    .normalize = &cug_ref_normalize,
    .optimizer = &cug_ref_optimizer,
    .metrics = &cug_ref_metrics,
    .step = &cug_host_step,
};
