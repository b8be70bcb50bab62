/* bench.c - cuglyph bench: the options that its parts share, and their headers and files. */
#include "cli/bench.h"
#include "host.h"
#include <cuglyph/version.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

volatile int bench_cli_stop;

static void on_signal(int sig) {
    (void)sig;
    bench_cli_stop = 1;
}

void bench_cli_catch(void) {
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, 0);
    sigaction(SIGTERM, &sa, 0);
}

void bench_cli_defaults(bench_cli *b, const char *command) {
    *b = (bench_cli){.command = command, .device = "auto"};
    bench_limits_defaults(&b->limits);
}

void bench_cli_help(void) {
    bench_limits l;
    bench_limits_defaults(&l);
    printf(
        "  --device NAME      auto, cpu, cuda or cuda:N (default auto: a GPU where there is one)\n"
        "  --threads LIST     of the cpu backend, one table each (default: one a core)\n"
        "  --samples N        timings of each measurement, at least (default %d)\n"
        "  --min-time S       seconds of each measurement, at least (default %g)\n"
        "  --max-time S       it goes on for that long while its noise is above %g %% (default %g)\n"
        "  --json FILE        everything measured, with machine, command and date\n"
        "  --csv FILE         the rows alone\n"
        "  --compare FILE     a file that --json wrote before: rows that are slower or faster beyond both runs' noise\n"
        "                     and by 2 %%; exit status %d when any is slower\n"
        "  --help             this text\n",
        l.samples, l.min_time, 100 * l.noise, l.max_time, BENCH_EXIT_SLOWER);
}

int bench_cli_list(const char *text, long long lo, long long hi, int *out, int *n) {
    for (*n = 0; *n < BENCH_LIST; text++) {
        char part[24];
        const size_t len = strcspn(text, ",");
        long long v;
        if (!len || len >= sizeof part) return -1;
        memcpy(part, text, len);
        part[len] = 0;
        if (cli_int(part, lo, hi, &v) != 0) return -1;
        out[(*n)++] = (int)v;
        text += len;
        if (!*text) return 0;
    }
    return -1;
}

static int precision_mask(const char *list, int *mask) {
    for (*mask = 0;; list++) {
        const size_t n = strcspn(list, ",");
        int p = 0;
        while (cug_precision_name((cug_precision)p) && (strlen(cug_precision_name((cug_precision)p)) != n ||
                                                        strncmp(list, cug_precision_name((cug_precision)p), n) != 0))
            p++;
        if (!cug_precision_name((cug_precision)p)) return -1;
        *mask |= 1 << p;
        list += n;
        if (!*list) return 0;
    }
}

int bench_cli_precisions(const char *command, const char *list, int *mask) {
    return list && precision_mask(list, mask) == 0
               ? 0
               : cli_usage(command, "--precision needs fp32, tf32, bf16 or several of them, like fp32,bf16");
}

static int seconds(const char *text, double *out) {
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    return end == text || *end || errno || !(*out >= 0 && *out <= 3600) ? -1 : 0;
}

int bench_cli_option(bench_cli *b, int argc, char **argv, int *i) {
    const struct {
        const char *name;
        const char **text;
    } texts[] = {{"--device", &b->device},
                 {"--json", &b->json},
                 {"--csv", &b->csv},
                 {"--compare", &b->compare},
                 {"--plot", &b->plot}};
    const char *v = NULL;
    long long n;
    int k;
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        if (!(k = cli_value(argc, argv, i, texts[t].name, texts[t].text))) continue;
        return k > 0 && **texts[t].text ? 1 : (cli_usage(b->command, "%s needs a value", texts[t].name), -1);
    }
    if ((k = cli_value(argc, argv, i, "--threads", &v)))
        return k > 0 && bench_cli_list(v, 1, 1024, b->threads, &b->n_threads) == 0
                   ? 1
                   : (cli_usage(b->command, "--threads needs numbers from 1 to 1024, like 1,2,4"), -1);
    if ((k = cli_value(argc, argv, i, "--samples", &v))) {
        if (k < 0 || cli_int(v, 1, 10000, &n) != 0)
            return cli_usage(b->command, "--samples needs a whole number from 1 to 10000"), -1;
        b->limits.samples = (int)n;
        return 1;
    }
    double *time = NULL;
    const char *name = NULL;
    if ((k = cli_value(argc, argv, i, "--min-time", &v)))
        time = &b->limits.min_time, name = "--min-time";
    else if ((k = cli_value(argc, argv, i, "--max-time", &v)))
        time = &b->limits.max_time, name = "--max-time";
    if (!time) return 0;
    return k > 0 && seconds(v, time) == 0 ? 1 : (cli_usage(b->command, "%s needs seconds, 0 to 3600", name), -1);
}

