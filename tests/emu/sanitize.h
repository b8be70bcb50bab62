// sanitize.h - what the emulator tells ThreadSanitizer and MemorySanitizer; nothing in other builds.
//
// ThreadSanitizer knows threads and what orders them. Every CUDA thread of a block, and every stream, becomes a thread
// to it (its "fibers"); barriers, __syncwarp, a launch's beginning and end, stream order, events and the host's waits
// are the only order between them, whatever order the emulator happens to run them in. So a missing barrier or a
// missing wait is a data race in every run. The emulator's own files are compiled without instrumentation, and its own
// malloc and free are kept out of sight, since its lock orders nothing in the program.
//
// MemorySanitizer follows which bytes nobody wrote: device, pinned and shared memory start that way, and copies carry
// it along.
#ifndef CUG_EMU_SANITIZE_H
#define CUG_EMU_SANITIZE_H

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EMU_ASAN 1
#endif
#if __has_feature(memory_sanitizer)
#define EMU_MSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define EMU_ASAN 1
#endif

#ifdef EMU_MSAN
#include <sanitizer/msan_interface.h>
#endif
#ifdef EMU_TSAN // by the makefile: these files are not instrumented and so cannot tell
#include <sanitizer/tsan_interface.h>
extern "C" {
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);
void AnnotateIgnoreSyncBegin(const char *file, int line);
void AnnotateIgnoreSyncEnd(const char *file, int line);
void __tsan_read_range(void *p, unsigned long bytes);
void __tsan_write_range(void *p, unsigned long bytes);
}
#endif

namespace emu {
// ---- ThreadSanitizer ------------------------------------------------------------------------------------------------
typedef void *Identity; // a thread, to ThreadSanitizer
#ifdef EMU_TSAN
const bool tsan = true;
inline Identity new_identity() { return __tsan_create_fiber(0); }
inline Identity own_identity() { return __tsan_get_current_fiber(); }
inline void become(Identity id) { __tsan_switch_to_fiber(id, __tsan_switch_to_fiber_no_sync); }
// What the caller has done comes before what anyone does after comes_after of the same address.
inline void comes_before(void *mark) { __tsan_release(mark); }
inline void comes_after(void *mark) { __tsan_acquire(mark); }
inline void hide() {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
}
inline void show() {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}
inline void reads(const void *p, size_t bytes) { __tsan_read_range(const_cast<void *>(p), bytes); }
inline void writes(void *p, size_t bytes) { __tsan_write_range(p, bytes); }
inline void hide_locks() { AnnotateIgnoreSyncBegin(__FILE__, __LINE__); }
inline void show_locks() { AnnotateIgnoreSyncEnd(__FILE__, __LINE__); }
#else
const bool tsan = false;
inline Identity new_identity() { return nullptr; }
inline Identity own_identity() { return nullptr; }
inline void become(Identity) {}
inline void comes_before(void *) {}
inline void comes_after(void *) {}
inline void hide() {}
inline void show() {}
inline void reads(const void *, size_t) {}
inline void writes(void *, size_t) {}
inline void hide_locks() {}
inline void show_locks() {}
#endif
// What the caller does meanwhile is not the program's doing. Nests.
struct Hidden {
    Hidden() { hide(); }
    ~Hidden() { show(); }
    Hidden(const Hidden &) = delete;
    Hidden &operator=(const Hidden &) = delete;
};

// ---- MemorySanitizer ------------------------------------------------------------------------------------------------
#ifdef EMU_MSAN
inline void nobody_wrote(void *p, size_t bytes) { __msan_allocated_memory(p, bytes); }
inline void somebody_wrote(const void *p, size_t bytes) { __msan_unpoison(p, bytes); }
#else
inline void nobody_wrote(void *, size_t) {}
inline void somebody_wrote(const void *, size_t) {}
#endif
} // namespace emu

#endif
