/* bench.h - what `cuglyph bench` kernels, train and infer share on the command line. */
#ifndef CUG_CLI_BENCH_H
#define CUG_CLI_BENCH_H

#include "bench/report.h"
#include "cli/cli.h"

int bench_kernels_command(int argc, char **argv);
int bench_train_command(int argc, char **argv, int training);

#define BENCH_EXIT_SLOWER 3

/* Options of all three. */
typedef struct bench_cli {
    const char *command; /* "bench kernels" */
    const char *device;  /* "auto", "cpu", "cuda", "cuda:N" */
    const char *json, *csv, *compare, *plot;
    int threads[BENCH_LIST], n_threads;
    bench_limits limits;
} bench_cli;

void bench_cli_defaults(bench_cli *b, const char *command);
/* Takes argv[*i] when it is one of them: 1; another: 0; wrong: -1, the line is written. */
int bench_cli_option(bench_cli *b, int argc, char **argv, int *i);
void bench_cli_help(void);

/* "1,2,4" into numbers of [lo, hi]; 0 on success. */
int bench_cli_list(const char *text, long long lo, long long hi, int *out, int *n);

/* "fp32,bf16" into bits 1 << cug_precision. 0, or an exit status with the line written. */
int bench_cli_precisions(const char *command, const char *list, int *mask);

/* The device that --device names: its backend and number. 0, or an exit status with the line written. */
int bench_cli_backend(const bench_cli *b, const cug_backend **be, int *ordinal);

/* Two lines: version, date, machine. */
void bench_cli_head(void);
/* Device and its peaks. */
void bench_cli_device(const char *device, const bench_roof *r);

/* --json, --csv, --compare of the finished report. An exit status. */
int bench_cli_finish(const bench_cli *b, bench_report *r);

/* Set by the first SIGINT or SIGTERM; the second ends the program. */
extern volatile int bench_cli_stop;
void bench_cli_catch(void);

#endif
