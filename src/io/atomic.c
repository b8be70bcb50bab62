/* atomic.c - replaces files as a whole: whoever reads the path sees all of the old file or all of the new one. */
#include "io/atomic.h"
#include <cuglyph/checkpoint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE_CHUNK ((size_t)1 << 30) /* Linux writes at most 2 GiB at once */

static int is_full(int err) { return err == ENOSPC || err == EDQUOT || err == EFBIG; }

static cug_status fail_errno(const cug_atomic *a, const char *doing, int err) {
    const char *kept = access(a->path, F_OK) == 0 ? "the previous %s is kept" : "no %s was written";
    char what[64];
    snprintf(what, sizeof what, kept, a->noun);
    if (is_full(err))
        return cug_fail(CUG_ENOSPC, "%s: no space left (%s: %s): %s; free some space and try again", a->path, doing,
                        strerror(err), what);
    return cug_fail(err == ENOENT ? CUG_ENOENT : CUG_EIO, "%s: %s failed: %s: %s", a->path, doing, strerror(err), what);
}

/* Opens and locks the temporary file. A writer that held the lock before us has renamed or removed the file we opened,
 * so the name is looked at again once the lock is ours. */
static cug_status open_locked(cug_atomic *a) {
    for (;;) {
        a->fd = open(a->temp, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (a->fd < 0) return fail_errno(a, "creating a temporary file beside it", errno);
        int r;
        while ((r = flock(a->fd, LOCK_EX)) != 0 && errno == EINTR) {}
        /* Some network file systems have no locks: go on, with one writer a path up to the user. */
        struct stat mine, named;
        if (fstat(a->fd, &mine) != 0) return fail_errno(a, "looking at the temporary file", errno);
        int same = stat(a->temp, &named) == 0 && mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
        if (same && mine.st_nlink == 1) return CUG_OK;
        if (same) unlink(a->temp); /* left by a killed cug_atomic_link: the file has a name of its own */
        close(a->fd);
        a->fd = -1;
    }
}

cug_status cug_atomic_open(cug_atomic *a, const char *path, const char *noun) {
    cug_status st = CUG_OK;
    *a = (cug_atomic){.fd = -1, .noun = noun};
    if (!path || !*path || path[strlen(path) - 1] == '/')
        return cug_fail(CUG_EINVAL, "'%s' is not a file's path: name the file to write", path ? path : "");
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    a->path = strdup(path);
    a->folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    size_t n = strlen(path) + sizeof "/..tmp" + 1;
    a->temp = malloc(n);
    if (!a->path || !a->folder || !a->temp) {
        st = cug_fail(CUG_ENOMEM, "%s: out of memory", path);
        goto cleanup;
    }
    snprintf(a->temp, n, "%.*s.%s.tmp", (int)(name - path), path, name);
    struct stat sb;
    if (stat(path, &sb) == 0 && S_ISDIR(sb.st_mode)) {
        st = cug_fail(CUG_EINVAL, "%s is a folder: name a file to write", path);
        goto cleanup;
    }
    CUG_GOTO(open_locked(a));
    if (ftruncate(a->fd, 0) != 0) st = fail_errno(a, "emptying the temporary file", errno);
cleanup:
    if (st != CUG_OK) cug_atomic_close(a);
    return st;
}

cug_status cug_atomic_write(cug_atomic *a, const void *bytes, size_t n) {
    const char *p = bytes;
    while (n > 0) {
        ssize_t w = write(a->fd, p, n < WRITE_CHUNK ? n : WRITE_CHUNK);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) return fail_errno(a, "writing", errno);
        if (w == 0) return fail_errno(a, "writing", ENOSPC);
        p += w;
        n -= (size_t)w;
    }
    return CUG_OK;
}

static int sync_folder(const char *folder) {
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno;
    int err = fsync(fd) == 0 || errno == EINVAL ? 0 : errno; /* EINVAL: this file system does not sync folders */
    close(fd);
    return err;
}

static cug_status put_in_place(cug_atomic *a) {
    if (rename(a->temp, a->path) != 0) return fail_errno(a, "renaming the temporary file", errno);
    free(a->temp); /* no longer ours to remove */
    a->temp = NULL;
    int err = sync_folder(a->folder);
    if (err)
        return cug_fail(CUG_EIO,
                        "%s: written, but flushing its folder failed: %s: after a power cut the old %s may return",
                        a->path, strerror(err), a->noun);
    return CUG_OK;
}

cug_status cug_atomic_commit(cug_atomic *a) {
    if (fsync(a->fd) != 0) return fail_errno(a, "flushing to disk", errno);
    return put_in_place(a);
}

static int same_file(const char *one, const char *other) {
    struct stat a, b;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

cug_status cug_atomic_link(const char *from, const char *path, const char *noun) {
    cug_atomic a;
    cug_status st = CUG_OK;
    CUG_TRY(cug_atomic_open(&a, path, noun));
    if (unlink(a.temp) != 0 || link(from, a.temp) != 0)
        st = cug_fail(CUG_ENOTSUP, "%s: a second name of %s is not to be had: %s", path, from, strerror(errno));
    else
        st = same_file(from, path) ? CUG_OK : put_in_place(&a); /* renaming would do nothing, and leave both names */
    cug_atomic_close(&a);
    return st;
}

void cug_atomic_close(cug_atomic *a) {
    if (a->fd >= 0) {
        if (a->temp) unlink(a->temp); /* while the lock is held, so it is our own */
        close(a->fd);
    }
    free(a->path);
    free(a->folder);
    free(a->temp);
    *a = (cug_atomic){.fd = -1};
}

void cug_atomic_sweep(const char *folder) {
    DIR *d = opendir(folder);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));) {
        size_t n = strlen(e->d_name);
        if (n < sizeof ".x.tmp" - 1 || e->d_name[0] != '.' || strcmp(e->d_name + n - 4, ".tmp") != 0) continue;
        int fd = openat(dirfd(d), e->d_name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) continue;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) unlinkat(dirfd(d), e->d_name, 0);
        close(fd);
    }
    closedir(d);
}

cug_status cug_write_atomic(const char *path, const void *bytes, size_t n) {
    cug_atomic a;
    cug_status st = CUG_OK;
    CUG_TRY(cug_atomic_open(&a, path, "file"));
    CUG_GOTO(cug_atomic_write(&a, bytes, n));
    CUG_GOTO(cug_atomic_commit(&a));
cleanup:
    cug_atomic_close(&a);
    return st;
}
