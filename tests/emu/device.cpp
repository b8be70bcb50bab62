// device.cpp - the emulated device: its properties, errors, kernel launches, and the report of what a program never
// gave back.
#include "stream.h"

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace emu {
namespace {
std::recursive_mutex &big_lock = *new std::recursive_mutex;
thread_local cudaError_t last_error = cudaSuccess;
thread_local const char *launch_name = "kernel";
struct Limit {
    const void *function;
    size_t bytes;
};
std::vector<Limit> &limits = *new std::vector<Limit>;
const size_t shared_default = 48 << 10;

size_t shared_most() { return arch() == 90 ? 227 << 10 : arch() == 80 ? 163 << 10 : 64 << 10; }
int threads_per_sm() { return arch() == 75 ? 1024 : 2048; }

// EMU_FAIL=cudaMalloc:3 or cudaMalloc:3:2: the third call of cudaMalloc returns error 2 (999, unknown, otherwise).
cudaError_t fault(const char *name) {
    static const char *wanted = getenv("EMU_FAIL");
    static int calls;
    const size_t n = strlen(name);
    if (!wanted || strncmp(wanted, name, n) || wanted[n] != ':') return cudaSuccess;
    char *rest;
    const long nth = strtol(wanted + n + 1, &rest, 10);
    if (++calls != nth) return cudaSuccess;
    return *rest == ':' ? static_cast<cudaError_t>(atoi(rest + 1)) : cudaErrorUnknown;
}

// What a program holds when it ends is a leak, as a leak checker would say. EMU_LEAKS=0: only said.
__attribute__((destructor)) void report_leaks() {
    const int counts[] = {live_device_blocks(), live_pinned_blocks(), live_streams(), live_events(),
                          live_graphs(),        live_ranges(),        live_cublas(),  live_cudnn()};
    const char *names[] = {"cudaMalloc", "pinned memory", "stream",          "event",
                           "graph",      "NVTX range",    "cuBLASLt object", "cuDNN object"};
    bool any = false;
    for (int i = 0; i < 8; i++) {
        if (!counts[i]) continue;
        fprintf(stderr, "%s %s x %d", any ? "," : "EMU LEAK: never freed:", names[i], counts[i]);
        any = true;
    }
    if (!any) return;
    fprintf(stderr, "\n");
    fflush(nullptr);
    const char *s = getenv("EMU_LEAKS");
    if (!s || strcmp(s, "0")) _exit(70);
}
} // namespace

BigLock::BigLock() {
    hide_locks();
    big_lock.lock();
    show_locks();
}
BigLock::~BigLock() {
    hide_locks();
    big_lock.unlock();
    show_locks();
}

Entry::Entry(const char *name) : injected(fault(name)) {}

cudaError_t remember(cudaError_t err) {
    if (err != cudaSuccess && err != cudaErrorNotReady) last_error = err;
    return err;
}

void name_launch(const char *name) { launch_name = name; }

size_t shared_limit(const void *function) {
    for (const Limit &l : limits)
        if (l.function == function) return l.bytes;
    return shared_default;
}

cudaError_t queue_launch(const cudaLaunchConfig_t *config, const void *function, Call *call) {
    Entry entry("cudaLaunchKernelEx");
    std::shared_ptr<Call> owned(call);
    if (entry.injected != cudaSuccess) return remember(entry.injected);
    const dim3 g = config->gridDim, b = config->blockDim;
    const size_t n = static_cast<size_t>(b.x) * b.y * b.z;
    if (!n || n > 1024 || b.z > 64 || !g.x || !g.y || !g.z || g.x > 0x7fffffff || g.y > 65535 || g.z > 65535)
        return remember(cudaErrorInvalidConfiguration);
    if (config->dynamicSmemBytes > shared_limit(function) || config->numAttrs) return remember(cudaErrorInvalidValue);
    CUstream_st *s = stream_of(config->stream, launch_name);
    if (legacy_in_capture(s)) return remember(cudaErrorStreamCaptureImplicit);
    const Kernel k{launch_name, function, g, b, config->dynamicSmemBytes, owned};
    owned->check();
    Op op{};
    op.name = launch_name;
    op.work = [k](Lane *lane) {
        k.call->check(); // a graph may be launched long after its memory was freed
        run_kernel(k, lane);
        check_guards(k.name);
    };
    enqueue(s, std::move(op));
    return cudaSuccess;
}
} // namespace emu

