/* test_atomic.c - a checkpoint's path holds a whole file at every moment: killed writers, full disks, two at once. */
#include "io/atomic.h"
#include "support/scratch.h"
#include <criterion/criterion.h>
#include <cuglyph/checkpoint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

TestSuite(atomic, .init = scratch_setup, .fini = scratch_remove);

#define MANY 200000

/* A file of n floats, all of them `version`, which its metadata names as well. */
static cug_status write_version(const char *path, int version, int n) {
    char key[] = "version_written", value[16];
    float *data = malloc((size_t)n * sizeof *data);
    for (int i = 0; i < n; i++) data[i] = (float)version;
    snprintf(value, sizeof value, "%d", version);
    cug_st_tensor t = {.name = "w", .dtype = CUG_F32, .ndim = 1, .dims = {n}, .data = data, .bytes = (size_t)n * 4};
    cug_status st = cug_st_write(path, &t, 1, &(cug_st_pair){key, value}, 1);
    free(data);
    return st;
}

/* The version a whole file holds; the test fails when it is not one version through and through. */
static int read_version(const char *path) {
    cug_st_file f;
    cr_assert_eq(cug_st_read(&f, path), CUG_OK, "%s", cug_error());
    int version = atoi(cug_st_meta(&f, "version_written"));
    const cug_st_tensor *t = cug_st_find(&f, "w");
    for (int i = 0; i < t->dims[0]; i++)
        cr_assert_eq(((const float *)t->data)[i], (float)version, "float %d is not of version %d", i, version);
    cug_st_free(&f);
    return version;
}

static void write_for_ever(const char *path, int first, int step) {
    for (int version = first;; version += step)
        if (write_version(path, version % (1 << 20), MANY) != CUG_OK) _exit(1);
}

static void wait_microseconds(long us) { nanosleep(&(struct timespec){0, us * 1000}, NULL); }

Test(atomic, killed_writers_leave_whole_files, .timeout = 120) {
    char path[512], folder[512];
    snprintf(path, sizeof path, "%s", scratch_path("k.safetensors"));
    snprintf(folder, sizeof folder, "%s", scratch_path("."));
    cr_assert_eq(write_version(path, 7, MANY), CUG_OK);
    unsigned dice = 1;
    int in_the_middle = 0, last = 7, moved = 0;
    for (int round = 0; round < 50; round++) {
        pid_t pid = fork();
        if (pid == 0) write_for_ever(path, (round + 1) * 1000, 1);
        dice = dice * 1103515245u + 12345u;
        wait_microseconds(500 + (dice >> 16) % 12000);
        kill(pid, SIGKILL);
        cr_assert_eq(waitpid(pid, NULL, 0), pid);
        int version = read_version(path), stale = folder_count(folder, ".tmp");
        cr_assert(version == last || version / 1000 == round + 1, "version %d was never written", version);
        cr_assert_leq(stale, 1, "%d temporary files after one kill", stale);
        cr_assert_eq(folder_count(folder, NULL), 1 + stale);
        in_the_middle += stale;
        moved += version != last;
        last = version;
    }
    cr_expect_gt(in_the_middle, 0, "no kill hit a write: the test proves nothing, widen its files");
    cr_expect_gt(moved, 0, "no write was ever finished: the test proves nothing, widen its waits");
    cr_assert_eq(write_version(path, 9, 10), CUG_OK);
    cr_expect_eq(read_version(path), 9);
    cr_expect_eq(folder_count(folder, NULL), 1, "the next write must take over what a killed one left");
}

Test(atomic, two_writers_take_turns, .timeout = 60) {
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("t.safetensors"));
    cr_assert_eq(write_version(path, 0, MANY), CUG_OK);
    pid_t pids[2];
    for (int k = 0; k < 2; k++)
        if ((pids[k] = fork()) == 0) write_for_ever(path, k, 2);
    int seen[2] = {0, 0};
    for (int i = 0; i < 100; i++) {
        seen[read_version(path) % 2] = 1;
        wait_microseconds(2000);
    }
    for (int k = 0; k < 2; k++) {
        int how;
        cr_expect_eq(waitpid(pids[k], &how, WNOHANG), 0, "writer %d gave up", k);
        kill(pids[k], SIGKILL);
        waitpid(pids[k], NULL, 0);
    }
    cr_expect(seen[0] && seen[1], "both writers must get their turn");
    read_version(path);
}

static void expect_no_room(const char *path, const char *folder) {
    cr_assert_eq(write_version(path, 3, 1000), CUG_OK, "%s", cug_error());
    cug_status st = write_version(path, 4, MANY);
    cr_expect_eq(st, CUG_ENOSPC, "%s: %s", cug_status_name(st), cug_error());
    cr_expect(strstr(cug_error(), "no space left") && strstr(cug_error(), "the previous checkpoint is kept"), "%s",
              cug_error());
    cr_expect_eq(read_version(path), 3);
    cr_expect_eq(folder_count(folder, NULL), 1, "a temporary file is left");
    cr_expect_eq(write_version(path, 5, 1000), CUG_OK, "%s", cug_error());
    cr_expect_eq(read_version(path), 5);
}

