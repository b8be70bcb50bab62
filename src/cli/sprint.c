/* sprint.c - cuglyph sprint: runs of the recipe for 99 %, their times and their accuracies. */
#include <cuglyph/sprint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report.h"
#include "cli/cli.h"

enum { MOST_RUNS = 10000, FEWEST_FOR_INTERVAL = 6 };

typedef struct sprint {
    long long runs;
    const char *json;
    int quiet, print_config;
    cug_sprint_info info;
    cug_sprint_run *done;
    int n;
} sprint;

static void help(void) {
    printf("usage: cuglyph sprint [OPTIONS] [OPTIONS OF TRAINING]\n\n"
           "Trains by the project's recipe for 99 %% of MNIST's test images in the shortest time, as often as asked, "
           "each time\n"
           "with the next seed; prints accuracy and time of each run, then mean, 95 %% interval and median time.\n"
           "Time is counted from the data set's bytes in memory to the final weights. No run folder is written.\n\n"
           "  --runs N           how many, with seeds --seed, --seed + 1, ... (default 1)\n"
           "  --val N            train on all but N training images and judge on these N: for choosing a recipe\n"
           "                     without a look at the test set (default 0: judge on the test set)\n"
           "  --json FILE        recipe, machine, and every run\n"
           "  --print-config     the recipe as a config for `cuglyph train --config`, and no run\n"
           "  --quiet            only the closing lines\n"
           "  --help             this text\n\n"
           "Every option of `cuglyph train` changes the recipe, such as --lr, --model, --max-steps, --device, "
           "--threads.\n");
}

/* 97.5 % point of Student's t: Cornish and Fisher's expansion, 0.1 % off at 5 degrees of freedom, less above. */
static double student(double df) {
    const double z = 1.959963985, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
    return z + (z3 + z) / (4 * df) + (5 * z5 + 16 * z3 + 3 * z) / (96 * df * df) +
           (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * df * df * df);
}

typedef struct summary {
    double mean, sd, half; /* per cent; half the 95 % interval of the mean, NaN for few runs */
    bench_stats seconds;
} summary;

static double accuracy(const cug_sprint_run *r) { return 100 - 100 * (double)r->wrong / (double)r->of; }

static cug_status summarise(summary *m, const sprint *s) {
    *m = (summary){.half = NAN};
    double *t = malloc((size_t)s->n * sizeof *t), squares = 0;
    if (!t) return cug_fail(CUG_ENOMEM, "out of memory for %d runs", s->n);
    for (int i = 0; i < s->n; i++) {
        m->mean += accuracy(&s->done[i]) / s->n;
        t[i] = s->done[i].seconds;
    }
    for (int i = 0; i < s->n; i++) squares += pow(accuracy(&s->done[i]) - m->mean, 2);
    if (s->n > 1) m->sd = sqrt(squares / (s->n - 1));
    if (s->n >= FEWEST_FOR_INTERVAL) m->half = student(s->n - 1) * m->sd / sqrt(s->n);
    cug_status st = bench_stats_of(&m->seconds, t, s->n);
    free(t);
    return st;
}

static int on_run(void *user, const cug_sprint_run *r) {
    sprint *s = user;
    if (s->n == 0) {
        printf("%s, %zu parameters, %llu steps, %.1f GFLOP counted densely, on %s\n", s->info.data, s->info.params,
               (unsigned long long)s->info.steps, s->info.gflop, s->info.device);
        printf("first run: %.2f s from process start to the final weights\n", r->since_process_start);
    }
    s->done[s->n++] = *r;
    if (!s->quiet)
        printf("seed %-5llu %.2f %%  (%lld of %lld wrong)  %.3f s\n", (unsigned long long)r->seed, accuracy(r),
               (long long)r->wrong, (long long)r->of, r->seconds);
    fflush(stdout);
    return 0;
}

static void print_summary(const sprint *s, const summary *m) {
    printf("training: median %.3f s (%.3f to %.3f)\n", m->seconds.median, m->seconds.p10, m->seconds.p90);
    if (s->n == 1)
        printf("accuracy: %.2f %%\n", m->mean);
    else if (isnan(m->half))
        printf("accuracy: mean %.3f %%, sd %.3f, of %d runs (%d or more give an interval)\n", m->mean, m->sd, s->n,
               FEWEST_FOR_INTERVAL);
    else
        printf("accuracy: mean %.3f %%, sd %.3f, of %d runs; 95 %% interval of the mean %.3f to %.3f %%: %s 99 %%\n",
               m->mean, m->sd, s->n, m->mean - m->half, m->mean + m->half,
               m->mean - m->half > 99   ? "above"
               : m->mean + m->half < 99 ? "below"
                                        : "not told from");
}

