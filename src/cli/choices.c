/* choices.c - cuglyph info --choices: what --conv auto and --gemm auto have timed on this machine. */
#include <cuglyph/fetch.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "io/choices.h"

static void print_file(const cug_choice_file *f) {
    printf("%s\n", f->machine);
    printf("  %-8s %12s %12s %7s  %-18s %s\n", "chosen", "own us", "library us", "ratio", "library", "product");
    for (int i = 0; i < f->n; i++) {
        const cug_choice_row *r = &f->rows[i];
        char ratio[32] = "-";
        if (r->library_us > 0) snprintf(ratio, sizeof ratio, "%.2f", r->own_us / r->library_us);
        printf("  %-8s %12.3f %12.3f %7s  %-18s %s\n", r->library ? "library" : "own", r->own_us, r->library_us, ratio,
               r->name, r->product);
    }
}

int info_choices(int argc, char **argv) {
    char folder[4096], pattern[4200];
    if (argc > 1) return cli_usage("info", "--choices goes alone; '%s' is too much", argv[1]);
    cug_status st = cug_cache_dir(folder, sizeof folder, "choices");
    if (st != CUG_OK) return cli_fail(st);
    snprintf(pattern, sizeof pattern, "%s/*.txt", folder);
    glob_t found;
    if (glob(pattern, 0, NULL, &found) != 0) {
        printf("no choices in %s: they are made by --conv auto and --gemm auto on a GPU\n", folder);
        return 0;
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        cug_choice_file f;
        if (i) printf("\n");
        if (cug_choices_read(&f, found.gl_pathv[i]) == CUG_OK)
            print_file(&f);
        else
            printf("ignored: %s\n", cug_error());
        cug_choices_free(&f);
    }
    globfree(&found);
    return 0;
}
