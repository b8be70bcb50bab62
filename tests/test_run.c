/* test_run.c - run folders: numbering, locking between processes, logs that keep whole lines. */
#include "support/scratch.h"
#include <criterion/criterion.h>
#include <cuglyph/run.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void enter_scratch(void) { cr_assert_eq(chdir(scratch_make()), 0); }
TestSuite(run, .init = enter_scratch, .fini = scratch_remove);

static int exists(const char *path) { return access(path, F_OK) == 0; }

static cug_run *create(const char *path) {
    cug_run *r;
    cr_assert_eq(cug_run_create(&r, path, "x"), CUG_OK, "%s", cug_error());
    return r;
}

/* A run another process could open: a folder with a config. */
static void make_run(const char *path) {
    char config[512];
    cug_run *r = create(path);
    file_write(cug_run_file(r, "config", config, sizeof config), "model = mlp\n", 12);
    cug_run_close(r);
}

static void expect_text(const char *path, const char *want) {
    char *text = file_read(path, NULL);
    cr_expect(text && strcmp(text, want) == 0, "%s holds '%s', not '%s'", path, text ? text : "(nothing)", want);
    free(text);
}

Test(run, folders_are_numbered) {
    cug_run *r;
    static const char *const want[] = {"runs/mlp-1", "runs/mlp-2", "runs/mlp-3"};
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(cug_run_create(&r, i % 2 ? "" : NULL, "mlp"), CUG_OK, "%s", cug_error());
        cr_expect_str_eq(cug_run_path(r), want[i]);
        cug_run_close(r);
    }
    cr_assert_eq(unlink("runs/mlp-2/lock") | rmdir("runs/mlp-2"), 0);
    cr_assert_eq(cug_run_create(&r, NULL, "mlp"), CUG_OK);
    cr_expect_str_eq(cug_run_path(r), "runs/mlp-2", "the first that is free");
    cug_run_close(r);
    static const char *const odd[][2] = {
        {"../a b/\xc3\xa9", "runs/-.-a-b----1"}, {"", "runs/run-1"}, {".x", "runs/-x-1"}};
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(cug_run_create(&r, NULL, odd[i][0]), CUG_OK, "%s", cug_error());
        cr_expect_str_eq(cug_run_path(r), odd[i][1]);
        cug_run_close(r);
    }
    cr_assert_eq(cug_run_create(&r, NULL, NULL), CUG_OK);
    cr_expect_str_eq(cug_run_path(r), "runs/run-2");
    cug_run_close(r);
}

Test(run, parents_are_made_and_paths_tidied) {
    char path[512];
    cug_run *r = create("a/b//c/");
    cr_expect_str_eq(cug_run_path(r), "a/b//c");
    cr_expect_str_eq(cug_run_file(r, "config", path, sizeof path), "a/b//c/config");
    cr_expect(exists("a/b/c/lock"));
    cug_run_close(r);
    cug_run_close(NULL);
    file_write("plain", "x", 1);
    cr_expect_eq(cug_run_create(&r, "plain/run", NULL), CUG_EIO);
    cr_expect(strstr(cug_error(), "plain"), "%s", cug_error());
    cr_expect_eq(cug_run_create(&r, "plain", NULL), CUG_EIO);
    cr_expect_null(r);
}

Test(run, an_old_run_is_never_overwritten) {
    static const char *const files[] = {"config", "last.safetensors", "best.safetensors"};
    for (int i = 0; i < 3; i++) {
        char path[64];
        cug_run *r;
        snprintf(path, sizeof path, "r%d", i);
        mkdir(path, 0777);
        snprintf(path, sizeof path, "r%d/%s", i, files[i]);
        file_write(path, "old", 3);
        snprintf(path, sizeof path, "r%d", i);
        cr_expect_eq(cug_run_create(&r, path, NULL), CUG_EINVAL);
        cr_expect(strstr(cug_error(), "--resume r"), "%s", cug_error());
        cr_expect_null(r);
        cr_expect_eq(cug_run_open(&r, path), CUG_OK, "the refusal must not keep the lock: %s", cug_error());
        cug_run_close(r);
    }
    mkdir("notes", 0777);
    file_write("notes/todo.txt", "x", 1);
    cug_run_close(create("notes")); /* a folder with other things is fine */
}

