// bugs_host.cu - the emulator held against bugs it must find: those of host code, with streams, events, memory, graphs.
#include "bugs.h"

#include <cstring>
#include <pthread.h>

enum { COUNT = 64, BATCHES = 6 };

__global__ void add_kernel(float *y, const float *x, int n) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < n) y[i] += x[i];
}

static cudaStream_t new_stream() {
    cudaStream_t s;
    OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
    return s;
}

static cudaEvent_t new_event() {
    cudaEvent_t e;
    OK(cudaEventCreateWithFlags(&e, cudaEventDisableTiming));
    return e;
}

static float *pinned_floats(int n) {
    void *p;
    OK(cudaHostAlloc(&p, static_cast<size_t>(n) * sizeof(float), cudaHostAllocDefault));
    return static_cast<float *>(p);
}

// A staging ring: two pinned slots, two device batches, a copy stream and a compute stream.
int staging(int bug) {
    float *slot[2], *batch[2], *y = device_floats(COUNT);
    cudaEvent_t copied[2], released[2];
    cudaStream_t copy = new_stream(), compute = new_stream(), second = new_stream();
    for (int i = 0; i < 2; i++) {
        slot[i] = pinned_floats(COUNT);
        batch[i] = device_floats(COUNT);
        copied[i] = new_event();
        released[i] = new_event();
    }
    OK(cudaMemsetAsync(y, 0, COUNT * sizeof(float), compute));
    for (int b = 0; b < BATCHES; b++) {
        const int s = b % 2;
        if (b >= 2 && bug != 1) OK(cudaEventSynchronize(copied[s])); // bug 1: a slot is filled again too early
        for (int i = 0; i < COUNT; i++) slot[s][i] = static_cast<float>(b * COUNT + i);
        if (b >= 2 && bug != 2) OK(cudaStreamWaitEvent(copy, released[s], 0)); // bug 2: a batch still being read
        if (bug == 3) OK(cudaEventRecord(copied[s], copy));                    // bug 3: recorded before the copy
        OK(cudaMemcpyAsync(batch[s], slot[s], COUNT * sizeof(float), cudaMemcpyHostToDevice, copy));
        if (bug != 3) OK(cudaEventRecord(copied[s], copy));
        if (bug != 4) OK(cudaStreamWaitEvent(compute, copied[bug == 5 ? 1 - s : s], 0)); // 4: none; 5: the wrong one
        const cudaStream_t adds = bug == 6 ? copy : bug == 9 && s ? second : compute;    // 6: wrong stream; 9: in turn
        if (bug == 9) OK(cudaStreamWaitEvent(second, copied[s], 0));
        OK(CUG_LAUNCH(add_kernel, 1, COUNT, 0, adds, y, batch[s], COUNT));
        if (bug == 9 && s) OK(cudaEventRecord(released[s], second));
        if (bug == 9 && s) continue;
        if (bug == 7) OK(cudaEventRecord(released[s], copy)); // bug 7: of the wrong stream
        if (bug != 7) OK(cudaEventRecord(released[s], compute));
    }
    OK(cudaStreamSynchronize(bug == 8 ? copy : compute)); // bug 8: waits for the copies alone
    OK(cudaStreamSynchronize(second));
    float *h = pinned_floats(COUNT);
    OK(cudaMemcpyAsync(h, y, COUNT * sizeof(float), cudaMemcpyDeviceToHost, copy));
    OK(cudaStreamSynchronize(copy));
    int bad = 0;
    for (int i = 0; i < COUNT; i++) bad |= h[i] != static_cast<float>(BATCHES * i + COUNT * 15);
    OK(cudaDeviceSynchronize());
    for (int i = 0; i < 2; i++) {
        OK(cudaFreeHost(slot[i]));
        OK(cudaFree(batch[i]));
        OK(cudaEventDestroy(copied[i]));
        OK(cudaEventDestroy(released[i]));
    }
    OK(cudaFreeHost(h));
    OK(cudaFree(y));
    OK(cudaStreamDestroy(copy));
    OK(cudaStreamDestroy(compute));
    OK(cudaStreamDestroy(second));
    return bad;
}

