/* backend.c - the table of the cuda backend. */
#include "cuda/cuda.h"

extern const cug_backend cug_backend_cuda;

const cug_backend cug_backend_cuda = {
    .name = "cuda",
    .real = CUDA_REAL,
    .open = cug_cuda_open,
    .close = cug_cuda_close,
    .describe = cug_cuda_describe,
    .alloc = cug_cuda_alloc,
    .free = cug_cuda_free,
    .upload = cug_cuda_upload,
    .download = cug_cuda_download,
    .copy = cug_cuda_copy,
    .fill = cug_cuda_fill,
    .sync = cug_cuda_sync,
    .conv2d = &cug_cuda_conv2d,
    .conv_block = &cug_cuda_conv_block,
    .pool2d = &cug_cuda_pool2d,
    .linear = &cug_cuda_linear,
    .bias = &cug_cuda_bias,
    .activation = &cug_cuda_activation,
    .dropout = &cug_cuda_dropout,
    .add = &cug_cuda_add,
    .concat = &cug_cuda_concat,
    .softmax_xent = &cug_cuda_softmax_xent,
    .bce_logits = &cug_cuda_bce_logits,
    .mse = &cug_cuda_mse,
    .normalize = &cug_cuda_normalize,
    .optimizer = &cug_cuda_optimizer,
    .metrics = &cug_cuda_metrics,
};
