/* config_text.c - configs as text: "key = value" lines, '#' comments. */
#include "train/config_internal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE ((size_t)4 << 20)
#define COMMENT_COLUMN 32

static int is_blank(char ch) { return ch == ' ' || ch == '\t'; }

/* A value in the text: as it stands, without a comment and blanks around it; or in double quotes, where \" and \\ stand
 * for " and \. Works in place; NULL: bad quotes. */
static char *read_value(char *s) {
    while (is_blank(*s)) s++;
    if (*s != '"') {
        char *end = s;
        while (*end && !(*end == '#' && (end == s || is_blank(end[-1])))) end++;
        while (end > s && is_blank(end[-1])) end--;
        *end = 0;
        return s;
    }
    char *to = s, *from = s + 1;
    while (*from && *from != '"') {
        if (*from == '\\' && *++from != '"' && *from != '\\') return NULL;
        *to++ = *from++;
    }
    if (*from++ != '"') return NULL;
    while (is_blank(*from)) from++;
    if (*from && *from != '#') return NULL;
    *to = 0;
    return s;
}

/* One line, '\0'-terminated, without its line break. */
static cug_status read_line(cug_config *c, char *line, unsigned char *seen) {
    while (is_blank(*line)) line++;
    if (!*line || *line == '#') return CUG_OK;
    char *equals = strchr(line, '='), *end = equals;
    if (!equals) return cug_fail(CUG_ECONFIG_SYNTAX, "'%.80s' is not 'key = value'", line);
    while (end > line && is_blank(end[-1])) end--;
    *end = 0;
    if (!*line) return cug_fail(CUG_ECONFIG_SYNTAX, "no key before '='");
    int i = cug_config_find(line);
    if (i < 0) return cug_config_unknown(line, line);
    if (seen[i]++) return cug_fail(CUG_ECONFIG_KEY, "%s: given twice", line);
    char *value = read_value(equals + 1);
    if (!value) return cug_fail(CUG_ECONFIG_SYNTAX, "%s: quotes do not close, or something follows them", line);
    cug_status st = cug_config_set_row(c, cug_config_row(i), value);
    return st == CUG_OK ? st : cug_fail_at(st, "%s", line);
}

cug_status cug_config_parse(cug_config *c, const char *text, size_t n, const char *where) {
    unsigned char seen[CUG_CONFIG_MAX_OPTIONS] = {0};
    cug_status st = CUG_OK;
    if (!c || (!text && n)) return cug_fail(CUG_EINVAL, "cug_config_parse: config or text missing");
    if (!where) where = "config";
    char *copy = malloc(n + 1);
    if (!copy) return cug_fail(CUG_ENOMEM, "%s: out of memory", where);
    if (n) memcpy(copy, text, n);
    copy[n] = 0;
    int number = 1;
    for (char *line = copy, *end = copy + n; line < end && st == CUG_OK; number++) {
        char *stop = memchr(line, '\n', (size_t)(end - line)), *next = stop ? stop + 1 : end;
        if (!stop) stop = end;
        if (stop > line && stop[-1] == '\r') stop--;
        *stop = 0;
        if (memchr(line, 0, (size_t)(stop - line)))
            st = cug_fail(CUG_ECONFIG_SYNTAX, "a zero byte: this is no text");
        else
            st = read_line(c, line, seen);
        if (st != CUG_OK) cug_fail_at(st, "%s:%d", where, number);
        line = next;
    }
    free(copy);
    return st;
}

cug_status cug_config_read(cug_config *c, const char *path) {
    if (!c || !path) return cug_fail(CUG_EINVAL, "cug_config_read: config or path missing");
    FILE *f = fopen(path, "rbe");
    if (!f) return cug_fail(errno == ENOENT ? CUG_ENOENT : CUG_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    cug_status st = CUG_OK;
    char *text = malloc(MAX_FILE + 1);
    if (!text) {
        st = cug_fail(CUG_ENOMEM, "%s: out of memory", path);
        goto cleanup;
    }
    size_t n = fread(text, 1, MAX_FILE + 1, f);
    if (ferror(f))
        st = cug_fail(CUG_EIO, "%s: reading failed: %s", path, strerror(errno));
    else if (n > MAX_FILE)
        st = cug_fail(CUG_ECONFIG_SYNTAX, "%s: over 4 MiB: this is no config", path);
    else
        st = cug_config_parse(c, text, n, path);
cleanup:
    free(text);
    fclose(f);
    return st;
}

/* Plain where read_value() gives the same back, else in quotes. */
static int print_string(FILE *f, const char *s) {
    size_t n = strlen(s);
    int plain = !n || (!is_blank(s[0]) && !is_blank(s[n - 1]) && !strpbrk(s, "\"#"));
    if (plain) return fprintf(f, "%s", s);
    int written = fprintf(f, "\"");
    for (; *s; s++) written += fprintf(f, "%s%c", *s == '"' || *s == '\\' ? "\\" : "", *s);
    return written + fprintf(f, "\"");
}

cug_status cug_config_print(const cug_config *c, char **text) {
    size_t n = 0;
    *text = NULL;
    FILE *f = open_memstream(text, &n);
    if (!f) return cug_fail(CUG_ENOMEM, "out of memory printing a config");
    const char *group = "";
    for (int i = 0; cug_config_row(i); i++) {
        const cug_row *row = cug_config_row(i);
        char value[64];
        if (strcmp(group, row->option.group) != 0) {
            group = row->option.group;
            fprintf(f, "%s# %s\n", i ? "\n" : "", group);
        }
        int column = fprintf(f, "%s = ", row->option.key);
        if (row->kind == CUG_KIND_STRING)
            column += print_string(f, *(char *const *)((const char *)c + row->offset));
        else
            column += fprintf(f, "%s", cug_config_get(c, row->option.key, value, sizeof value));
        fprintf(f, "%*s# %s\n", column < COMMENT_COLUMN - 1 ? COMMENT_COLUMN - column : 2, "", row->option.about);
    }
    int bad = ferror(f);
    if (fclose(f) != 0 || bad) {
        free(*text);
        *text = NULL;
        return cug_fail(CUG_ENOMEM, "out of memory printing a config");
    }
    return CUG_OK;
}
