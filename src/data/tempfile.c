/* tempfile.c - temporary file beside its target, then rename: readers see the old file or the whole new one. */
#include "data/tempfile.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STALE_SECONDS = 24 * 60 * 60 };

static cug_status io_failure(int e, const char *what, const char *path) {
    cug_status st = e == ENOSPC || e == EDQUOT ? CUG_ENOSPC : e == ENOENT ? CUG_ENOENT : CUG_EIO;
    return cug_fail(st, "%s: cannot %s: %s", path, what, strerror(e));
}

/* Length of the folder part of path, with its slash; 0: the current folder. */
static size_t folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

cug_status cug_tempfile_open(cug_tempfile *t, const char *target) {
    static atomic_uint serial;
    size_t dir = folder_length(target);
    t->fd = -1;
    if (!target[dir]) return cug_fail(CUG_EINVAL, "\"%s\" does not name a file", target);
    int w = snprintf(t->path, sizeof t->path, "%.*s.%s.%ld-%u.part", (int)dir, target, target + dir, (long)getpid(),
                     atomic_fetch_add(&serial, 1));
    if (w < 0 || (size_t)w >= sizeof t->path) return cug_fail(CUG_EINVAL, "the path %s is too long", target);
    unlink(t->path); /* the number of a dead process: its file is nobody's */
    t->fd = open(t->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return t->fd < 0 ? io_failure(errno, "create", target) : CUG_OK;
}

cug_status cug_tempfile_write(cug_tempfile *t, const void *bytes, size_t n) {
    const char *p = bytes;
    while (n) {
        ssize_t w = write(t->fd, p, n);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) return io_failure(errno, "write", t->path);
        p += w;
        n -= (size_t)w;
    }
    return CUG_OK;
}

/* The new name is safe on disk once its folder is; a file system that cannot do this is no failure of ours. */
static void sync_folder(const char *target) {
    char dir[PATH_MAX];
    size_t n = folder_length(target);
    if (snprintf(dir, sizeof dir, "%.*s", n ? (int)n : 1, n ? target : ".") >= PATH_MAX) return;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

cug_status cug_tempfile_commit(cug_tempfile *t, const char *target) {
    cug_status st = CUG_OK;
    if (fsync(t->fd) && errno != EINVAL && errno != EROFS) st = io_failure(errno, "flush", t->path);
    int closed = close(t->fd);
    t->fd = -1;
    if (st == CUG_OK && closed) st = io_failure(errno, "close", t->path);
    if (st == CUG_OK && rename(t->path, target)) st = io_failure(errno, "write", target);
    if (st != CUG_OK) {
        unlink(t->path);
        return st;
    }
    sync_folder(target);
    return CUG_OK;
}

void cug_tempfile_discard(cug_tempfile *t) {
    if (t->fd < 0) return;
    close(t->fd);
    unlink(t->path);
    t->fd = -1;
}

void cug_tempfile_sweep(const char *target) {
    char dir[PATH_MAX], path[PATH_MAX], prefix[NAME_MAX + 1];
    size_t n = folder_length(target);
    if (snprintf(dir, sizeof dir, "%.*s", n ? (int)n : 1, n ? target : ".") >= PATH_MAX) return;
    if (snprintf(prefix, sizeof prefix, ".%s.", target + n) >= (int)sizeof prefix) return;
    DIR *d = opendir(dir);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));) {
        size_t len = strlen(e->d_name);
        struct stat s;
        if (strncmp(e->d_name, prefix, strlen(prefix)) || len < 5 || strcmp(e->d_name + len - 5, ".part")) continue;
        if (snprintf(path, sizeof path, "%s/%s", dir, e->d_name) >= PATH_MAX) continue;
        if (lstat(path, &s) == 0 && S_ISREG(s.st_mode) && time(NULL) - s.st_mtime > STALE_SECONDS) unlink(path);
    }
    closedir(d);
}
