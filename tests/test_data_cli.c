/* test_data_cli.c - cuglyph data as its users meet it: output, exit status, and one line on stderr when it fails. */
#include "support/data_files.h"
#include "support/http_server.h"
#include <criterion/criterion.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void begin(void) {
    tdata_begin();
    setenv("CUGLYPH_DATA", tdata_path("env"), 1);
    setenv("XDG_CACHE_HOME", tdata_path("xdg"), 1);
    setenv("no_proxy", "*", 1);
}

TestSuite(data_cli, .init = begin, .fini = tdata_end, .timeout = 60);

static tdata_run r;

#define RUN(...) tdata_cuglyph(&r, (const char *const[]){"data", __VA_ARGS__, NULL}, NULL)

static void check_failure(int status, const char *says) {
    cr_expect_eq(r.status, status, "exit status %d: %s", r.status, r.err);
    cr_expect_eq(r.err_lines, 1, "%d lines: %s", r.err_lines, r.err);
    cr_expect(strncmp(r.err, "cuglyph", 7) == 0, "%s", r.err);
    cr_expect(strstr(r.err, says), "\"%s\" is not in: %s", says, r.err);
}

static uint8_t up_to_nine(size_t i) { return (uint8_t)(i % 10); }

Test(data_cli, info_tells_the_facts) {
    tdata_write_set(tdata_path("env/"), 1, 1, 1, 1, up_to_nine, 0);
    tdata_write_set(tdata_path("env/fashion-mnist"), 1234, 20, 4, 5, up_to_nine, 1);
    RUN("info", "fashion-mnist");
    cr_assert_eq(r.status, 0, "%s", r.err);
    cr_assert_str_eq(r.err, "");
    const char *const facts[] = {"4 x 5 x 1",
                                 "1,234",
                                 "Ankle boot",
                                 "mean",
                                 "sd",
                                 "first train   0 1 2 3 4 5 6 7 8 9",
                                 tdata_path("env/fashion-mnist")};
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        cr_expect(strstr(r.out, facts[i]), "%s in\n%s", facts[i], r.out);
}

/* One file for each rule of the IDX reader, and each of the pair checks. */
Test(data_cli, each_rejection_is_one_line) {
    static const struct {
        const char *says;
        uint8_t bytes[16];
        size_t n;
    } cases[] = {
        {"header cut short", {0, 0, 8}, 3},
        {"not an IDX file", {'P', 'K', 8, 3, 0, 0, 0, 1}, 8},
        {"element type", {0, 0, 13, 1, 0, 0, 0, 1, 0}, 9},
        {"rank 7", {0, 0, 8, 7, 0, 0, 0, 1, 0}, 9},
        {"is zero", {0, 0, 8, 1, 0, 0, 0, 0}, 8},
        {"more than 4294967296", {0, 0, 8, 2, 255, 255, 255, 255, 255, 255, 255, 255}, 12},
        {"data cut short", {0, 0, 8, 1, 0, 0, 0, 2, 5}, 9},
        {"left over", {0, 0, 8, 1, 0, 0, 0, 2, 5, 6, 7}, 11},
        {"gzip", {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 'x', 'y'}, 12},
        {"corrupt gzip", {0x1f, 0x8b, 9, 0, 0, 0, 0, 0, 0, 3, 'x', 'y'}, 12},
        {"rank 3", {0, 0, 8, 1, 0, 0, 0, 2, 5, 6}, 10}, /* sound, but no images */
    };
    char name[2 * PATH_MAX + 64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tdata_write(tdata_path("bad\nname"), cases[i].bytes, cases[i].n);
        snprintf(name, sizeof name, "idx:%s,%s", tdata_path("bad\nname"), tdata_path("bad\nname"));
        RUN("info", "--data", name);
        check_failure(1, cases[i].says);
        cr_expect_str_eq(r.out, "");
    }
    snprintf(name, sizeof name, "idx:%s,%s", tdata_dir, tdata_dir);
    RUN("info", name);
    check_failure(1, "folder");
    RUN("info", "idx:a,b");
    check_failure(1, "no such file");
    RUN("info");
    check_failure(1, "cuglyph data fetch mnist");
}

Test(data_cli, wrong_usage_is_status_2) {
    RUN("info", "--nonsense");
    check_failure(2, "--nonsense");
    RUN("info", "--count", "3");
    check_failure(2, "count");
    RUN("show", "--count", "0");
    check_failure(2, "--count cannot be \"0\"");
    RUN("show", "--split", "validation");
    check_failure(2, "--split");
    RUN("show", "--count");
    check_failure(2, "needs a value");
    RUN("show", "--scale", "2");
    check_failure(2, "--png");
    RUN("info", "mnist", "fashion-mnist");
    check_failure(2, "fashion-mnist");
    RUN("fetch", "cifar");
    check_failure(2, "cifar");
    RUN("teach");
    check_failure(2, "teach");
    tdata_cuglyph(&r, (const char *const[]){"data", NULL}, NULL);
    check_failure(2, "fetch");
}

Test(data_cli, every_command_explains_itself) {
    static const char *const commands[] = {"fetch", "verify", "info", "show", "list"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        RUN(commands[i], "--help");
        cr_assert(r.status == 0 && r.err_lines == 0);
        cr_assert(strncmp(r.out, "usage: cuglyph data ", 20) == 0 && strstr(r.out, "--data-dir") &&
                  strstr(r.out, "default"));
    }
    RUN("--help");
    cr_assert(r.status == 0 && strstr(r.out, "verify"));
}

