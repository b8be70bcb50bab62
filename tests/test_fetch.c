/* test_fetch.c - downloads from a web server of the test's own, which answers well, badly, or not at all. */
#include "data/download.h"
#include "support/data_files.h"
#include "support/http_server.h"
#include <criterion/criterion.h>
#include <cuglyph/fetch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static http_server server;
static uint8_t *raw[4], *packed[4];
static size_t raw_n[4], packed_n[4];
static char sums[4][65], address[8][128];
static cug_known_dataset set = {.name = "trial"};
static const char *const file_names[4] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                          "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
static const cug_fetch_limits quick = {.connect_seconds = 5, .stall_seconds = 1};

static uint8_t noise(size_t i) { return (uint8_t)((uint32_t)i * 2654435761u >> 24); }

/* The address of a folder of the server. */
static const char *at(const char *folder) {
    static unsigned next;
    char *out = address[next++ % 8];
    snprintf(out, sizeof address[0], "http://127.0.0.1:%d/%s/", server.port, folder);
    return out;
}

static void begin(void) {
    static const http_answer bad[] = {HTTP_CUT, HTTP_CUT_NO_LENGTH, HTTP_STALL, HTTP_FORBIDDEN};
    static const char *const bad_names[] = {"cut", "cut-no-length", "stall", "forbidden"};
    static http_route routes[32];
    static char gz_names[4][64];
    int n = 0;
    tdata_begin();
    setenv("no_proxy", "*", 1);
    for (uint32_t i = 0; i < 4; i++) {
        raw[i] = tdata_idx(3, (const uint32_t[]){5 + i, 20, 20}, noise, &raw_n[i]);
        packed[i] = tdata_gzip(raw[i], raw_n[i], &packed_n[i]);
        tdata_write(tdata_path("raw"), raw[i], raw_n[i]);
        cr_assert_eq(cug_sha256_raw(tdata_path("raw"), sums[i], NULL), CUG_OK);
        set.file[i] = (cug_known_file){file_names[i], sums[i], raw_n[i]};
        snprintf(gz_names[i], sizeof gz_names[i], "%s.gz", file_names[i]);
        routes[n++] = (http_route){"good", gz_names[i], HTTP_GOOD, packed[i], packed_n[i]};
        routes[n++] = (http_route){"plain", gz_names[i], HTTP_GOOD, raw[i], raw_n[i]};
    }
    unlink(tdata_path("raw"));
    http_listen(&server);
    const char *good = at("good"), *round_and_round = at("loop");
    for (int i = 0; i < 4; i++) routes[n++] = (http_route){bad_names[i], NULL, bad[i], packed[0], packed_n[0]};
    routes[n++] = (http_route){"wrong", NULL, HTTP_GOOD, packed[3], packed_n[3]}; /* sound gzip, other bytes */
    routes[n++] = (http_route){"page", NULL, HTTP_GOOD, "<html>sign in first</html>", 26};
    routes[n++] = (http_route){"half", NULL, HTTP_GOOD, packed[0], packed_n[0] / 2};
    routes[n++] = (http_route){"moved", NULL, HTTP_REDIRECT, good, strlen(good)};
    routes[n++] = (http_route){"loop", NULL, HTTP_REDIRECT, round_and_round, strlen(round_and_round)};
    routes[n++] = (http_route){"to-a-file", NULL, HTTP_REDIRECT, "file:///etc/", 12};
    routes[n++] = (http_route){"to-ftp", NULL, HTTP_REDIRECT, "ftp://127.0.0.1:1/", 18};
    http_serve(&server, routes, n);
}

static void end(void) {
    http_stop(&server);
    for (int i = 0; i < 4; i++) free(raw[i]), free(packed[i]);
    tdata_end();
}

TestSuite(fetch, .init = begin, .fini = end, .timeout = 60);

static void check_arrived(const char *dir) {
    cr_assert_eq(tdata_entries(dir), 4, "%d entries", tdata_entries(dir));
    for (int i = 0; i < 4; i++) {
        char path[PATH_MAX + 64];
        size_t n;
        snprintf(path, sizeof path, "%s/%s.gz", dir, file_names[i]);
        uint8_t *b = tdata_read(path, &n);
        cr_assert(b && n == packed_n[i] && memcmp(b, packed[i], n) == 0, "%s is not as it was sent", path);
        free(b);
    }
}

Test(fetch, brings_all_files_once) {
    char dir[PATH_MAX];
    snprintf(dir, sizeof dir, "%s", tdata_path("made/on/the/way"));
    cr_assert_eq(cug_fetch_set(&set, dir, at("good"), &quick, NULL, NULL), CUG_OK, "%s", cug_error());
    check_arrived(dir);
    cr_assert_eq(*server.requests, 4);
    cr_assert_eq(cug_fetch_set(&set, dir, at("good"), &quick, NULL, NULL), CUG_OK);
    cr_assert_eq(*server.requests, 4, "what is there and right is not asked for again");
    struct stat s;
    cr_assert_eq(stat(dir, &s), 0);
    chdir(dir);
    umask(022);
    cr_assert_eq(stat("t10k-labels-idx1-ubyte.gz", &s), 0);
    cr_assert_eq(s.st_mode & 0444, 0444, "others may read it");
}