Test(atomic, full_disk_keeps_the_old_file) {
    const char *disk = scratch_small_disk(64 << 10);
    if (!disk) cr_skip_test("this system does not let the test mount a RAM disk; see file_size_limit");
    char path[512];
    snprintf(path, sizeof path, "%s/d.safetensors", disk);
    expect_no_room(path, disk);

    char *big = calloc(1, 1 << 20);
    snprintf(path, sizeof path, "%s/other", disk);
    cr_expect_eq(cug_write_atomic(path, big, 1 << 20), CUG_ENOSPC);
    cr_expect(strstr(cug_error(), "no file was written"), "%s", cug_error());
    cr_expect_eq(folder_count(disk, NULL), 1);
    free(big);
}

Test(atomic, file_size_limit_keeps_the_old_file) {
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("l.safetensors"));
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){100000, 100000}), 0);
    expect_no_room(path, scratch_path("."));
}

Test(atomic, small_files_are_replaced_whole) {
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("small"));
    size_t n;
    cr_assert_eq(cug_write_atomic(path, "first", 5), CUG_OK);
    cr_assert_eq(cug_write_atomic(path, "2", 1), CUG_OK);
    char *text = file_read(path, &n);
    cr_expect_str_eq(text, "2");
    free(text);
    cr_assert_eq(cug_write_atomic(path, "", 0), CUG_OK);
    free(file_read(path, &n));
    cr_expect_eq(n, 0);
    file_write(scratch_path(".small.tmp"), "left by a killed writer", 23);
    cr_assert_eq(cug_write_atomic(path, "new", 3), CUG_OK);
    text = file_read(path, &n);
    cr_expect_str_eq(text, "new", "old bytes after the new ones: %s", text);
    free(text);
    cr_expect_eq(folder_count(scratch_path("."), NULL), 1);
    cr_expect_eq(cug_write_atomic(scratch_path("."), "x", 1), CUG_EINVAL, "a folder is no file");
    cr_expect_eq(cug_write_atomic(NULL, "x", 1), CUG_EINVAL);
}

static void expect_text(const char *path, const char *want) {
    size_t n;
    char *text = file_read(path, &n);
    cr_expect_str_eq(text, want, "%s holds %s", path, text);
    free(text);
}

Test(atomic, a_second_name_keeps_its_file) {
    char a[512], b[512];
    snprintf(a, sizeof a, "%s", scratch_path("a"));
    snprintf(b, sizeof b, "%s", scratch_path("b"));
    cr_assert_eq(cug_write_atomic(a, "1", 1), CUG_OK);
    cr_assert_eq(cug_write_atomic(b, "old", 3), CUG_OK);
    file_write(scratch_path(".b.tmp"), "left by a killed writer", 23);
    for (int twice = 0; twice < 2; twice++) { /* the second time it has that name */
        cr_assert_eq(cug_atomic_link(a, b, "file"), CUG_OK, "%s", cug_error());
        expect_text(b, "1");
        cr_expect_eq(folder_count(scratch_path("."), NULL), 2);
    }
    cr_assert_eq(cug_write_atomic(a, "2", 1), CUG_OK);
    expect_text(b, "1");
    cr_expect_eq(cug_atomic_link(scratch_path("none"), b, "file"), CUG_ENOTSUP);
    cr_assert_eq(link(a, scratch_path(".b.tmp")), 0); /* as when it is killed half-way */
    cr_assert_eq(cug_write_atomic(b, "3", 1), CUG_OK);
    expect_text(a, "2");
    expect_text(b, "3");
    cr_assert_eq(cug_atomic_link(a, b, "file"), CUG_OK);
    cr_assert_eq(cug_write_atomic(a, "4", 1), CUG_OK);
    expect_text(b, "2");
    cr_expect_eq(folder_count(scratch_path("."), NULL), 2);
}

Test(atomic, bare_names_go_to_the_current_folder) {
    cr_assert_eq(chdir(scratch_path(".")), 0);
    cr_assert_eq(cug_write_atomic("bare", "x", 1), CUG_OK, "%s", cug_error());
    cr_expect_eq(access(scratch_path("bare"), F_OK), 0);
}

Test(atomic, sweep_takes_stale_files_only) {
    cug_atomic live;
    cr_assert_eq(cug_atomic_open(&live, scratch_path("live"), "file"), CUG_OK);
    file_write(scratch_path(".stale.tmp"), "x", 1);
    file_write(scratch_path("keep.tmp"), "x", 1);
    file_write(scratch_path(".keep"), "x", 1);
    cug_atomic_sweep(scratch_path("."));
    cr_expect_neq(access(scratch_path(".stale.tmp"), F_OK), 0, "a stale file stays");
    cr_expect_eq(access(scratch_path(".live.tmp"), F_OK), 0, "a writer at work lost its file");
    cr_expect_eq(access(scratch_path("keep.tmp"), F_OK), 0);
    cr_expect_eq(access(scratch_path(".keep"), F_OK), 0);
    cr_assert_eq(cug_atomic_write(&live, "y", 1), CUG_OK);
    cr_assert_eq(cug_atomic_commit(&live), CUG_OK);
    cug_atomic_close(&live);
    cr_expect_eq(access(scratch_path("live"), F_OK), 0);
}
