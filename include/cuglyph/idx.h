/* idx.h - reader of the IDX format (LeCun's MNIST files), gzip or plain. */
#ifndef CUGLYPH_IDX_H
#define CUGLYPH_IDX_H

#include <cuglyph/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CUG_IDX_MAX_DIMS 4
#define CUG_IDX_MAX_BYTES ((size_t)1 << 32) /* the largest data part accepted */

/* Big-endian header: 0, 0, type (0x08 = uint8), rank, then rank extents of 32 bits; then the elements, row-major. */
typedef struct cug_idx {
    int ndim;
    uint32_t dims[CUG_IDX_MAX_DIMS];
    size_t bytes;
    uint8_t *data;
} cug_idx;

/* Reads a whole file, streaming through zlib (which takes plain files as they are). Memory is taken only as data
 * arrives, so a lying header costs nothing. On failure *out is zeroed and the status says which rule was broken:
 * CUG_ENOENT, CUG_EIO, CUG_ENOMEM, CUG_EIDX_*. */
CUG_API cug_status cug_idx_read(cug_idx *out, const char *path);
/* The same from memory (gzip or plain); for fuzzing and embedded data. */
CUG_API cug_status cug_idx_parse(cug_idx *out, const void *bytes, size_t n, const char *where);
CUG_API void cug_idx_free(cug_idx *idx);

#ifdef __cplusplus
}
#endif
#endif
