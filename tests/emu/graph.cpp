// graph.cpp - capture of streams into graphs, and their launches. A launched graph is its operations with the order
// that the capture saw between them, so that two branches that lack an event run in the wrong order here as well.
#include "stream.h"

namespace emu {
static std::vector<CUgraph_st *> &graphs = *new std::vector<CUgraph_st *>;
static std::vector<CUgraphExec_st *> &execs = *new std::vector<CUgraphExec_st *>;

int live_graphs() { return static_cast<int>(graphs.size() + execs.size()); }

template <class T> static bool known(const std::vector<T *> &list, const T *p) {
    for (const T *q : list)
        if (q == p) return true;
    return false;
}

template <class T> static void remove(std::vector<T *> &list, T *p, const char *who) {
    for (size_t i = 0; i < list.size(); i++)
        if (list[i] == p) {
            list.erase(list.begin() + static_cast<std::ptrdiff_t>(i));
            delete p;
            return;
        }
    fail("%s: %p was destroyed or never created", who, static_cast<void *>(p));
}

// Every captured node has to come before the end of the stream where the capture began.
static bool all_joined(const CUgraph_st &g, const std::vector<int> &tail) {
    std::vector<char> seen(g.nodes.size(), 0);
    for (int i : tail) seen[static_cast<size_t>(i)] = 1;
    for (size_t i = g.nodes.size(); i-- > 0;)
        if (seen[i])
            for (int j : g.nodes[i].after) seen[static_cast<size_t>(j)] = 1;
    for (char c : seen)
        if (!c) return false;
    return true;
}
} // namespace emu

using namespace emu;

extern "C" {
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode) {
    EMU_ENTRY();
    (void)mode; // the strictest: no call of this process that may not be captured
    CUstream_st *s = stream_of(stream, __func__);
    if (!stream || stream == cudaStreamLegacy) return remember(cudaErrorStreamCaptureUnsupported);
    if (s->capture) return remember(cudaErrorIllegalState);
    s->capture = new CUgraph_st;
    s->origin = true;
    s->tail.clear();
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out) {
    EMU_ENTRY();
    CUstream_st *s = stream_of(stream, __func__);
    *out = nullptr;
    if (!s->capture) return remember(cudaErrorIllegalState);
    if (!s->origin) return remember(cudaErrorStreamCaptureUnmatched);
    CUgraph_st *g = s->capture;
    const bool joined = all_joined(*g, s->tail);
    for (CUstream_st *o : streams()) {
        if (o->capture != g) continue;
        o->capture = nullptr;
        o->origin = false;
        o->tail.clear();
    }
    if (g->broken || !joined) {
        const cudaError_t err = g->broken ? cudaErrorStreamCaptureInvalidated : cudaErrorStreamCaptureUnjoined;
        delete g;
        return remember(err);
    }
    graphs.push_back(g);
    *out = g;
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *status) {
    EMU_ENTRY();
    const CUstream_st *s = stream_of(stream, __func__);
    *status = !s->capture          ? cudaStreamCaptureStatusNone
              : s->capture->broken ? cudaStreamCaptureStatusInvalidated
                                   : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags) {
    EMU_ENTRY();
    (void)flags;
    if (!known(graphs, graph)) fail("cudaGraphInstantiate: no such graph");
    *out = new CUgraphExec_st{graph->nodes, nullptr};
    execs.push_back(*out);
    return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream) {
    EMU_ENTRY();
    (void)stream_of(stream, __func__);
    if (!known(execs, exec)) fail("cudaGraphUpload: no such graph");
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
    EMU_ENTRY();
    CUstream_st *s = stream_of(stream, __func__);
    if (!known(execs, exec)) fail("cudaGraphLaunch: no such graph");
    if (s->capture) return remember(refuse_in_capture()); // a graph inside a graph: nobody needs it
    Op start{}, end{};
    start.name = end.name = __func__;
    if (exec->last) start.after.push_back(exec->last);
    const OpRef first = enqueue(s, std::move(start));
    std::vector<OpRef> ops;
    for (const Node &n : exec->nodes) {
        auto op = std::make_shared<Op>(n.op);
        op->after = {first};
        for (int i : n.after) op->after.push_back(ops[static_cast<size_t>(i)]);
        submit(op);
        ops.push_back(op);
    }
    end.after = ops;
    exec->last = enqueue(s, std::move(end));
    return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count) {
    EMU_ENTRY();
    if (nodes) return remember(cudaErrorNotSupported); // only the count is emulated
    *count = graph->nodes.size();
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    EMU_ENTRY();
    remove(graphs, static_cast<CUgraph_st *>(graph), __func__);
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
    EMU_ENTRY();
    remove(execs, static_cast<CUgraphExec_st *>(exec), __func__);
    return cudaSuccess;
}
} // extern "C"
