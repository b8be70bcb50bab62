// emu.h - CUDA's device side for a host C++ compiler: what kernels/device.cuh includes under -DCUG_EMU.
//
// Every CUDA thread is a fiber; a block's fibers run one at a time, each up to its next barrier. __shared__ variables
// are static ones that the linker script gathers, so that each block finds them poisoned. See docs/EMULATOR.md.
#ifndef CUG_EMU_H
#define CUG_EMU_H

#ifdef __CUDACC__
#error "emu.h is for host compilers: nvcc has the real thing"
#endif
#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <math.h> // isfinite and the like, without std:: as with nvcc
#include <tuple>
#include <type_traits>

// A section of its own for each variable avoids gcc's "section type conflict"; emu.ld gathers them.
#undef __shared__
#undef __constant__
#undef __launch_bounds__
#define EMU_STRING_(x) #x
#define EMU_STRING(x) EMU_STRING_(x)
#define __shared__ static __attribute__((section(".emu_shared." EMU_STRING(__COUNTER__))))
#define __constant__ static
#define __launch_bounds__(...)
#define CUG_DYN_SHARED(type, name) type *const name = static_cast<type *>(emu::dynamic_shared(alignof(type)))

// Where in a kernel an operation stands: default arguments are evaluated in the caller.
#define EMU_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()
#define EMU_HERE                                                                                                       \
    emu::Site { __func__, file, line }

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
static const int warpSize = 32;

namespace emu {
struct Site {
    const char *op, *file;
    int line;
};
// Called once when the last lane arrives. arg[lane]: what that lane gave, NULL for one that takes no part.
typedef void (*Collective)(void **arg, unsigned mask);

[[noreturn]] void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void name_launch(const char *name);
void block_barrier(Site s);
int block_vote(int mine, int how, Site s); // how: 0 count, 1 and, 2 or
void fence();
// orders: memory as well, as __syncwarp does and shuffles and votes do not.
void warp_collective(unsigned mask, void *arg, Collective fn, Site s, bool orders = false);
unsigned active_mask();
int lane();
int arch(); // 75, 80, 90
void *dynamic_shared(size_t alignment);
void copy_async16(void *shared, const void *global, bool valid, Site s);
void copy_commit();
void copy_wait(int keep);
uint32_t to_tf32(float x, Site s);
uint32_t pack_bf16(float low, float high, Site s);
void mma_tf32(float *d, const uint32_t *a, const uint32_t *b, Site s);
void mma_bf16(float *d, const uint32_t *a, const uint32_t *b, Site s);

// A launch: the kernel with its arguments, copied when it is queued and run when its turn comes.
struct Call {
    virtual void run() = 0;
    virtual void check() = 0; // its pointers are device memory
    virtual ~Call() {}
};
void check_argument(const void *p);
cudaError_t queue_launch(const cudaLaunchConfig_t *config, const void *kernel, Call *call); // owns call

template <class... P> struct KernelCall : Call {
    void (*kernel)(P...);
    std::tuple<P...> args;
    KernelCall(void (*k)(P...), P... a) : kernel(k), args(a...) {}
    void run() override { std::apply(kernel, args); }
    void check() override {
        std::apply([](auto &...a) { (check_one(a), ...); }, args);
    }
    template <class T> static void check_one(const T &a) {
        if constexpr (std::is_pointer<T>::value) check_argument(static_cast<const void *>(a));
        (void)a;
    }
};
template <class... P> cudaError_t launch_ex(const cudaLaunchConfig_t *config, void (*kernel)(P...), P... args) {
    return queue_launch(config, reinterpret_cast<const void *>(kernel), new KernelCall<P...>(kernel, args...));
}

template <class T> struct Shuffle {
    T in, out;
    int from;
    Site site;
};
template <class T> T shuffle(unsigned mask, T v, int from, Site s) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 32 or 64 bits");
    Shuffle<T> mine{v, v, from, s};
    auto exchange = [](void **arg, unsigned m) {
        for (int l = 0; l < 32; l++) {
            if (!arg[l]) continue;
            auto &x = *static_cast<Shuffle<T> *>(arg[l]);
            if (!(m >> x.from & 1) || !arg[x.from])
                fail("%s:%d: %s: lane %d reads lane %d, which is not in the mask or has exited", x.site.file,
                     x.site.line, x.site.op, l, x.from);
            x.out = static_cast<Shuffle<T> *>(arg[x.from])->in;
        }
    };
    warp_collective(mask, &mine, exchange, s);
    return mine.out;
}
template <class T, class F> T reduce(unsigned mask, T v, Site s) {
    struct Lane {
        T in, out;
    } mine{v, v};
    auto fold = [](void **arg, unsigned) {
        bool first = true;
        T r{};
        for (int l = 0; l < 32; l++) {
            if (!arg[l]) continue;
            r = first ? static_cast<Lane *>(arg[l])->in : F::of(r, static_cast<Lane *>(arg[l])->in);
            first = false;
        }
        for (int l = 0; l < 32; l++)
            if (arg[l]) static_cast<Lane *>(arg[l])->out = r;
    };
    warp_collective(mask, &mine, fold, s);
    return mine.out;
}
struct Add {
    template <class T> static T of(T a, T b) { return static_cast<T>(a + b); }
};
struct Min {
    template <class T> static T of(T a, T b) { return b < a ? b : a; }
};
struct Max {
    template <class T> static T of(T a, T b) { return a < b ? b : a; }
};
struct Or {
    template <class T> static T of(T a, T b) { return a | b; }
};
struct And {
    template <class T> static T of(T a, T b) { return a & b; }
};
inline int segment(int width) { return lane() & ~(width - 1); }
} // namespace emu
#define cudaLaunchKernelEx emu::launch_ex