Test(data_cli, list_and_verify_tell_what_is_here) {
    tdata_write_set(tdata_path("env"), 20, 20, 3, 3, up_to_nine, 1);
    RUN("list");
    cr_assert(r.status == 0 && strstr(r.out, tdata_path("env")));
    RUN("list", "--data-dir", tdata_path("elsewhere"));
    cr_assert(r.status == 0 && strstr(r.out, "not here (cuglyph data fetch mnist)"));
    RUN("verify"); /* well-formed, but not MNIST */
    check_failure(1, "4 of the 4 files");
    cr_assert(strstr(r.out, "WRONG") && !strstr(r.out, "ok "));
    RUN("verify", "idx:a,b");
    check_failure(2, "idx:a,b");
}

Test(data_cli, show_prints_shades_and_labels) {
    static const uint8_t idx[] = {0, 0, 8, 3, 0, 0,   0,   3,   0,   0,   0,   3,
                                  0, 0, 0, 2, 0, 255, 0,   255, 255, 255, /* image 0 */
                                  0, 0, 0, 0, 0, 0,   128, 128, 128, 128, 128, 128};
    static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 1, 0, 1};
    char name[2 * PATH_MAX + 64];
    tdata_write(tdata_path("x"), idx, sizeof idx);
    tdata_write(tdata_path("y"), labels, sizeof labels);
    snprintf(name, sizeof name, "idx:%s,%s", tdata_path("x"), tdata_path("y"));
    RUN("show", name, "--count", "1");
    cr_assert_str_eq(r.out, " @\n==\n0: 1\n", "%s", r.out); /* black below the odd last row */
    RUN("show", name, "--class", "1", "--rows", "1");
    cr_assert_str_eq(r.out, " @   ++\n==   ::\n0: 1 2: 1\n", "%s", r.out);
    RUN("show", name, "--start", "1", "--rows", "2");
    cr_assert(strstr(r.out, "1: 0\n") && strstr(r.out, "2: 1\n") && !strstr(r.out, "0: 1"));
    RUN("show", name, "--start", "3");
    check_failure(1, "3 training images");
    RUN("show", name, "--split", "test");
    check_failure(1, "0 test images");
    RUN("show", name, "--class", "2");
    check_failure(1, "no class \"2\"");
    RUN("show", name, "--class", "0", "--start", "2");
    check_failure(1, "no training image");

    /* three images in two columns, doubled, one pixel between: 9 x 13 */
    RUN("show", name, "--png", tdata_path("p.png"), "--scale", "2");
    cr_assert_eq(r.status, 0, "%s", r.err);
    cr_assert(strstr(r.out, "9 x 13") && strstr(r.out, "0: 1  1: 0\n2: 1\n"), "%s", r.out);
    png_image image = {.version = PNG_IMAGE_VERSION};
    uint8_t pixels[13][9];
    cr_assert(png_image_begin_read_from_file(&image, tdata_path("p.png")));
    cr_assert(image.width == 9 && image.height == 13 && image.format == PNG_FORMAT_GRAY);
    cr_assert(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    static const uint8_t top[9] = {0, 0, 255, 255, 96, 0, 0, 0, 0}, low[9] = {128, 128, 128, 128, 96, 96, 96, 96, 96};
    cr_assert_eq(memcmp(pixels[1], top, 9), 0);
    cr_assert_eq(memcmp(pixels[12], low, 9), 0);
    RUN("show", name, "--png", tdata_path("no/p.png"));
    check_failure(1, "no/p.png");
}

Test(data_cli, an_interrupted_fetch_leaves_nothing) {
    static uint8_t block[4096] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
    const http_route stall[] = {{"m", NULL, HTTP_STALL, block, 18}}; /* half: a gzip header without its last byte */
    char mirror[64];
    http_server server;
    http_listen(&server);
    http_serve(&server, stall, 1);
    snprintf(mirror, sizeof mirror, "http://127.0.0.1:%d/m/", server.port);
    tdata_cuglyph(&r, (const char *const[]){"data", "fetch", "--data-dir", tdata_path("d"), "--mirror", mirror, NULL},
                  server.requests);
    http_stop(&server);
    check_failure(130, "stopped");
    cr_assert_eq(tdata_entries(tdata_path("d/mnist")), 0);
}

Test(data_cli, fetch_puts_each_set_into_its_own_folder) {
    http_server server;
    char mirror[64];
    http_listen(&server);
    http_serve(&server, NULL, 0);
    snprintf(mirror, sizeof mirror, "http://127.0.0.1:%d/none", server.port);
    RUN("fetch", "--data-dir", tdata_path("d"), "--mirror", mirror);
    check_failure(1, "404");
    RUN("fetch", "fashion-mnist", "--data-dir", tdata_path("e/fashion-mnist/"), "--mirror", mirror);
    check_failure(1, "404");
    RUN("fetch", "--mirror", mirror);
    check_failure(1, "404");
    http_stop(&server);
    cr_assert_eq(tdata_entries(tdata_path("d/mnist")), 0);
    cr_assert_eq(tdata_entries(tdata_path("e/fashion-mnist")), 0);
    cr_assert_eq(tdata_entries(tdata_path("xdg/cuglyph/mnist")), 0);
    RUN("fetch", "--mirror", "gopher://x/");
    check_failure(1, "https://");
}
