/* safetensors.h - what reading and writing of the container share. */
#ifndef CUG_IO_SAFETENSORS_H
#define CUG_IO_SAFETENSORS_H

#include <cuglyph/checkpoint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors data is little-endian; this machine would have to swap bytes"
#endif

#define CUG_ST_MAX_HEADER 100000000u /* bytes; the format's own limit */
#define CUG_ST_MAX_DATA ((uint64_t)1 << 36)
#define CUG_ST_ALIGN 64 /* of each tensor in memory */

/* The file's beginning for these tensors: 8 bytes of length, JSON, padding; free() it. */
cug_status cug_st_header(const char *where, const cug_st_tensor *tensors, int n_tensors, const cug_st_pair *meta,
                         int n_meta, char **bytes, size_t *n);

#endif
