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
};
