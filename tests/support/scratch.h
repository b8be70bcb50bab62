/* scratch.h - a folder of its own for a test, and small file helpers. */
#ifndef CUG_TESTS_SCRATCH_H
#define CUG_TESTS_SCRATCH_H

#include <stddef.h>

/* Makes a fresh folder under $TMPDIR or /tmp and returns its path; one a test process. */
const char *scratch_make(void);
void scratch_setup(void); /* the same, as a suite's .init */
/* Removes it with all it holds. */
void scratch_remove(void);
/* "SCRATCH/name", in one of a few rotating buffers. */
const char *scratch_path(const char *name);
/* Mounts a RAM disk of that many bytes over a new folder of the scratch folder, seen by this process alone. NULL where
 * the system does not allow it. */
const char *scratch_small_disk(size_t bytes);

/* A whole file, '\0' after it; free() it. NULL: cannot be read. */
char *file_read(const char *path, size_t *n);
void file_write(const char *path, const void *bytes, size_t n);
/* Entries of a folder besides "." and ".."; with `ending` only those that end so. */
int folder_count(const char *path, const char *ending);

#endif