Test(run, what_is_no_run_cannot_be_opened) {
    cug_run *r;
    mkdir("empty", 0777);
    file_write("plain", "x", 1);
    static const char *const paths[] = {"absent", "empty", "plain"};
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(cug_run_open(&r, paths[i]), CUG_ENOENT);
        cr_expect(strstr(cug_error(), paths[i]), "%s", cug_error());
        cr_expect_eq(cug_run_open_readonly(&r, paths[i]), CUG_ENOENT);
        cr_expect_null(r);
    }
    cr_expect_eq(cug_run_open(&r, NULL), CUG_EINVAL);
    cr_expect_eq(cug_run_open(&r, ""), CUG_EINVAL);
    cr_expect_eq(folder_count("empty", NULL), 0, "looking must leave nothing behind");
}

/* Starts a process that opens the run, tells so through a pipe and waits to be killed. */
static pid_t holder(const char *path) {
    int ready[2];
    char ch;
    cr_assert_eq(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        cug_run *r;
        ch = cug_run_open(&r, path) == CUG_OK ? 'y' : 'n';
        if (write(ready[1], &ch, 1) == 1) pause();
        _exit(0);
    }
    cr_assert_eq(read(ready[0], &ch, 1), 1);
    cr_assert_eq(ch, 'y');
    close(ready[0]);
    close(ready[1]);
    return pid;
}

Test(run, one_process_at_a_time, .timeout = 60) {
    cug_run *r;
    char pid_text[32];
    make_run("r");
    pid_t pid = holder("r");
    snprintf(pid_text, sizeof pid_text, "process %ld", (long)pid);
    cr_expect_eq(cug_run_open(&r, "r"), CUG_EBUSY);
    cr_expect(strstr(cug_error(), pid_text), "%s", cug_error());
    cr_expect_eq(cug_run_create(&r, "r", NULL), CUG_EBUSY);
    cr_expect_null(r);
    cr_assert_eq(cug_run_open_readonly(&r, "r"), CUG_OK, "readers need no lock");
    cr_expect_eq(cug_run_log(r, "{}"), CUG_EINVAL);
    cr_expect_eq(cug_run_csv(r, "1"), CUG_EINVAL);
    cr_expect_eq(cug_run_environment(r, "cpu"), CUG_EINVAL);
    cug_run_close(r);
    cr_expect(!exists("r/log.jsonl") && !exists("r/environment.json"));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    cr_assert_eq(cug_run_open(&r, "r"), CUG_OK, "a killed process must not keep the lock: %s", cug_error());
    snprintf(pid_text, sizeof pid_text, "%ld\n", (long)getpid());
    expect_text("r/lock", pid_text);
    cug_run *again;
    cr_expect_eq(cug_run_open(&again, "r"), CUG_EBUSY, "not even twice in one process");
    cug_run_close(r);
    cr_expect_eq(cug_run_open(&r, "r"), CUG_OK);
    cug_run_close(r);
}

Test(run, opening_removes_what_killed_writers_left) {
    make_run("r");
    file_write("r/.last.safetensors.tmp", "half", 4);
    cug_run *r;
    cr_assert_eq(cug_run_open_readonly(&r, "r"), CUG_OK);
    cug_run_close(r);
    cr_expect(exists("r/.last.safetensors.tmp"), "readers change nothing");
    cr_assert_eq(cug_run_open(&r, "r"), CUG_OK);
    cr_expect(!exists("r/.last.safetensors.tmp"));
    cug_run_close(r);
}

Test(run, logs_take_whole_lines) {
    uint64_t jsonl = 9, csv = 9;
    cug_run *r = create("r");
    cr_assert_eq(cug_run_log_sizes(r, &jsonl, &csv), CUG_OK);
    cr_expect(jsonl == 0 && csv == 0 && !exists("r/log.jsonl") && !exists("r/log.csv"));
    cr_assert_eq(cug_run_log(r, "{\"a\":1}"), CUG_OK);
    cr_assert_eq(cug_run_log(r, ""), CUG_OK);
    cr_assert_eq(cug_run_csv(r, "epoch,loss"), CUG_OK);
    cr_expect_eq(cug_run_log(r, "two\nlines"), CUG_EINVAL);
    cr_expect_eq(cug_run_log(r, NULL), CUG_EINVAL);
    cr_assert_eq(cug_run_log_sizes(r, &jsonl, &csv), CUG_OK);
    cr_expect(jsonl == 9 && csv == 11, "%llu %llu", (unsigned long long)jsonl, (unsigned long long)csv);
    expect_text("r/log.jsonl", "{\"a\":1}\n\n");
    expect_text("r/log.csv", "epoch,loss\n");
    cug_run_close(r);
}

