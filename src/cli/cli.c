/* cli.c - messages, terminals and numbers for the subcommands. */
#include "cli/cli.h"
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cli_fail(cug_status s) {
    const char *m = cug_error();
    fprintf(stderr, "cuglyph: %s\n", *m ? m : cug_status_text(s));
    return 1;
}

int cli_usage(const char *command, const char *fmt, ...) {
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fprintf(stderr, "cuglyph %s: %s (see cuglyph %s --help)\n", command, text, command);
    return 2;
}

static void *memory_or_exit(size_t n) {
    void *p = malloc(n);
    if (p) return p;
    fputs("cuglyph: out of memory\n", stderr);
    exit(1);
}

void cli_guard_json(void) { json_set_alloc_funcs(memory_or_exit, free); }

static int fancy(int fd) {
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    return isatty(fd) && term && strcmp(term, "dumb") != 0 && !(no_color && *no_color);
}

int cli_fancy_stdout(void) { return fancy(STDOUT_FILENO); }
int cli_fancy_stderr(void) { return fancy(STDERR_FILENO); }

int cli_int(const char *text, long long lo, long long hi, long long *out) {
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (end == text || *end || errno || v < lo || v > hi) return -1;
    *out = v;
    return 0;
}

int cli_value(int argc, char **argv, int *i, const char *name, const char **value) {
    size_t n = strlen(name);
    if (strncmp(argv[*i], name, n) != 0 || (argv[*i][n] && argv[*i][n] != '=')) return 0;
    if (argv[*i][n] == '=')
        *value = argv[*i] + n + 1;
    else if (*i + 1 < argc)
        *value = argv[++*i];
    else
        return -1;
    return 1;
}

int cli_whose(int argc, char **argv, int *i, const char *command, const char *name, const char *library,
              cug_choice *out) {
    const char *const words[] = {"own", library, "auto"}; /* as cug_choice */
    const char *v = NULL;
    int got = cli_value(argc, argv, i, name, &v);
    for (int w = 0; got > 0 && w < 3; w++)
        if (strcmp(v, words[w]) == 0) {
            *out = (cug_choice)w;
            return 1;
        }
    return got ? (cli_usage(command, "%s needs own, %s or auto", name, library), -1) : 0;
}
