/* atomic.h - replacing a file as a whole: the steps behind cug_write_atomic and cug_st_write. */
#ifndef CUG_IO_ATOMIC_H
#define CUG_IO_ATOMIC_H

#include <cuglyph/status.h>
#include <stddef.h>

/* The new content gathers in FOLDER/.NAME.tmp, which is flock'ed by its writer. The name is fixed, so a writer that was
 * killed leaves at most one stale file for each target, and the next writer takes it over. */
typedef struct cug_atomic {
    int fd; /* -1: nothing open */
    char *path, *folder, *temp;
    const char *noun; /* "checkpoint", "file": for messages */
} cug_atomic;

/* Waits while another writer is at work on the same path. On failure nothing is held. */
cug_status cug_atomic_open(cug_atomic *a, const char *path, const char *noun);
cug_status cug_atomic_write(cug_atomic *a, const void *bytes, size_t n);
/* fsync, rename, fsync of the folder. */
cug_status cug_atomic_commit(cug_atomic *a);
/* The file `from` under the name `path` as well, which it replaces; both in one folder, `from` flushed to disk.
 * CUG_ENOTSUP where the file system gives a file one name only. */
cug_status cug_atomic_link(const char *from, const char *path, const char *noun);
/* Releases everything; before a successful commit that removes the temporary file. Safe to call in any state. */
void cug_atomic_close(cug_atomic *a);

/* Removes from a folder what killed writers left; files of writers at work stay. */
void cug_atomic_sweep(const char *folder);

#endif
