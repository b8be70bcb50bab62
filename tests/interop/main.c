/* main.c - build/interop [--ref] [--others] [--tap=FILE] [--filter=PATTERN] [--counts=FILE] [--write-counts] [FOLDER]
 *
 * Runs every sample of FOLDER (tests/interop/fixtures) on the reference and every other backend of this build, prints
 * for each group what ran, passed and did not apply, and holds these figures against --counts (tests/interop/counts).
 */
#include "interop.h"
#include <dirent.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char title[128]; /* "gradients: nn.functional.conv2d" */
    char reasons[256];
    int run, passed, outside;
} group;

typedef struct {
    group *groups;
    int n, others, bad; /* bad: failures that belong to no sample */
    const char *filter;
    op_world *world;
    FILE *log;
} report;

static group *find_group(report *r, const char *item, const char *name) {
    char title[128];
    snprintf(title, sizeof title, "%s: %s", item, name);
    for (int i = 0; i < r->n; i++)
        if (!strcmp(r->groups[i].title, title)) return &r->groups[i];
    group *more = realloc(r->groups, (size_t)(r->n + 1) * sizeof *more);
    if (!more) return NULL;
    r->groups = more;
    memset(&more[r->n], 0, sizeof *more);
    memcpy(more[r->n].title, title, sizeof title);
    return &more[r->n++];
}

static int wanted(const report *r, const group *g) { return g && (!r->filter || !fnmatch(r->filter, g->title, 0)); }

/* --- running ------------------------------------------------------------------------------------------------------ */

static void run_sample(report *r, const fixture *f, const json_t *sample) {
    const char *in = json_string_value(json_object_get(sample, "group"));
    const char *name = json_string_value(json_object_get(sample, "name"));
    const json_t *calls = json_object_get(sample, "calls");
    group *g = in && name ? find_group(r, f->item, in) : NULL;
    if (!wanted(r, g)) return;
    int before = r->world->failures;
    if (!json_array_size(calls)) op_failed(r->world, "%s: no calls", name);
    for (size_t i = 0; i < json_array_size(calls); i++) {
        sample_call c;
        if (sample_call_read(&c, f, json_array_get(calls, i), name))
            op_failed(r->world, "%s: a call without op or shape", name);
        else
            run_sample_call(r->world, &c);
        op_release(r->world);
    }
    g->run++;
    g->passed += r->world->failures == before;
}

void run_sample_call(op_world *w, const sample_call *c) {
    if (!run_op(w, c) && !run_training(w, c) && !run_whole(w, c)) op_failed(w, "%s: unknown op '%s'", c->name, c->op);
}

static void count_outside(report *r, const fixture *f) {
    const char *name, *reason;
    json_t *reasons, *count;
    json_object_foreach(f->not_applicable, name, reasons) {
        group *g = find_group(r, f->item, name);
        if (!wanted(r, g)) continue;
        json_object_foreach(reasons, reason, count) {
            size_t at = strlen(g->reasons);
            int n = (int)json_integer_value(count);
            g->outside += n;
            snprintf(g->reasons + at, sizeof g->reasons - at, "%s%s %d", at ? ", " : "", reason, n);
        }
    }
}

/* --others: the names of what has no op here. */
static void print_others(const report *r, const fixture *f) {
    const char *text = cug_st_meta(&f->st, "others"), *name;
    json_t *others = text ? json_loads(text, 0, NULL) : NULL, *names;
    json_object_foreach(others, name, names) {
        fprintf(r->log, "%s: %s:", f->item, name);
        for (size_t i = 0; i < json_array_size(names); i++)
            fprintf(r->log, " %s", json_string_value(json_array_get(names, i)));
        fputc('\n', r->log);
    }
    json_decref(others);
}

static int is_fixture(const struct dirent *e) { return !fnmatch("*.safetensors.gz", e->d_name, 0); }

static void run_folder(report *r, const char *folder) {
    struct dirent **list = NULL;
    int n = scandir(folder, &list, is_fixture, alphasort);
    if (n < 1) {
        fprintf(r->log, "%s: no files of samples (*.safetensors.gz) there\n", folder);
        r->bad++;
    }
    for (int i = 0; i < n; i++) {
        char path[1024];
        fixture f;
        snprintf(path, sizeof path, "%s/%s", folder, list[i]->d_name);
        free(list[i]);
        if (fixture_read(&f, path, r->log)) {
            r->bad++;
            continue;
        }
        fprintf(r->log, "%s: %s\n", path, cug_st_meta(&f.st, "made_by"));
        for (size_t k = 0; k < json_array_size(f.samples); k++) run_sample(r, &f, json_array_get(f.samples, k));
        count_outside(r, &f);
        if (r->others) print_others(r, &f);
        fixture_free(&f);
    }
    free(list);
}

/* --- reporting ---------------------------------------------------------------------------------------------------- */

static int active(const group *g) { return g->run || g->outside; }

/* A group's line in the file of counts. */
static void counts_line(const group *g, char *out, size_t n) {
    snprintf(out, n, "%s: %d run, %d not applicable%s%s\n", g->title, g->run, g->outside, g->outside ? ": " : "",
             g->reasons);
}

