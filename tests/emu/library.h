// library.h - stand-ins for the functions of cuBLASLt and cuDNN that src/cuda calls: the same checks of arguments,
// plain loops in the stream's order on the emulated device's memory, and every freedom the libraries have used against
// the caller: algorithms that need workspace write it, those that round or depend on order do so.
#ifndef CUG_EMU_LIBRARY_H
#define CUG_EMU_LIBRARY_H

#include "emu/stream.h"

#include <cstring>

// As the driver: without the headers there is no such path, and nothing to stand in for.
#if __has_include(<cublasLt.h>) && __has_include(<cudnn_graph.h>)
#include <cublasLt.h>
#include <cudnn_graph.h>
#if CUDNN_VERSION >= 90800
#define EMU_HAVE_LIBRARIES 1
#endif
#endif

namespace emu {
// A function by its name; NULL for one the stand-ins do not have.
void *library_function(const char *name);
void *cublas_function(const char *name);
void *cudnn_function(const char *name);

enum Rounding { EXACT, TF32, BF16, HALF };
float rounded(float x, Rounding r); // to nearest even, in the format's precision

// Something that no two calls share, where results may differ from run to run.
float disturbance();

struct Named {
    const char *name;
    void *function;
};
template <class F> void *function_pointer(F *f) { return reinterpret_cast<void *>(f); }
template <size_t n> void *function_named(const Named (&all)[n], const char *name) {
    for (const Named &f : all)
        if (!strcmp(f.name, name)) return f.function;
    return nullptr;
}
} // namespace emu

#endif
