/* choices.c - reading and writing what was faster. Another program's file, half a file, or an old one: refused. */
#include "io/choices.h"
#include <cuglyph/checkpoint.h>
#include <cuglyph/fetch.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_LINE "cuglyph-choices 1"
#define LINE_MOST 512
#define FILE_MOST ((size_t)CUG_CHOICES_MOST * LINE_MOST)

void cug_choices_free(cug_choice_file *f) {
    free(f->rows);
    *f = (cug_choice_file){.n = 0};
}

const cug_choice_row *cug_choices_find(const cug_choice_file *f, const char *name, const char *product) {
    for (int i = 0; i < f->n; i++)
        if (strcmp(f->rows[i].product, product) == 0 && strcmp(f->rows[i].name, name) == 0) return &f->rows[i];
    return NULL;
}

cug_status cug_choices_put(cug_choice_file *f, const cug_choice_row *row) {
    for (int i = 0; i < f->n; i++)
        if (strcmp(f->rows[i].product, row->product) == 0 && strcmp(f->rows[i].name, row->name) == 0) {
            f->rows[i] = *row;
            return CUG_OK;
        }
    if (f->n == CUG_CHOICES_MOST) return cug_fail(CUG_EINVAL, "more than %d choices", CUG_CHOICES_MOST);
    if ((f->n & (f->n - 1)) == 0) { /* full: 1, 2, 4 ... rows */
        cug_choice_row *more = realloc(f->rows, (f->n ? 2 * (size_t)f->n : 1) * sizeof *more);
        if (!more) return cug_fail(CUG_ENOMEM, "out of memory for %d choices", f->n + 1);
        f->rows = more;
    }
    f->rows[f->n++] = *row;
    return CUG_OK;
}

/* The word at *p, at most n-1 printable characters, and the blank behind it. */
static int take_word(const char **p, char *out, size_t n) {
    size_t len = strcspn(*p, " ");
    if (len == 0 || len >= n || (*p)[len] != ' ') return 0;
    memcpy(out, *p, len);
    out[len] = 0;
    *p += len + 1;
    return 1;
}

/* 123.456 as print writes it, whatever the locale. */
static int take_time(const char **p, double *out) {
    char word[32];
    if (!take_word(p, word, sizeof word)) return 0;
    const char *dot = strchr(word, '.');
    if (!dot || dot == word || dot - word > 12 || strlen(dot + 1) != 3) return 0;
    for (const char *c = word; *c; c++)
        if (c != dot && (*c < '0' || *c > '9')) return 0;
    if (word[0] == '0' && dot != word + 1) return 0;
    *out = (double)strtoll(word, NULL, 10) + (double)strtoll(dot + 1, NULL, 10) / 1000;
    return 1;
}

static cug_status take_row(cug_choice_file *f, const char *line, const char *where, int number) {
    cug_choice_row row = {.library = 0};
    char who[16];
    const char *p = line;
    if (!take_word(&p, who, sizeof who) || (strcmp(who, "own") != 0 && strcmp(who, "library") != 0))
        return cug_fail(CUG_EINVAL, "%s:%d: a row begins with own or library", where, number);
    row.library = who[0] == 'l';
    if (!take_time(&p, &row.own_us) || !take_time(&p, &row.library_us))
        return cug_fail(CUG_EINVAL, "%s:%d: two times were expected, such as 12.345", where, number);
    if (!take_word(&p, row.name, sizeof row.name) || !*p || strlen(p) >= sizeof row.product)
        return cug_fail(CUG_EINVAL, "%s:%d: a library and a product were expected", where, number);
    memcpy(row.product, p, strlen(p) + 1);
    if (cug_choices_find(f, row.name, row.product)) return cug_fail(CUG_EINVAL, "%s:%d: a row twice", where, number);
    CUG_TRY(cug_choices_put(f, &row));
    return CUG_OK;
}

