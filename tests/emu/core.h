// core.h - what the emulator's own files share: settings, device memory, and running one kernel.
#ifndef CUG_EMU_CORE_H
#define CUG_EMU_CORE_H

#include "emu/emu.h"
#include "sanitize.h"

#include <memory>
#include <mutex>
#include <vector>

namespace emu {
// An order to do things in, from the environment; rand:N is the same sequence every time.
struct Order {
    enum Kind { FORWARD, BACKWARD, RANDOM } kind;
    uint64_t state;
    Order(const char *variable, const char *forward, const char *backward);
    unsigned below(unsigned n); // random, 0 .. n-1
};
struct Settings {
    Order threads{"EMU_ORDER", "asc", "desc"};    // of threads between barriers, and of blocks
    Order streams{"EMU_STREAMS", "fifo", "lifo"}; // of queued work, where events permit several
    int arch;                                     // EMU_ARCH: 75, 80, 90
    int poison;                                   // EMU_POISON: the byte in memory nobody wrote; 255 makes NaN
    size_t memory, pinned;                        // EMU_MEMORY, EMU_PINNED: bytes the device and the pinned host have
    int devices;                                  // EMU_DEVICES; 0: none. "old": a driver older than the runtime
    bool old_driver;
    Settings();
};
Settings &settings();

// A stream, to ThreadSanitizer, and the CUDA threads of its kernels: two sets, so that neighbouring blocks differ.
struct Lane {
    Identity self;
    std::vector<void *> fibers[2];
};
Lane *new_lane();
void give_back_lane(Lane *lane); // for another stream: graphs may still hold it

struct Kernel {
    const char *name; // lives as long as the program
    const void *function;
    dim3 grid, block;
    size_t shared;
    std::shared_ptr<Call> call;
};
void run_kernel(const Kernel &k, Lane *lane); // every block to its end, on the calling host thread

// Device memory: not the host's to touch, but between open and close (under ASan).
void open_device_memory();
void close_device_memory();
void check_guards(const char *after);
bool is_device(const void *p);
// Its range lies in one allocation of the device; else fails, saying what it was for.
void check_range(const void *p, size_t bytes, const char *what);
// Pinned host memory that holds p.
bool is_pinned(const void *p, size_t bytes);
#ifdef EMU_ASAN
void close_bytes(void *p, size_t bytes); // an access is an error from now on
void open_bytes(void *p, size_t bytes);
#endif
// Without the sanitizers' checks: for guards, shared memory and memory closed to the host.
void raw_fill(void *p, int byte, size_t bytes);
void raw_copy(void *to, const void *from, size_t bytes);

// Every entry of the C ABI: one lock for all, the device number, and faults asked for with EMU_FAIL=name:nth[:error].
// CUDA does not order two host threads that call it, so ThreadSanitizer does not see the lock.
struct BigLock {
    BigLock();
    ~BigLock();
    BigLock(const BigLock &) = delete;
    BigLock &operator=(const BigLock &) = delete;
};
struct Entry {
    Hidden hidden;
    BigLock hold;
    cudaError_t injected;
    explicit Entry(const char *name);
};
cudaError_t remember(cudaError_t err); // for cudaGetLastError
#define EMU_ENTRY()                                                                                                    \
    emu::Entry entry(__func__);                                                                                        \
    if (entry.injected != cudaSuccess) return emu::remember(entry.injected)

void drain_everything(); // as cudaDeviceSynchronize
bool capturing();        // a stream is: calls that may not be captured must refuse
void forget_pinned(const void *p, size_t bytes);
int live_streams(), live_events(), live_graphs(), live_device_blocks(), live_pinned_blocks();
int live_cublas(), live_cudnn(); // handles and descriptors of the libraries' stand-ins
int live_ranges();               // named by the program and not ended
size_t shared_limit(const void *function);
} // namespace emu

#endif
