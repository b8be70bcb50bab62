/* places.c - the folders where data may lie: the one asked for, or $CUGLYPH_DATA and the user's cache. */
#include "data/places.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* a/b into out; 0 when it does not fit (then no such file can be opened either). */
static int join(char out[PATH_MAX], const char *a, const char *b) {
    size_t n = strlen(a);
    int w = snprintf(out, PATH_MAX, "%s%s%s", a, n && a[n - 1] == '/' ? "" : "/", b);
    return w > 0 && w < PATH_MAX;
}

static int is_file(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && !S_ISDIR(s.st_mode);
}

int cug_data_file(char out[PATH_MAX], const char *dir, const char *name) {
    char gz[128];
    snprintf(gz, sizeof gz, "%s.gz", name);
    return (join(out, dir, gz) && is_file(out)) || (join(out, dir, name) && is_file(out));
}

static int files_there(const cug_known_dataset *k, const char *dir) {
    char path[PATH_MAX];
    int n = 0;
    for (int i = 0; i < 4; i++) n += cug_data_file(path, dir, k->file[i].name);
    return n;
}

/* $XDG_CACHE_HOME/cuglyph or ~/.cache/cuglyph; an XDG path that is not absolute is void, as its specification says. */
static int cache_base(char *out, size_t n) {
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int w = -1;
    if (xdg && xdg[0] == '/')
        w = snprintf(out, n, "%s/cuglyph", xdg);
    else if (home && home[0])
        w = snprintf(out, n, "%s/.cache/cuglyph", home);
    return w > 0 && (size_t)w < n;
}

cug_status cug_cache_dir(char *out, size_t n, const char *name) {
    char base[PATH_MAX];
    if (!cache_base(base, sizeof base))
        return cug_fail(CUG_ENOENT, "no cache folder: neither XDG_CACHE_HOME nor HOME is set; name a folder instead");
    int w = snprintf(out, n, "%s/%s", base, name);
    if (w < 0 || (size_t)w >= n) return cug_fail(CUG_EINVAL, "the path of the cache folder is too long");
    return CUG_OK;
}

/* Looks in base/NAME, then base: the named sub-folder first, because all known sets use the same file names. */
static int look_in(char out[PATH_MAX], const cug_known_dataset *k, const char *base, char *looked, size_t size) {
    char sub[PATH_MAX];
    const char *place[2] = {join(sub, base, k->name) ? sub : NULL, base};
    for (int i = 0; i < 2; i++) {
        if (!place[i]) continue;
        int there = files_there(k, place[i]);
        if (there == 4) return snprintf(out, PATH_MAX, "%s", place[i]) < PATH_MAX;
        size_t used = strlen(looked);
        snprintf(looked + used, size - used, "%s%s", used ? ", " : "", place[i]);
        used = strlen(looked);
        if (there) snprintf(looked + used, size - used, " (only %d of its 4 files)", there);
    }
    return 0;
}

cug_status cug_data_find(char out[PATH_MAX], const cug_known_dataset *k, const char *data_dir) {
    char looked[700] = "", cache[PATH_MAX];
    if (data_dir && *data_dir) {
        if (look_in(out, k, data_dir, looked, sizeof looked)) return CUG_OK;
        return cug_fail(CUG_ENOENT, "%s is not in %s; get it with: cuglyph data fetch %s --data-dir %s", k->name,
                        looked, k->name, data_dir);
    }
    const char *env = getenv("CUGLYPH_DATA");
    if (env && *env && look_in(out, k, env, looked, sizeof looked)) return CUG_OK;
    if (cache_base(cache, sizeof cache) && look_in(out, k, cache, looked, sizeof looked)) return CUG_OK;
    return cug_fail(CUG_ENOENT,
                    "%s is not in %s; get it with: cuglyph data fetch %s, or set CUGLYPH_DATA to its folder", k->name,
                    *looked ? looked : "any known folder (HOME is not set)", k->name);
}

cug_status cug_make_folders(const char *dir) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s", dir) >= PATH_MAX) return cug_fail(CUG_EINVAL, "the path %s is too long", dir);
    for (char *p = path + 1;; p++) {
        if (*p != '/' && *p) continue;
        char c = *p;
        *p = 0;
        if (mkdir(path, 0777) && errno != EEXIST)
            return cug_fail(errno == ENOSPC ? CUG_ENOSPC : CUG_EIO, "%s: cannot make the folder: %s", path,
                            strerror(errno));
        *p = c;
        if (!c) break;
    }
    struct stat s;
    if (stat(path, &s) || !S_ISDIR(s.st_mode)) return cug_fail(CUG_EIO, "%s: is not a folder", path);
    return CUG_OK;
}
