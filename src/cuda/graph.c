/* graph.c - a stream's work recorded as a CUDA graph and launched again. */
#include "cuda/cuda.h"

/* Only this thread's calls are watched: the ring's thread goes on with its copies meanwhile. */
cug_status cug_cuda_graph_begin(cug_device *dev, void *stream) {
    CUG_TRY(cug_cuda_enter(dev));
    CUDA_TRY(dev, cudaStreamBeginCapture(cug_cuda_stream(dev, stream), cudaStreamCaptureModeThreadLocal));
    return CUG_OK;
}

cug_status cug_cuda_graph_end(cug_device *dev, void **graph, void *stream) {
    cudaGraph_t recorded = NULL;
    cudaGraphExec_t exec = NULL;
    cudaError_t err = cudaStreamEndCapture(cug_cuda_stream(dev, stream), &recorded);
    if (!graph) { /* given up: the caller's own error is the one to show */
        if (recorded) (void)cudaGraphDestroy(recorded);
        (void)cudaGetLastError();
        return CUG_OK;
    }
    *graph = NULL;
    if (err != cudaSuccess) return cug_cuda_fail(dev, err, "cudaStreamEndCapture");
    err = cudaGraphInstantiate(&exec, recorded, 0);
    (void)cudaGraphDestroy(recorded);
    if (err != cudaSuccess) return cug_cuda_fail(dev, err, "cudaGraphInstantiate");
    *graph = exec;
    return CUG_OK;
}

cug_status cug_cuda_graph_launch(cug_device *dev, void *graph, void *stream) {
    CUG_TRY(cug_cuda_enter(dev));
    CUDA_TRY(dev, cudaGraphLaunch((cudaGraphExec_t)graph, cug_cuda_stream(dev, stream)));
    return CUG_OK;
}

/* Launches still queued read the graph. */
void cug_cuda_graph_free(cug_device *dev, void *graph) {
    if (!graph || cudaSetDevice(dev->ordinal) != cudaSuccess) return;
    (void)cudaStreamSynchronize(dev->compute);
    (void)cudaGraphExecDestroy((cudaGraphExec_t)graph);
}