// A result on its way to the host.
int results(int bug) {
    float *x = device_ramp(COUNT, 1.0f, 1.0f), *y = device_floats(COUNT), *h = pinned_floats(COUNT);
    cudaStream_t s = new_stream(), other = new_stream();
    memset(h, 0, COUNT * sizeof(float));
    if (bug != 1) OK(cudaMemsetAsync(y, 0, COUNT * sizeof(float), s)); // bug 1: adds to what nobody wrote
    OK(CUG_LAUNCH(add_kernel, 1, COUNT, 0, s, y, x, COUNT));
    OK(cudaMemcpyAsync(h, y, COUNT * sizeof(float), cudaMemcpyDeviceToHost, bug == 2 ? other : s)); // 2: wrong stream
    if (bug == 3) h[0] = 5.0f; // bug 3: the host writes where a copy will
    if (bug == 4) OK(cudaFreeHost(h));
    if (bug != 5) OK(cudaStreamSynchronize(bug == 2 ? other : s)); // bug 5: nobody waits
    int bad = 0;
    for (int i = 0; i < COUNT; i++) bad |= h[i] != static_cast<float>(i + 1);
    if (bug == 6) bad |= x[0] != 1.0f; // bug 6: the host reads device memory
    if (bug == 7) y[0] = 1.0f;         // bug 7: and writes it
    OK(cudaDeviceSynchronize());
    OK(cudaFree(x));
    OK(cudaFree(y));
    OK(cudaFreeHost(h));
    OK(cudaStreamDestroy(s));
    OK(cudaStreamDestroy(other));
    return bad;
}

// What is opened is closed, once, and not used after.
int handles(int bug) {
    cudaStream_t s = new_stream();
    cudaEvent_t e = new_event();
    float *y = device_floats(COUNT), *h = pinned_floats(1);
    if (bug == 1) OK(cudaStreamDestroy(s));
    if (bug == 2) OK(cudaEventDestroy(e));
    OK(cudaMemsetAsync(y, 0, COUNT * sizeof(float), s));
    OK(cudaEventRecord(e, s));
    OK(cudaEventSynchronize(e));
    if (bug == 3) return 0; // nothing is given back
    if (bug != 4) OK(cudaStreamDestroy(s));
    if (bug != 5) OK(cudaEventDestroy(e));
    if (bug != 6) OK(cudaFree(y));
    if (bug != 7) OK(cudaFreeHost(h));
    if (bug == 8) OK(cudaFree(y));
    return 0;
}

// Pointers and sizes.
int memory(int bug) {
    float host[COUNT] = {}, *x = device_ramp(COUNT, 0.0f, 1.0f), *y = device_floats(COUNT);
    const size_t bytes = COUNT * sizeof(float);
    OK(cudaMemcpy(y, host, bug == 1 ? bytes + 4 : bytes, cudaMemcpyHostToDevice)); // bug 1: past the end
    if (bug == 2) OK(cudaMemcpy(host, x, bytes, cudaMemcpyHostToDevice));          // bug 2: the wrong way
    if (bug == 3) OK(cudaFree(x));                                                 // bug 3: used after it is freed
    OK(CUG_LAUNCH(add_kernel, bug == 4 ? 0 : 1, bug == 5 ? 2048 : COUNT, 0, nullptr, bug == 6 ? host : y, x,
                  bug == 7 ? COUNT + 1 : COUNT)); // 4: no blocks; 5: too many threads; 6: a host pointer
    if (bug == 7) OK(CUG_LAUNCH(add_kernel, 2, COUNT, 0, nullptr, y, x, COUNT + 1)); // bug 7: one past the end
    OK(cudaDeviceSynchronize());
    OK(cudaFree(bug == 8 ? x + 1 : x)); // bug 8: not the beginning
    return differ(y, COUNT, [](int i) { return static_cast<float>(i); });
}

