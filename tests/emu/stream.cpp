// stream.cpp - streams, events and copies of the emulated runtime.
//
// Nothing runs when it is queued. Work runs when the host waits for it, asks about it, or makes a call that blocks; and
// each time the next piece is chosen by EMU_STREAMS among all whose predecessors (in the stream, through events) have
// run. A wait that a program forgot so becomes a wrong order.
#include "stream.h"

#include <chrono>
#include <cstdio>

namespace emu {
namespace {
std::vector<OpRef> &pending = *new std::vector<OpRef>; // in the order of issue
std::vector<CUstream_st *> &all_streams = *new std::vector<CUstream_st *>;
std::vector<CUevent_st *> &all_events = *new std::vector<CUevent_st *>;
CUstream_st &legacy = *new CUstream_st;
std::vector<Lane *> &idle_lanes = *new std::vector<Lane *>;
char everything; // mark: after all that has run

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// FNV-1a over 8 bytes at a time. In pieces copied past the sanitizer: a later copy may have closed this memory already.
uint64_t sum_of(const void *p, size_t bytes) {
    uint64_t h = 0xcbf29ce484222325ull, words[512];
    for (size_t i = 0; i < bytes; i += sizeof words) {
        const size_t n = bytes - i < sizeof words ? bytes - i : sizeof words;
        words[(n - 1) / 8] = 0;
        raw_copy(words, static_cast<const char *>(p) + i, n);
        somebody_wrote(words, sizeof words); // gaps between arrays are copied as well
        for (size_t k = 0; k < (n + 7) / 8; k++) {
            h = (h ^ words[k]) * 0x100000001b3ull;
            h ^= h >> 29;
        }
    }
    return h | 1; // 0: none
}

bool overlap(const void *a, size_t na, const void *b, size_t nb) {
    const char *x = static_cast<const char *>(a), *y = static_cast<const char *>(b);
    return x && y && x < y + nb && y < x + na;
}

// The host may not touch what a queued copy will write (seen under ASan).
void close_destinations() {
#ifdef EMU_ASAN
    for (const OpRef &op : pending)
        if (op->writes) close_bytes(op->writes, op->bytes);
#endif
}

void execute(const OpRef &op) {
    if (op->reads && op->sum && op->sum != sum_of(op->reads, op->bytes))
        fail("%s: the host changed pinned memory (%p, %zu bytes) before the copy queued from it had run", op->name,
             op->reads, op->bytes);
#ifdef EMU_ASAN
    if (op->writes) open_bytes(op->writes, op->bytes);
#endif
    open_device_memory();
    const Identity host = own_identity();
    become(op->lane->self);
    for (const OpRef &a : op->after) comes_after(&a->ran);
    comes_after(&op->issued);
    if (op->work) op->work(op->lane);
    comes_before(&op->ran);
    comes_before(&everything);
    become(host);
    close_device_memory();
    op->done = true;
    op->time = now();
    op->after.clear();
    op->work = nullptr;
}

bool runnable(const OpRef &op) {
    for (const OpRef &a : op->after)
        if (!a->done) return false;
    return true;
}
} // namespace

// Copies as ThreadSanitizer sees them: what the stream does, at the time it runs.
static void copy_now(void *to, const void *from, size_t bytes, const void *from_program) {
    show();
    if (from_program) reads(from_program, bytes);
    writes(to, bytes);
    hide();
    raw_copy(to, from, bytes);
}

// A lane is hidden but for what it copies; its kernels' threads are not.
Lane *new_lane() {
    if (!idle_lanes.empty()) {
        Lane *l = idle_lanes.back();
        idle_lanes.pop_back();
        return l;
    }
    Lane *l = new Lane{new_identity(), {}};
    const Identity host = own_identity();
    become(l->self);
    hide();
    become(host);
    return l;
}
void give_back_lane(Lane *lane) { idle_lanes.push_back(lane); }

std::vector<CUstream_st *> &streams() { return all_streams; }
int live_streams() { return static_cast<int>(all_streams.size()); }
int live_events() { return static_cast<int>(all_events.size()); }

void run_one() {
    std::vector<size_t> ready;
    for (size_t i = 0; i < pending.size(); i++)
        if (runnable(pending[i])) ready.push_back(i);
    if (ready.empty()) {
        if (!pending.empty()) fail("queued work waits for itself");
        return;
    }
    Order &order = settings().streams;
    size_t i = ready.front();
    if (order.kind == Order::BACKWARD) i = ready.back();
    if (order.kind == Order::RANDOM) i = ready[order.below(static_cast<unsigned>(ready.size()))];
    const OpRef op = pending[i];
    pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(i));
    execute(op);
    if (op->writes) close_destinations();
}

void run_until(const OpRef &op) {
    while (op && !op->done) run_one();
    if (op) comes_after(&op->ran);
}

void drain_everything() {
    while (!pending.empty()) run_one();
    comes_after(&everything);
}

