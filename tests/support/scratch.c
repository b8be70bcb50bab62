/* scratch.c - a folder of its own for a test, and small file helpers. */
#include "scratch.h"
#include <criterion/criterion.h>
#include <dirent.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[256], disk[300];

const char *scratch_make(void) {
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/cuglyph-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    cr_assert_not_null(mkdtemp(folder), "no scratch folder %s", folder);
    return folder;
}

void scratch_setup(void) { scratch_make(); }

static int remove_one(const char *path, const struct stat *sb, int kind, struct FTW *at) {
    (void)sb, (void)kind, (void)at;
    return remove(path);
}

void scratch_remove(void) {
    if (*disk) umount2(disk, MNT_DETACH);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_path(const char *name) {
    static char buffers[4][512];
    static int next;
    char *out = buffers[next++ % 4];
    snprintf(out, sizeof buffers[0], "%s/%s", folder, name);
    return out;
}

const char *scratch_small_disk(size_t bytes) {
    char size[48];
    int own = geteuid() == 0 ? unshare(CLONE_NEWNS) : unshare(CLONE_NEWUSER | CLONE_NEWNS);
    if (own != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return NULL;
    snprintf(disk, sizeof disk, "%s/disk", folder);
    snprintf(size, sizeof size, "size=%zu", bytes);
    if (mkdir(disk, 0777) == 0 && mount("tmpfs", disk, "tmpfs", 0, size) == 0) return disk;
    *disk = 0;
    return NULL;
}

char *file_read(const char *path, size_t *n) {
    FILE *f = fopen(path, "rbe");
    size_t got = 0, cap = 1 << 16;
    char *text = f ? malloc(cap + 1) : NULL;
    while (text) {
        size_t r = fread(text + got, 1, cap - got, f);
        got += r;
        if (r == 0) break;
        if (got == cap) text = realloc(text, (cap *= 2) + 1);
    }
    if (f) fclose(f);
    if (text) text[got] = 0;
    if (n) *n = got;
    return text;
}

void file_write(const char *path, const void *bytes, size_t n) {
    FILE *f = fopen(path, "wbe");
    cr_assert_not_null(f, "cannot write %s", path);
    cr_assert_eq(fwrite(bytes, 1, n, f), n);
    cr_assert_eq(fclose(f), 0);
}

int folder_count(const char *path, const char *ending) {
    DIR *d = opendir(path);
    int count = 0;
    cr_assert_not_null(d, "no folder %s", path);
    for (struct dirent *e; (e = readdir(d));) {
        size_t n = strlen(e->d_name), m = ending ? strlen(ending) : 0;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        count += n >= m && (!m || strcmp(e->d_name + n - m, ending) == 0);
    }
    closedir(d);
    return count;
}
