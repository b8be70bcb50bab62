/* test_cuda_ranges.c - what a profiler is told about a training run: every op by name, forward and backward, in order,
 * and every range ended, also when a launch fails. The emulator is the profiler (EMU_RANGES); it ends a process that
 * leaves a range open with status 70, and one that ends a range that is not open at once. */
#include <criterion/criterion.h>
#include <cuglyph/train.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/synthetic.h"

#if CUG_HAVE_CUDA

enum { FINE = 0, TOLD = 10, NOT_EMULATED = 12, MOST = 4000 };

static int emulated(void) {
    const cug_backend *cuda = cug_backend_find("cuda");
    cug_device *dev = NULL;
    if (cuda->open(&dev, &(cug_device_options){0}) != CUG_OK) return 0;
    int found = strstr(cuda->describe(dev), "emulated") != NULL;
    cuda->close(dev);
    return found;
}

static cug_status train(const synthetic *s, const char *name, const char *no_graph, const char *loader) {
    static const char *const set[][2] = {{"device", "cuda"}, {"limit", "120"}, {"val", "0"},        {"batch", "40"},
                                         {"epochs", "1"},    {"seed", "3"},    {"log-every", "100"}};
    cug_config c;
    cug_train_result r;
    char path[160];
    synthetic_config(s, &c);
    for (size_t i = 0; i < sizeof set / sizeof *set; i++) CUG_TRY(cug_config_set(&c, set[i][0], set[i][1]));
    CUG_TRY(cug_config_set(&c, "model", "input 10x10x1; conv 4 3x3; relu; maxpool 2; flatten; dropout 0.1; linear 4"));
    CUG_TRY(cug_config_set(&c, "no-graph", no_graph));
    CUG_TRY(cug_config_set(&c, "loader", loader));
    snprintf(path, sizeof path, "%s/%s", s->dir, name);
    cug_status st = cug_train(&(cug_train_request){.config = &c, .run_path = path}, &r);
    cug_config_free(&c);
    return st;
}

/* In a child: how the run ended. `fault`: EMU_FAIL, or NULL; ranges go to RUN.ranges beside the run's folder. */
static int in_child(const synthetic *s, const char *name, const char *no_graph, const char *loader, const char *fault) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        char path[160];
        snprintf(path, sizeof path, "%s/%s.ranges", s->dir, name);
        setenv("EMU_RANGES", path, 1);
        if (fault) setenv("EMU_FAIL", fault, 1);
        alarm(60); /* a hang is a failure */
        if (!fault && !emulated()) exit(NOT_EMULATED);
        cug_status st = train(s, name, no_graph, loader);
        if (st != CUG_OK && !fault) fprintf(stderr, "  %s: %s\n", name, cug_error());
        exit(st == CUG_OK ? FINE : TOLD);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return -1;
    return WEXITSTATUS(status);
}

/* The ranges of one thread as one text: names, and what lies inside in braces. The thread is the one that had a range
 * `of`: threads are numbered in the order in which they first speak, and either may be first. */
static void read_ranges(const synthetic *s, const char *name, const char *of, char *out, size_t size) {
    char path[160], line[200], said[100];
    size_t at = 0;
    int thread = 0;
    snprintf(path, sizeof path, "%s/%s.ranges", s->dir, name);
    FILE *f = fopen(path, "r");
    cr_assert_not_null(f, "no ranges were written to %s", path);
    while (!thread && fgets(line, sizeof line, f)) {
        int who = 0;
        if (sscanf(line, "%d > %99[^\n]", &who, said) == 2 && strcmp(said, of) == 0) thread = who;
    }
    cr_assert(thread, "no thread had a range '%s'", of);
    rewind(f);
    *out = 0;
    while (fgets(line, sizeof line, f)) {
        int who = 0;
        *said = 0;
        cr_assert_geq(sscanf(line, "%d > %99[^\n]", &who, said), 1, "%s", line);
        if (who != thread || at + sizeof said > size) continue;
        at += (size_t)(*said ? snprintf(out + at, size - at, "%s{", said) : snprintf(out + at, size - at, "}"));
    }
    fclose(f);
}

static int count(const char *text, const char *what) {
    int n = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what)) n++;
    return n;
}

#define OPS                                                                                                            \
    "advance{}normalize{}conv1 fwd{}flatten1 fwd{}dropout1 fwd{}fc1 fwd{}loss{}fc1 bwd{}dropout1 bwd{}flatten1 bwd{}"  \
    "conv1 bwd{}gradient norm{}optimizer{}metrics{}"

Test(cuda_ranges, every_op_by_name_in_order, .timeout = 120) {
    static char text[64 * MOST], producer[64 * MOST];
    synthetic s;
    synthetic_make(&s);
    int got = in_child(&s, "ops", "true", "staged", NULL);
    if (got == NOT_EMULATED) {
        synthetic_remove(&s);
        return;
    }
    cr_assert_eq(got, FINE, "ended with %d", got);
    read_ranges(&s, "ops", "training step", text, sizeof text);
    cr_expect_eq(count(text, "wait for batch{}training step{" OPS "}"), 3, "three steps, op by op: %s", text);
    cr_expect_eq(count(text, "evaluation step{normalize{}conv1 fwd{}"), SYNTHETIC_TEST / 64 + 1, "%s", text);
    cr_expect_eq(count(text, "{"), count(text, "}"));
    read_ranges(&s, "ops", "stage batch", producer, sizeof producer);
    cr_expect_eq(count(producer, "stage batch{}"), 4, "three batches and the end: %s", producer);
    cr_expect_eq(count(producer, "copy batch{}"), 3, "%s", producer);
    /* As a graph: run once, recorded once, and launched with nothing inside. */
    cr_assert_eq(in_child(&s, "graph", "false", "resident", NULL), FINE);
    read_ranges(&s, "graph", "training step", text, sizeof text);
    cr_expect_eq(count(text, "training step{advance{}gather{}"), 1, "%s", text);
    cr_expect_eq(count(text, "training step{record graph{advance{}gather{}"), 1, "%s", text);
    cr_expect_eq(count(text, "training step{}"), 1, "%s", text);
    synthetic_remove(&s);
}

/* Launches and copies of the run fail in turn, each of the first step's: what was begun is ended, on both threads. */
Test(cuda_ranges, ended_also_when_a_step_fails, .timeout = 300) {
    static const char *const calls[] = {"cudaLaunchKernelEx", "cudaMemcpyAsync"};
    synthetic s;
    synthetic_make(&s);
    int told = 0, tried = 0, got = in_child(&s, "whole", "true", "staged", NULL);
    cr_expect(got == FINE || got == NOT_EMULATED, "a run without faults ended with %d", got);
    for (int i = 0; i < 2 && got == FINE; i++)
        for (int nth = 1; nth <= 33; nth += nth < 18 ? 1 : 5, tried++) {
            char fault[64], name[64];
            snprintf(fault, sizeof fault, "%s:%d", calls[i], nth);
            snprintf(name, sizeof name, "fault%d-%d", i, nth);
            int end = in_child(&s, name, nth % 2 ? "true" : "false", "staged", fault);
            cr_expect(end == TOLD || end == FINE, "%s: ended with %d", fault, end);
            told += end == TOLD;
        }
    cr_expect(told == tried || got == NOT_EMULATED, "%d of %d faults were told", told, tried);
    synthetic_remove(&s);
}

#endif