void submit(const OpRef &op) {
    comes_before(&op->issued);
    if (op->reads) {
        bool written = false; // by a copy still to come: then it may change
        for (const OpRef &p : pending) written = written || overlap(p->writes, p->bytes, op->reads, op->bytes);
        op->sum = written ? 0 : sum_of(op->reads, op->bytes);
    }
    pending.push_back(op);
    if (op->writes) close_destinations();
}

OpRef enqueue(CUstream_st *s, Op op) {
    if (!s->lane) s->lane = new_lane();
    op.lane = s->lane;
    if (s->capture) {
        s->capture->nodes.push_back({std::move(op), s->tail});
        s->tail = {static_cast<int>(s->capture->nodes.size()) - 1};
        return nullptr;
    }
    auto ref = std::make_shared<Op>(std::move(op));
    if (s->last) ref->after.push_back(s->last);
    if (s == &legacy) { // waits for, and holds up, every stream that is not cudaStreamNonBlocking
        for (CUstream_st *o : all_streams)
            if (!(o->flags & cudaStreamNonBlocking) && o->last) ref->after.push_back(o->last);
    } else if (!(s->flags & cudaStreamNonBlocking) && legacy.last) {
        ref->after.push_back(legacy.last);
    }
    s->last = ref;
    submit(ref);
    return ref;
}

CUstream_st *stream_of(cudaStream_t handle, const char *who) {
    if (!handle || handle == cudaStreamLegacy) return &legacy;
    if (handle == cudaStreamPerThread) fail("%s: the per-thread default stream is not emulated", who);
    for (CUstream_st *s : all_streams)
        if (s == handle) return s;
    fail("%s: stream %p was destroyed or never created", who, static_cast<void *>(handle));
}

bool capturing() {
    for (const CUstream_st *s : all_streams)
        if (s->capture) return true;
    return false;
}

cudaError_t refuse_in_capture() {
    for (CUstream_st *s : all_streams)
        if (s->capture) s->capture->broken = true;
    return cudaErrorStreamCaptureUnsupported;
}

bool legacy_in_capture(const CUstream_st *s) {
    if (s != &legacy || !capturing()) return false;
    (void)refuse_in_capture();
    return true;
}

void refuse_pending_host(const void *p, size_t bytes, const char *who) {
    for (const OpRef &op : pending)
        if (overlap(op->reads, op->bytes, p, bytes) || overlap(op->writes, op->bytes, p, bytes))
            fail("%s of pinned memory that a queued copy still uses", who);
}

static CUevent_st *event_of(cudaEvent_t handle, const char *who) {
    for (CUevent_st *e : all_events)
        if (e == handle) return e;
    fail("%s: event %p was destroyed or never created", who, static_cast<void *>(handle));
}

// Device addresses are checked at once, so that the caller is still on the stack.
static cudaError_t copy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, CUstream_st *s, bool blocks) {
    const char *who = blocks ? "cudaMemcpy" : "cudaMemcpyAsync";
    if (kind == cudaMemcpyDefault)
        kind = is_device(to) ? is_device(from) ? cudaMemcpyDeviceToDevice : cudaMemcpyHostToDevice
                             : cudaMemcpyDeviceToHost;
    const bool up = kind == cudaMemcpyHostToDevice, down = kind == cudaMemcpyDeviceToHost;
    if (!up && !down && kind != cudaMemcpyDeviceToDevice) return cudaErrorInvalidMemcpyDirection;
    if (!bytes) return cudaSuccess;
    if (!down) check_range(to, bytes, who);
    if (!up) check_range(from, bytes, who);
    if ((up && is_device(from)) || (down && is_device(to)))
        fail("%s: the wrong kind: both sides are device memory", who);
    if (legacy_in_capture(s)) return cudaErrorStreamCaptureImplicit;
    const bool pinned = up ? is_pinned(from, bytes) : down && is_pinned(to, bytes);
    if ((up || down) && !pinned && s->capture) {
        (void)refuse_in_capture();
        return cudaErrorStreamCaptureUnsupported;
    }
    Op op{};
    op.name = who;
    op.bytes = bytes;
    if (up && !pinned) { // CUDA stages pageable memory before it returns
        auto staged = std::make_shared<std::vector<char>>(static_cast<const char *>(from),
                                                          static_cast<const char *>(from) + bytes);
        op.work = [=](Lane *) { copy_now(to, staged->data(), bytes, nullptr); };
    } else {
        op.work = [=](Lane *) { copy_now(to, from, bytes, from); };
        op.reads = up ? from : nullptr;
        op.writes = down && pinned ? to : nullptr;
    }
    const OpRef ref = enqueue(s, std::move(op));
    if (blocks || (down && !pinned)) run_until(ref);
    return cudaSuccess;
}

} // namespace emu

using namespace emu;

extern "C" {
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
    EMU_ENTRY();
    return remember(copy(to, from, bytes, kind, stream_of(nullptr, __func__), true));
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
    EMU_ENTRY();
    return remember(copy(to, from, bytes, kind, stream_of(stream, __func__), false));
}

