/* run_log.c - a run's logs: whole lines only, even after a crash or on a full disk. */
#include "train/run_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef enum { JSONL, CSV } log_kind;
static const char *const files[] = {"log.jsonl", "log.csv"};

static int *slot_of(cug_run *r, log_kind k) { return k == JSONL ? &r->jsonl : &r->csv; }

static cug_status fail_errno(const cug_run *r, log_kind k, const char *doing, int err) {
    return cug_fail(err == ENOSPC || err == EDQUOT || err == EFBIG ? CUG_ENOSPC : CUG_EIO, "%s/%s: %s failed: %s",
                    r->path, files[k], doing, strerror(err));
}

/* A machine that died may have left half a line; the next one must not be glued to it. */
static cug_status drop_torn_line(const cug_run *r, log_kind k, int fd) {
    char block[512];
    off_t end = lseek(fd, 0, SEEK_END), keep = end;
    while (keep > 0) {
        off_t from = keep > (off_t)sizeof block ? keep - (off_t)sizeof block : 0;
        ssize_t n = pread(fd, block, (size_t)(keep - from), from);
        if (n != keep - from) return fail_errno(r, k, "reading its end", n < 0 ? errno : EIO);
        const char *found = memrchr(block, '\n', (size_t)n);
        keep = found ? from + (found - block) + 1 : from;
        if (found) break;
    }
    if (keep != end && ftruncate(fd, keep) != 0) return fail_errno(r, k, "cutting off half a line", errno);
    return CUG_OK;
}

/* *fd = -1 when the log does not exist and is not to be made. */
static cug_status open_log(cug_run *r, log_kind k, int make, int *fd) {
    if (r->lock < 0) return cug_fail(CUG_EINVAL, "%s: opened for reading only: its logs cannot be written", r->path);
    *fd = *slot_of(r, k);
    if (*fd >= 0) return CUG_OK;
    char path[CUG_RUN_PATH];
    int opened =
        open(cug_run_file(r, files[k], path, sizeof path), O_RDWR | O_APPEND | O_CLOEXEC | (make ? O_CREAT : 0), 0666);
    if (opened < 0 && errno == ENOENT && !make) return CUG_OK;
    if (opened < 0) return fail_errno(r, k, "opening", errno);
    cug_status st = drop_torn_line(r, k, opened);
    if (st != CUG_OK) {
        close(opened);
        return st;
    }
    *fd = *slot_of(r, k) = opened;
    return CUG_OK;
}

static cug_status append(cug_run *r, log_kind k, const char *line) {
    int fd;
    if (!r || !line || strchr(line, '\n')) return cug_fail(CUG_EINVAL, "a log takes one line at a time");
    CUG_TRY(open_log(r, k, 1, &fd));
    size_t n = strlen(line) + 1;
    char *text = malloc(n);
    if (!text) return cug_fail(CUG_ENOMEM, "%s/%s: out of memory", r->path, files[k]);
    memcpy(text, line, n - 1);
    text[n - 1] = '\n';
    ssize_t w;
    r->flushed[k] = 0;
    while ((w = write(fd, text, n)) < 0 && errno == EINTR) {}
    int err = errno;
    free(text);
    if (w == (ssize_t)n) return CUG_OK;
    if (w < 0) return fail_errno(r, k, "writing", err);
    struct stat sb; /* part of a line went in before the disk was full: take it back */
    if (fstat(fd, &sb) == 0 && ftruncate(fd, sb.st_size - w) != 0)
        return fail_errno(r, k, "taking back half a line", errno);
    return fail_errno(r, k, "writing", ENOSPC);
}

cug_status cug_run_log(cug_run *r, const char *json_line) { return append(r, JSONL, json_line); }
cug_status cug_run_csv(cug_run *r, const char *csv_line) { return append(r, CSV, csv_line); }

static cug_status size_of(cug_run *r, log_kind k, uint64_t *size) {
    int fd = -1;
    struct stat sb = {0};
    *size = 0;
    CUG_TRY(open_log(r, k, 0, &fd));
    if (fd < 0) return CUG_OK;
    if (fstat(fd, &sb) != 0) return fail_errno(r, k, "looking at it", errno);
    *size = (uint64_t)sb.st_size;
    return CUG_OK;
}

static cug_status flush(cug_run *r, log_kind k) {
    int fd = -1;
    CUG_TRY(open_log(r, k, 0, &fd));
    if (fd < 0 || r->flushed[k]) return CUG_OK;
    if (fdatasync(fd) != 0) return fail_errno(r, k, "flushing to disk", errno);
    r->flushed[k] = 1;
    return CUG_OK;
}

cug_status cug_run_log_flush(cug_run *r) {
    CUG_TRY(flush(r, JSONL));
    return flush(r, CSV);
}

cug_status cug_run_log_sizes(cug_run *r, uint64_t *jsonl, uint64_t *csv) {
    CUG_TRY(size_of(r, JSONL, jsonl));
    return size_of(r, CSV, csv);
}

static cug_status cut(cug_run *r, log_kind k, uint64_t size) {
    uint64_t now;
    CUG_TRY(size_of(r, k, &now));
    if (now < size)
        return cug_fail(CUG_EMISMATCH,
                        "%s/%s: %" PRIu64 " bytes, but the checkpoint saw %" PRIu64
                        ": lines are missing; it is left as it is",
                        r->path, files[k], now, size);
    if (now == size) return CUG_OK;
    r->flushed[k] = 0;
    return ftruncate(*slot_of(r, k), (off_t)size) == 0 ? CUG_OK : fail_errno(r, k, "cutting", errno);
}

cug_status cug_run_log_truncate(cug_run *r, uint64_t jsonl, uint64_t csv) {
    cug_status first = cut(r, JSONL, jsonl);
    if (first != CUG_OK && first != CUG_EMISMATCH) return first;
    cug_status second = cut(r, CSV, csv); /* a short log is no reason to keep too much of the other */
    return second != CUG_OK ? second : first;
}
