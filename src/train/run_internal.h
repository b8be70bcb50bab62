/* run_internal.h - a run folder in use. */
#ifndef CUG_TRAIN_RUN_INTERNAL_H
#define CUG_TRAIN_RUN_INTERNAL_H

#include <cuglyph/run.h>

#define CUG_RUN_PATH 4096

struct cug_run {
    char *path;
    int lock;       /* RUN/lock, flock'ed; -1: opened for reading only */
    int jsonl, csv; /* -1 until the first use */
    int flushed[2]; /* nothing was written to that log since it was flushed to disk */
};

#endif
