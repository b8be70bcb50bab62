/* faults.c - each function stands before its namesake: it counts, and at its turn fails as the real one would. */
#include "faults.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static atomic_int armed, failing[FAULT_KINDS];
static atomic_long calls;
static long fail_at;
static int fail_lasting;
static const char *first_failed = "none";

void fault_arm(long at, int lasting) {
    for (int k = 0; k < FAULT_KINDS; k++) failing[k] = 0;
    calls = 0;
    fail_at = at;
    fail_lasting = lasting;
    first_failed = "none";
    armed = 1;
}

long fault_disarm(void) {
    armed = 0;
    return calls;
}

const char *fault_name(void) { return first_failed; }

static int fails(fault_kind kind, const char *name) {
    if (!armed) return 0;
    if (atomic_fetch_add(&calls, 1) + 1 == fail_at) {
        first_failed = name;
        failing[kind] = fail_lasting;
        return 1;
    }
    return failing[kind];
}

#pragma GCC visibility push(default) /* a shared library's definition of the same name is bound to them as well */

/* WRAP(kind, result, name, (parameters), (arguments), errno, failure) */
#define WRAP(kind, type, name, parameters, arguments, error, failure)                                                  \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters {                                                                                    \
        if (!fails(kind, #name)) return __real_##name arguments;                                                       \
        errno = error;                                                                                                 \
        return failure;                                                                                                \
    }
#define MEMORY(type, name, parameters, arguments) WRAP(FAULT_MEMORY, type, name, parameters, arguments, ENOMEM, NULL)
#define FILES(type, name, parameters, arguments, error, failure)                                                       \
    WRAP(FAULT_FILE, type, name, parameters, arguments, error, failure)

MEMORY(void *, malloc, (size_t n), (n))
MEMORY(void *, calloc, (size_t n, size_t size), (n, size))
MEMORY(void *, realloc, (void *p, size_t n), (p, n))
MEMORY(void *, aligned_alloc, (size_t align, size_t n), (align, n))
MEMORY(char *, strdup, (const char *s), (s))
MEMORY(char *, strndup, (const char *s, size_t n), (s, n))
MEMORY(FILE *, open_memstream, (char **text, size_t *n), (text, n))
WRAP(FAULT_MEMORY, int, posix_memalign, (void **p, size_t align, size_t n), (p, align, n), ENOMEM, ENOMEM)

FILES(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n), EIO, -1)
FILES(ssize_t, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at), EIO, -1)
FILES(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n), ENOSPC, -1)
FILES(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at), ENOSPC, -1)
FILES(int, fsync, (int fd), (fd), EIO, -1)
FILES(int, fdatasync, (int fd), (fd), EIO, -1)
FILES(int, rename, (const char *from, const char *to), (from, to), EIO, -1)
FILES(int, link, (const char *from, const char *to), (from, to), EPERM, -1)
FILES(int, ftruncate, (int fd, off_t n), (fd, n), EIO, -1)
FILES(off_t, lseek, (int fd, off_t at, int whence), (fd, at, whence), EIO, -1)
FILES(int, fstat, (int fd, struct stat *sb), (fd, sb), EIO, -1)
FILES(int, flock, (int fd, int how), (fd, how), ENOLCK, -1)
FILES(int, mkdir, (const char *path, mode_t mode), (path, mode), ENOSPC, -1)
FILES(FILE *, fopen, (const char *path, const char *mode), (path, mode), EMFILE, NULL)
FILES(DIR *, opendir, (const char *path), (path), EMFILE, NULL)

WRAP(FAULT_OTHER, int, pthread_create, (pthread_t * t, const pthread_attr_t *attr, void *(*run)(void *), void *arg),
     (t, attr, run, arg), EAGAIN, EAGAIN)
WRAP(FAULT_OTHER, int, inflateInit2_, (z_streamp z, int bits, const char *version, int size), (z, bits, version, size),
     ENOMEM, Z_MEM_ERROR)

int __real_open(const char *path, int flags, ...);

/* A stream learns of an error from its own read: let that fail. */
static void break_stream(FILE *f) {
    int fd = __real_open("/dev/null", O_WRONLY);
    dup2(fd, fileno(f));
    close(fd);
}

size_t __real_fread(void *p, size_t size, size_t n, FILE *f);
size_t __wrap_fread(void *p, size_t size, size_t n, FILE *f);
size_t __wrap_fread(void *p, size_t size, size_t n, FILE *f) {
    if (fails(FAULT_FILE, "fread")) break_stream(f);
    return __real_fread(p, size, n, f);
}

char *__real_fgets(char *s, int n, FILE *f);
char *__wrap_fgets(char *s, int n, FILE *f);
char *__wrap_fgets(char *s, int n, FILE *f) {
    if (fails(FAULT_FILE, "fgets")) break_stream(f);
    return __real_fgets(s, n, f);
}

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) {
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    if (!fails(FAULT_FILE, "open")) return __real_open(path, flags, mode);
    errno = flags & O_CREAT ? ENOSPC : EMFILE;
    return -1;
}

int __real_openat(int at, const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...) {
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    if (!fails(FAULT_FILE, "openat")) return __real_openat(at, path, flags, mode);
    errno = EMFILE;
    return -1;
}

#pragma GCC visibility pop