static cug_status write_json(const sprint *s, const cug_config *c, const summary *m, int argc, char **argv) {
    bench_report r = {0};
    char *text = NULL;
    cug_status st;
    CUG_GOTO(bench_report_open(&r, "sprint", "cuglyph", argc, argv));
    CUG_GOTO(cug_config_print(c, &text));
    json_t *about =
        json_pack("{s:s s:s s:i s:I s:f s:s}", "data", s->info.data, "device", s->info.device, "parameters",
                  (int)s->info.params, "steps", (json_int_t)s->info.steps, "gflop", s->info.gflop, "config", text);
    json_t *all = json_pack("{s:i s:f s:f s:f s:f s:f}", "runs", s->n, "mean", m->mean, "sd", m->sd, "interval_half",
                            isnan(m->half) ? 0 : m->half, "seconds", m->seconds.median, "since_process_start",
                            s->done[0].since_process_start);
    if (!about || !all || json_object_set_new(r.root, "recipe", about) || json_object_set_new(r.root, "summary", all))
        st = cug_fail(CUG_ENOMEM, "out of memory for a report");
    for (int i = 0; st == CUG_OK && i < s->n; i++) {
        const cug_sprint_run *one = &s->done[i];
        json_t *row =
            json_pack("{s:I s:f s:I s:I s:f s:f}", "seed", (json_int_t)one->seed, "accuracy", accuracy(one), "wrong",
                      (json_int_t)one->wrong, "of", (json_int_t)one->of, "loss", one->loss, "seconds", one->seconds);
        st = row ? bench_report_row(&r, row) : cug_fail(CUG_ENOMEM, "out of memory for a report");
    }
    if (st == CUG_OK) st = bench_report_json(&r, s->json);
cleanup:
    free(text);
    bench_report_close(&r);
    return st;
}

/* 0, or an exit status with its line written. */
static int parse(int argc, char **argv, sprint *s, cug_config *c) {
    const char *runs = NULL;
    for (int i = 1; i < argc;) {
        int at = i, used = 0, k = cli_value(argc, argv, &i, "--runs", &runs);
        if (!k) k = cli_value(argc, argv, &i, "--json", &s->json);
        if (k < 0) return cli_usage("sprint", "%s needs a value", argv[at]);
        if (k) {
            i++;
        } else if (strcmp(argv[i], "--quiet") == 0) {
            s->quiet = 1, i++;
        } else if (strcmp(argv[i], "--print-config") == 0) {
            s->print_config = 1, i++;
        } else if (argv[i][0] != '-') {
            return cli_usage("sprint", "unexpected argument '%s'", argv[i]);
        } else {
            cug_status st = cug_config_arg(c, argc - i, argv + i, &used);
            if (st != CUG_OK) return st == CUG_ENOMEM ? cli_fail(st) : cli_usage("sprint", "%s", cug_error());
            i += used;
        }
    }
    if (runs && cli_int(runs, 1, MOST_RUNS, &s->runs))
        return cli_usage("sprint", "--runs %s: a number from 1 to %d", runs, MOST_RUNS);
    return 0;
}

static int print_config(const cug_config *c) {
    char *text = NULL;
    cug_status st = cug_config_print(c, &text);
    if (st != CUG_OK) return cli_fail(st);
    fputs(text, stdout);
    free(text);
    return 0;
}

static int run(sprint *s, const cug_config *c, int argc, char **argv) {
    summary m;
    s->done = calloc((size_t)s->runs, sizeof *s->done);
    if (!s->done) return cli_fail(cug_fail(CUG_ENOMEM, "out of memory for %lld runs", s->runs));
    const cug_sprint_request req = {.config = c, .runs = (int)s->runs, .on_run = on_run, .user = s};
    cug_status st = cug_sprint(&req, &s->info);
    if (st == CUG_OK) st = summarise(&m, s);
    if (st == CUG_OK) {
        print_summary(s, &m);
        if (s->json) st = write_json(s, c, &m, argc, argv);
    }
    free(s->done);
    return st == CUG_OK ? 0 : cli_fail(st);
}

int cmd_sprint(int argc, char **argv) {
    sprint s = {.runs = 1};
    cug_config c;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help();
            return 0;
        }
    cug_config_defaults(&c);
    cug_status st = cug_sprint_recipe(&c);
    int rc = st == CUG_OK ? parse(argc, argv, &s, &c) : cli_fail(st);
    if (!rc) rc = s.print_config ? print_config(&c) : run(&s, &c, argc, argv);
    cug_config_free(&c);
    return rc;
}