using namespace emu;

extern "C" {
#ifdef EMU_TSAN
// The first race ends the process.
__attribute__((visibility("default"))) const char *__tsan_default_options();
const char *__tsan_default_options() { return "halt_on_error=1:exitcode=66:report_thread_leaks=0:atexit_sleep_ms=0"; }
#endif
cudaError_t cudaGetDeviceCount(int *count) {
    EMU_ENTRY();
    if (settings().old_driver) return remember(cudaErrorInsufficientDriver);
    *count = settings().devices;
    return *count ? cudaSuccess : remember(cudaErrorNoDevice);
}

cudaError_t cudaSetDevice(int device) {
    EMU_ENTRY();
    return device >= 0 && device < settings().devices ? cudaSuccess : remember(cudaErrorInvalidDevice);
}

cudaError_t cudaGetDevice(int *device) {
    EMU_ENTRY();
    *device = 0;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device) {
    EMU_ENTRY();
    if (device < 0 || device >= settings().devices) return remember(cudaErrorInvalidDevice);
    *p = cudaDeviceProp();
    snprintf(p->name, sizeof p->name, "emulated sm_%d", arch());
    p->major = arch() / 10;
    p->minor = arch() % 10;
    p->totalGlobalMem = settings().memory;
    p->multiProcessorCount = 4;
    p->warpSize = 32;
    p->maxThreadsPerBlock = 1024;
    p->maxThreadsPerMultiProcessor = threads_per_sm();
    p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024;
    p->maxThreadsDim[2] = 64;
    p->maxGridSize[0] = 0x7fffffff;
    p->maxGridSize[1] = p->maxGridSize[2] = 65535;
    p->sharedMemPerBlock = shared_default;
    p->sharedMemPerBlockOptin = shared_most();
    p->sharedMemPerMultiprocessor = shared_most() + 1024;
    p->regsPerBlock = p->regsPerMultiprocessor = 65536;
    p->totalConstMem = 65536;
    p->l2CacheSize = 4 << 20;
    p->memoryBusWidth = 256;
    p->asyncEngineCount = 2;
    p->concurrentKernels = 1;
    p->unifiedAddressing = 1;
    p->cooperativeLaunch = 0; // grid barriers are not emulated
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device) {
    EMU_ENTRY();
    cudaDeviceProp p;
    const cudaError_t err = cudaGetDeviceProperties(&p, device);
    if (err != cudaSuccess) return err;
    switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor:
        *value = p.major;
        break;
    case cudaDevAttrComputeCapabilityMinor:
        *value = p.minor;
        break;
    case cudaDevAttrMultiProcessorCount:
        *value = p.multiProcessorCount;
        break;
    case cudaDevAttrMaxThreadsPerBlock:
        *value = p.maxThreadsPerBlock;
        break;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
        *value = p.maxThreadsPerMultiProcessor;
        break;
    case cudaDevAttrMaxSharedMemoryPerBlock:
        *value = static_cast<int>(p.sharedMemPerBlock);
        break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = static_cast<int>(p.sharedMemPerBlockOptin);
        break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
        *value = static_cast<int>(p.sharedMemPerMultiprocessor);
        break;
    case cudaDevAttrL2CacheSize:
        *value = p.l2CacheSize;
        break;
    case cudaDevAttrWarpSize:
        *value = p.warpSize;
        break;
    case cudaDevAttrGlobalMemoryBusWidth:
        *value = p.memoryBusWidth;
        break;
    case cudaDevAttrAsyncEngineCount:
        *value = p.asyncEngineCount;
        break;
    case cudaDevAttrClockRate:
        *value = 1000000;
        break;
    case cudaDevAttrMemoryClockRate:
        *value = 1000000;
        break;
    case cudaDevAttrMaxGridDimX:
        *value = p.maxGridSize[0];
        break;
    case cudaDevAttrMaxGridDimY:
        *value = p.maxGridSize[1];
        break;
    case cudaDevAttrCooperativeLaunch:
        *value = p.cooperativeLaunch;
        break;
    case cudaDevAttrIntegrated:
        *value = 0;
        break;
    default:
        return remember(cudaErrorInvalidValue);
    }
    return cudaSuccess;
}