// ---- barriers, votes, shuffles
// ----------------------------------------------------------------------------------------
inline void __syncthreads(EMU_SITE) { emu::block_barrier(EMU_HERE); }
inline int __syncthreads_count(int p, EMU_SITE) { return emu::block_vote(p != 0, 0, EMU_HERE); }
inline int __syncthreads_and(int p, EMU_SITE) { return emu::block_vote(p != 0, 1, EMU_HERE); }
inline int __syncthreads_or(int p, EMU_SITE) { return emu::block_vote(p != 0, 2, EMU_HERE); }
inline void __syncwarp(unsigned mask = 0xffffffffu, EMU_SITE) {
    char none = 0;
    emu::warp_collective(
        mask, &none, [](void **, unsigned) {}, EMU_HERE, true);
}
inline unsigned __activemask() { return emu::active_mask(); }
inline void __threadfence() { emu::fence(); }
inline void __threadfence_block() { emu::fence(); }
template <class T> T __shfl_sync(unsigned mask, T v, int from, int width = 32, EMU_SITE) {
    return emu::shuffle(mask, v, emu::segment(width) + (from & (width - 1)), EMU_HERE);
}
template <class T> T __shfl_xor_sync(unsigned mask, T v, int x, int width = 32, EMU_SITE) {
    const int l = emu::lane(), from = l ^ x;
    return emu::shuffle(mask, v, from < emu::segment(width) + width ? from : l, EMU_HERE);
}
template <class T> T __shfl_down_sync(unsigned mask, T v, unsigned d, int width = 32, EMU_SITE) {
    const int l = emu::lane(), from = l + static_cast<int>(d);
    return emu::shuffle(mask, v, from < emu::segment(width) + width ? from : l, EMU_HERE);
}
template <class T> T __shfl_up_sync(unsigned mask, T v, unsigned d, int width = 32, EMU_SITE) {
    const int l = emu::lane(), from = l - static_cast<int>(d);
    return emu::shuffle(mask, v, from >= emu::segment(width) ? from : l, EMU_HERE);
}
inline unsigned __ballot_sync(unsigned mask, int p, EMU_SITE) {
    return emu::reduce<unsigned, emu::Or>(mask, p ? 1u << emu::lane() : 0u, EMU_HERE);
}
inline int __any_sync(unsigned mask, int p, EMU_SITE) { return emu::reduce<int, emu::Or>(mask, p != 0, EMU_HERE); }
inline int __all_sync(unsigned mask, int p, EMU_SITE) { return emu::reduce<int, emu::And>(mask, p != 0, EMU_HERE); }
// Integers only, like the hardware's; sm_80 and later.
template <class T> T __reduce_add_sync(unsigned mask, T v, EMU_SITE) {
    static_assert(std::is_integral<T>::value, "integers only");
    if (emu::arch() < 80) emu::fail("%s:%d: __reduce_add_sync needs sm_80", file, line);
    return emu::reduce<T, emu::Add>(mask, v, EMU_HERE);
}

