/* test_bench_report.c - results as JSON and CSV, the comparison of two runs, and the chart. */
#include "bench/growth.h"
#include "bench/report.h"
#include "bench/roof_plot.h"
#include "support/scratch.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

TestSuite(bench_report, .init = scratch_setup, .fini = scratch_remove);

static bench_row row(const char *name, double seconds, double noise) {
    bench_row r = {.precision = "fp32",
                   .cache = "warm",
                   .threads = 2,
                   .calls = 7,
                   .flop = 1e6,
                   .bytes = 1e5,
                   .roof = 0.5,
                   .clock = 1,
                   .checked = 1};
    snprintf(r.op, sizeof r.op, "conv2d");
    snprintf(r.pass, sizeof r.pass, "fwd");
    snprintf(r.name, sizeof r.name, "%s", name);
    snprintf(r.shape, sizeof r.shape, "8x8, \"quoted\"");
    snprintf(r.source, sizeof r.source, "cases");
    snprintf(r.implementation, sizeof r.implementation, "cpu AVX2");
    r.time = (bench_stats){10, seconds, 0, seconds, seconds, seconds * (1 - noise), seconds * (1 + noise), noise};
    return r;
}

static void report(bench_report *r, const bench_row *rows, int n) {
    static char *argv[] = {"kernels", "--op", "conv2d fwd"};
    const bench_roof roof = {.flops = {1e11}, .flops_core = 5e10, .copy = {{1024, 1e10}}};
    cr_assert_eq(bench_report_open(r, "kernels", "cuglyph bench", 3, argv), CUG_OK);
    cr_assert_eq(bench_report_device(r, "cpu, 2 threads, AVX2", 2, &roof), CUG_OK);
    for (int i = 0; i < n; i++) cr_assert_eq(bench_report_kernel(r, &rows[i]), CUG_OK);
}

static json_t *read_back(const char *path) {
    json_error_t e;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
    cr_assert(root, "%s:%d: %s", path, e.line, e.text);
    return root;
}

Test(bench_report, json_has_its_fields) {
    char path[300];
    bench_report r;
    const bench_row rows[] = {row("a", 1e-3, 0.01), row("b", 2e-3, INFINITY)};
    snprintf(path, sizeof path, "%s", scratch_path("r.json"));
    report(&r, rows, 2);
    cr_assert_eq(bench_report_json(&r, path), CUG_OK, "%s", cug_error());
    bench_report_close(&r);
    json_t *root = read_back(path), *v;
    const char *kind, *date, *cpu, *command;
    cr_assert_eq(json_unpack(root, "{s:s, s:s, s:s, s:s, s:o}", "bench", &kind, "date", &date, "cpu", &cpu, "command",
                             &command, "rows", &v),
                 0);
    cr_expect_str_eq(kind, "kernels");
    cr_expect_str_eq(command, "cuglyph bench kernels --op 'conv2d fwd'");
    cr_expect(strlen(date) == 20 && date[19] == 'Z');
    cr_assert_eq(json_array_size(v), 2);
    const char *key, *op, *shape, *precision, *cache;
    double t, low, high, gflops, roofline;
    json_t *first = json_array_get(v, 0), *second = json_array_get(v, 1);
    cr_assert_eq(json_unpack(first, "{s:s, s:s, s:s, s:s, s:s, s:F, s:F, s:F, s:F, s:F}", "key", &key, "op", &op,
                             "shape", &shape, "precision", &precision, "cache", &cache, "seconds", &t, "seconds_low",
                             &low, "seconds_high", &high, "gflops", &gflops, "roofline", &roofline),
                 0);
    cr_expect(fabs(t - 1e-3) < 1e-12 && fabs(low - 0.99e-3) < 1e-12 && fabs(high - 1.01e-3) < 1e-12);
    cr_expect_float_eq(gflops, 1, 1e-9);
    cr_expect(json_is_null(json_object_get(first, "library_ratio")), "no library: null, not 0");
    cr_expect(json_is_null(json_object_get(second, "noise")), "no interval: null");
    cr_expect(json_is_true(json_object_get(first, "checked")));
    json_decref(root);
}

