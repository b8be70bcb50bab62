/* report.c - the lines, the closing table and the JSON of gpu-check, and the watchdog over its time. */
#include "check.h"
#include "cuda/cuda.h"
#include "seconds.h"
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS 1600
#define TOTAL_SECONDS 525.0
#define GRACE_SECONDS 10.0

typedef struct row {
    char name[96], detail[400], unit[24];
    gpu_verdict verdict;
    int is_figure;
    double value, seconds;
} row;

/* One program, one report. The watchdog reads it too, so every change is made under the lock. */
static struct {
    pthread_mutex_t lock;
    gpu_check *check;
    row rows[ROWS];
    int n, open; /* open: rows[n] is a part that runs */
    struct {
        char name[32], value[200];
    } facts[24];
    int n_facts;
    double start, part_start, limit;
} report = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *const verdict_words[] = {"ok", "FAILED", "skipped"};

cudaStream_t gpu_stream(const gpu_check *c) { return c->dev->compute; }

uint32_t gpu_random(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 32);
}

void gpu_say(const char *fmt, ...) {
    va_list ap;
    for (int i = 0; i < 2; i++) {
        FILE *f = i ? report.check->log : stdout;
        va_start(ap, fmt);
        vfprintf(f, fmt, ap);
        va_end(ap);
        fflush(f);
    }
}

static void end_row(gpu_verdict v) {
    row *r = &report.rows[report.n];
    r->verdict = v;
    r->seconds = seconds_now() - report.part_start;
    gpu_say("%-8s%s (%s%s%.1f s)\n", verdict_words[v], r->name, r->detail, *r->detail ? ", " : "", r->seconds);
    report.n++;
    report.open = 0;
}

static int close_report(void);

static void *watch(void *unused) {
    (void)unused;
    for (;;) {
        usleep(200000);
        pthread_mutex_lock(&report.lock);
        if (report.open && seconds_now() > report.part_start + report.limit + GRACE_SECONDS) {
            snprintf(report.rows[report.n].detail, sizeof report.rows[0].detail,
                     "still running: the program ends here");
            end_row(GPU_FAILED);
            close_report();
            _exit(1); /* a kernel that hangs cannot be waited for */
        }
        pthread_mutex_unlock(&report.lock);
    }
    return NULL;
}

int gpu_report_open(gpu_check *c) {
    char path[1024];
    pthread_t thread;
    report.check = c;
    report.start = seconds_now() - c->spent;
    snprintf(path, sizeof path, "%s/log.txt", c->out);
    c->log = fopen(path, "w");
    if (!c->log || pthread_create(&thread, NULL, watch, NULL) != 0) {
        (void)cug_fail(CUG_EIO, "%s: cannot be written", path);
        return -1;
    }
    pthread_detach(thread);
    return 0;
}

void gpu_fact(gpu_check *c, const char *name, const char *fmt, ...) {
    va_list ap;
    (void)c;
    va_start(ap, fmt);
    pthread_mutex_lock(&report.lock);
    if (report.n_facts < (int)(sizeof report.facts / sizeof *report.facts)) {
        snprintf(report.facts[report.n_facts].name, sizeof report.facts[0].name, "%s", name);
        vsnprintf(report.facts[report.n_facts].value, sizeof report.facts[0].value, fmt, ap);
        gpu_say("%-22s%s\n", name, report.facts[report.n_facts].value);
        report.n_facts++;
    }
    pthread_mutex_unlock(&report.lock);
    va_end(ap);
}

int gpu_part(gpu_check *c, double limit, const char *fmt, ...) {
    va_list ap;
    (void)c;
    if (report.n >= ROWS - 1) return 0;
    pthread_mutex_lock(&report.lock);
    row *r = &report.rows[report.n];
    memset(r, 0, sizeof *r);
    va_start(ap, fmt);
    vsnprintf(r->name, sizeof r->name, fmt, ap);
    va_end(ap);
    report.part_start = seconds_now();
    const double left = report.start + TOTAL_SECONDS - report.part_start;
    report.limit = limit < left ? limit : left;
    report.open = 1;
    if (left < 1) {
        snprintf(r->detail, sizeof r->detail, "no time left of the %.0f seconds", TOTAL_SECONDS);
        end_row(GPU_SKIPPED);
    }
    pthread_mutex_unlock(&report.lock);
    return left >= 1;
}

int gpu_late(void) { return seconds_now() > report.part_start + report.limit; }

void gpu_end(gpu_check *c, gpu_verdict v, const char *fmt, ...) {
    va_list ap;
    (void)c;
    va_start(ap, fmt);
    pthread_mutex_lock(&report.lock);
    vsnprintf(report.rows[report.n].detail, sizeof report.rows[0].detail, fmt, ap);
    end_row(v);
    pthread_mutex_unlock(&report.lock);
    va_end(ap);
}