// ---- integer atomics (device.cuh keeps other types out)
// ---------------------------------------------------------------
namespace cug {
template <class T> T add_integer(T *p, T v) { return __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }
template <class T> T or_integer(T *p, T v) { return __atomic_fetch_or(p, v, __ATOMIC_RELAXED); }
template <class T> T exchange_integer(T *p, T v) { return __atomic_exchange_n(p, v, __ATOMIC_RELAXED); }
template <class T> T replace_integer(T *p, T from, T to) {
    __atomic_compare_exchange_n(p, &from, to, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return from;
}
template <class T> T max_integer(T *p, T v) {
    T old = __atomic_load_n(p, __ATOMIC_RELAXED);
    while (old < v && !__atomic_compare_exchange_n(p, &old, v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) continue;
    return old;
}
template <class T> T min_integer(T *p, T v) {
    T old = __atomic_load_n(p, __ATOMIC_RELAXED);
    while (v < old && !__atomic_compare_exchange_n(p, &old, v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) continue;
    return old;
}
} // namespace cug

// ---- loads, bits, arithmetic
// ------------------------------------------------------------------------------------------
template <class T> T __ldg(const T *p) { return *p; }
template <class T> T __ldcs(const T *p) { return *p; }
template <class T> void __stcs(T *p, T v) { *p = v; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x ? __builtin_clz(static_cast<unsigned>(x)) : 32; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(static_cast<uint64_t>(a) * b >> 32); }
template <class To, class From> To emu_bits(From x) {
    static_assert(sizeof(To) == sizeof(From), "same size");
    To y;
    memcpy(&y, &x, sizeof y);
    return y;
}
inline float __int_as_float(int x) { return emu_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return emu_bits<float>(x); }
inline int __float_as_int(float x) { return emu_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return emu_bits<unsigned>(x); }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
template <class A, class B> constexpr std::common_type_t<A, B> min(A a, B b) {
    const std::common_type_t<A, B> x = a, y = b;
    return y < x ? y : x;
}
template <class A, class B> constexpr std::common_type_t<A, B> max(A a, B b) {
    const std::common_type_t<A, B> x = a, y = b;
    return x < y ? y : x;
}

// ---- the wrappers' twins
// ----------------------------------------------------------------------------------------------
inline void cug_copy_async16(void *shared, const void *global, bool valid = true, EMU_SITE) {
    emu::copy_async16(shared, global, valid, EMU_HERE);
}
inline void cug_copy_commit() { emu::copy_commit(); }
template <int keep> inline void cug_copy_wait() { emu::copy_wait(keep); }

#define CUG_HAS_MMA 1
inline uint32_t cug_to_tf32(float x, EMU_SITE) { return emu::to_tf32(x, EMU_HERE); }
inline uint32_t cug_pack_bf16(float low, float high, EMU_SITE) { return emu::pack_bf16(low, high, EMU_HERE); }
inline void cug_mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], EMU_SITE) {
    emu::mma_tf32(d, a, b, EMU_HERE);
}
inline void cug_mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], EMU_SITE) {
    emu::mma_bf16(d, a, b, EMU_HERE);
}

#endif