int bench_cli_backend(const bench_cli *b, const cug_backend **be, int *ordinal) {
    cug_device *dev = NULL;
    char *end;
    *ordinal = 0;
    if (strcmp(b->device, "auto") == 0) {
        *be = cug_backend_find("cuda");
        if (*be && (*be)->open(&dev, &(cug_device_options){0}) == CUG_OK)
            (*be)->close(dev);
        else
            *be = &cug_backend_cpu;
        return 0;
    }
    const int gpu = strncmp(b->device, "cuda", 4) == 0 && (b->device[4] == 0 || b->device[4] == ':');
    *be = gpu ? cug_backend_find("cuda") : strcmp(b->device, "cpu") == 0 ? &cug_backend_cpu : NULL;
    if (gpu && !*be)
        return cli_fail(
            cug_fail(CUG_ENOTSUP, "device cuda: this build has no CUDA; build with CUDA=1, or use --device cpu"));
    if (gpu && b->device[4]) {
        const long v = strtol(b->device + 5, &end, 10);
        if (end == b->device + 5 || *end || v < 0 || v > 1023) *be = NULL;
        *ordinal = (int)v;
    }
    return *be ? 0 : cli_usage(b->command, "--device %s: expected auto, cpu, cuda or cuda:N", b->device);
}

void bench_cli_head(void) {
    char date[32], cpu[256], os[256];
    host_date(date, sizeof date);
    host_cpu(cpu, sizeof cpu);
    host_system(os, sizeof os);
    printf("cuglyph %s, %s; %s, %d cores, %s\n", CUG_VERSION, date, cpu, host_cores(), os);
}

void bench_cli_device(const char *device, const bench_roof *r) {
    printf("%s\n", device);
    if (r->flops[CUG_PREC_FP32] > 0) {
        printf("  multiply-adds     ");
        for (int p = 0; p < 3; p++)
            if (r->flops[p] > 0) printf(" %s %.1f GFLOP/s", cug_precision_name((cug_precision)p), r->flops[p] * 1e-9);
        if (r->flops_core > 0) printf(" (one core %.1f)", r->flops_core * 1e-9);
        printf("\n  copies, read+write ");
        for (int i = 0; i < BENCH_COPIES && r->copy[i].rate > 0; i++) {
            const double b = (double)r->copy[i].bytes;
            printf("%s%.0f %s: %.1f", i ? ", " : "", b < 0x1p20 ? b / 0x1p10 : b / 0x1p20, b < 0x1p20 ? "KiB" : "MiB",
                   r->copy[i].rate * 1e-9);
        }
        printf(" GB/s");
        if (r->copy_core > 0) printf(" (one core %.1f)", r->copy_core * 1e-9);
        printf("\n");
    }
}

int bench_cli_finish(const bench_cli *b, bench_report *r) {
    if (b->json) {
        cug_status st = bench_report_json(r, b->json);
        if (st != CUG_OK) return cli_fail(st);
    }
    if (b->csv) {
        cug_status st = bench_report_csv(r, b->csv);
        if (st != CUG_OK) return cli_fail(st);
    }
    if (!b->compare) return 0;
    bench_comparison c;
    cug_status st = bench_report_compare(&c, r, b->compare, stdout);
    if (st != CUG_OK) return cli_fail(st);
    return c.slower ? BENCH_EXIT_SLOWER : 0;
}

static void help(void) {
    printf(
        "usage: cuglyph bench kernels [OPTIONS]          every op by itself: time, GFLOP/s, GB/s, %% of the roofline\n"
        "       cuglyph bench train MODEL... [OPTIONS]    training steps: images/s, where the time goes, memory\n"
        "       cuglyph bench infer MODEL... [OPTIONS]    the same for evaluation\n\n"
        "cuglyph bench COMMAND --help says more.\n");
}

int cmd_bench(int argc, char **argv) {
    if (argc < 2) return cli_usage("bench", "what? kernels, train or infer");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        help();
        return 0;
    }
    if (strcmp(argv[1], "kernels") == 0) return bench_kernels_command(argc - 1, argv + 1);
    if (strcmp(argv[1], "train") == 0) return bench_train_command(argc - 1, argv + 1, 1);
    if (strcmp(argv[1], "infer") == 0) return bench_train_command(argc - 1, argv + 1, 0);
    return cli_usage("bench", "no benchmark '%s': kernels, train or infer", argv[1]);
}
