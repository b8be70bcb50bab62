/* download.c - one file by HTTP: each block goes to a temporary file and, unpacked, through SHA-256. */
#include "data/download.h"
#include "data/inflate.h"
#include "io/atomic.h"
#include <curl/curl.h>
#include <sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

/* gzip makes incompressible data longer by less than this share and sum. */
enum { GZIP_SLACK_SHARE = 100, GZIP_SLACK = 4096 };

typedef struct transfer {
    const char *url;
    const cug_known_file *file;
    cug_atomic out;
    cug_inflate unpack;
    SHA2_CTX sha;
    size_t raw, got; /* bytes so far, unpacked and as sent */
    size_t got_limit;
    cug_status st; /* why a callback stopped the transfer */
    cug_fetch_progress progress;
    void *user;
} transfer;

static cug_status take_raw(void *user, const uint8_t *bytes, size_t n) {
    transfer *t = user;
    t->raw += n;
    if (t->raw > t->file->raw_bytes)
        return cug_fail(CUG_ECHECKSUM, "%s: more than the %zu bytes of %s", t->url, t->file->raw_bytes, t->file->name);
    SHA256Update(&t->sha, bytes, n);
    return CUG_OK;
}

static cug_status take_block(transfer *t, const char *bytes, size_t n) {
    t->got += n;
    if (t->got > t->got_limit) return cug_fail(CUG_ECHECKSUM, "%s: larger than %s can be", t->url, t->file->name);
    cug_status st = cug_inflate_feed(&t->unpack, bytes, n);
    if (st == CUG_EIDX_GZIP || st == CUG_EIDX_TRAILING) st = CUG_ECHECKSUM;
    CUG_TRY(st);
    return cug_atomic_write(&t->out, bytes, n);
}

static size_t on_block(char *bytes, size_t one, size_t n, void *user) {
    transfer *t = user;
    t->st = take_block(t, bytes, one * n);
    return t->st == CUG_OK ? n : 0;
}

static int on_progress(void *user, curl_off_t total, curl_off_t done, curl_off_t up_total, curl_off_t up_done) {
    transfer *t = user;
    (void)up_total, (void)up_done;
    if (!t->progress || !t->progress(t->user, t->file->name, (size_t)done, (size_t)total)) return 0;
    t->st = cug_fail(CUG_EINTR, "download of %s stopped; nothing partial is kept", t->file->name);
    return 1;
}

/* Asks for url; the answer's body goes through on_block. */
static cug_status perform(transfer *t, const cug_fetch_limits *limits) {
    char why[CURL_ERROR_SIZE] = "";
    CURL *c = curl_easy_init();
    if (!c) return cug_fail(CUG_ENOMEM, "out of memory for libcurl");
    curl_easy_setopt(c, CURLOPT_URL, t->url);
#if LIBCURL_VERSION_NUM >= 0x075500 /* both hold for redirects too */
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(c, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(c, CURLOPT_MAXREDIRS, 5L);
    curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, limits->connect_seconds);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, limits->stall_seconds);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "cuglyph/" CUG_VERSION);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_block);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
    CURLcode r = curl_easy_perform(c);
    curl_easy_cleanup(c);
    if (t->st != CUG_OK) return t->st; /* its message stands */
    if (r == CURLE_OK) return CUG_OK;
    return cug_fail(r == CURLE_OUT_OF_MEMORY ? CUG_ENOMEM : CUG_ENET, "%s: %s", t->url,
                    *why ? why : curl_easy_strerror(r));
}

static cug_status check_sum(transfer *t) {
    char hex[SHA256_DIGEST_STRING_LENGTH];
    if (cug_inflate_finish(&t->unpack) != CUG_OK) return CUG_ECHECKSUM; /* its message stands */
    SHA256End(&t->sha, hex);
    if (t->raw == t->file->raw_bytes && strcmp(hex, t->file->sha256) == 0) return CUG_OK;
    return cug_fail(CUG_ECHECKSUM, "%s: other bytes than %s (SHA-256 %.12s..., not %.12s...)", t->url, t->file->name,
                    hex, t->file->sha256);
}

cug_status cug_download(const char *url, const char *target, const cug_known_file *file, const cug_fetch_limits *limits,
                        cug_fetch_progress progress, void *user) {
    transfer t = {.url = url, .file = file, .out = {.fd = -1}, .progress = progress, .user = user};
    t.got_limit = file->raw_bytes + file->raw_bytes / GZIP_SLACK_SHARE + GZIP_SLACK;
    cug_inflate_begin(&t.unpack, url, take_raw, &t);
    SHA256Init(&t.sha);
    cug_status st;
    CUG_GOTO(cug_atomic_open(&t.out, target, "data file"));
    CUG_GOTO(perform(&t, limits));
    CUG_GOTO(check_sum(&t));
    st = cug_atomic_commit(&t.out);
cleanup:
    cug_inflate_end(&t.unpack);
    cug_atomic_close(&t.out);
    return st;
}
