/* cuda.h - what the GPUs of this machine are; only in builds with CUDA. Running on one needs nothing from here: that is
 * cug_backend_find("cuda"). */
#ifndef CUGLYPH_CUDA_H
#define CUGLYPH_CUDA_H

#include <cuglyph/status.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cug_cuda_report {
    char name[256];
    int ordinal;
    int major, minor; /* compute capability */
    int sms;
    size_t memory_free, memory_total, l2; /* bytes */
    int driver, runtime;       /* CUDA versions, 13000 = 13.0: the newest the driver runs, the one built with */
    const char *architectures; /* that this build has kernels for */
    /* Bytes a second, host to device and back, best of a few large copies; from and to page-locked memory (0: it was
     * refused) and ordinary memory. */
    double pinned_upload, pinned_download, pageable_upload, pageable_download;
} cug_cuda_report;

/* GPUs that can be opened, at least one; CUG_ENOTSUP with the reason when there is none. */
CUG_API cug_status cug_cuda_count(int *count);

/* Fills `out` for one GPU; measures the copies (some tens of milliseconds). CUG_ENOTSUP: no such GPU. */
CUG_API cug_status cug_cuda_report_read(cug_cuda_report *out, int ordinal);

#ifdef __cplusplus
}
#endif
#endif