// Two streams captured into one graph, launched three times: x is doubled on one side, added on the other.
int graphs(int bug) {
    float *x = device_floats(COUNT), *y = device_floats(COUNT), *pinned = pinned_floats(COUNT);
    cudaStream_t s = new_stream(), side = new_stream();
    cudaEvent_t fork = new_event(), join = new_event();
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    for (int i = 0; i < COUNT; i++) pinned[i] = static_cast<float>(i);
    OK(cudaMemsetAsync(y, 0, COUNT * sizeof(float), s));
    OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
    if (bug == 1) OK(cudaStreamSynchronize(s)); // not in a capture
    if (bug == 2) (void)device_floats(4);       // neither
    OK(cudaEventRecord(fork, s));
    OK(cudaStreamWaitEvent(side, fork, 0));
    OK(cudaMemcpyAsync(x, pinned, COUNT * sizeof(float), cudaMemcpyHostToDevice, side));
    OK(cudaEventRecord(join, side));
    if (bug != 3) OK(cudaStreamWaitEvent(s, join, 0)); // bug 3: the branch never comes back
    OK(CUG_LAUNCH(add_kernel, 1, COUNT, 0, s, y, x, COUNT));
    if (bug == 4) { // bug 4: it comes back, but too late
        OK(CUG_LAUNCH(add_kernel, 1, COUNT, 0, side, x, x, COUNT));
        OK(cudaEventRecord(join, side));
        OK(cudaStreamWaitEvent(s, join, 0));
    }
    OK(cudaStreamEndCapture(s, &graph));
    OK(cudaGraphInstantiate(&exec, graph, 0));
    OK(cudaGraphDestroy(graph));
    if (bug == 5) OK(cudaFree(x)); // bug 5: its memory is gone
    for (int i = 0; i < 3; i++) OK(cudaGraphLaunch(exec, s));
    if (bug == 6) pinned[0] = 9.0f; // bug 6: the host writes what the graph will read
    OK(cudaStreamSynchronize(s));
    if (bug != 7) OK(cudaGraphExecDestroy(exec));
    OK(cudaFree(x));
    OK(cudaFreeHost(pinned));
    OK(cudaStreamDestroy(s));
    OK(cudaStreamDestroy(side));
    OK(cudaEventDestroy(fork));
    OK(cudaEventDestroy(join));
    return differ(y, COUNT, [](int i) { return static_cast<float>(3 * i); });
}

// A thread that fills pinned memory and queues its copies, while this one waits to be told; both call CUDA.
struct Producer {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int issued, bug;
    float *slot, *batch;
    cudaStream_t copy;
    cudaEvent_t copied;
};

static void issue(Producer *p) {
    if (p->bug != 1) pthread_mutex_lock(&p->lock); // bug 1: the count alone is atomic enough, says somebody
    __atomic_store_n(&p->issued, p->issued + 1, __ATOMIC_RELAXED);
    pthread_cond_signal(&p->changed);
    if (p->bug != 1) pthread_mutex_unlock(&p->lock);
}

static void *produce(void *arg) {
    Producer *p = static_cast<Producer *>(arg);
    if (p->bug == 2) issue(p); // bug 2: told before it is so
    for (int i = 0; i < COUNT; i++) p->slot[i] = static_cast<float>(i);
    OK(cudaMemcpyAsync(p->batch, p->slot, COUNT * sizeof(float), cudaMemcpyHostToDevice, p->copy));
    OK(cudaEventRecord(p->copied, p->copy));
    if (p->bug != 2) issue(p);
    return nullptr;
}

int threads(int bug) {
    Producer p = {};
    pthread_t thread;
    p.bug = bug;
    p.slot = pinned_floats(COUNT);
    p.batch = device_floats(COUNT);
    p.copy = new_stream();
    p.copied = new_event();
    pthread_mutex_init(&p.lock, nullptr);
    pthread_cond_init(&p.changed, nullptr);
    if (pthread_create(&thread, nullptr, produce, &p)) exit(3);
    pthread_mutex_lock(&p.lock);
    while (bug == 1 ? !__atomic_load_n(&p.issued, __ATOMIC_RELAXED) : !p.issued) {
        if (bug != 1) pthread_cond_wait(&p.changed, &p.lock);
    }
    pthread_mutex_unlock(&p.lock);
    int bad = 0;
    for (int i = 0; i < COUNT; i++) bad |= bug != 2 && p.slot[i] != static_cast<float>(i);
    if (bug == 2) p.slot[0] = 0.0f; // this thread's now, it believes; what it stores is what will be there
    pthread_join(thread, nullptr);
    OK(cudaStreamSynchronize(p.copy));
    OK(cudaFreeHost(p.slot));
    OK(cudaStreamDestroy(p.copy));
    OK(cudaEventDestroy(p.copied));
    pthread_mutex_destroy(&p.lock);
    pthread_cond_destroy(&p.changed);
    return differ(p.batch, COUNT, [](int i) { return static_cast<float>(i); }) || bad;
}