Test(bench_report, csv_has_a_line_a_row) {
    char path[300], line[1024];
    bench_report r;
    const bench_row rows[] = {row("a, b", 1e-3, 0.01), row("c", 2e-3, 0.01)};
    snprintf(path, sizeof path, "%s", scratch_path("r.csv"));
    report(&r, rows, 2);
    cr_assert_eq(bench_report_csv(&r, path), CUG_OK);
    bench_report_close(&r);
    FILE *f = fopen(path, "r");
    int lines = 0, commas[3] = {0};
    while (fgets(line, sizeof line, f)) {
        cr_assert_lt(lines, 3);
        int quoted = 0;
        for (char *p = line; *p; p++) quoted ^= *p == '"', commas[lines] += *p == ',' && !quoted;
        if (lines == 1) cr_expect(strstr(line, "\"a, b\"") && strstr(line, "\"8x8, \"\"quoted\"\"\""), "%s", line);
        lines++;
    }
    fclose(f);
    cr_expect_eq(lines, 3);
    cr_expect(commas[0] > 10 && commas[1] == commas[0] && commas[2] == commas[0]);
}

/* Writes `old` to a file and compares `now` with it. */
static cug_status against(bench_comparison *c, const bench_row *old, int n_old, const bench_row *now, int n_now) {
    char path[300];
    bench_report r;
    FILE *null = fopen("/dev/null", "w");
    snprintf(path, sizeof path, "%s", scratch_path("old.json"));
    report(&r, old, n_old);
    cr_assert_eq(bench_report_json(&r, path), CUG_OK);
    bench_report_close(&r);
    report(&r, now, n_now);
    cug_status st = bench_report_compare(c, &r, path, null);
    bench_report_close(&r);
    fclose(null);
    return st;
}

Test(bench_report, comparison) {
    bench_comparison c;
    const bench_row old[] = {row("a", 1e-3, 0.01),  row("b", 1e-3, 0.01), row("c", 1e-3, 0.3),
                             row("d", 1e-3, 0.001), row("e", 1e-3, 0.01), row("f", 1e-3, INFINITY)};
    const bench_row now[] = {row("a", 2e-3, 0.01),     /* doubled */
                             row("b", 0.5e-3, 0.01),   /* halved */
                             row("c", 1.5e-3, 0.3),    /* within both runs' noise */
                             row("d", 1.01e-3, 0.001), /* beyond the noise, under 2 % */
                             row("e", 1e-3, 0.01),     /* the same */
                             row("f", 9e-3, 0.01),     /* the old one had no interval */
                             row("new", 1e-3, 0.01)};
    cr_assert_eq(against(&c, old, 6, now, 7), CUG_OK, "%s", cug_error());
    cr_expect_eq(c.compared, 6);
    cr_expect_eq(c.slower, 1);
    cr_expect_eq(c.faster, 1);
    cr_expect_eq(c.missing, 1);
}

Test(bench_report, comparison_with_what_is_not_such_a_file) {
    static const char *const texts[] = {"", "{", "[]", "{\"bench\": \"train\", \"rows\": []}",
                                        "{\"bench\": \"kernels\"}"};
    char path[300];
    bench_report r;
    bench_comparison c;
    report(&r, NULL, 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        snprintf(path, sizeof path, "%s", scratch_path("bad.json"));
        FILE *f = fopen(path, "w");
        fputs(texts[i], f);
        fclose(f);
        cr_expect_eq(bench_report_compare(&c, &r, path, stdout), CUG_EINVAL, "%s", texts[i]);
        cr_expect(strstr(cug_error(), "bad.json"), "%s", cug_error());
    }
    cr_expect_eq(bench_report_compare(&c, &r, "/none/such.json", stdout), CUG_ENOENT);
    bench_report_close(&r);
}

