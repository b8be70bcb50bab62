/* cuda.h - the cuda backend's device, its memory, and its tables. float32; every op runs on the stream of its exec, or
 * on the device's compute stream when that is NULL. A device is used by one thread at a time. */
#ifndef CUG_CUDA_H
#define CUG_CUDA_H

#include "../../kernels/launch.h"
#include "cuda/choose.h"
#include "cuda/error.h"
#include "op_check.h"

#define CUDA_REAL CUG_F32
#define CUG_CUDA_BOUNCES 4
#define CUG_CUDA_BOUNCE_BYTES ((size_t)1 << 20)

/* One piece of the bounce buffer: host memory a copy goes through, free again when `done` has happened. */
typedef struct cug_cuda_bounce {
    void *mem;
    cudaEvent_t done;
} cug_cuda_bounce;

struct cug_device {
    int ordinal;
    int pinned; /* bounce memory is page-locked */
    cug_precision precision;
    cudaStream_t compute, copy;
    cug_cuda_bounce bounce[CUG_CUDA_BOUNCES];
    int next_bounce;
    cudaEvent_t *marks; /* CUG_TIMING_MARKS of timing.h, each made at its first use; NULL before */
    void *scratch;      /* CUG_CUDA_SCRATCH_BYTES for the ops whose tables have no workspace(): one stream at a time */
    cudaError_t broken; /* an error that CUDA repeats for every later call, and where it was first seen */
    char broken_at[64];
    cug_chooser *chooser; /* of libraries' code; NULL: the project's kernels alone */
    char text[800];
};

extern const cug_conv2d_ops cug_cuda_conv2d;
extern const cug_conv_block_ops cug_cuda_conv_block;
extern const cug_pool2d_ops cug_cuda_pool2d;
extern const cug_linear_ops cug_cuda_linear;
extern const cug_bias_ops cug_cuda_bias;
extern const cug_batch_norm_ops cug_cuda_batch_norm;
extern const cug_activation_ops cug_cuda_activation;
extern const cug_dropout_ops cug_cuda_dropout;
extern const cug_add_ops cug_cuda_add;
extern const cug_concat_ops cug_cuda_concat;
extern const cug_loss_ops cug_cuda_softmax_xent;
extern const cug_loss_ops cug_cuda_bce_logits;
extern const cug_loss_ops cug_cuda_mse;
extern const cug_normalize_ops cug_cuda_normalize;
extern const cug_optimizer_ops cug_cuda_optimizer;
extern const cug_metrics_ops cug_cuda_metrics;
extern const cug_step_ops cug_cuda_step;
extern const cug_timing cug_cuda_timing;

/* device.c */
cug_status cug_cuda_open(cug_device **out, const cug_device_options *opt);
void cug_cuda_close(cug_device *dev);
const char *cug_cuda_describe(const cug_device *dev);
/* Page-locked memory was refused: the description says so from now on, once. */
void cug_cuda_unpinned(cug_device *dev);
/* Makes this device the calling thread's current one, as every CUDA call wants it. */
cug_status cug_cuda_enter(cug_device *dev);
static inline cudaStream_t cug_cuda_stream(const cug_device *dev, void *stream) {
    return stream ? (cudaStream_t)stream : dev->compute;
}

/* memory.c: the memory functions of the backend table, as backend.h describes them. */
cug_status cug_cuda_bounces_open(cug_device *dev);
void cug_cuda_bounces_close(cug_device *dev);
cug_status cug_cuda_alloc(cug_device *dev, void **out, size_t bytes);
void cug_cuda_free(cug_device *dev, void *ptr);
cug_status cug_cuda_memory(cug_device *dev, size_t *free_bytes, size_t *total);
cug_status cug_cuda_upload(cug_device *dev, void *dst, const void *host, size_t bytes, void *stream);
cug_status cug_cuda_download(cug_device *dev, void *host, const void *src, size_t bytes, void *stream);
cug_status cug_cuda_copy(cug_device *dev, void *dst, const void *src, size_t bytes, void *stream);
cug_status cug_cuda_fill(cug_device *dev, void *dst, int byte, size_t bytes, void *stream);
cug_status cug_cuda_sync(cug_device *dev, void *stream);

/* graph.c and step.c: the graph and ring functions of the backend table. */
cug_status cug_cuda_graph_begin(cug_device *dev, void *stream);
cug_status cug_cuda_graph_end(cug_device *dev, void **graph, void *stream);
cug_status cug_cuda_graph_launch(cug_device *dev, void *graph, void *stream);
void cug_cuda_graph_free(cug_device *dev, void *graph);
cug_status cug_cuda_stage_open(void **ring, cug_device *dev, int max_batch, size_t pixel_bytes, cug_ring_fill *fill,
                               void *user);
cug_status cug_cuda_stage_take(void *ring, uint8_t *pixels, int32_t *labels, int32_t *ids, int *n, void *stream);
void cug_cuda_stage_close(void *ring);
void cug_cuda_stage_waits(void *ring, double *take, double *room);
size_t cug_cuda_stage_bytes(int max_batch, size_t pixel_bytes);

/* trace.c: ranges of the backend table. */
void cug_cuda_ranges_begin(void); /* once before other threads may push; again is safe */
void cug_cuda_range_push(const char *name);
void cug_cuda_range_pop(void);

/* timing.c: destroys the marks. */
void cug_cuda_marks_close(cug_device *dev);

/* What an op asks of ex before it launches: a device, made current, and `need` bytes of workspace. */
static inline cug_status cuda_ready(const char *op, const cug_exec *ex, size_t need) {
    CUG_TRY(cug_check_workspace(op, ex, need));
    if (!ex->device) return cug_fail(CUG_EINVAL, "%s: exec has no device", op);
    return cug_cuda_enter(ex->device);
}

/* Sizes may be asked for without a device. */
static inline cug_precision cuda_precision(const cug_device *dev) { return dev ? dev->precision : CUG_PREC_FP32; }

static inline cudaStream_t cuda_stream(const cug_exec *ex) { return cug_cuda_stream(ex->device, ex->stream); }

static inline cug_product_args cuda_product_args(float *out, const float *a, const float *b, const float *bias, int add,
                                                 const cug_exec *ex) {
    return (cug_product_args){.out = out,
                              .a = a,
                              .b = b,
                              .bias = bias,
                              .add = add,
                              .workspace = ex->workspace,
                              .workspace_bytes = ex->workspace_bytes,
                              .stream = cuda_stream(ex)};
}

/* The numbers of a checked tensor; NULL for one that was not given. */
static inline float *cuda_f32(const cug_tensor *t) { return t ? (float *)t->ptr : NULL; }
static inline int32_t *cuda_i32(const cug_tensor *t) { return t ? (int32_t *)t->ptr : NULL; }
static inline uint8_t *cuda_u8(const cug_tensor *t) { return t ? (uint8_t *)t->ptr : NULL; }

#endif
