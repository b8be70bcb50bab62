// fibers.cpp - runs one kernel: a fiber for each thread of a block, blocks in turn, barriers and warp operations as
// meeting points. What cannot happen on a GPU without harm (a barrier some threads never reach, a shuffle from a lane
// that is not there) ends the program with a picture of who waits where.
#include "core.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

#ifdef EMU_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__x86_64__) && !defined(EMU_UCONTEXT)
#define EMU_OWN_SWITCH 1 // some ten times faster than swapcontext, which makes a system call
#else
#include <ucontext.h>
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;
extern "C" char __start_emu_shared[] __attribute__((weak)), __stop_emu_shared[] __attribute__((weak));

namespace emu {
namespace {
enum State { FRESH, READY, RUNNING, AT_BARRIER, IN_WARP, EXITED };
const char *const state_name[] = {"not started", "ready", "running", "waits at", "waits in", "exited"};
const size_t stack_bytes = 256 << 10;

struct Fiber {
#ifdef EMU_OWN_SWITCH
    void *sp = nullptr;
#else
    ucontext_t context;
#endif
    char *stack = nullptr;
    void *fake = nullptr; // ASan's
    Identity identity = nullptr;
};
struct Copy {
    void *to;
    const void *from; // NULL: zeros
};
struct Thread {
    State state = FRESH;
    uint3 index{};
    unsigned linear = 0;
    Fiber *fiber = nullptr;
    Site site{};
    unsigned mask = 0;
    void *arg = nullptr;
    Collective fn = nullptr;
    bool orders = false;                   // the operation it waits in orders memory as well: __syncwarp
    std::vector<std::vector<Copy>> copies; // groups of cp.async; the last is still open
};
// Marks of order; new ones for each launch and each block, or they would order what is not.
struct LaunchMarks {
    char begin = 0, end = 0;
};
struct BlockMarks {
    char barrier[2] = {0, 0}; // in turn: nobody is two barriers ahead of another
    unsigned passed = 0;
    std::vector<char> arrived, left; // of each thread, at and from a __syncwarp
};

const Kernel *kernel;
std::vector<Thread> &threads = *new std::vector<Thread>; // never destroyed: exit must not take it from under a fiber
std::vector<Fiber *> &idle = *new std::vector<Fiber *>;
Thread *current;
char *dynamic_bytes;
LaunchMarks *launch_marks;
BlockMarks *block_marks;
Identity runner; // the stream that runs the kernel
char fence_mark;
int votes[3];
Fiber scheduler;
[[maybe_unused]] const void *scheduler_bottom;
[[maybe_unused]] size_t scheduler_size;

#ifdef EMU_OWN_SWITCH
extern "C" void emu_switch(void **save, void *to);
asm(".text\n.globl emu_switch\n.type emu_switch,@function\nemu_switch:\n"
    "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
    "mov %rsp,(%rdi)\nmov %rsi,%rsp\n"
    "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n"
    ".size emu_switch,.-emu_switch\n");
void swap_to(Fiber *from, Fiber *to) { emu_switch(&from->sp, to->sp); }
#else
void swap_to(Fiber *from, Fiber *to) { swapcontext(&from->context, &to->context); }
#endif

__attribute__((noinline)) void to_scheduler() {
    Fiber *f = current->fiber;
#ifdef EMU_ASAN
    __sanitizer_start_switch_fiber(&f->fake, scheduler_bottom, scheduler_size);
#endif
    become(runner);
    swap_to(f, &scheduler);
#ifdef EMU_ASAN // the kernel's next stretch may run on another host thread
    __sanitizer_finish_switch_fiber(f->fake, &scheduler_bottom, &scheduler_size);
#endif
}

__attribute__((noinline)) void to_fiber(Fiber *f) {
#ifdef EMU_ASAN
    __sanitizer_start_switch_fiber(&scheduler.fake, f->stack, stack_bytes);
#endif
    become(f->identity);
    swap_to(&scheduler, f);
#ifdef EMU_ASAN
    __sanitizer_finish_switch_fiber(scheduler.fake, nullptr, nullptr);
#endif
}

void fiber_main() {
#ifdef EMU_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_bottom, &scheduler_size);
#endif
    for (;;) { // one thread of a block after another
        comes_after(&launch_marks->begin);
        kernel->call->run();
        comes_before(&launch_marks->end);
        for (auto &group : current->copies)
            if (!group.empty()) fail("%s: a thread exits with asynchronous copies it never waited for", kernel->name);
        current->copies.clear();
        current->state = EXITED;
        current->site = {};
        current->mask = 0;
        to_scheduler();
    }
}

Fiber *new_fiber() {
    Fiber *f = new Fiber;
    const size_t guard = 4096;
    void *p =
        mmap(nullptr, stack_bytes + guard, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED || mprotect(p, guard, PROT_NONE)) {
        perror("emulator: a stack for a thread");
        abort();
    }
    f->stack = static_cast<char *>(p) + guard;
    f->identity = new_identity();
#ifdef EMU_OWN_SWITCH
    void **s = reinterpret_cast<void **>(f->stack + stack_bytes);
    *--s = nullptr;
    *--s = reinterpret_cast<void *>(fiber_main);
    for (int i = 0; i < 6; i++) *--s = nullptr; // the callee-saved registers
    f->sp = s;
#else
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = stack_bytes;
    makecontext(&f->context, fiber_main, 0);
#endif
    return f;
}

void report() {
    if (!kernel || threads.empty()) return;
    fprintf(stderr, "  kernel %s, block (%u,%u,%u):\n", kernel->name, blockIdx.x, blockIdx.y, blockIdx.z);
    int lines = 0;
    for (size_t i = 0, j; i < threads.size() && lines < 12; i = j, lines++) { // runs of threads in one state
        const Thread &a = threads[i];
        for (j = i; j < threads.size(); j++) {
            const Thread &b = threads[j];
            if (b.state != a.state || b.site.line != a.site.line || b.mask != a.mask) break;
        }
        fprintf(stderr, "    threads %zu..%zu: %s", i, j - 1, state_name[a.state]);
        if (a.state == AT_BARRIER || a.state == IN_WARP)
            fprintf(stderr, " %s at %s:%d", a.site.op, a.site.file, a.site.line);
        if (a.state == IN_WARP) fprintf(stderr, " mask %08x", a.mask);
        fprintf(stderr, "\n");
    }
}

void resume(Thread &t) {
    if (!t.fiber) {
        if (idle.empty()) idle.push_back(new_fiber());
        t.fiber = idle.back();
        idle.pop_back();
    }
    current = &t;
    threadIdx = t.index;
    t.state = RUNNING;
    to_fiber(t.fiber);
    current = nullptr;
    if (t.state == EXITED && !tsan) {
        idle.push_back(t.fiber);
        t.fiber = nullptr;
    }
}

// All lanes of t's mask that live are at the operation where t waits.
bool warp_ready(const Thread &t) {
    const size_t first = t.linear & ~31u;
    for (unsigned l = 0; l < 32 && first + l < threads.size(); l++) {
        if (!(t.mask >> l & 1)) continue;
        const Thread &o = threads[first + l];
        if (o.state == EXITED) continue;
        if (o.state != IN_WARP || o.fn != t.fn || o.mask != t.mask || o.site.line != t.site.line) return false;
    }
    return true;
}

void warp_complete(const Thread &t) {
    void *arg[32] = {};
    const size_t first = t.linear & ~31u;
    const unsigned mask = t.mask;
    const Collective fn = t.fn;
    for (unsigned l = 0; l < 32 && first + l < threads.size(); l++) {
        Thread &o = threads[first + l];
        if (!(mask >> l & 1) || o.state != IN_WARP) continue;
        arg[l] = o.arg;
        o.state = READY;
        if (o.orders) comes_after(&block_marks->arrived[first + l]);
    }
    for (unsigned l = 0; l < 32; l++)
        if (arg[l] && t.orders) comes_before(&block_marks->left[first + l]);
    const Hidden registers; // this lane moves those of the others
    fn(arg, mask);
}

std::vector<unsigned> permutation(unsigned n) {
    Order &order = settings().threads;
    std::vector<unsigned> p(n);
    for (unsigned i = 0; i < n; i++) p[i] = order.kind == Order::BACKWARD ? n - 1 - i : i;
    if (order.kind == Order::RANDOM)
        for (unsigned i = n; i > 1; i--) std::swap(p[i - 1], p[order.below(i)]);
    return p;
}

// Every thread that lives waits at the same barrier: lets them through. False if they do not.
bool pass_barrier() {
    unsigned waiting = 0, exited = 0;
    const Thread *w = nullptr;
    for (const Thread &t : threads) {
        exited += t.state == EXITED;
        if (t.state != AT_BARRIER) continue;
        waiting++;
        if (w && (t.site.line != w->site.line || strcmp(t.site.file, w->site.file) || t.site.op != w->site.op))
            fail("divergent barrier: threads of one block wait at different barriers");
        w = &t;
    }
    if (waiting + exited != threads.size()) return false;
    if (exited)
        fail("%s:%d: %u thread(s) exited before a barrier the others wait at", w->site.file, w->site.line, exited);
    for (Thread &t : threads) t.state = READY;
    block_marks->passed++;
    return true;
}

void run_block() {
    auto order = permutation(static_cast<unsigned>(threads.size()));
    for (;;) {
        bool progress = false, all_done = true;
        for (unsigned i : order) {
            if (threads[i].state == FRESH || threads[i].state == READY) {
                resume(threads[i]);
                progress = true;
            }
            all_done = all_done && threads[i].state == EXITED;
        }
        if (all_done) return;
        if (progress) continue;
        if (pass_barrier()) {
            order = permutation(static_cast<unsigned>(threads.size()));
            continue;
        }
        for (const Thread &t : threads) { // lanes that wait only for lanes that have exited since
            if (t.state != IN_WARP || !warp_ready(t)) continue;
            warp_complete(t);
            progress = true;
        }
        if (!progress) fail("deadlock: some threads wait for threads that wait elsewhere or have exited");
    }
}

// As a block finds it. Mapped anew for ThreadSanitizer, which so forgets what the block before did there.
void fresh_shared(char *p, size_t bytes) {
    if (tsan) {
        const size_t pages = (bytes + 4095) & ~size_t{4095};
        if (mmap(p, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
            fail("no shared memory");
    }
    raw_fill(p, settings().poison, bytes);
    nobody_wrote(p, bytes);
}

void start_block(unsigned linear, std::vector<void *> &own) {
    const dim3 g = kernel->grid, b = kernel->block;
    while (tsan && own.size() < static_cast<size_t>(b.x) * b.y * b.z) own.push_back(new_fiber());
    blockIdx = {linear % g.x, linear / g.x % g.y, linear / g.x / g.y};
    threads.assign(static_cast<size_t>(b.x) * b.y * b.z, Thread());
    for (unsigned i = 0; i < threads.size(); i++) {
        threads[i].linear = i;
        threads[i].index = {i % b.x, i / b.x % b.y, i / b.x / b.y};
        if (tsan) threads[i].fiber = static_cast<Fiber *>(own[i]);
    }
    delete block_marks;
    block_marks = new BlockMarks{{0, 0}, 0, std::vector<char>(threads.size()), std::vector<char>(threads.size())};
    if (kernel->shared) fresh_shared(dynamic_bytes, kernel->shared);
    if (__start_emu_shared)
        fresh_shared(__start_emu_shared, static_cast<size_t>(__stop_emu_shared - __start_emu_shared));
}

void stop_for_good() {
    fflush(nullptr);
    abort();
}
} // namespace

void fail(const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    fprintf(stderr, "EMU ERROR: ");
    vfprintf(stderr, format, ap);
    va_end(ap);
    if (current) fprintf(stderr, " [thread (%u,%u,%u)]", current->index.x, current->index.y, current->index.z);
    fprintf(stderr, "\n");
    report();
    stop_for_good();
    __builtin_unreachable();
}

void run_kernel(const Kernel &k, Lane *lane) {
    kernel = &k;
    runner = lane->self;
    launch_marks = new LaunchMarks;
    comes_before(&launch_marks->begin);
    gridDim = k.grid;
    blockDim = k.block;
    const size_t guard = 64;
    dynamic_bytes = nullptr;
    const size_t room = (k.shared + guard + 4095) & ~size_t{4095};
    if (k.shared && tsan)
        dynamic_bytes =
            static_cast<char *>(mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    else if (k.shared && posix_memalign(reinterpret_cast<void **>(&dynamic_bytes), 128, k.shared + guard))
        abort();
    unsigned blocks = 0;
    for (unsigned i : permutation(k.grid.x * k.grid.y * k.grid.z)) {
        start_block(i, lane->fibers[blocks++ & 1]);
        if (k.shared) raw_fill(dynamic_bytes + k.shared, 0xa5, guard);
#ifdef EMU_ASAN
        if (k.shared) close_bytes(dynamic_bytes + k.shared, guard);
#endif
        run_block();
        for (size_t j = 0; j < (k.shared ? guard : 0); j++) {
            unsigned char c = 0;
            raw_copy(&c, dynamic_bytes + k.shared + j, 1);
            if (c != 0xa5) fail("%s: dynamic shared memory of %zu bytes was overrun", k.name, k.shared);
        }
    }
#ifdef EMU_ASAN
    if (k.shared) open_bytes(dynamic_bytes + k.shared, guard);
#endif
    if (k.shared && tsan)
        munmap(dynamic_bytes, room);
    else
        free(dynamic_bytes);
    threads.clear();
    comes_after(&launch_marks->end);
    delete launch_marks;
    kernel = nullptr;
}

int lane() { return static_cast<int>(current->linear & 31); }
unsigned active_mask() { return 1u << lane(); }
int arch() { return settings().arch; }

void warp_collective(unsigned mask, void *arg, Collective fn, Site s, bool orders) {
    Thread &t = *current;
    if (!(mask >> (t.linear & 31) & 1))
        fail("%s:%d: %s: the calling lane is not in mask %08x", s.file, s.line, s.op, mask);
    t.mask = mask;
    t.arg = arg;
    t.fn = fn;
    t.site = s;
    t.state = IN_WARP;
    t.orders = orders;
    if (orders) comes_before(&block_marks->arrived[t.linear]);
    if (warp_ready(t)) {
        warp_complete(t);
        t.state = RUNNING;
    } else {
        to_scheduler();
    }
    if (orders) comes_after(&block_marks->left[t.linear]);
    t.mask = 0;
}

void block_barrier(Site s) {
    char *mark = &block_marks->barrier[block_marks->passed & 1];
    current->state = AT_BARRIER;
    current->site = s;
    comes_before(mark);
    to_scheduler();
    comes_after(mark);
}

// Orders more than a fence does, so that it never invents a race.
void fence() {
    comes_after(&fence_mark);
    comes_before(&fence_mark);
}

int block_vote(int mine, int how, Site s) {
    votes[0] = votes[2] = 0;
    votes[1] = 1;
    block_barrier(s);
    votes[0] += mine;
    votes[1] &= mine;
    votes[2] |= mine;
    block_barrier(s);
    const int result = votes[how];
    block_barrier(s);
    return result;
}

void *dynamic_shared(size_t alignment) {
    if (!kernel->shared) fail("%s uses dynamic shared memory but was launched with none", kernel->name);
    if (alignment > 16) fail("%s: dynamic shared memory is aligned to 16 bytes", kernel->name);
    return dynamic_bytes;
}

// The destination is spoilt when the copy is issued and written when it is waited for: a missing wait reads poison.
// Word by word, so that the sanitizers see each access.
void copy_async16(void *shared, const void *global, bool valid, Site s) {
    if ((reinterpret_cast<uintptr_t>(shared) | reinterpret_cast<uintptr_t>(global)) & 15)
        fail("%s:%d: asynchronous copy: an address is not a multiple of 16", s.file, s.line);
    auto *to = static_cast<volatile uint32_t *>(shared);
    auto *from = static_cast<const volatile uint32_t *>(global);
    for (int i = 0; i < 4; i++) {
        const uint32_t word = valid ? from[i] : 0;
        to[i] = arch() < 80 ? word : 0xffffffffu;
    }
    if (valid) reads(global, 16);
    writes(shared, 16);
    if (arch() >= 80) nobody_wrote(shared, 16);
    if (arch() < 80) return; // no such instruction: device.cuh copies at once
    if (current->copies.empty()) current->copies.emplace_back();
    current->copies.back().push_back({shared, valid ? global : nullptr});
}

void copy_commit() {
    if (current->copies.empty()) current->copies.emplace_back();
    current->copies.emplace_back();
}

void copy_wait(int keep) {
    auto &groups = current->copies;
    while (static_cast<int>(groups.size()) - 1 > keep) {
        for (const Copy &c : groups.front()) {
            for (int i = 0; i < 4; i++)
                static_cast<volatile uint32_t *>(c.to)[i] =
                    c.from ? static_cast<const volatile uint32_t *>(c.from)[i] : 0;
            if (c.from) reads(c.from, 16);
            writes(c.to, 16);
        }
        groups.erase(groups.begin());
    }
}
} // namespace emu
