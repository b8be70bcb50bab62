/* bench_train.c - cuglyph bench train and cuglyph bench infer. */
#include "bench/growth.h"
#include "cli/bench.h"
#include <math.h>
#include <string.h>
#include <sys/resource.h>

#define PRECISIONS (CUG_PREC_BF16 + 1)

typedef struct train_run {
    bench_cli b;
    int training, small;
    const char *models[BENCH_LIST];
    int n_models, batch[BENCH_LIST], n_batch;
    int precisions; /* 1 << cug_precision, or 0: fp32 */
    cug_choice conv, gemm;
    bench_report report;
} train_run;

static void help(int training) {
    const char *name = training ? "train" : "infer";
    printf("usage: cuglyph bench %s MODEL... [OPTIONS]\n\n", name);
    printf(
        "Times whole %s steps of each model, batches taken from random images in host memory:\n"
        "images/s, milliseconds a step, memory, energy where the device reports it; then where the time of a step "
        "goes,\n"
        "with steps run op by op. MODEL: a name from `cuglyph info`, a spec file, or a one-line spec. Several batches\n"
        "and threads are all combined.\n\n"
        "  --batch LIST       images a step, like 32,128,512 (default 128)\n"
        "  --precision LIST   fp32, tf32, bf16: factors of products, GPU (default fp32)\n"
        "  --conv WHOSE       GPU: convolutions by own kernels, cudnn or auto (default own)\n"
        "  --gemm WHOSE       GPU: dense layers by own kernels, cublas or auto (default own)\n"
        "  --plot FILE        an SVG chart of what more work costs: images, batch, width, depth (some 20 more\n"
        "                     measurements, from the first model, batch and thread count)\n"
        "  --small            two points of each in that chart: for an emulated device\n",
        training ? "training" : "evaluation");
    bench_cli_help();
}

static int parse(int argc, char **argv, train_run *t) {
    const char *name = t->b.command, *v = NULL;
    for (int i = 1; i < argc; i++) {
        int got = bench_cli_option(&t->b, argc, argv, &i);
        if (!got) got = cli_whose(argc, argv, &i, name, "--conv", "cudnn", &t->conv);
        if (!got) got = cli_whose(argc, argv, &i, name, "--gemm", "cublas", &t->gemm);
        if (got < 0) return 2;
        if (got) continue;
        if ((got = cli_value(argc, argv, &i, "--batch", &v))) {
            if (got < 0 || bench_cli_list(v, 1, 65536, t->batch, &t->n_batch) != 0)
                return cli_usage(name, "--batch needs numbers from 1 to 65536, like 32,128");
        } else if ((got = cli_value(argc, argv, &i, "--precision", &v))) {
            if (bench_cli_precisions(name, got > 0 ? v : NULL, &t->precisions) != 0) return 2;
        } else if (strcmp(argv[i], "--small") == 0)
            t->small = 1;
        else if (argv[i][0] == '-')
            return cli_usage(name, "unexpected argument '%s'", argv[i]);
        else if (t->n_models == BENCH_LIST)
            return cli_usage(name, "at most %d models at once", BENCH_LIST);
        else
            t->models[t->n_models++] = argv[i];
    }
    return t->n_models ? 0 : cli_usage(name, "which model?");
}

static double peak_rss(void) {
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) == 0 ? (double)u.ru_maxrss * 1024 : 0;
}

static void show(const bench_steps *s, const bench_steps_options *o) {
    const double t = s->step.median;
    char energy[64] = "energy not reported", noise[32] = "noise not known";
    if (s->joules > 0)
        snprintf(energy, sizeof energy, "%.3g J a step, %.3g J per 1000 images", s->joules,
                 1000 * s->joules / o->batch);
    printf("\n%s, batch %d, %s%s%s\n", o->graph->name, o->batch, s->device, o->precision ? ", " : "",
           o->precision ? cug_precision_name(o->precision) : "");
    if (isfinite(s->step.noise)) snprintf(noise, sizeof noise, "+-%.1f %%", 100 * s->step.noise);
    printf("  %.3f ms a step (%s, %d samples), %.0f images/s, %.1f GFLOP/s dense\n", t * 1e3, noise, s->step.n,
           o->batch / t, s->flop / t * 1e-9);
    printf("  %.1f MB on the device (parameters %.1f, gradients %.1f, optimizer %.1f, activations %.1f), process peak "
           "%.0f MB; %s\n",
           (double)s->memory.total * 1e-6, (double)s->memory.params * 1e-6, (double)s->memory.grads * 1e-6,
           (double)s->memory.state * 1e-6, (double)s->memory.arena * 1e-6, peak_rss() * 1e-6, energy);
    for (int i = 0; i < s->parts; i++) {
        const bench_part *p = &s->part[i];
        printf("    %-28s %9.1f us  %5.1f %%", p->name, p->seconds * 1e6, 100 * p->seconds / s->split_step);
        if (p->flop > 0) printf("  %8.1f GFLOP/s", p->flop / p->seconds * 1e-9);
        printf("\n");
    }
    printf("    together %.1f %% of a step op by op, which takes %.1f us\n", 100 * s->covered, s->split_step * 1e6);
    fflush(stdout);
}

