// ranges.cpp - the emulator as an NVTX tool, linked in: NVTX finds it by the name of its entry, as it would find a
// profiler's. Ranges must nest and end; EMU_RANGES=FILE gets a line for each push, "THREAD > NAME", and pop, "THREAD
// <".
#define NVTX_NO_IMPL // its types alone
#include <nvtx3/nvToolsExt.h>

#include "core.h"

#include <cstdio>
#include <cstdlib>

namespace emu {
namespace {
std::mutex &lock = *new std::mutex;
int open_ranges, threads;
thread_local int depth, thread_number;

FILE *log_file() {
    static const char *path = getenv("EMU_RANGES");
    static FILE *f = path && *path ? fopen(path, "w") : nullptr;
    if (f) setvbuf(f, nullptr, _IOLBF, 0);
    return f;
}

int push(const char *name) {
    const std::lock_guard<std::mutex> hold(lock);
    if (!thread_number) thread_number = ++threads;
    open_ranges++;
    if (FILE *f = log_file()) fprintf(f, "%d > %s\n", thread_number, name);
    return depth++;
}

int pop() {
    const std::lock_guard<std::mutex> hold(lock);
    if (!depth) fail("nvtxRangePop: no range is open on this thread");
    open_ranges--;
    if (FILE *f = log_file()) fprintf(f, "%d <\n", thread_number);
    return --depth;
}

template <class F> NvtxFunctionPointer plain(F f) { return reinterpret_cast<NvtxFunctionPointer>(f); }

int initialize(NvtxGetExportTableFunc_t get_table) {
    const auto *callbacks = static_cast<const NvtxExportTableCallbacks *>(get_table(NVTX_ETID_CALLBACKS));
    NvtxFunctionTable table = nullptr;
    unsigned n = 0;
    if (!callbacks || !callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, &table, &n)) return 0;
    if (n <= NVTX_CBID_CORE_RangePop) return 0;
    *table[NVTX_CBID_CORE_RangePushA] = plain(push);
    *table[NVTX_CBID_CORE_RangePop] = plain(pop);
    return 1;
}
} // namespace

int live_ranges() { return open_ranges; }
} // namespace emu

extern "C" {
extern NvtxInitializeInjectionNvtxFunc_t InitializeInjectionNvtx2_fnptr;
NvtxInitializeInjectionNvtxFunc_t InitializeInjectionNvtx2_fnptr = emu::initialize;
}