/* The group that a line of the file of counts is about; its title alone. */
static group title_of(const char *line) {
    group g = {.run = 0};
    const char *end = strstr(line, " run,");
    while (end && end > line && strncmp(end, ": ", 2)) end--;
    snprintf(g.title, sizeof g.title, "%.*s", end ? (int)(end - line) : 0, line);
    return g;
}

/* Every line of the file among the groups and the other way round: a suite that shrank does not pass unseen. */
static void check_counts(report *r, const char *path) {
    char line[512], own[512];
    int same = 0, groups = 0;
    FILE *f = fopen(path, "r");
    for (int i = 0; i < r->n; i++) groups += active(&r->groups[i]);
    while (f && fgets(line, sizeof line, f)) {
        const group expected = title_of(line);
        int found = 0;
        if (!wanted(r, &expected)) continue;
        for (int i = 0; i < r->n && !found; i++) {
            counts_line(&r->groups[i], own, sizeof own);
            found = !strcmp(own, line);
        }
        same += found;
        if (found) continue;
        fprintf(r->log, "  FAIL not what was run: %s", line);
        r->bad++;
    }
    if (f) fclose(f);
    if (same != groups) {
        fprintf(r->log, "  FAIL %d of %d groups are as %s has them\n", same, groups, path);
        r->bad++;
    }
}

static void write_counts(report *r, const char *path) {
    char line[512];
    FILE *f = fopen(path, "w");
    for (int i = 0; f && i < r->n; i++) {
        counts_line(&r->groups[i], line, sizeof line);
        fputs(line, f);
    }
    if (!f || fclose(f)) r->bad++;
}

static void print_items(const report *r, const group *total) {
    static const char *const items[] = {"gradients", "forward", "training"};
    for (size_t k = 0; k < sizeof items / sizeof *items; k++) {
        group sum = {.run = 0};
        for (int i = 0; i < r->n; i++)
            if (!strncmp(r->groups[i].title, items[k], strlen(items[k]))) {
                sum.run += r->groups[i].run;
                sum.passed += r->groups[i].passed;
                sum.outside += r->groups[i].outside;
            }
        if (active(&sum))
            fprintf(r->log, "%s: %d run, %d passed, %d not applicable\n", items[k], sum.run, sum.passed, sum.outside);
    }
    fprintf(r->log, "interop: %d run, %d passed, %d not applicable\n", total->run, total->passed, total->outside);
}

static int print_report(const report *r, const char *tap_path) {
    FILE *tap = tap_path ? fopen(tap_path, "w") : NULL;
    group total = {.run = 0};
    for (int i = 0; i < r->n; i++) {
        const group *g = &r->groups[i];
        if (!active(g)) continue;
        fprintf(r->log, "%-58s %4d run %4d passed %4d not applicable%s%s\n", g->title, g->run, g->passed, g->outside,
                g->outside ? ": " : "", g->reasons);
        if (tap && g->run)
            fprintf(tap, "%s - %s: %d run, %d passed\n", g->passed == g->run ? "ok" : "not ok", g->title, g->run,
                    g->passed);
        total.run += g->run, total.passed += g->passed, total.outside += g->outside;
    }
    if (tap) {
        fprintf(tap, "%s - interop: %d run, %d passed, %d not applicable\n", r->bad ? "not ok" : "ok", total.run,
                total.passed, total.outside);
        fclose(tap);
    }
    print_items(r, &total);
    if (!total.run && !r->bad) fprintf(r->log, "nothing was run: no group is called '%s'\n", r->filter);
    return r->bad || total.passed != total.run || !total.run || (tap_path && !tap);
}

static const char *option(const char *arg, const char *name) {
    size_t n = strlen(name);
    return strncmp(arg, name, n) ? NULL : arg + n;
}

int main(int argc, char **argv) {
    const char *folder = "tests/interop/fixtures", *tap = NULL, *counts = "tests/interop/counts", *v;
    op_world world;
    report r = {.log = stdout, .world = &world};
    int only_ref = 0, write = 0;
    for (int i = 1; i < argc; i++) {
        if ((v = option(argv[i], "--tap=")))
            tap = v;
        else if ((v = option(argv[i], "--filter=")))
            r.filter = v;
        else if ((v = option(argv[i], "--counts=")))
            counts = v;
        else if (!strcmp(argv[i], "--ref"))
            only_ref = 1;
        else if (!strcmp(argv[i], "--write-counts"))
            write = 1;
        else if (!strcmp(argv[i], "--others"))
            r.others = 1;
        else if (*argv[i] != '-')
            folder = argv[i];
        else {
            fprintf(stderr,
                    "interop: unknown option '%s'; usage: interop [--ref] [--others] [--tap=FILE] [--filter=PATTERN] "
                    "[--counts=FILE] [--write-counts] [FOLDER]\n",
                    argv[i]);
            return 2;
        }
    }
    if (r.filter && !strcmp(r.filter, "*/*")) r.filter = NULL; /* what tests/run says for all */
    if (op_open(&world, stdout, 0, CUG_PREC_FP32)) {
        fprintf(stderr, "interop: %s\n", cug_error());
        return 1;
    }
    if (only_ref) world.sides = 0;
    run_folder(&r, folder);
    if (write)
        write_counts(&r, counts);
    else if (!r.bad) /* else they are wrong in any case, and said so */
        check_counts(&r, counts);
    int failed = print_report(&r, tap);
    op_summary(&world, "calls:");
    op_close(&world);
    free(r.groups);
    return failed;
}
