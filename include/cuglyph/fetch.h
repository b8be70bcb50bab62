/* fetch.h - known data sets: their files, checksums and mirrors; download and verification. */
#ifndef CUGLYPH_FETCH_H
#define CUGLYPH_FETCH_H

#include <cuglyph/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cug_known_file {
    const char *name;   /* "train-images-idx3-ubyte"; on disk with or without ".gz" */
    const char *sha256; /* of the raw (uncompressed) bytes, hex */
    size_t raw_bytes;
} cug_known_file;

typedef struct cug_known_dataset {
    const char *name;               /* "mnist" */
    cug_known_file file[4];         /* train images, train labels, test images, test labels */
    const char *mirrors[4];         /* URL prefixes ending in '/', NULL-terminated */
    const char *const *class_names; /* 10 */
} cug_known_dataset;

CUG_API const cug_known_dataset *cug_known_dataset_find(const char *name);
CUG_API const cug_known_dataset *cug_known_dataset_at(int i); /* NULL past the end */

/* The cache folder of a data set: $XDG_CACHE_HOME or ~/.cache, then /cuglyph/NAME. Not created. */
CUG_API cug_status cug_cache_dir(char *out, size_t n, const char *name);

/* SHA-256 of a file's raw bytes (gzip unpacked on the way), as 64 hex digits + NUL. raw_bytes may be NULL. CUG_ENOENT,
 * CUG_EIO, CUG_EIDX_GZIP and CUG_EIDX_TRAILING for a damaged gzip stream. */
CUG_API cug_status cug_sha256_raw(const char *path, char hex[65], size_t *raw_bytes);

/* Progress of a download, several times a second; total is 0 while unknown. Other than 0 stops it: CUG_EINTR. */
typedef int (*cug_fetch_progress)(void *user, const char *file, size_t done, size_t total);

/* Brings what is missing of data set `name` into dir (NULL: the cache folder), trying `mirror` (a URL prefix; NULL: the
 * known mirrors in order) for each file; verifies the raw bytes before the file gets its name (temporary file in the
 * same folder, then rename); a file already there and right is kept. CUG_ENET when no mirror gave it (the message names
 * each try), CUG_ECHECKSUM when one gave other bytes, or when dir holds another known set's files, which stay. Nothing
 * partial is left. */
CUG_API cug_status cug_fetch(const char *name, const char *dir, const char *mirror, cug_fetch_progress progress,
                             void *user);

#ifdef __cplusplus
}
#endif
#endif
