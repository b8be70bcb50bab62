/* train.c - cuglyph train. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/progress.h"

static volatile int stop_requested;

/* The first signal asks for a clean stop; the handler is then gone, so a second one ends the program at once. */
static void on_signal(int sig) {
    (void)sig;
    stop_requested = 1;
}

static void catch_signals(void) {
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, 0);
    sigaction(SIGTERM, &sa, 0);
}

static void help(void) {
    printf("usage: cuglyph train [MODEL] [OPTIONS]\n"
           "       cuglyph train --config RUN/config [OPTIONS]\n"
           "       cuglyph train --resume RUN [--epochs N] [--max-steps N]\n\n"
           "Trains MODEL (a name from `cuglyph info`, a spec file, or a one-line spec) and leaves a run folder with\n"
           "config, environment, logs, checkpoints and final metrics.\n\n"
           "  --run DIR          the run folder (default: runs/MODEL-1, -2 ...)\n"
           "  --config FILE      read options from FILE first; those on the command line win\n"
           "  --resume RUN       go on where the run in folder RUN stopped, to the same final weights, byte for byte\n"
           "  --quiet            only the closing lines\n"
           "  --help             this text\n\n");
    cug_config_help(stdout);
    printf("\nCtrl-C stops after the current step and writes a checkpoint; a second Ctrl-C ends at once.\n");
}

typedef struct arguments {
    const char *run, *resume, *config;
    int quiet;
} arguments;

/* First pass: the options of this command; the rest goes to rest[] for the config, in order. 0, or an exit status. */
static int split(int argc, char **argv, arguments *a, char **rest, int *n_rest) {
    for (int i = 1; i < argc; i++) {
        int k = cli_value(argc, argv, &i, "--run", &a->run);
        if (!k) k = cli_value(argc, argv, &i, "--resume", &a->resume);
        if (!k) k = cli_value(argc, argv, &i, "--config", &a->config);
        if (k < 0) return cli_usage("train", "%s needs a value", argv[i]);
        if (k) continue;
        if (strcmp(argv[i], "--quiet") == 0)
            a->quiet = 1;
        else
            rest[(*n_rest)++] = argv[i];
    }
    if (a->resume && (a->run || a->config)) return cli_usage("train", "--resume takes neither --run nor --config");
    return 0;
}

/* What may change when a run goes on: how long, how often it speaks, where its data lies. */
static int resumable(const char *arg) {
    static const char *const keys[] = {"--epochs",   "--max-steps", "--log-every", "--checkpoint-every",
                                       "--patience", "--data-dir",  "--loader",    "--no-graph"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t n = strlen(keys[i]);
        if (strncmp(arg, keys[i], n) == 0 && (arg[n] == 0 || arg[n] == '=')) return 1;
    }
    return 0;
}

static cug_status load_config(cug_config *c, const arguments *a) {
    char path[4200];
    if (a->config) return cug_config_read(c, a->config);
    if (!a->resume) return CUG_OK;
    snprintf(path, sizeof path, "%s/config", a->resume);
    cug_status st = cug_config_read(c, path);
    return st == CUG_ENOENT ? cug_fail(st, "%s: no run to resume here (it has no config)", a->resume) : st;
}

/* Options over the config; a bare word is the model. 0, or an exit status. */
static int apply(cug_config *c, const arguments *a, char **rest, int n_rest) {
    int have_model = 0;
    for (int i = 0; i < n_rest;) {
        if (rest[i][0] != '-') {
            if (have_model || a->resume) return cli_usage("train", "unexpected argument '%s'", rest[i]);
            have_model = 1;
            cug_status st = cug_config_set(c, "model", rest[i++]);
            if (st != CUG_OK) return cli_fail(st);
            continue;
        }
        if (a->resume && !resumable(rest[i]))
            return cli_usage("train", "%s cannot change when a run is resumed", rest[i]);
        int used = 0;
        cug_status st = cug_config_arg(c, n_rest - i, rest + i, &used);
        if (st != CUG_OK) return st == CUG_ENOMEM ? cli_fail(st) : cli_usage("train", "%s", cug_error());
        i += used;
    }
    return 0;
}

static void report(const cug_train_result *r) {
    if (r->stopped_early) printf("stopped early after %lld epochs; best weights restored\n", (long long)r->epochs);
    if (isfinite(r->test_accuracy))
        printf("test accuracy %.2f%%  test loss %.4f  (%lld epochs, %llu steps, %.1f s)\n", 100 * r->test_accuracy,
               r->test_loss, (long long)r->epochs, (unsigned long long)r->steps, r->seconds);
    printf("run folder: %s\n", r->run_path);
}

static int train(const cug_config *c, const arguments *a) {
    cli_progress progress;
    cug_train_result result;
    cli_progress_init(&progress, a->quiet);
    catch_signals();
    const cug_train_request req = {.config = c,
                                   .run_path = a->resume ? a->resume : a->run,
                                   .resume = a->resume != 0,
                                   .on_event = cli_progress_event,
                                   .user = &progress,
                                   .stop = &stop_requested};
    cug_status st = cug_train(&req, &result);
    cli_progress_clear(&progress);
    if (st == CUG_OK) {
        report(&result);
        return 0;
    }
    cli_fail(st);
    if (st == CUG_EINTR) return 130;
    return 1;
}

int cmd_train(int argc, char **argv) {
    arguments a = {0};
    cug_config c;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help();
            return 0;
        }
    char **rest = calloc((size_t)argc + 1, sizeof *rest);
    if (!rest) return cli_fail(cug_fail(CUG_ENOMEM, "out of memory"));
    cug_config_defaults(&c);
    int n_rest = 0, rc = split(argc, argv, &a, rest, &n_rest);
    if (!rc) {
        cug_status st = load_config(&c, &a);
        rc = st == CUG_OK ? apply(&c, &a, rest, n_rest) : cli_fail(st);
    }
    if (!rc) rc = train(&c, &a);
    cug_config_free(&c);
    free(rest);
    return rc;
}
