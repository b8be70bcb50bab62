// library.cpp - what the two stand-ins share, and their place in the program: every emulated build takes its library
// functions from here (EMU_LIBRARIES=0: none, as on a machine without them).
#include "library.h"

#include <cstdlib>

extern "C" __attribute__((weak)) void cug_library_source(void *(*find)(const char *));

namespace emu {
float rounded(float x, Rounding r) {
    if (r == EXACT || !std::isfinite(x)) return x;
    if (r == HALF && fabsf(x) >= 65520) return x < 0 ? -INFINITY : INFINITY;
    if (r == HALF && fabsf(x) < 0x1p-14f) return nearbyintf(x * 0x1p24f) * 0x1p-24f;
    const unsigned drop = r == BF16 ? 16 : 13; // half has TF32's ten bits, in a smaller range
    unsigned bits = emu_bits<unsigned>(x);
    bits += (1u << (drop - 1)) - 1 + ((bits >> drop) & 1);
    return emu_bits<float>(bits >> drop << drop);
}

float disturbance() {
    static unsigned n;
    return 1e-3f * static_cast<float>(++n);
}

void *library_function(const char *name) {
    void *p = cublas_function(name);
    return p ? p : cudnn_function(name);
}

static void *none(const char *) { return nullptr; }

__attribute__((constructor)) static void take_place() {
    const char *wanted = getenv("EMU_LIBRARIES");
    if (cug_library_source) cug_library_source(wanted && !strcmp(wanted, "0") ? none : library_function);
}
} // namespace emu
