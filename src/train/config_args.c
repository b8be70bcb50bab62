/* config_args.c - the options on the command line: taking them, and --help. */
#include "train/config_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ABOUT_COLUMN 27

cug_status cug_config_arg(cug_config *c, int argc, char **argv, int *used) {
    *used = 0;
    if (argc < 1) return cug_fail(CUG_EINVAL, "cug_config_arg: no argument");
    const char *arg = argv[0], *equals = strchr(arg, '='), *value = equals ? equals + 1 : NULL;
    const char *name = arg + strspn(arg, "-");
    char key[64];
    snprintf(key, sizeof key, "%.*s", equals && equals - name < 63 ? (int)(equals - name) : 63, name);
    int i = name - arg == 2 ? cug_config_find(key) : -1, n = 1;
    if (i < 0) {
        char shown[80];
        snprintf(shown, sizeof shown, "%.*s%s", name - arg > 2 ? 2 : (int)(name - arg), arg, key);
        return cug_config_unknown(shown, key);
    }
    const cug_row *row = cug_config_row(i);
    if (!value && row->kind == CUG_KIND_FLAG) value = "true";
    if (!value && argc > 1 && strncmp(argv[1], "--", 2) != 0) { /* else the value was forgotten */
        value = argv[1];
        n = 2;
    }
    if (!value) return cug_fail(CUG_ECONFIG_VALUE, "--%s: a value is missing: --%s %s", key, key, row->option.arg);
    cug_status st = cug_config_set_row(c, row, value);
    if (st != CUG_OK) return cug_fail_at(st, "--%s", key);
    *used = n;
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
