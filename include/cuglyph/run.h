/* run.h - a run folder: config, environment, logs, checkpoints, final metrics; locked while in use.
 *   RUN/config           every option, canonical       RUN/environment.json  version, device, compiler, host facts
 *   RUN/log.jsonl        one JSON object a line        RUN/log.csv           the same epochs as a table
 *   RUN/last.safetensors, best.safetensors             RUN/metrics.json      final figures
 *   RUN/lock             held with flock while a process uses the folder */
#ifndef CUGLYPH_RUN_H
#define CUGLYPH_RUN_H

#include <cuglyph/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cug_run cug_run;

/* Makes the folder (and its parents) and locks it. path NULL or "": runs/NAME-1, -2 ... the first free. A folder that
 * already holds a run's config or checkpoint: CUG_EINVAL saying how to resume it or to choose another. */
CUG_API cug_status cug_run_create(cug_run **out, const char *path, const char *name);
/* Opens and locks an existing run; what killed writers left in it (.NAME.tmp) is removed. CUG_ENOENT (no such run),
 * CUG_EBUSY (another process holds it: its pid). */
CUG_API cug_status cug_run_open(cug_run **out, const char *path);
/* The same without the lock: for eval and info, which only read. */
CUG_API cug_status cug_run_open_readonly(cug_run **out, const char *path);
CUG_API void cug_run_close(cug_run *r); /* unlocks; NULL is safe */

CUG_API const char *cug_run_path(const cug_run *r);
/* RUN/file; returns out. */
CUG_API const char *cug_run_file(const cug_run *r, const char *file, char *out, size_t n);

/* Writes RUN/environment.json: version, compiler, operating system, processor, usable cores, memory, device, date. No
 * host name, user name or path. */
CUG_API cug_status cug_run_environment(cug_run *r, const char *device_line);

/* Appends one line to log.jsonl / log.csv (newline added). Complete lines only: one write() each, half a line left by a
 * crash is cut off first, and one that the disk has no room for is taken back (CUG_ENOSPC). */
CUG_API cug_status cug_run_log(cug_run *r, const char *json_line);
CUG_API cug_status cug_run_csv(cug_run *r, const char *csv_line);
/* Flushes both logs to disk; not while a line is being appended. */
CUG_API cug_status cug_run_log_flush(cug_run *r);
/* Bytes in each log now. What a checkpoint records, after they are on disk. */
CUG_API cug_status cug_run_log_sizes(cug_run *r, uint64_t *jsonl, uint64_t *csv);
/* Cuts both logs back to those sizes: on resume, lines written after the checkpoint go. A log shorter than its size is
 * left and said so (CUG_EMISMATCH). */
CUG_API cug_status cug_run_log_truncate(cug_run *r, uint64_t jsonl, uint64_t csv);

#ifdef __cplusplus
}
#endif
#endif
