/* trace.c - the only door to NVTX: what the host is queuing, by name, for Nsight Systems and its like. NVTX is headers
 * alone; it looks for a tool at its first call and costs a branch a call when there is none. */
#include "cuda/cuda.h"

/* Toolkits that are installed in pieces may lack it. */
#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>

/* NVTX reads plainly what its first call writes, so that call must not have company. */
void cug_cuda_ranges_begin(void) { nvtxInitialize(NULL); }
void cug_cuda_range_push(const char *name) { (void)nvtxRangePushA(name); }
void cug_cuda_range_pop(void) { (void)nvtxRangePop(); }
#else
void cug_cuda_ranges_begin(void) {}
void cug_cuda_range_push(const char *name) { (void)name; }
void cug_cuda_range_pop(void) {}
#endif
