/* compare.c - two runs of the same benchmarks, row by row. */
#include "bench/report.h"
#include <string.h>

#define LEAST 0.02 /* a difference below this is none, however narrow the intervals */

static cug_status load(json_t **out, const char *path, const char *kind) {
    json_error_t e;
    FILE *f = fopen(path, "re");
    if (!f) return cug_fail(CUG_ENOENT, "%s: cannot be read; --compare takes a file that --json wrote", path);
    json_t *root = json_loadf(f, JSON_REJECT_DUPLICATES, &e);
    fclose(f);
    if (!root)
        return cug_fail(CUG_EINVAL, "%s:%d: not JSON: %s; --compare takes a file that --json wrote", path, e.line,
                        e.text);
    const char *old = json_string_value(json_object_get(root, "bench"));
    if (old && strcmp(old, kind) == 0 && json_is_array(json_object_get(root, "rows"))) {
        *out = root;
        return CUG_OK;
    }
    cug_status st =
        old ? cug_fail(CUG_EINVAL, "%s: results of `bench %.20s`, not of `bench %s`", path, old, kind)
            : cug_fail(CUG_EINVAL, "%s: no benchmark results; --compare takes a file that --json wrote", path);
    json_decref(root);
    return st;
}

static const json_t *find(const json_t *rows, const char *key) {
    size_t i;
    json_t *row;
    json_array_foreach((json_t *)rows, i, row) {
        const char *k = json_string_value(json_object_get(row, "key"));
        if (k && strcmp(k, key) == 0) return row;
    }
    return NULL;
}

static double number(const json_t *row, const char *name, double otherwise) {
    const json_t *v = json_object_get(row, name);
    return json_is_number(v) ? json_number_value(v) : otherwise;
}

/* An interval that is missing is taken as wide as it can be: the row then is neither slower nor faster. */
static void compare_row(bench_comparison *c, const json_t *now, const json_t *old, const char *key, FILE *out) {
    const double t = number(now, "seconds", 0), was = number(old, "seconds", 0);
    if (!(t > 0 && was > 0)) return;
    c->compared++;
    const int slower = number(now, "seconds_low", 0) > number(old, "seconds_high", 1e300) && t > was * (1 + LEAST);
    const int faster = number(now, "seconds_high", 1e300) < number(old, "seconds_low", 0) && was > t * (1 + LEAST);
    c->slower += slower;
    c->faster += faster;
    if (slower || faster)
        fprintf(out, "%s %5.2fx  %10.3f us -> %10.3f us  %s\n", slower ? "slower" : "faster",
                slower ? t / was : was / t, was * 1e6, t * 1e6, key);
}

static void warn_if_elsewhere(const bench_report *r, const json_t *old, FILE *out) {
    const json_t *a = json_array_get(r->devices, 0), *b = json_array_get(json_object_get(old, "devices"), 0);
    const char *here = json_string_value(json_object_get(a, "device")),
               *there = json_string_value(json_object_get(b, "device"));
    const char *cpu = json_string_value(json_object_get(r->root, "cpu")),
               *was = json_string_value(json_object_get(old, "cpu"));
    if (here && there && strcmp(here, there) != 0)
        fprintf(out, "note: the old results are of another device: %s\n", there);
    if (cpu && was && strcmp(cpu, was) != 0) fprintf(out, "note: the old results are of another processor: %s\n", was);
}

cug_status bench_report_compare(bench_comparison *c, const bench_report *r, const char *old_path, FILE *out) {
    json_t *old = NULL, *row;
    size_t i;
    *c = (bench_comparison){0};
    CUG_TRY(load(&old, old_path, json_string_value(json_object_get(r->root, "bench"))));
    const json_t *rows = json_object_get(old, "rows");
    fprintf(out, "\nagainst %s of %s\n", old_path,
            json_is_string(json_object_get(old, "date")) ? json_string_value(json_object_get(old, "date")) : "no date");
    warn_if_elsewhere(r, old, out);
    json_array_foreach(r->rows, i, row) {
        const char *key = json_string_value(json_object_get(row, "key"));
        const json_t *was = key ? find(rows, key) : NULL;
        if (was)
            compare_row(c, row, was, key, out);
        else
            c->missing++;
    }
    fprintf(out, "%d compared, %d slower, %d faster, %d not there\n", c->compared, c->slower, c->faster, c->missing);
    json_decref(old);
    return CUG_OK;
}