Test(fetch, follows_redirects_but_only_to_the_web) {
    char dir[PATH_MAX];
    snprintf(dir, sizeof dir, "%s", tdata_path("d"));
    cr_assert_eq(cug_fetch_set(&set, dir, at("moved"), &quick, NULL, NULL), CUG_OK, "%s", cug_error());
    check_arrived(dir);
}

Test(fetch, a_server_may_send_the_bytes_unpacked) {
    cr_assert_eq(cug_fetch_set(&set, tdata_path("d"), at("plain"), &quick, NULL, NULL), CUG_OK, "%s", cug_error());
    cr_assert_eq(tdata_entries(tdata_path("d")), 4);
}

Test(fetch, bad_answers_leave_nothing) {
    const struct {
        const char *folder;
        cug_status want;
        const char *says;
    } cases[] = {
        {"nowhere", CUG_ENET, "404"},
        {"forbidden", CUG_ENET, "403"},
        {"cut", CUG_ENET, ""},
        {"cut-no-length", CUG_ECHECKSUM, "cut short"},
        {"half", CUG_ECHECKSUM, "cut short"},
        {"wrong", CUG_ECHECKSUM, "more than"}, /* the longer file for the first */
        {"page", CUG_ECHECKSUM, "other bytes"},
        {"loop", CUG_ENET, "redirect"},
        {"to-a-file", CUG_ENET, "rotocol"},
        {"to-ftp", CUG_ENET, "rotocol"},
        {"stall", CUG_ENET, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *mirror = at(cases[i].folder);
        cug_status st = cug_fetch_set(&set, tdata_path("d"), mirror, &quick, NULL, NULL);
        cr_expect_eq(st, cases[i].want, "%s: %s (%s)", cases[i].folder, cug_status_name(st), cug_error());
        cr_expect(strstr(cug_error(), mirror), "%s: the message does not name it: %s", cases[i].folder, cug_error());
        cr_expect(strstr(cug_error(), cases[i].says), "%s: says %s", cases[i].folder, cug_error());
        cr_expect(strstr(cug_error(), "train-images-idx3-ubyte of trial"), "%s", cug_error());
        cr_expect_eq(tdata_entries(tdata_path("d")), 0, "%s: left something", cases[i].folder);
    }
}

Test(fetch, other_bytes_of_the_right_length_are_refused) {
    cug_known_dataset liar = set;
    liar.file[0].sha256 = sums[1];
    cr_assert_eq(cug_fetch_set(&liar, tdata_path("d"), at("good"), &quick, NULL, NULL), CUG_ECHECKSUM);
    cr_assert(strstr(cug_error(), "SHA-256"), "%s", cug_error());
    cr_assert_eq(tdata_entries(tdata_path("d")), 0);
}

Test(fetch, nothing_listens_there) {
    http_server closed;
    char mirror[64];
    http_listen(&closed);
    snprintf(mirror, sizeof mirror, "http://127.0.0.1:%d", closed.port);
    http_stop(&closed);
    cr_assert_eq(cug_fetch_set(&set, tdata_path("d"), mirror, &quick, NULL, NULL), CUG_ENET);
    cr_assert_eq(cug_fetch_set(&set, tdata_path("d"), "ftp://127.0.0.1/", &quick, NULL, NULL), CUG_EINVAL);
    cr_assert_eq(cug_fetch("idx:a,b", tdata_path("d"), NULL, NULL, NULL), CUG_EINVAL);
}

Test(fetch, mirrors_are_tried_in_order) {
    cug_known_dataset many = set;
    many.mirrors[0] = at("nowhere");
    many.mirrors[1] = at("wrong");
    many.mirrors[2] = at("good");
    cr_assert_eq(cug_fetch_set(&many, tdata_path("d"), NULL, &quick, NULL, NULL), CUG_OK, "%s", cug_error());
    check_arrived(tdata_path("d"));
    many.mirrors[2] = at("cut");
    many.mirrors[3] = at("forbidden");
    cr_assert_eq(cug_fetch_set(&many, tdata_path("e"), NULL, &quick, NULL, NULL), CUG_ECHECKSUM);
    for (int i = 0; i < 4; i++) cr_assert(strstr(cug_error(), many.mirrors[i]), "not named: %s", many.mirrors[i]);
    cr_assert_eq(tdata_entries(tdata_path("e")), 0);
}

static int stop_at_once(void *user, const char *file, size_t done, size_t total) {
    (void)file, (void)done, (void)total;
    ++*(int *)user;
    return 1;
}

static int watch(void *user, const char *file, size_t done, size_t total) {
    size_t *most = user;
    if (strcmp(file, file_names[0]) == 0 && done > most[0]) most[0] = done, most[1] = total;
    return 0;
}

Test(fetch, progress_is_told_and_can_stop_it) {
    int calls = 0;
    size_t most[2] = {0};
    cr_assert_eq(cug_fetch_set(&set, tdata_path("d"), at("stall"), &quick, stop_at_once, &calls), CUG_EINTR);
    cr_assert_eq(calls, 1);
    cr_assert_eq(tdata_entries(tdata_path("d")), 0);
    cr_assert_eq(cug_fetch_set(&set, tdata_path("d"), at("good"), &quick, watch, most), CUG_OK);
    cr_assert(most[0] == packed_n[0] && most[1] == packed_n[0], "%zu of %zu", most[0], most[1]);
}

Test(fetch, damaged_files_are_replaced_right_ones_kept) {
    char dir[PATH_MAX], path[4][PATH_MAX + 64];
    snprintf(dir, sizeof dir, "%s", tdata_path("d"));
    mkdir(dir, 0777);
    for (int i = 0; i < 4; i++) snprintf(path[i], sizeof path[i], "%s/%s%s", dir, file_names[i], i == 1 ? "" : ".gz");
    tdata_write(path[0], packed[0], packed_n[0] / 2);
    tdata_write(path[1], raw[1], raw_n[1]); /* plain and right */
    tdata_write(path[2], packed[1], packed_n[1]);
    cr_assert_eq(cug_fetch_set(&set, dir, at("good"), &quick, NULL, NULL), CUG_OK, "%s", cug_error());
    cr_assert_eq(*server.requests, 3);
    cr_assert_eq(tdata_entries(dir), 4);
    for (int i = 0; i < 4; i++) {
        char hex[65];
        cr_assert_eq(cug_sha256_raw(path[i], hex, NULL), CUG_OK, "%s", cug_error());
        cr_assert_str_eq(hex, sums[i]);
    }
}

Test(fetch, what_a_killed_fetch_left_is_taken_over) {
    mkdir(tdata_path("d"), 0777);
    tdata_write(tdata_path("d/.train-images-idx3-ubyte.gz.tmp"), raw[0], raw_n[0]); /* longer than what comes */
    cr_assert_eq(cug_fetch_set(&set, tdata_path("d"), at("good"), &quick, NULL, NULL), CUG_OK);
    check_arrived(tdata_path("d"));
}

Test(fetch, another_known_sets_file_is_not_overwritten) {
    cug_known_dataset also = set;
    char from[PATH_MAX + 64], hex[65];
    const char *data = getenv("CUGLYPH_DATA");
    size_t n;
    uint8_t *b = NULL;
    for (int i = 0; i < 4 && data && !b; i++) {
        snprintf(from, sizeof from, "%s%s/t10k-labels-idx1-ubyte%s", data, i & 1 ? "/mnist" : "", i & 2 ? "" : ".gz");
        b = tdata_read(from, &n);
    }
    if (!b) {
        end(); /* Criterion leaves it out after a skip */
        cr_skip_test("MNIST is not in CUGLYPH_DATA");
    }
    mkdir(tdata_path("d"), 0777);
    tdata_write(tdata_path("d/t10k-labels-idx1-ubyte.gz"), b, n);
    free(b);
    cr_assert_eq(cug_fetch_set(&also, tdata_path("d"), at("good"), &quick, NULL, NULL), CUG_ECHECKSUM);
    cr_assert(strstr(cug_error(), "belongs to mnist"), "%s", cug_error());
    cr_assert_eq(cug_sha256_raw(tdata_path("d/t10k-labels-idx1-ubyte.gz"), hex, NULL), CUG_OK);
    cr_assert_str_eq(hex, cug_known_dataset_find("mnist")->file[3].sha256);
}

Test(fetch, sha256_of_raw_bytes) {
    char hex[65];
    size_t n, zn;
    uint8_t *z = tdata_gzip("abc", 3, &zn);
    tdata_write(tdata_path("plain"), "abc", 3);
    tdata_write(tdata_path("gz"), z, zn);
    free(z);
    for (int i = 0; i < 2; i++) { /* FIPS 180-2, B.1 */
        cr_assert_eq(cug_sha256_raw(tdata_path(i ? "gz" : "plain"), hex, &n), CUG_OK);
        cr_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        cr_assert_eq(n, 3);
    }
    cr_assert_eq(cug_sha256_raw(tdata_path("none"), hex, NULL), CUG_ENOENT);
    cr_assert_str_eq(hex, "");
}

Test(fetch, known_sets_are_complete) {
    for (int i = 0; cug_known_dataset_at(i); i++) {
        const cug_known_dataset *k = cug_known_dataset_at(i);
        cr_assert_eq(cug_known_dataset_find(k->name), k);
        cr_assert(k->mirrors[0] && k->class_names[9]);
        for (int f = 0; f < 4; f++) {
            cr_assert_str_eq(k->file[f].name, file_names[f]);
            cr_assert_eq(strlen(k->file[f].sha256), 64);
            cr_assert_eq(strspn(k->file[f].sha256, "0123456789abcdef"), 64);
        }
        for (int m = 0; m < 4 && k->mirrors[m]; m++) cr_assert_eq(k->mirrors[m][strlen(k->mirrors[m]) - 1], '/');
    }
    cr_assert_null(cug_known_dataset_find("cifar"));
    cr_assert_null(cug_known_dataset_find(NULL));
    cr_assert_null(cug_known_dataset_at(-1));
}
