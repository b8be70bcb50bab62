// memory.cpp - the emulator's device memory and pinned host memory, and the settings from the environment.
//
// A device allocation is poisoned, stands between guard bytes, and under ASan is closed to the host except while the
// runtime itself works on it. Calls that CUDA lets block (cudaFree) finish all queued work first.
#include "core.h"
#include "stream.h"

#include <cstdio>
#include <cstdlib>

#ifdef EMU_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace emu {
namespace {
const size_t guard = 256; // keeps CUDA's 256-byte alignment
const int guard_byte = 0xa5;

struct Block {
    char *p;
    size_t bytes;
};
std::vector<Block> &device = *new std::vector<Block>; // never destroyed: the leak report at exit reads them
std::vector<Block> &pinned = *new std::vector<Block>;
size_t device_used, pinned_used;
int open_count;

const Block *find(const std::vector<Block> &blocks, const void *p) {
    const char *c = static_cast<const char *>(p);
    for (const Block &b : blocks)
        if (c >= b.p && c < b.p + (b.bytes ? b.bytes : 1)) return &b;
    return nullptr;
}

size_t number(const char *name, size_t otherwise) {
    const char *s = getenv(name);
    return s && *s ? strtoull(s, nullptr, 0) : otherwise;
}

bool guard_whole(const char *p) {
    unsigned char bytes[64];
    raw_copy(bytes, p, sizeof bytes);
    for (unsigned char b : bytes)
        if (b != guard_byte) return false;
    return true;
}
} // namespace

Order::Order(const char *variable, const char *forward, const char *backward) : kind(FORWARD), state(1) {
    const char *s = getenv(variable);
    if (!s || !*s || !strcmp(s, forward)) return;
    if (!strcmp(s, backward)) {
        kind = BACKWARD;
    } else if (!strncmp(s, "rand:", 5)) {
        kind = RANDOM;
        state = strtoull(s + 5, nullptr, 10) * 0x9e3779b97f4a7c15ull + 1;
    } else {
        fail("%s=%s: %s, %s or rand:N", variable, s, forward, backward);
    }
}

unsigned Order::below(unsigned n) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<unsigned>((state >> 33) % n);
}

Settings::Settings()
    : arch(static_cast<int>(number("EMU_ARCH", 90))), poison(static_cast<int>(number("EMU_POISON", 0xff))),
      memory(number("EMU_MEMORY", size_t{16} << 30)), pinned(number("EMU_PINNED", size_t{16} << 30)) {
    const char *d = getenv("EMU_DEVICES");
    old_driver = d && !strcmp(d, "old");
    devices = old_driver ? 0 : static_cast<int>(number("EMU_DEVICES", 1));
    if (arch != 75 && arch != 80 && arch != 90) fail("EMU_ARCH=%d: 75, 80 or 90", arch);
}

Settings &settings() {
    static Settings &s = *new Settings;
    return s;
}

__attribute__((no_sanitize("address"), no_sanitize("undefined"))) void raw_fill(void *p, int byte, size_t bytes) {
    somebody_wrote(p, bytes);
#ifdef __x86_64__ // a string instruction: fast, and no call that a sanitizer would look into
    asm volatile("rep stosb" : "+D"(p), "+c"(bytes) : "a"(byte) : "memory");
#else
    for (size_t i = 0; i < bytes; i++) static_cast<volatile char *>(p)[i] = static_cast<char>(byte);
#endif
}

__attribute__((no_sanitize("address"), no_sanitize("undefined"))) void raw_copy(void *to, const void *from,
                                                                                size_t bytes) {
#ifdef EMU_MSAN // which bytes nobody wrote goes along
    __msan_copy_shadow(to, from, bytes);
#endif
#ifdef __x86_64__
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
#else
    for (size_t i = 0; i < bytes; i++)
        static_cast<volatile char *>(to)[i] = static_cast<const volatile char *>(from)[i];
#endif
}

#ifdef EMU_ASAN
void close_bytes(void *p, size_t bytes) { ASAN_POISON_MEMORY_REGION(p, bytes); }
void open_bytes(void *p, size_t bytes) { ASAN_UNPOISON_MEMORY_REGION(p, bytes); }
#endif

void open_device_memory() {
    if (open_count++) return;
#ifdef EMU_ASAN
    for (const Block &b : device) open_bytes(b.p, b.bytes);
#endif
}

void close_device_memory() {
    if (--open_count) return;
#ifdef EMU_ASAN
    for (const Block &b : device) close_bytes(b.p, b.bytes);
#endif
}

