/* config_args.c - the options on the command line: taking them, and --help. */
#include "train/config_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ABOUT_COLUMN 27

cug_status cug_config_args(cug_config *c, int argc, char **argv, int *next) {
    while (*next < argc) {
        const char *arg = argv[*next];
        if (strncmp(arg, "--", 2) != 0 || !arg[2]) return CUG_OK;
        char key[64];
        const char *equals = strchr(arg, '='), *value = equals ? equals + 1 : NULL;
        snprintf(key, sizeof key, "%.*s", equals ? (int)(equals - arg - 2) : 63, arg + 2);
        int i = cug_config_find(key), used = 1;
        if (i < 0) {
            char shown[80];
            snprintf(shown, sizeof shown, "--%s", key);
            return cug_config_unknown(shown, key);
        }
        const cug_row *row = cug_config_row(i);
        if (!value && row->kind == CUG_KIND_FLAG) value = "true";
        if (!value && *next + 1 < argc && strncmp(argv[*next + 1], "--", 2) != 0) { /* else the value was forgotten */
            value = argv[*next + 1];
            used = 2;
        }
        if (!value) return cug_fail(CUG_ECONFIG_VALUE, "--%s: a value is missing: --%s %s", key, key, row->option.arg);
        cug_status st = cug_config_set_row(c, row, value);
        if (st != CUG_OK) return cug_fail_at(st, "--%s", key);
        *next += used;
    }
    return CUG_OK;
}

void cug_config_help(FILE *f) {
    const char *group = "";
    for (int i = 0; cug_config_row(i); i++) {
        const cug_row *row = cug_config_row(i);
        const cug_option *o = &row->option;
        if (strcmp(group, o->group) != 0) {
            group = o->group;
            fprintf(f, "%s%s:\n", i ? "\n" : "", group);
        }
        int column = fprintf(f, "  --%s%s%s", o->key, o->arg ? " " : "", o->arg ? o->arg : "");
        fprintf(f, "%*s%s", column < ABOUT_COLUMN - 1 ? ABOUT_COLUMN - column : 2, "", o->about);
        if (row->kind != CUG_KIND_FLAG && *row->fallback) fprintf(f, " [%s]", row->fallback);
        fprintf(f, "\n");
    }
}
