/* run.c - making, opening and locking run folders. */
#include "io/atomic.h"
#include "train/run_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_NUMBER 1000000

const char *cug_run_path(const cug_run *r) { return r->path; }

const char *cug_run_file(const cug_run *r, const char *file, char *out, size_t n) {
    snprintf(out, n, "%s/%s", r->path, file);
    return out;
}

static int has(const cug_run *r, const char *file) {
    char path[CUG_RUN_PATH];
    return access(cug_run_file(r, file, path, sizeof path), F_OK) == 0;
}

static int holds_a_run(const cug_run *r) {
    return has(r, "config") || has(r, "last.safetensors") || has(r, "best.safetensors");
}

/* Makes path (changed on the way, restored) and what is missing above it. */
static cug_status make_folders(char *path) {
    for (char *p = path + 1;; p++) {
        if (*p && *p != '/') continue;
        char kept = *p;
        *p = 0;
        int failed = mkdir(path, 0777) != 0 && errno != EEXIST, err = errno;
        struct stat sb;
        if (!failed && (stat(path, &sb) != 0 || !S_ISDIR(sb.st_mode))) {
            failed = 1;
            err = ENOTDIR;
        }
        if (failed) cug_fail(err == ENOSPC ? CUG_ENOSPC : CUG_EIO, "%s: cannot be made: %s", path, strerror(err));
        *p = kept;
        if (failed) return err == ENOSPC ? CUG_ENOSPC : CUG_EIO;
        if (!kept) return CUG_OK;
    }
}

static cug_status fail_busy(const char *path, int fd) {
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    if (pid > 0)
        return cug_fail(CUG_EBUSY, "%s: in use by process %ld: wait for it, stop it or choose another folder", path,
                        pid);
    return cug_fail(CUG_EBUSY, "%s: in use by another process: wait for it or choose another folder", path);
}

static cug_status lock_run(cug_run *r) {
    char path[CUG_RUN_PATH], text[32];
    int fd = open(cug_run_file(r, "lock", path, sizeof path), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return cug_fail(CUG_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    cug_status st = CUG_OK;
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        st = errno == EWOULDBLOCK ? fail_busy(r->path, fd)
                                  : cug_fail(CUG_EIO, "%s: cannot be locked: %s", path, strerror(errno));
    else if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
        st = cug_fail(errno == ENOSPC ? CUG_ENOSPC : CUG_EIO, "%s: cannot be written: %s", path, strerror(errno));
    if (st != CUG_OK) {
        close(fd);
        return st;
    }
    r->lock = fd;
    cug_atomic_sweep(r->path);
    return CUG_OK;
}

static cug_run *new_run(char *path) {
    cug_run *r = path ? malloc(sizeof *r) : NULL;
    if (r)
        *r = (cug_run){.path = path, .lock = -1, .jsonl = -1, .csv = -1};
    else
        free(path);
    return r;
}

/* A path without '/' at its end; NULL: no memory. */
static char *tidy(const char *path) {
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    return strndup(path, n);
}

/* Makes runs/NAME-1, or the first number that is free; mkdir decides between two processes. */
static cug_status make_numbered(char **out, const char *name) {
    char base[80] = "run", path[128];
    size_t n = 0;
    for (; name && name[n] && n < sizeof base - 1; n++) {
        char ch = name[n];
        int plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '_' ||
                    (ch == '.' && n > 0);
        base[n] = plain ? ch : '-';
    }
    if (n) base[n] = 0;
    strcpy(path, "runs");
    CUG_TRY(make_folders(path));
    for (int i = 1; i <= MAX_NUMBER; i++) {
        snprintf(path, sizeof path, "runs/%s-%d", base, i);
        if (mkdir(path, 0777) == 0) {
            *out = strdup(path);
            return *out ? CUG_OK : cug_fail(CUG_ENOMEM, "%s: out of memory", path);
        }
        if (errno != EEXIST)
            return cug_fail(errno == ENOSPC ? CUG_ENOSPC : CUG_EIO, "%s: cannot be made: %s", path, strerror(errno));
    }
    return cug_fail(CUG_EINVAL, "runs/%s-1 to -%d are all taken: name a folder", base, MAX_NUMBER);
}

cug_status cug_run_create(cug_run **out, const char *path, const char *name) {
    cug_status st = CUG_OK;
    char *folder = NULL;
    *out = NULL;
    if (path && strlen(path) > CUG_RUN_PATH - 64) return cug_fail(CUG_EINVAL, "%.80s...: path is too long", path);
    if (path && *path) {
        folder = tidy(path);
        if (!folder) return cug_fail(CUG_ENOMEM, "%s: out of memory", path);
        st = make_folders(folder);
        if (st != CUG_OK) {
            free(folder);
            return st;
        }
    } else {
        CUG_TRY(make_numbered(&folder, name));
    }
    cug_run *r = new_run(folder);
    if (!r) return cug_fail(CUG_ENOMEM, "out of memory for a run");
    CUG_GOTO(lock_run(r));
    if (holds_a_run(r))
        st = cug_fail(CUG_EINVAL, "%s already holds a run: resume it with --resume %s, or choose another folder",
                      r->path, r->path);
cleanup:
    if (st == CUG_OK)
        *out = r;
    else
        cug_run_close(r);
    return st;
}

static cug_status open_run(cug_run **out, const char *path, int locked) {
    cug_status st = CUG_OK;
    *out = NULL;
    if (!path || !*path) return cug_fail(CUG_EINVAL, "no run folder is named");
    if (strlen(path) > CUG_RUN_PATH - 64) return cug_fail(CUG_EINVAL, "%.80s...: path is too long", path);
    cug_run *r = new_run(tidy(path));
    if (!r) return cug_fail(CUG_ENOMEM, "%s: out of memory", path);
    struct stat sb;
    if (stat(path, &sb) != 0 || !S_ISDIR(sb.st_mode))
        st = cug_fail(CUG_ENOENT, "%s: no such run folder", path);
    else if (!holds_a_run(r))
        st = cug_fail(CUG_ENOENT, "%s: a folder, but it holds no run (no config, no checkpoint)", path);
    else if (locked)
        st = lock_run(r);
    if (st == CUG_OK)
        *out = r;
    else
        cug_run_close(r);
    return st;
}

cug_status cug_run_open(cug_run **out, const char *path) { return open_run(out, path, 1); }
cug_status cug_run_open_readonly(cug_run **out, const char *path) { return open_run(out, path, 0); }

void cug_run_close(cug_run *r) {
    if (!r) return;
    if (r->jsonl >= 0) close(r->jsonl);
    if (r->csv >= 0) close(r->csv);
    if (r->lock >= 0) {
        /* The file stays: removing it would let two processes lock two files of one name. */
        int emptied = ftruncate(r->lock, 0);
        (void)emptied; /* a stale pid is harmless, the lock itself decides */
        close(r->lock);
    }
    free(r->path);
    free(r);
}