Test(run, logs_are_cut_back_on_resume) {
    cug_run *r = create("r");
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(cug_run_log(r, "abc"), CUG_OK);
        cr_assert_eq(cug_run_csv(r, "12345"), CUG_OK);
    }
    cr_assert_eq(cug_run_log_truncate(r, 8, 6), CUG_OK);
    expect_text("r/log.jsonl", "abc\nabc\n");
    expect_text("r/log.csv", "12345\n");
    cr_assert_eq(cug_run_log(r, "new"), CUG_OK);
    expect_text("r/log.jsonl", "abc\nabc\nnew\n");
    cr_expect_eq(cug_run_log_truncate(r, 13, 0), CUG_EMISMATCH);
    cr_expect(strstr(cug_error(), "log.jsonl"), "%s", cug_error());
    expect_text("r/log.jsonl", "abc\nabc\nnew\n");
    expect_text("r/log.csv", "");
    cr_expect_eq(cug_run_log_truncate(r, 4, 1), CUG_EMISMATCH);
    cr_expect(strstr(cug_error(), "log.csv"), "%s", cug_error());
    expect_text("r/log.jsonl", "abc\n");
    cug_run_close(r);

    r = create("fresh");
    cr_expect_eq(cug_run_log_truncate(r, 0, 0), CUG_OK);
    cr_expect_eq(cug_run_log_truncate(r, 0, 5), CUG_EMISMATCH);
    cr_expect(!exists("fresh/log.csv"));
    cug_run_close(r);
}

Test(run, half_a_line_is_cut_off_before_the_next) {
    char longer[2000]; /* over the block that is looked at */
    memset(longer, 'x', sizeof longer);
    memcpy(longer, "one\n", 4);
    static const char *const before[] = {"one\ntw", "tw", "one\n", "one\n\n"};
    static const char *const after[] = {"one\nnew\n", "new\n", "one\nnew\n", "one\n\nnew\n"};
    for (int i = 0; i < 5; i++) {
        char folder[16], log[32];
        snprintf(folder, sizeof folder, "r%d", i);
        make_run(folder);
        snprintf(log, sizeof log, "%s/log.jsonl", folder);
        file_write(log, i < 4 ? before[i] : longer, i < 4 ? strlen(before[i]) : sizeof longer);
        cug_run *r;
        cr_assert_eq(cug_run_open(&r, folder), CUG_OK);
        cr_assert_eq(cug_run_log(r, "new"), CUG_OK, "%s", cug_error());
        expect_text(log, i < 4 ? after[i] : "one\nnew\n");
        cug_run_close(r);
    }
}

Test(run, a_full_disk_leaves_no_half_line) {
    cug_run *r = create("r");
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(cug_run_log(r, "abc"), CUG_OK);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){8, 8}), 0);
    cr_expect_eq(cug_run_log(r, "too long for it"), CUG_ENOSPC);
    cr_expect_eq(cug_run_log(r, "too long for it"), CUG_ENOSPC);
    expect_text("r/log.jsonl", "abc\n");
    cr_expect_eq(cug_run_log(r, "def"), CUG_OK);
    expect_text("r/log.jsonl", "abc\ndef\n");
    cug_run_close(r);
}

Test(run, environment_names_no_one) {
    char host[256] = "", cwd[512];
    cug_run *r = create("r");
    cr_assert_eq(cug_run_environment(r, "cpu \"test\""), CUG_OK, "%s", cug_error());
    json_error_t err;
    json_t *e = json_load_file("r/environment.json", 0, &err);
    cr_assert_not_null(e, "%s", err.text);
    static const char *const texts[] = {"version", "date", "compiler", "os", "cpu", "device"};
    for (int i = 0; i < 6; i++)
        cr_expect(json_string_length(json_object_get(e, texts[i])) > 0, "%s is missing", texts[i]);
    cr_expect_str_eq(json_string_value(json_object_get(e, "device")), "cpu \"test\"");
    cr_expect_gt(json_integer_value(json_object_get(e, "cores")), 0);
    cr_expect_gt(json_integer_value(json_object_get(e, "memory_bytes")), 0);
    cr_expect(json_is_boolean(json_object_get(e, "cuda")));
    cr_expect_eq(json_object_size(e), 9);
    json_decref(e);
    char *text = file_read("r/environment.json", NULL);
    gethostname(host, sizeof host - 1);
    cr_assert_not_null(getcwd(cwd, sizeof cwd));
    if (strlen(host) > 4) /* a short one may be part of a word */
        cr_expect(!strstr(text, host), "host name in it");
    cr_expect(!strstr(text, cwd), "folder in it");
    cr_expect_eq(text[strlen(text) - 1], '\n');
    free(text);
    cug_run_close(r);
}