Test(bench_report, chart) {
    char path[300];
    plot_series s[2] = {{.name = "a < b & c", .n = 3, .x = {1, 10, 100}, .y = {1e-3, 2e-3, 4e-3}},
                        {.name = "line", .n = 2, .x = {1, 100}, .y = {1e-3, 0.1}, .style = PLOT_DASHED}};
    snprintf(path, sizeof path, "%s", scratch_path("p.svg"));
    cr_assert_eq(plot_write(path, "title", "x", "y", s, 2), CUG_OK, "%s", cug_error());
    char *text = file_read(path, NULL);
    cr_assert(text && strlen(text) > 500);
    cr_expect(strstr(text, "a &lt; b &amp; c") && strstr(text, "</svg>") && !strstr(text, "nan") &&
              !strstr(text, "inf"));
    int circles = 0;
    for (char *p = text; (p = strstr(p, "<circle")); p++) circles++;
    cr_expect_eq(circles, 4, "three points and the legend's");
    free(text);
    s[0].y[1] = 0;
    cr_expect_eq(plot_write(path, "t", "x", "y", s, 2), CUG_EINVAL);
    s[0].n = s[1].n = 0;
    cr_expect_eq(plot_write(path, "t", "x", "y", s, 2), CUG_EINVAL);
}

/* Warm float32 rows of the project's own kernels are points; the roofs need peaks; nothing to draw is an error. */
Test(bench_report, roofline_chart) {
    static roof_plot p;
    char path[300];
    const bench_roof roof = {.flops = {1e11}, .copy = {{1 << 15, 1e11}, {1 << 25, 1e10}}};
    bench_row r[] = {row("a", 1e-3, 0.01), row("b", 2e-3, 0.01), row("c", 1e-3, 0.01), row("d", 1e-3, 0.01),
                     row("e", 1e-3, 0.01)};
    snprintf(path, sizeof path, "%s", scratch_path("roof.svg"));
    cr_expect_eq(roof_plot_write(&p, path), CUG_EINVAL);
    r[1].cache = "cold";
    r[2].precision = "bf16";
    snprintf(r[3].implementation, sizeof r[3].implementation, "cuda library");
    snprintf(r[4].op, sizeof r[4].op, "pool2d");
    roof_plot_device(&p, "cpu", &roof);
    for (int i = 0; i < 5; i++) roof_plot_row(&p, &r[i]);
    int points = 0;
    for (int i = 0; i < PLOT_SERIES; i++) points += p.s[i].n;
    cr_expect_eq(points, 1);
    cr_expect_float_eq(p.s[2].x[0], 10, 1e-9);
    cr_expect_float_eq(p.s[2].y[0], 1e9, 1);
    cr_assert_eq(roof_plot_write(&p, path), CUG_OK, "%s", cug_error());
    char *text = file_read(path, NULL);
    cr_assert(text);
    cr_expect(strstr(text, "roof, memory") && strstr(text, "conv2d fwd") && !strstr(text, "linear fwd") &&
              !strstr(text, "nan"));
    free(text);
}

/* More of everything is more work: x grows along each series, as its formula says for images. */
Test(bench_report, growth) {
    plot_series s[GROWTH_SERIES];
    cug_graph *g = NULL;
    cr_assert_eq(cug_model_load(&g, "input 8x8x1; flatten; linear 4"), CUG_OK);
    const bench_steps_options o = {
        .be = &cug_backend_cpu, .graph = g, .batch = 16, .training = 1, .limits = {.samples = 1}};
    cr_assert_eq(bench_growth(s, &o, 1, NULL, NULL), CUG_OK, "%s", cug_error());
    for (int i = 0; i < GROWTH_SERIES; i++) {
        cr_assert_eq(s[i].n, 2);
        cr_expect(s[i].x[1] > s[i].x[0] && s[i].y[0] > 0, "%s", s[i].name);
    }
    cr_expect_float_eq(s[0].x[0], 2 * 16 * 64 * 4 * 1e-9, 1e-15); /* forward and the weights' gradient */
    cr_expect_float_eq(s[0].x[1], 4 * s[0].x[0], 1e-15);
    cug_graph_free(g);
}
