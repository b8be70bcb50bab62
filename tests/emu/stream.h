// stream.h - queued work: every operation knows what it must wait for, and runs as late, and in as unfriendly an order,
// as that permits.
#ifndef CUG_EMU_STREAM_H
#define CUG_EMU_STREAM_H

#include "core.h"

#include <functional>

namespace emu {
struct Op {
    const char *name;
    std::function<void(Lane *)> work;
    std::vector<std::shared_ptr<Op>> after; // emptied when it has run
    bool done = false;
    double time = 0; // when it ran, seconds
    // Pinned host memory that it touches when it runs: what it reads must not change before, what it writes is not the
    // host's until then.
    const void *reads = nullptr;
    void *writes = nullptr;
    size_t bytes = 0;
    uint64_t sum = 0; // of what it reads
    Lane *lane = nullptr;
    char issued = 0, ran = 0; // marks of order, for ThreadSanitizer
};
typedef std::shared_ptr<Op> OpRef;

struct Node { // of a graph: an operation to copy, and the nodes it comes after
    Op op;
    std::vector<int> after;
};
} // namespace emu

struct CUgraph_st {
    std::vector<emu::Node> nodes;
    bool broken = false; // a call was made that may not be captured
};
struct CUgraphExec_st {
    std::vector<emu::Node> nodes;
    emu::OpRef last; // launches of one graph do not overlap
};
struct CUstream_st {
    unsigned flags = 0;
    emu::OpRef last;
    CUgraph_st *capture = nullptr;
    bool origin = false;   // the capture began here
    std::vector<int> tail; // captured nodes that the next one comes after
    emu::Lane *lane = nullptr;
};
struct CUevent_st {
    unsigned flags = 0;
    emu::OpRef mark;               // the last record
    CUgraph_st *capture = nullptr; // recorded inside this capture
    std::vector<int> tail;
};

namespace emu {
CUstream_st *stream_of(cudaStream_t handle, const char *who); // the legacy stream for 0; fails for one destroyed
OpRef enqueue(CUstream_st *s, Op op);                         // or captures it: NULL then
void submit(const OpRef &op);                                 // into the pool of work
void run_until(const OpRef &op);
void run_one(); // nothing happens if nothing is queued
cudaError_t refuse_in_capture();
void refuse_pending_host(const void *p, size_t bytes, const char *who);
bool legacy_in_capture(const CUstream_st *s); // the default stream, while another stream captures
std::vector<CUstream_st *> &streams();
} // namespace emu

#endif
