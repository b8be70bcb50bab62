/* tempfile.h - a file that gets its name only when it is whole. Private to the library. */
#ifndef CUG_DATA_TEMPFILE_H
#define CUG_DATA_TEMPFILE_H

#include <cuglyph/status.h>
#include <limits.h>
#include <stddef.h>

typedef struct cug_tempfile {
    int fd; /* -1: none */
    char path[PATH_MAX];
} cug_tempfile;

/* Makes ".NAME.PID-N.part" in the folder of `target`, empty, open for writing. CUG_ENOENT (no such folder), CUG_ENOSPC,
 * CUG_EIO. */
cug_status cug_tempfile_open(cug_tempfile *t, const char *target);
/* write() until all is written. CUG_ENOSPC, CUG_EIO. */
cug_status cug_tempfile_write(cug_tempfile *t, const void *bytes, size_t n);
/* Flushes to disk, closes and renames to `target`. On failure nothing is left. */
cug_status cug_tempfile_commit(cug_tempfile *t, const char *target);
/* Closes and removes; safe after commit and twice. */
void cug_tempfile_discard(cug_tempfile *t);

/* Removes what a killed process left of `target`: its temporary files not written to for a day. */
void cug_tempfile_sweep(const char *target);

#endif