cudaError_t cudaMemsetAsync(void *to, int byte, size_t bytes, cudaStream_t stream) {
    EMU_ENTRY();
    CUstream_st *s = stream_of(stream, __func__);
    if (legacy_in_capture(s)) return remember(cudaErrorStreamCaptureImplicit);
    if (!bytes) return cudaSuccess;
    check_range(to, bytes, __func__);
    Op op{};
    op.name = __func__;
    op.work = [=](Lane *) {
        show();
        writes(to, bytes);
        hide();
        raw_fill(to, byte, bytes);
    };
    enqueue(s, std::move(op));
    return cudaSuccess;
}

cudaError_t cudaMemset(void *to, int byte, size_t bytes) { return cudaMemsetAsync(to, byte, bytes, nullptr); }

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags) {
    EMU_ENTRY();
    if (!settings().devices) return remember(cudaErrorNoDevice);
    if (!out || flags & ~static_cast<unsigned>(cudaStreamNonBlocking)) return remember(cudaErrorInvalidValue);
    *out = new CUstream_st;
    (*out)->flags = flags;
    all_streams.push_back(*out);
    return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *out) { return cudaStreamCreateWithFlags(out, cudaStreamDefault); }

cudaError_t cudaStreamDestroy(cudaStream_t stream) { // its work goes on
    EMU_ENTRY();
    CUstream_st *s = stream_of(stream, __func__);
    if (s == &legacy) return remember(cudaErrorInvalidResourceHandle);
    for (size_t i = 0; i < all_streams.size(); i++)
        if (all_streams[i] == s) all_streams.erase(all_streams.begin() + static_cast<std::ptrdiff_t>(i));
    if (s->lane) give_back_lane(s->lane);
    delete s;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    EMU_ENTRY();
    CUstream_st *s = stream_of(stream, __func__);
    if (s->capture || legacy_in_capture(s)) return remember(refuse_in_capture());
    run_until(s->last);
    return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
    EMU_ENTRY();
    CUstream_st *s = stream_of(stream, __func__);
    if (s->capture || legacy_in_capture(s)) return remember(refuse_in_capture());
    if (!s->last || s->last->done) {
        run_until(s->last);
        return cudaSuccess;
    }
    run_one(); // so that a loop of queries ends
    return cudaErrorNotReady;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
    EMU_ENTRY();
    (void)flags;
    CUstream_st *s = stream_of(stream, __func__);
    const CUevent_st *e = event_of(event, __func__);
    if (e->capture) { // joins the capture the event was recorded in
        if (s->capture && s->capture != e->capture) return remember(cudaErrorStreamCaptureMerge);
        s->capture = e->capture;
        s->tail.insert(s->tail.end(), e->tail.begin(), e->tail.end());
        return cudaSuccess;
    }
    if (s->capture) return remember(cudaErrorStreamCaptureIsolation);
    if (!e->mark) return cudaSuccess;
    Op op{};
    op.name = __func__;
    op.after = {e->mark};
    enqueue(s, std::move(op));
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags) {
    EMU_ENTRY();
    if (!settings().devices) return remember(cudaErrorNoDevice);
    if (!out) return remember(cudaErrorInvalidValue);
    *out = new CUevent_st;
    (*out)->flags = flags;
    all_events.push_back(*out);
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *out) { return cudaEventCreateWithFlags(out, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    EMU_ENTRY();
    CUevent_st *e = event_of(event, __func__);
    for (size_t i = 0; i < all_events.size(); i++)
        if (all_events[i] == e) all_events.erase(all_events.begin() + static_cast<std::ptrdiff_t>(i));
    delete e;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    EMU_ENTRY();
    CUstream_st *s = stream_of(stream, __func__);
    CUevent_st *e = event_of(event, __func__);
    if (legacy_in_capture(s)) return remember(cudaErrorStreamCaptureImplicit);
    e->capture = s->capture;
    e->tail = s->tail;
    if (s->capture) return cudaSuccess;
    Op op{};
    op.name = __func__;
    e->mark = enqueue(s, std::move(op));
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    EMU_ENTRY();
    CUevent_st *e = event_of(event, __func__);
    if (e->capture) return remember(cudaErrorCapturedEvent);
    run_until(e->mark);
    return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
    EMU_ENTRY();
    CUevent_st *e = event_of(event, __func__);
    if (e->capture) return remember(cudaErrorCapturedEvent);
    if (!e->mark || e->mark->done) {
        run_until(e->mark);
        return cudaSuccess;
    }
    run_one();
    return cudaErrorNotReady;
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to) {
    EMU_ENTRY();
    const CUevent_st *a = event_of(from, __func__), *b = event_of(to, __func__);
    if ((a->flags | b->flags) & cudaEventDisableTiming || !a->mark || !b->mark)
        return remember(cudaErrorInvalidResourceHandle);
    if (!a->mark->done || !b->mark->done) return remember(cudaErrorNotReady);
    *ms = static_cast<float>((b->mark->time - a->mark->time) * 1e3);
    return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize(void) {
    EMU_ENTRY();
    if (capturing()) return remember(refuse_in_capture());
    drain_everything();
    return cudaSuccess;
}
} // extern "C"