static cug_status take_line(cug_choice_file *f, const char *line, const char *where, int number) {
    for (const char *c = line; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            return cug_fail(CUG_EINVAL, "%s:%d: not a text file of choices", where, number);
    if (number == 1)
        return strcmp(line, FIRST_LINE) == 0
                   ? CUG_OK
                   : cug_fail(CUG_EINVAL, "%s:1: the first line is not '%s'", where, FIRST_LINE);
    if (number > 2) return take_row(f, line, where, number);
    const size_t n = strlen(line);
    if (strncmp(line, "machine ", 8) != 0 || n == 8 || n - 8 >= sizeof f->machine)
        return cug_fail(CUG_EINVAL, "%s:2: the machine was expected", where);
    memcpy(f->machine, line + 8, n - 8 + 1);
    return CUG_OK;
}

cug_status cug_choices_parse(cug_choice_file *out, const char *text, size_t n, const char *where) {
    cug_status st = CUG_OK;
    int number = 0;
    *out = (cug_choice_file){.n = 0};
    for (size_t at = 0; at < n && st == CUG_OK;) {
        char line[LINE_MOST];
        const char *end = memchr(text + at, '\n', n - at);
        size_t len = end ? (size_t)(end - text) - at : 0;
        number++;
        if (!end || len >= sizeof line || memchr(text + at, 0, len)) {
            st = cug_fail(CUG_EINVAL, "%s:%d: %s", where, number, end ? "a line too long or with a zero" : "cut short");
            break;
        }
        memcpy(line, text + at, len);
        line[len] = 0;
        st = take_line(out, line, where, number);
        at += len + 1;
    }
    if (st == CUG_OK && number < 2) st = cug_fail(CUG_EINVAL, "%s: no file of choices", where);
    if (st != CUG_OK) cug_choices_free(out);
    return st;
}

cug_status cug_choices_print(const cug_choice_file *f, char **text) {
    size_t size = 0;
    *text = NULL;
    FILE *m = open_memstream(text, &size);
    if (!m) return cug_fail(CUG_ENOMEM, "out of memory for the file of choices");
    fprintf(m, FIRST_LINE "\nmachine %s\n", f->machine);
    for (int i = 0; i < f->n; i++) {
        const cug_choice_row *r = &f->rows[i];
        const double both[] = {r->own_us, r->library_us};
        fputs(r->library ? "library" : "own", m);
        for (int k = 0; k < 2; k++) { /* in whole nanoseconds: no locale's decimal comma */
            const double t = both[k] > 0 && both[k] < 1e12 ? both[k] : 0;
            const long long ns = llround(t * 1000);
            fprintf(m, " %lld.%03lld", ns / 1000, ns % 1000);
        }
        fprintf(m, " %s %s\n", r->name, r->product);
    }
    int bad = ferror(m);
    bad |= fclose(m);
    if (!bad) return CUG_OK;
    free(*text);
    *text = NULL;
    return cug_fail(CUG_ENOMEM, "out of memory for the file of choices");
}

cug_status cug_choices_read(cug_choice_file *out, const char *path) {
    *out = (cug_choice_file){.n = 0};
    FILE *f = fopen(path, "rbe");
    if (!f) return cug_fail(errno == ENOENT ? CUG_ENOENT : CUG_EIO, "%s: %s", path, strerror(errno));
    char *text = malloc(FILE_MOST);
    cug_status st = text ? CUG_OK : cug_fail(CUG_ENOMEM, "%s: out of memory", path);
    size_t n = text ? fread(text, 1, FILE_MOST, f) : 0;
    if (st == CUG_OK && ferror(f)) st = cug_fail(CUG_EIO, "%s: cannot be read", path);
    if (st == CUG_OK && n == FILE_MOST) st = cug_fail(CUG_EINVAL, "%s: too large for a file of choices", path);
    fclose(f);
    if (st == CUG_OK) st = cug_choices_parse(out, text, n, path);
    free(text);
    return st;
}

cug_status cug_choices_write(const cug_choice_file *f, const char *path) {
    char *text;
    CUG_TRY(cug_choices_print(f, &text));
    cug_status st = cug_write_atomic(path, text, strlen(text));
    free(text);
    return st;
}

cug_status cug_choices_path(char *out, size_t n, const char *machine) {
    char folder[4096];
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (const char *c = machine; *c; c++) h = (h ^ (unsigned char)*c) * 0x100000001b3u;
    CUG_TRY(cug_cache_dir(folder, sizeof folder, "choices"));
    int w = snprintf(out, n, "%s/%016" PRIx64 ".txt", folder, h);
    return w > 0 && (size_t)w < n ? CUG_OK : cug_fail(CUG_EINVAL, "the path of the cache folder is too long");
}