static cudaError_t version(int *out) {
    *out = CUDART_VERSION;
    return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int *out) {
    EMU_ENTRY();
    return version(out);
}
cudaError_t cudaDriverGetVersion(int *out) {
    EMU_ENTRY();
    version(out);
    if (!settings().devices) *out = settings().old_driver ? 11040 : 0;
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void) {
    EMU_ENTRY();
    const cudaError_t err = last_error;
    last_error = cudaSuccess;
    return err;
}

cudaError_t cudaPeekAtLastError(void) { return last_error; }

#define EMU_ERRORS(X)                                                                                                  \
    X(cudaSuccess, "no error")                                                                                         \
    X(cudaErrorInvalidValue, "invalid argument")                                                                       \
    X(cudaErrorMemoryAllocation, "out of memory")                                                                      \
    X(cudaErrorInvalidConfiguration, "invalid configuration argument")                                                 \
    X(cudaErrorInsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version")                     \
    X(cudaErrorNoDevice, "no CUDA-capable device is detected")                                                         \
    X(cudaErrorInvalidDevice, "invalid device ordinal")                                                                \
    X(cudaErrorNoKernelImageForDevice, "no kernel image is available for execution on the device")                     \
    X(cudaErrorInvalidMemcpyDirection, "invalid copy direction for memcpy")                                            \
    X(cudaErrorInvalidResourceHandle, "invalid resource handle")                                                       \
    X(cudaErrorIllegalState, "the operation cannot be performed in the present state")                                 \
    X(cudaErrorNotReady, "device not ready")                                                                           \
    X(cudaErrorIllegalAddress, "an illegal memory access was encountered")                                             \
    X(cudaErrorLaunchFailure, "unspecified launch failure")                                                            \
    X(cudaErrorNotSupported, "operation not supported")                                                                \
    X(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing")                           \
    X(cudaErrorStreamCaptureInvalidated, "operation failed due to a previous error during capture")                    \
    X(cudaErrorStreamCaptureMerge, "operation would result in a merge of separate capture sequences")                  \
    X(cudaErrorStreamCaptureUnmatched, "capture was not ended in the same stream as it began")                         \
    X(cudaErrorStreamCaptureUnjoined, "capturing stream has unjoined work")                                            \
    X(cudaErrorStreamCaptureIsolation, "dependency created on uncaptured work in another stream")                      \
    X(cudaErrorStreamCaptureImplicit, "operation would make the legacy stream depend on a capturing blocking stream")  \
    X(cudaErrorCapturedEvent, "operation not permitted on an event last recorded in a capturing stream")               \
    X(cudaErrorUnknown, "unknown error")

const char *cudaGetErrorString(cudaError_t err) {
    switch (static_cast<int>(err)) {
#define EMU_TEXT(name, text)                                                                                           \
    case name:                                                                                                         \
        return text;
        EMU_ERRORS(EMU_TEXT)
    default:
        return "unrecognized error code";
    }
}

const char *cudaGetErrorName(cudaError_t err) {
    switch (static_cast<int>(err)) {
#define EMU_NAME(name, text)                                                                                           \
    case name:                                                                                                         \
        return #name;
        EMU_ERRORS(EMU_NAME)
    default:
        return "unrecognized error code";
    }
}

cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attribute, int value) {
    EMU_ENTRY();
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess; // hints
    if (value < 0 || static_cast<size_t>(value) > shared_most()) return remember(cudaErrorInvalidValue);
    for (Limit &l : limits)
        if (l.function == function) {
            l.bytes = static_cast<size_t>(value);
            return cudaSuccess;
        }
    limits.push_back({function, static_cast<size_t>(value)});
    return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *a, const void *function) {
    EMU_ENTRY();
    *a = cudaFuncAttributes();
    a->maxThreadsPerBlock = 1024;
    a->numRegs = 32;
    a->maxDynamicSharedSizeBytes = static_cast<int>(shared_limit(function));
    a->binaryVersion = a->ptxVersion = arch();
    return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *function, int threads,
                                                          size_t shared) {
    EMU_ENTRY();
    if (threads <= 0 || threads > 1024 || shared > shared_limit(function)) return remember(cudaErrorInvalidValue);
    const int by_threads = threads_per_sm() / ((threads + 31) / 32 * 32);
    const int by_shared = shared ? static_cast<int>((shared_most() + 1024) / (shared + 1024)) : by_threads;
    *blocks = by_threads < by_shared ? by_threads : by_shared;
    return cudaSuccess;
}
} // extern "C"
