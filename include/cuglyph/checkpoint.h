/* checkpoint.h - one safetensors file: weights under OIHW names, optimizer state, counters, and all that a reader needs
 * to use them. Format: https://github.com/huggingface/safetensors; ours is version 1 of "cuglyph" metadata. */
#ifndef CUGLYPH_CHECKPOINT_H
#define CUGLYPH_CHECKPOINT_H

#include <cuglyph/graph.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CUG_CHECKPOINT_VERSION 1

/* ---- the container: any safetensors file ---- */

typedef struct cug_st_tensor {
    char name[128];
    cug_dtype dtype;
    int ndim;
    int dims[CUG_MAX_DIMS];
    const void *data; /* little-endian, row-major; inside the file's memory when read */
    size_t bytes;
} cug_st_tensor;

typedef struct cug_st_pair {
    char *key, *value;
} cug_st_pair;

typedef struct cug_st_file {
    int n_tensors, n_meta;
    cug_st_tensor *tensors; /* ordered by data offset */
    cug_st_pair *meta;
    void *memory; /* owned, 64-byte aligned data */
} cug_st_file;

/* Checks every rule: header length (at most 100 MB, inside the file), JSON object starting with '{', no repeated key,
 * known dtype, shape and offsets non-negative with span = product x size (checked multiplication), tensors cover the
 * data exactly with no hole or overlap, metadata strings only. CUG_ECKPT_HEADER/TENSOR/RANGE, CUG_ENOENT, CUG_EIO. */
CUG_API cug_status cug_st_read(cug_st_file *out, const char *path);
CUG_API cug_status cug_st_parse(cug_st_file *out, const void *bytes, size_t n, const char *where); /* copies */
CUG_API void cug_st_free(cug_st_file *f);
CUG_API const cug_st_tensor *cug_st_find(const cug_st_file *f, const char *name);
CUG_API const char *cug_st_meta(const cug_st_file *f, const char *key); /* NULL: absent */

/* Writes temp file, fsync, rename, fsync of the folder: afterwards the path holds the whole new file or, on any failure
 * (CUG_ENOSPC, CUG_EIO), the old one, and no temporary file is left. Header padded to 8 bytes with spaces. */
CUG_API cug_status cug_st_write(const char *path, const cug_st_tensor *tensors, int n_tensors, const cug_st_pair *meta,
                                int n_meta);

/* The same promise for any small file (config, metrics). */
CUG_API cug_status cug_write_atomic(const char *path, const void *bytes, size_t n);

/* ---- the content: one model in training ---- */

#define CUG_MAX_STATE 2

/* Flat buffers in backend element type (F32 or F64), host memory, flat_count elements each. */
typedef struct cug_snapshot {
    cug_dtype real;
    void *params;
    int n_state;
    void *state[CUG_MAX_STATE];
    cug_st_pair *meta; /* counters, preprocessing, class names, spec ...: the caller's words, all kept */
    int n_meta;
} cug_snapshot;

/* Tensors "conv1.weight" (file order, OIHW), "optimizer.0.conv1.weight", ...; metadata: the caller's plus
 * "format" = "cuglyph", "version" = "1", "spec" = g->spec. */
CUG_API cug_status cug_checkpoint_save(const char *path, const cug_graph *g, const cug_snapshot *s);

/* Reads any cuglyph checkpoint; *g is built from its own spec. Params and state are allocated, padding zero.
 * CUG_ECKPT_VERSION, CUG_ECKPT_MISMATCH (a tensor missing, of other shape or type). */
CUG_API cug_status cug_checkpoint_load(const char *path, cug_graph **g, cug_snapshot *out);
CUG_API void cug_snapshot_free(cug_snapshot *s); /* what load allocated */
CUG_API const char *cug_snapshot_meta(const cug_snapshot *s, const char *key);

#ifdef __cplusplus
}
#endif
#endif
