/* backend.h - a backend is one table: memory, streams, and a sub-table of functions for each op.
 * The model code above never names a backend. */
#ifndef CUGLYPH_BACKEND_H
#define CUGLYPH_BACKEND_H

#include <cuglyph/activation.h>
#include <cuglyph/add.h>
#include <cuglyph/batch_norm.h>
#include <cuglyph/bce_logits.h>
#include <cuglyph/bias.h>
#include <cuglyph/concat.h>
#include <cuglyph/conv2d.h>
#include <cuglyph/conv_block.h>
#include <cuglyph/dropout.h>
#include <cuglyph/linear.h>
#include <cuglyph/metrics.h>
#include <cuglyph/mse.h>
#include <cuglyph/normalize.h>
#include <cuglyph/optimizer.h>
#include <cuglyph/pool2d.h>
#include <cuglyph/softmax_xent.h>
#include <cuglyph/step.h>
#include <cuglyph/timing.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cug_device_options {
    int ordinal;             /* which GPU; 0 on the CPU backends */
    int threads;             /* CPU backends: 0 = one a core */
    cug_precision precision; /* cuda: needs compute capability 8.0 unless FP32; ref rounds alike; cpu: FP32 alone */
    cug_choice conv, gemm;   /* cuda: of conv2d and conv_block; of linear */
    int nondeterministic;    /* cuda: library code is welcome that may give other bits on another run */
} cug_device_options;

/* Writes batch `seq` (0, 1, 2 ...) to host memory, and its number of samples; *n = 0: there are no more. Called on a
 * thread of its own. */
typedef cug_status cug_ring_fill(void *user, uint64_t seq, uint8_t *pixels, int32_t *labels, int32_t *ids, int *n);

typedef struct cug_backend {
    const char *name; /* "ref", "cpu", "cuda" */
    cug_dtype real;   /* type of activations, parameters, gradients: CUG_F64 for ref, CUG_F32 else */

    /* Opens the device. CUG_ENOTSUP with one line saying why when this machine has none. */
    cug_status (*open)(cug_device **out, const cug_device_options *opt);
    void (*close)(cug_device *dev); /* NULL is safe */
    /* One line for a person: "cpu, 2 threads, AVX-512". Valid while the device is open. */
    const char *(*describe)(const cug_device *dev);

    /* Backend memory, 256-byte aligned, contents undefined. free of NULL is safe. */
    cug_status (*alloc)(cug_device *dev, void **out, size_t bytes);
    void (*free)(cug_device *dev, void *ptr);
    /* Bytes of it that are free now, and all there are; NULL: memory is the host's own. */
    cug_status (*memory)(cug_device *dev, size_t *free_bytes, size_t *total);
    /* Copies between host and backend memory, and inside it; ordered with the stream's work, host side safe to reuse on
     * return. fill sets every byte. */
    cug_status (*upload)(cug_device *dev, void *dst, const void *host, size_t bytes, void *stream);
    cug_status (*download)(cug_device *dev, void *host, const void *src, size_t bytes, void *stream);
    cug_status (*copy)(cug_device *dev, void *dst, const void *src, size_t bytes, void *stream);
    cug_status (*fill)(cug_device *dev, void *dst, int byte, size_t bytes, void *stream);
    cug_status (*sync)(cug_device *dev, void *stream); /* waits; reports what failed since the last call */

    /* A stream's work recorded once and launched again as a whole; NULL: not on this backend, where memory is the
     * host's own and everything is done on return. What is queued between begin and end is recorded, not run; nothing
     * may be allocated or waited for meanwhile. graph NULL gives the recording up. launch waits for nothing. */
    cug_status (*graph_begin)(cug_device *dev, void *stream);
    cug_status (*graph_end)(cug_device *dev, void **graph, void *stream);
    cug_status (*graph_launch)(cug_device *dev, void *graph, void *stream);
    void (*graph_free)(cug_device *dev, void *graph); /* NULL is safe */

    /* Batches filled and sent ahead of their use, on a thread and a stream of their own; NULL: not on this backend.
     * take puts the next batch into backend memory, in order with the stream's work, and waits on the host alone; at
     * the end *n = 0. A failed fill is reported there, after the batches before it. close stops the thread and waits
     * for what the device still reads. */
    cug_status (*ring_open)(void **ring, cug_device *dev, int max_batch, size_t pixel_bytes, cug_ring_fill *fill,
                            void *user);
    cug_status (*ring_take)(void *ring, uint8_t *pixels, int32_t *labels, int32_t *ids, int *n, void *stream);
    void (*ring_close)(void *ring); /* NULL is safe */
    /* Seconds so far that take has waited for a batch, and that the thread has waited for room to put one. */
    void (*ring_waits)(void *ring, double *take, double *room);
    size_t (*ring_bytes)(int max_batch, size_t pixel_bytes); /* of backend memory that a ring takes */

    /* Names what the calling thread does from push to pop, for a profiler; ranges nest. NULL: nobody would see them.
     * The name is read before push returns. */
    void (*range_push)(const char *name);
    void (*range_pop)(void);

    const cug_timing *timing; /* NULL: the host's clock, and no peaks */

    /* Ops; a NULL table: this backend does not have it. */
    const cug_conv2d_ops *conv2d;
    const cug_conv_block_ops *conv_block;
    const cug_pool2d_ops *pool2d;
    const cug_linear_ops *linear;
    const cug_bias_ops *bias;
    const cug_batch_norm_ops *batch_norm;
    const cug_activation_ops *activation;
    const cug_dropout_ops *dropout;
    const cug_add_ops *add;
    const cug_concat_ops *concat;
    const cug_loss_ops *softmax_xent;
    const cug_loss_ops *bce_logits;
    const cug_loss_ops *mse;
    const cug_normalize_ops *normalize;
    const cug_optimizer_ops *optimizer;
    const cug_metrics_ops *metrics;
    const cug_step_ops *step;
} cug_backend;

extern CUG_API const cug_backend cug_backend_ref; /* float64, plain loops, one thread */
extern CUG_API const cug_backend cug_backend_cpu; /* float32, all cores */

/* "ref", "cpu", "cuda"; NULL when this build has no such backend. */
CUG_API const cug_backend *cug_backend_find(const char *name);
/* The i-th backend of this build, NULL past the end. */
CUG_API const cug_backend *cug_backend_at(int i);

#ifdef __cplusplus
}
#endif
#endif