static cug_status record(train_run *t, const bench_steps *s, const bench_steps_options *o) {
    char key[256];
    json_t *parts = json_array();
    for (int i = 0; i < s->parts; i++)
        json_array_append_new(parts, json_pack("{s:s, s:f, s:f}", "name", s->part[i].name, "seconds",
                                               s->part[i].seconds, "flop", s->part[i].flop));
    snprintf(key, sizeof key, "%s %.100s batch %d, %.64s, %d threads%s%s", t->training ? "train" : "infer",
             o->graph->name, o->batch, o->be->name, s->threads, o->precision ? ", " : "",
             o->precision ? cug_precision_name(o->precision) : "");
    json_t *row = json_pack("{s:s, s:s, s:i, s:s, s:i, s:s, s:f, s:f, s:I, s:f, s:f, s:f, s:o}", "key", key, "model",
                            o->graph->name, "batch", o->batch, "device", s->device, "threads", s->threads, "precision",
                            cug_precision_name(o->precision), "images_per_s", o->batch / s->step.median, "flop",
                            s->flop, "memory_bytes", (json_int_t)s->memory.total, "process_peak_bytes", peak_rss(),
                            "split_seconds", s->split_step, "split_covered", s->covered, "split", parts);
    if (!row) return cug_fail(CUG_ENOMEM, "out of memory for the report");
    json_object_set_new(row, "joules", s->joules > 0 ? json_real(s->joules) : json_null());
    cug_status st = bench_report_time(row, &s->step);
    if (st == CUG_OK) return bench_report_row(&t->report, row);
    json_decref(row);
    return st;
}

static void show_point(void *user, const char *series, double gmac, double seconds) {
    (void)user;
    printf("  %-12s %10.4f GMAC  %10.3f ms\n", series, gmac, seconds * 1e3);
    fflush(stdout);
}

static cug_status chart(const train_run *t, const bench_steps_options *o) {
    plot_series s[GROWTH_SERIES];
    char title[200];
    printf("\nwhat more work costs, from %s at batch %d\n", o->graph->name, o->batch);
    CUG_TRY(bench_growth(s, o, t->small, show_point, NULL));
    snprintf(title, sizeof title, "%s: what more work costs, from %.60s at batch %d",
             t->training ? "Training" : "Inference", o->graph->name, o->batch);
    return plot_write(t->b.plot, title, "dense work, GMAC", "seconds", s, GROWTH_SERIES);
}

static cug_status run_model(train_run *t, bench_steps_options *o, const char *model, int first) {
    static bench_steps s; /* too large for a stack */
    cug_graph *g = NULL;
    CUG_TRY(cug_model_load(&g, model));
    cug_status st = CUG_OK;
    o->graph = g;
    for (int i = 0; i < t->n_batch * PRECISIONS; i++)
        for (int k = 0; k < t->b.n_threads; k++) {
            o->precision = (cug_precision)(i % PRECISIONS);
            if (!(t->precisions >> o->precision & 1)) continue;
            if (bench_cli_stop) CUG_GOTO(cug_fail(CUG_EINTR, "stopped; what is above is complete"));
            o->batch = t->batch[i / PRECISIONS];
            o->threads = t->b.threads[k];
            CUG_GOTO(bench_steps_run(&s, o));
            show(&s, o);
            CUG_GOTO(record(t, &s, o));
            if (first && t->report.devices && json_array_size(t->report.devices) <= (size_t)k)
                CUG_GOTO(bench_report_device(&t->report, s.device, s.threads, NULL));
        }
    if (first && t->b.plot) {
        o->precision = CUG_PREC_FP32;
        while (!(t->precisions >> o->precision & 1)) o->precision++;
        o->batch = t->batch[0];
        o->threads = t->b.threads[0];
        CUG_GOTO(chart(t, o));
    }
cleanup:
    cug_graph_free(g);
    return st;
}

static int stopped(void) { return bench_cli_stop; }

int bench_train_command(int argc, char **argv, int training) {
    train_run t = {.training = training};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help(training);
            return 0;
        }
    bench_cli_defaults(&t.b, training ? "bench train" : "bench infer");
    int rc = parse(argc, argv, &t);
    if (rc) return rc;
    bench_steps_options o = {.training = training, .split = 1, .seed = 1, .limits = t.b.limits};
    o.limits.late = stopped;
    if ((rc = bench_cli_backend(&t.b, &o.be, &o.ordinal))) return rc;
    if (!t.precisions) t.precisions = 1 << CUG_PREC_FP32;
    o.conv = t.conv;
    o.gemm = t.gemm;
    if (!t.n_batch) t.batch[t.n_batch++] = 128;
    if (!t.b.n_threads) t.b.n_threads = 1; /* {0}: one a core */
    cug_status st = bench_report_open(&t.report, training ? "train" : "infer", "cuglyph bench", argc, argv);
    if (st == CUG_OK) bench_cli_head();
    bench_cli_catch();
    for (int i = 0; st == CUG_OK && i < t.n_models; i++) st = run_model(&t, &o, t.models[i], i == 0);
    rc = t.report.rows && json_array_size(t.report.rows) ? bench_cli_finish(&t.b, &t.report) : 0;
    if (st != CUG_OK) rc = cli_fail(st);
    bench_report_close(&t.report);
    return rc;
}
