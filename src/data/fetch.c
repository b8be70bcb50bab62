/* fetch.c - brings the files of a known data set into a folder, from the first mirror that gives the right bytes. */
#include "data/download.h"
#include "data/inflate.h"
#include "data/places.h"
#include <curl/curl.h>
#include <sha2.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

static const cug_fetch_limits default_limits = {.connect_seconds = 10, .stall_seconds = 30};

typedef struct hashing {
    SHA2_CTX sha;
    size_t bytes;
} hashing;

static cug_status add_to_hash(void *user, const uint8_t *bytes, size_t n) {
    hashing *h = user;
    SHA256Update(&h->sha, bytes, n);
    h->bytes += n;
    return CUG_OK;
}

cug_status cug_sha256_raw(const char *path, char hex[65], size_t *raw_bytes) {
    hashing h = {.bytes = 0};
    SHA256Init(&h.sha);
    *hex = 0;
    if (raw_bytes) *raw_bytes = 0;
    CUG_TRY(cug_inflate_file(path, add_to_hash, &h));
    SHA256End(&h.sha, hex);
    if (raw_bytes) *raw_bytes = h.bytes;
    return CUG_OK;
}

/* Is file there and right? CUG_OK: yes. CUG_ENOENT: to be fetched (missing or damaged). CUG_ECHECKSUM: it belongs to
 * another known set, which a fetch must not destroy. */
static cug_status look_at(const cug_known_file *file, const char *dir) {
    char path[PATH_MAX], hex[65];
    if (!cug_data_file(path, dir, file->name)) return CUG_ENOENT;
    cug_status st = cug_sha256_raw(path, hex, NULL);
    if (st == CUG_EIDX_GZIP || st == CUG_EIDX_TRAILING || st == CUG_ENOENT) return CUG_ENOENT;
    CUG_TRY(st);
    if (strcmp(hex, file->sha256) == 0) return CUG_OK;
    for (int i = 0; cug_known_dataset_at(i); i++)
        for (int f = 0; f < 4; f++)
            if (strcmp(hex, cug_known_dataset_at(i)->file[f].sha256) == 0)
                return cug_fail(CUG_ECHECKSUM, "%s belongs to %s; choose another folder", path,
                                cug_known_dataset_at(i)->name);
    return CUG_ENOENT;
}

/* Room for what went wrong with each mirror, joined by "; ". */
typedef struct tries {
    char text[800];
    cug_status worst;
} tries;

static void note(tries *t, cug_status st) {
    size_t used = strlen(t->text);
    snprintf(t->text + used, sizeof t->text - used, "%s%s", used ? "; " : "", cug_error());
    if (t->worst != CUG_ECHECKSUM) t->worst = st;
}

static cug_status fetch_file(const cug_known_dataset *set, const cug_known_file *file, const char *dir,
                             const char *mirror, const cug_fetch_limits *limits, cug_fetch_progress progress,
                             void *user) {
    char target[PATH_MAX], url[2048];
    tries t = {.worst = CUG_ENET};
    if (snprintf(target, sizeof target, "%s/%s.gz", dir, file->name) >= PATH_MAX)
        return cug_fail(CUG_EINVAL, "the path %s is too long", dir);
    const char *const *list = mirror ? (const char *const[]){mirror, NULL} : set->mirrors;
    size_t known = sizeof set->mirrors / sizeof *set->mirrors;
    for (size_t i = 0; i < (mirror ? 1 : known) && list[i]; i++) {
        size_t n = strlen(list[i]);
        if (snprintf(url, sizeof url, "%s%s%s.gz", list[i], n && list[i][n - 1] == '/' ? "" : "/", file->name) >=
            (int)sizeof url)
            return cug_fail(CUG_EINVAL, "the mirror's address is too long");
        cug_status st = cug_download(url, target, file, limits, progress, user);
        if (st != CUG_ENET && st != CUG_ECHECKSUM) return st;
        note(&t, st);
    }
    return cug_fail(t.worst, "%s of %s: %s", file->name, set->name, *t.text ? t.text : "no mirror is known");
}

cug_status cug_fetch_set(const cug_known_dataset *set, const char *dir, const char *mirror,
                         const cug_fetch_limits *limits, cug_fetch_progress progress, void *user) {
    char cache[PATH_MAX];
    cug_status st = CUG_OK;
    if (mirror && strncasecmp(mirror, "http://", 7) != 0 && strncasecmp(mirror, "https://", 8) != 0)
        return cug_fail(CUG_EINVAL, "mirror \"%s\": the address must begin with https:// or http://", mirror);
    if (!dir) {
        CUG_TRY(cug_cache_dir(cache, sizeof cache, set->name));
        dir = cache;
    }
    CUG_TRY(cug_make_folders(dir));
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return cug_fail(CUG_ENOMEM, "libcurl cannot start");
    for (int i = 0; i < 4 && st == CUG_OK; i++) {
        st = look_at(&set->file[i], dir);
        if (st == CUG_ENOENT) st = fetch_file(set, &set->file[i], dir, mirror, limits, progress, user);
    }
    curl_global_cleanup();
    return st;
}

cug_status cug_fetch(const char *name, const char *dir, const char *mirror, cug_fetch_progress progress, void *user) {
    const cug_known_dataset *set = cug_known_dataset_find(name);
    if (!set)
        return cug_fail(CUG_EINVAL, "no data set called \"%s\" can be fetched; there are mnist and fashion-mnist",
                        name ? name : "");
    return cug_fetch_set(set, dir, mirror, &default_limits, progress, user);
}