void check_guards(const char *after) {
    for (const Block &b : device)
        if (!guard_whole(b.p - 64) || !guard_whole(b.p + b.bytes))
            fail("%s wrote past the %s of a device allocation of %zu bytes", after,
                 guard_whole(b.p - 64) ? "end" : "beginning", b.bytes);
}

bool is_device(const void *p) { return find(device, p) != nullptr; }

bool is_pinned(const void *p, size_t bytes) {
    const Block *b = find(pinned, p);
    if (b && static_cast<const char *>(p) + bytes > b->p + b->bytes)
        fail("a copy of %zu bytes runs past the end of a pinned allocation of %zu bytes", bytes, b->bytes);
    return b != nullptr;
}

void check_range(const void *p, size_t bytes, const char *what) {
    const Block *b = find(device, p);
    if (!b) fail("%s: %p is not device memory", what, p);
    if (static_cast<const char *>(p) + bytes > b->p + b->bytes)
        fail("%s: %zu bytes run past the end of a device allocation of %zu", what, bytes, b->bytes);
}

void check_argument(const void *p) {
    if (!p || find(device, p)) return;
    for (const Block &b : device) // one past the end: an empty tail, never read
        if (p == b.p + b.bytes) return;
    fail("a kernel gets the pointer %p, which is not device memory", p);
}

int live_device_blocks() { return static_cast<int>(device.size()); }
int live_pinned_blocks() { return static_cast<int>(pinned.size()); }
} // namespace emu

using namespace emu;

extern "C" {
cudaError_t cudaMalloc(void **out, size_t bytes) {
    EMU_ENTRY();
    if (!out) return remember(cudaErrorInvalidValue);
    *out = nullptr;
    if (!settings().devices) return remember(cudaErrorNoDevice);
    if (capturing()) return remember(refuse_in_capture());
    if (!bytes) return cudaSuccess;
    if (bytes > settings().memory - device_used) return remember(cudaErrorMemoryAllocation);
    void *base = nullptr;
    if (posix_memalign(&base, 256, guard + bytes + guard)) return remember(cudaErrorMemoryAllocation);
    char *p = static_cast<char *>(base) + guard;
    raw_fill(base, guard_byte, guard);
    raw_fill(p, settings().poison, bytes);
    raw_fill(p + bytes, guard_byte, guard);
    nobody_wrote(p, bytes);
#ifdef EMU_ASAN
    close_bytes(base, guard);
    close_bytes(p, bytes + guard);
#endif
    device.push_back({p, bytes});
    device_used += bytes;
    *out = p;
    return cudaSuccess;
}

cudaError_t cudaFree(void *p) {
    EMU_ENTRY();
    if (!p) return cudaSuccess;
    if (capturing()) return remember(refuse_in_capture());
    drain_everything();
    const Block *b = find(device, p);
    if (!b || b->p != p) fail("cudaFree: %p is not what cudaMalloc gave, or was freed before", p);
    check_guards("something");
    device_used -= b->bytes;
    char *base = b->p - guard;
#ifdef EMU_ASAN
    open_bytes(base, guard + b->bytes + guard);
#endif
    raw_fill(base, 0xfe, guard + b->bytes + guard);
    device.erase(device.begin() + (b - device.data()));
    free(base);
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **out, size_t bytes, unsigned flags) {
    EMU_ENTRY();
    (void)flags;
    if (!out) return remember(cudaErrorInvalidValue);
    *out = nullptr;
    if (!settings().devices) return remember(cudaErrorNoDevice);
    if (capturing()) return remember(refuse_in_capture());
    if (!bytes) return cudaSuccess;
    if (bytes > settings().pinned - pinned_used) return remember(cudaErrorMemoryAllocation);
    if (posix_memalign(out, 4096, bytes)) return remember(cudaErrorMemoryAllocation);
    raw_fill(*out, settings().poison, bytes);
    nobody_wrote(*out, bytes);
    pinned.push_back({static_cast<char *>(*out), bytes});
    pinned_used += bytes;
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **out, size_t bytes) { return cudaHostAlloc(out, bytes, cudaHostAllocDefault); }

cudaError_t cudaFreeHost(void *p) {
    EMU_ENTRY();
    if (!p) return cudaSuccess;
    const Block *b = find(pinned, p);
    if (!b || b->p != p) fail("cudaFreeHost: %p is not what cudaHostAlloc gave, or was freed before", p);
    refuse_pending_host(p, b->bytes, "cudaFreeHost");
    pinned_used -= b->bytes;
    pinned.erase(pinned.begin() + (b - pinned.data()));
    free(p);
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total) {
    EMU_ENTRY();
    if (!settings().devices) return remember(cudaErrorNoDevice);
    *free_bytes = settings().memory - device_used;
    *total = settings().memory;
    return cudaSuccess;
}
} // extern "C"