/* The figure's row goes before that of the part that is open. */
void gpu_figure(gpu_check *c, double value, const char *unit, const char *fmt, ...) {
    va_list ap;
    (void)c;
    if (report.n >= ROWS - 2) return;
    va_start(ap, fmt);
    pthread_mutex_lock(&report.lock);
    report.rows[report.n + 1] = report.rows[report.n];
    row *r = &report.rows[report.n++];
    memset(r, 0, sizeof *r);
    vsnprintf(r->name, sizeof r->name, fmt, ap);
    snprintf(r->unit, sizeof r->unit, "%s", unit);
    r->is_figure = 1;
    r->value = value;
    r->verdict = isfinite(value) ? GPU_OK : GPU_FAILED;
    gpu_say("        %-44s %12.4g %s\n", r->name, value, unit);
    pthread_mutex_unlock(&report.lock);
    va_end(ap);
}

void gpu_json_text(FILE *f, const char *s) {
    fputc('"', f);
    for (; *s; s++) {
        unsigned char u = (unsigned char)*s;
        if (u == '"' || u == '\\')
            fprintf(f, "\\%c", u);
        else if (u < 0x20 || u >= 0x7f)
            fprintf(f, "\\u%04x", u);
        else
            fputc(u, f);
    }
    fputc('"', f);
}

static void json_row(FILE *f, const row *r) {
    fputs("    {\"name\": ", f);
    gpu_json_text(f, r->name);
    fprintf(f, ", \"verdict\": \"%s\"", verdict_words[r->verdict]);
    if (r->is_figure) {
        if (isfinite(r->value))
            fprintf(f, ", \"value\": %.9g, \"unit\": ", r->value);
        else
            fputs(", \"value\": null, \"unit\": ", f);
        gpu_json_text(f, r->unit);
    } else {
        fputs(", \"detail\": ", f);
        gpu_json_text(f, r->detail);
        fprintf(f, ", \"seconds\": %.3f", r->seconds);
    }
    fputc('}', f);
}

static void write_json(int failed) {
    char path[1024];
    snprintf(path, sizeof path, "%s/results.json", report.check->out);
    FILE *f = fopen(path, "w");
    if (!f) {
        gpu_say("%s: cannot be written\n", path);
        return;
    }
    fprintf(f, "{\n  \"program\": \"cuglyph gpu-check\",\n  \"version\": \"%s\",\n", CUG_VERSION);
    fprintf(f, "  \"small\": %s,\n  \"failed\": %d,\n", report.check->small ? "true" : "false", failed);
    fprintf(f, "  \"seconds\": %.1f,\n  \"machine\": {", seconds_now() - report.start);
    for (int i = 0; i < report.n_facts; i++) {
        fputs(i ? ",\n    " : "\n    ", f);
        gpu_json_text(f, report.facts[i].name);
        fputs(": ", f);
        gpu_json_text(f, report.facts[i].value);
    }
    fputs("\n  },\n  \"results\": [\n", f);
    for (int i = 0; i < report.n; i++) {
        json_row(f, &report.rows[i]);
        fputs(i + 1 < report.n ? ",\n" : "\n", f);
    }
    fputs("  ],\n", f);
    gpu_goals_json(report.check, f);
    fputs("}\n", f);
    fclose(f);
}

static int close_report(void) {
    int count[3] = {0};
    gpu_say("\n%-46s %-30s %s\n", "name", "figure", "verdict");
    for (int i = 0; i < report.n; i++) {
        const row *r = &report.rows[i];
        char text[48];
        snprintf(text, sizeof text, r->is_figure ? "%.4g %s" : "%.1f s%s", r->is_figure ? r->value : r->seconds,
                 r->is_figure ? r->unit : "");
        gpu_say("%-46s %-30s %s\n", r->name, text, verdict_words[r->verdict]);
        if (!r->is_figure || r->verdict == GPU_FAILED) count[r->verdict]++;
    }
    gpu_goals_table(report.check);
    write_json(count[GPU_FAILED]);
    gpu_say("%d ok, %d failed, %d skipped in %.0f s; %s/log.txt and results.json hold it all\n", count[GPU_OK],
            count[GPU_FAILED], count[GPU_SKIPPED], seconds_now() - report.start, report.check->out);
    return count[GPU_FAILED];
}

int gpu_report_close(gpu_check *c) {
    (void)c;
    pthread_mutex_lock(&report.lock);
    int failed = close_report();
    pthread_mutex_unlock(&report.lock);
    return failed;
}
