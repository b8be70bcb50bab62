/* report.c - rows to JSON and CSV. */
#include "bench/report.h"
#include "host.h"
#include <cuglyph/checkpoint.h>
#include <cuglyph/version.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static cug_status made(const json_t *v) {
    return v ? CUG_OK : cug_fail(CUG_ENOMEM, "out of memory for the report (or text that is not UTF-8)");
}

/* The command as typed, blanks quoted. */
static void join(char *out, size_t n, const char *program, int argc, char **argv) {
    size_t used = (size_t)snprintf(out, n, "%s", program);
    for (int i = 0; i < argc && used + 1 < n; i++)
        used += (size_t)snprintf(out + used, n - used, strpbrk(argv[i], " ;'\"") ? " '%s'" : " %s", argv[i]);
}

cug_status bench_report_open(bench_report *r, const char *kind, const char *program, int argc, char **argv) {
    char date[32], cpu[256], os[256], command[1024];
    host_date(date, sizeof date);
    host_cpu(cpu, sizeof cpu);
    host_system(os, sizeof os);
    join(command, sizeof command, program, argc, argv);
    r->rows = json_array();
    r->devices = json_array();
    r->root = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:O, s:O}", "bench", kind, "version", CUG_VERSION, "date",
                        date, "cpu", cpu, "os", os, "cores", host_cores(), "command", command, "devices", r->devices,
                        "rows", r->rows);
    return made(r->root);
}

void bench_report_close(bench_report *r) {
    json_decref(r->rows);
    json_decref(r->devices);
    json_decref(r->root);
    *r = (bench_report){.root = NULL};
}

cug_status bench_report_device(bench_report *r, const char *device, int threads, const bench_roof *roof) {
    json_t *copies = json_array(), *peaks = json_object();
    for (int i = 0; roof && i < 3; i++)
        if (roof->flops[i] > 0)
            json_object_set_new(peaks, cug_precision_name((cug_precision)i), json_real(roof->flops[i]));
    for (int i = 0; roof && i < BENCH_COPIES; i++)
        if (roof->copy[i].rate > 0)
            json_array_append_new(copies, json_pack("{s:I, s:f}", "bytes", (json_int_t)roof->copy[i].bytes,
                                                    "bytes_per_s", roof->copy[i].rate));
    json_t *d = json_pack("{s:s, s:i, s:o, s:f, s:o, s:f}", "device", device, "threads", threads, "peak_flops", peaks,
                          "peak_flops_core", roof ? roof->flops_core : 0.0, "copies", copies, "copy_core",
                          roof ? roof->copy_core : 0.0);
    CUG_TRY(made(d));
    return json_array_append_new(r->devices, d) == 0 ? CUG_OK : made(NULL);
}

cug_status bench_report_row(bench_report *r, json_t *row) {
    CUG_TRY(made(row));
    return json_array_append_new(r->rows, row) == 0 ? CUG_OK : made(NULL);
}

/* An interval that is not known stays away: JSON has no infinity. */
cug_status bench_report_time(json_t *row, const bench_stats *s) {
    int bad = json_object_set_new(row, "seconds", json_real(s->median));
    bad |= json_object_set_new(row, "samples", json_integer(s->n));
    bad |= json_object_set_new(row, "seconds_p10", json_real(s->p10));
    bad |= json_object_set_new(row, "seconds_p90", json_real(s->p90));
    bad |= json_object_set_new(row, "seconds_mad", json_real(s->mad));
    const int known = isfinite(s->noise);
    bad |= json_object_set_new(row, "seconds_low", known ? json_real(s->low) : json_null());
    bad |= json_object_set_new(row, "seconds_high", known ? json_real(s->high) : json_null());
    bad |= json_object_set_new(row, "noise", known ? json_real(s->noise) : json_null());
    return bad ? made(NULL) : CUG_OK;
}

static json_t *or_null(double v) { return v > 0 && isfinite(v) ? json_real(v) : json_null(); }

cug_status bench_report_kernel(bench_report *r, const bench_row *k) {
    char key[256];
    const double t = k->time.median;
    snprintf(key, sizeof key, "%s %s %s/%s %s %s %s %d", k->op, k->pass, k->source, k->name, k->implementation,
             k->precision, k->cache, k->threads);
    json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:f, s:f}", "key", key, "op",
                            k->op, "pass", k->pass, "source", k->source, "name", k->name, "shape", k->shape,
                            "implementation", k->implementation, "precision", k->precision, "cache", k->cache,
                            "threads", k->threads, "calls", k->calls, "flop", k->flop, "bytes", k->bytes);
    CUG_TRY(made(row));
    cug_status st = bench_report_time(row, &k->time);
    json_object_set_new(row, "gflops", or_null(t > 0 ? k->flop / t * 1e-9 : 0));
    json_object_set_new(row, "gbytes_per_s", or_null(t > 0 ? k->bytes / t * 1e-9 : 0));
    json_object_set_new(row, "roofline", or_null(k->roof));
    json_object_set_new(row, "library_ratio", or_null(k->library));
    json_object_set_new(row, "clock", json_real(k->clock));
    json_object_set_new(row, "checked", json_boolean(k->checked));
    if (st == CUG_OK) return bench_report_row(r, row);
    json_decref(row);
    return st;
}

cug_status bench_report_json(const bench_report *r, const char *path) {
    char *text = json_dumps(r->root, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    CUG_TRY(text ? CUG_OK : cug_fail(CUG_ENOMEM, "%s: the report could not be made into JSON", path));
    const size_t n = strlen(text);
    text[n] = '\n'; /* in place of the terminator: the file ends in a line break */
    cug_status st = cug_write_atomic(path, text, n + 1);
    free(text);
    return st;
}

static void csv_value(FILE *f, const json_t *v) {
    const char *s = json_string_value(v);
    if (s) {
        fputc('"', f);
        for (; *s; s++) fprintf(f, *s == '"' ? "\"\"" : "%c", *s);
        fputc('"', f);
    } else if (json_is_number(v)) {
        fprintf(f, "%.9g", json_number_value(v));
    } else if (json_is_boolean(v)) {
        fputs(json_is_true(v) ? "1" : "0", f);
    }
}

cug_status bench_report_csv(const bench_report *r, const char *path) {
    char *text = NULL;
    size_t n = 0, i;
    FILE *f = open_memstream(&text, &n);
    json_t *row, *v, *first = json_array_get(r->rows, 0);
    const char *key;
    if (!f) return made(NULL);
    int column = 0;
    json_object_foreach(first, key, v) if (!json_is_array(v)) fprintf(f, "%s%s", column++ ? "," : "", key);
    fputc('\n', f);
    json_array_foreach(r->rows, i, row) {
        column = 0;
        json_object_foreach(first, key, v) {
            if (json_is_array(v)) continue;
            if (column++) fputc(',', f);
            csv_value(f, json_object_get(row, key));
        }
        fputc('\n', f);
    }
    cug_status st = fclose(f) == 0 ? cug_write_atomic(path, text, n) : made(NULL);
    free(text);
    return st;
}
