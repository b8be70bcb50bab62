/* bench_kernels.c - cuglyph bench kernels. */
#include "bench/roof_plot.h"
#include "cli/bench.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct kernels_run {
    bench_cli b;
    bench_kernels_options o;
    bench_report report;
    roof_plot plot;
    const char *isa;
    int list;
} kernels_run;

static void help(void) {
    printf(
        "usage: cuglyph bench kernels [OPTIONS]\n\n"
        "Times every op, forward and backward, on every implementation of the device (its library too, where there is\n"
        "one) and in every precision, over the shapes of the tests, of the known models and of DeepBench. First the\n"
        "machine's own peaks are measured; %% roof is the time these allow over the time taken. Results are compared\n"
        "with the float64 reference after timing. GFLOP/s count dense work, 2 a multiply-add, also where zeros are\n"
        "skipped; GB/s count each tensor once.\n\n"
        "  --op NAME          one op, or one pass of it: conv2d, \"conv2d bwd\" ...\n"
        "  --shape TEXT       cases whose name or shape holds TEXT: cnn-d, 28x28 ...\n"
        "  --source NAME      cases (the tests' tables), models or deepbench\n"
        "  --precision LIST   fp32, tf32, bf16 (default: all that the device has)\n"
        "  --cold             also with arguments that are not in the cache\n"
        "  --small            small shapes alone: for an emulated device\n"
        "  --no-check         leave the comparison with the reference out\n"
        "  --list             print the cases, measure nothing\n");
    bench_cli_help();
}

/* 0, or an exit status. */
static int parse(int argc, char **argv, kernels_run *k) {
    const char *name = k->b.command, *v = NULL;
    for (int i = 1; i < argc; i++) {
        int got = bench_cli_option(&k->b, argc, argv, &i);
        if (got < 0) return 2;
        if (!got) got = cli_value(argc, argv, &i, "--op", &k->o.op);
        if (!got) got = cli_value(argc, argv, &i, "--shape", &k->o.shape);
        if (!got) got = cli_value(argc, argv, &i, "--source", &k->o.source);
        if (!got) got = cli_value(argc, argv, &i, "--isa", &k->isa);
        if (got < 0) return cli_usage(name, "%s needs a value", argv[i]);
        if (got) continue;
        if ((got = cli_value(argc, argv, &i, "--precision", &v))) {
            if (got < 0 || bench_cli_precisions(name, v, &k->o.precisions) != 0) return 2;
        } else if (strcmp(argv[i], "--cold") == 0)
            k->o.cold = 1;
        else if (strcmp(argv[i], "--small") == 0)
            k->o.small = 1;
        else if (strcmp(argv[i], "--no-check") == 0)
            k->o.check = 0;
        else if (strcmp(argv[i], "--list") == 0)
            k->list = 1;
        else
            return cli_usage(name, "unexpected argument '%s'", argv[i]);
    }
    return 0;
}

static cug_status on_device(void *user, const bench_side *s, const bench_roof *r) {
    kernels_run *k = user;
    bench_cli_device(s->be->describe(s->dev), r);
    roof_plot_device(&k->plot, s->be->describe(s->dev), r);
    printf("\n%-22s %-26s %-40s %-17s %11s %6s %9s %8s %6s%s\n", "op", "case", "shape", "on", "us", "+-%", "GFLOP/s",
           "GB/s", "% roof", "  vs library");
    return bench_report_device(&k->report, s->be->describe(s->dev), s->threads, r);
}

static void show(const char *format, double v, int known, int width) {
    if (known)
        printf(format, v);
    else
        printf(" %*s", width, "-");
}

static cug_status on_row(void *user, const bench_row *r) {
    kernels_run *k = user;
    char op[40], on[72];
    const double t = r->time.median;
    snprintf(op, sizeof op, "%s %s", r->op, r->pass);
    snprintf(on, sizeof on, "%s%s%s%s", r->implementation, *r->precision == 'f' ? "" : " ",
             *r->precision == 'f' ? "" : r->precision, *r->cache == 'c' ? " cold" : "");
    printf("%-22.22s %-26.26s %-40.40s %-17.17s %11.3f", op, r->name, r->shape, on, t * 1e6);
    show(" %6.1f", 100 * r->time.noise, isfinite(r->time.noise), 6);
    show(" %9.1f", r->flop / t * 1e-9, r->flop > 0 && t > 0, 9);
    show(" %8.2f", r->bytes / t * 1e-9, t > 0, 8);
    show(" %6.1f", 100 * r->roof, r->roof > 0, 6);
    if (r->library > 0) printf("  %.2fx", r->library);
    if (r->clock < 0.95) printf("  peak was at %.0f %%", 100 * r->clock);
    printf("\n");
    fflush(stdout);
    roof_plot_row(&k->plot, r);
    return bench_report_kernel(&k->report, r);
}

static void on_note(void *user, const char *text) {
    (void)user;
    printf("note: %s\n", text);
}

static int list_cases(void) {
    bench_cursor at = {0};
    bench_case c;
    while (bench_case_next(&at, &c)) printf("%-12s %-9s %-10s %-38s %s\n", c.op, c.pass, c.source, c.name, c.shape);
    return 0;
}

/* The cpu backend reads its instruction set from the environment when a device is opened. */
static cug_status run_isas(kernels_run *k) {
    char word[16];
    for (const char *list = k->isa; list; list = *list ? list + 1 : NULL) {
        const size_t n = strcspn(list, ",");
        snprintf(word, sizeof word, "%.*s", (int)n, list);
        setenv("CUGLYPH_CPU_ISA", word, 1);
        CUG_TRY(bench_kernels(&k->o));
        list += n;
    }
    return k->isa ? CUG_OK : bench_kernels(&k->o);
}

static int stopped(void) { return bench_cli_stop; }

static int run(kernels_run *k, int argc, char **argv) {
    int rc = bench_cli_backend(&k->b, &k->o.be, &k->o.ordinal);
    if (rc) return rc;
    cug_status st = bench_report_open(&k->report, "kernels", "cuglyph bench", argc, argv);
    k->o.limits = k->b.limits;
    k->o.limits.late = stopped;
    k->o.n_threads = k->b.n_threads;
    memcpy(k->o.threads, k->b.threads, sizeof k->o.threads);
    k->o.on_device = on_device;
    k->o.on_row = on_row;
    k->o.on_note = on_note;
    k->o.stop = &bench_cli_stop;
    k->o.user = k;
    if (st == CUG_OK) {
        bench_cli_head();
        bench_cli_catch();
        st = run_isas(k);
    }
    /* What was measured before a stop or a wrong result is worth keeping. */
    rc = k->report.rows && json_array_size(k->report.rows) ? bench_cli_finish(&k->b, &k->report) : 0;
    if (st == CUG_OK && k->b.plot) st = roof_plot_write(&k->plot, k->b.plot);
    if (st != CUG_OK) rc = cli_fail(st);
    bench_report_close(&k->report);
    return rc;
}

int bench_kernels_command(int argc, char **argv) {
    static kernels_run k; /* too large for a stack */
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help();
            return 0;
        }
    bench_cli_defaults(&k.b, "bench kernels");
    bench_kernels_defaults(&k.o);
    int rc = parse(argc, argv, &k);
    if (rc) return rc;
    return k.list ? list_cases() : run(&k, argc, argv);
}
