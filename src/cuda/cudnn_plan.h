/* cudnn_plan.h - from a product to an execution plan of cuDNN's; private to cudnn.c and the tests, which make plans for
 * the properties of a GPU that is not there. */
#ifndef CUG_CUDA_CUDNN_PLAN_H
#define CUG_CUDA_CUDNN_PLAN_H

#include "cuda/library.h"
#include "cuda/product.h"
#include <stdint.h>

#if CUG_HAVE_CUDNN

typedef struct cug_cudnn_wish {
    cug_product p;
    int bias, add;        /* y = conv + bias in one graph; out += conv */
    int nondeterministic; /* engines that may give other bits on another run are welcome */
} cug_cudnn_wish;

/* Names of the tensors in a graph. */
enum { CUG_DNN_X = 'x', CUG_DNN_W = 'w', CUG_DNN_Y = 'y', CUG_DNN_BIAS = 'b', CUG_DNN_SUM = 's' };

/* A plan with every descriptor it was made of. */
#define CUG_DNN_PARTS 16
typedef struct cug_cudnn_plan {
    cudnnBackendDescriptor_t part[CUG_DNN_PARTS];
    int parts;
    cudnnBackendDescriptor_t graph, plan; /* among the parts */
    size_t workspace;
    int64_t engine; /* its number, for reports */
} cug_cudnn_plan;

/* The finalised operation graph. No device is needed. On failure out->parts are still to be destroyed. */
cug_status cug_cudnn_make_graph(cug_cudnn_plan *out, const cug_cudnn_api *api, const cug_cudnn_wish *wish);
/* Graph and plan for a device of these properties: the first engine of the heuristics (mode A, then the fallback list)
 * whose notes are allowed and whose workspace fits. CUG_ENOTSUP: there is none. */
cug_status cug_cudnn_make_plan(cug_cudnn_plan *out, const cug_cudnn_api *api, const cug_cudnn_wish *wish,
                               cudnnBackendDescriptor_t properties);
void cug_cudnn_drop_plan(cug_cudnn_plan *p, const cug_cudnn_api *api);

/* May an engine with this note compute the wish? */
int cug_cudnn_allowed(const cug_cudnn_wish *wish, cudnnBackendNumericalNote_t note);

/* CUG_ENOTSUP or CUG_ECUDA, with the library's own words. */
cug_status cug_cudnn_failed(const cug_cudnn_api *api, const char *call, cudnnStatus_t s);

#define DNN_TRY(api, function, ...)                                                                                    \
    do {                                                                                                               \
        cudnnStatus_t dnn_status_ = (api)->function(__VA_ARGS__);                                                      \
        if (dnn_status_ != CUDNN_STATUS_SUCCESS) return cug_cudnn_failed(api, #function, dnn_status_);                 \
    } while (0)

#endif
#endif
