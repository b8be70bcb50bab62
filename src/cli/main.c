/* main.c - cuglyph: picks the subcommand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

typedef struct command {
    const char *name, *about;
    int (*run)(int argc, char **argv);
} command;

static const command commands[] = {
    {"train", "train a model; the result is a run folder", cmd_train},
    {"sprint", "from raw MNIST to 99 % in the shortest time, again for many seeds", cmd_sprint},
    {"eval", "evaluate a run: accuracy, top-k, calibration, confusion matrix, worst errors", cmd_eval},
    {"predict", "what a run says of PNG pictures or IDX files", cmd_predict},
    {"gradcheck", "prove a model's gradients: central differences, then backend against backend", cmd_gradcheck},
    {"bench", "time ops, training and inference; compare with an earlier run", cmd_bench},
    {"info", "a model's layers, parameters, work and memory; or the list of known models", cmd_info},
    {"data", "fetch, verify and look at data sets", cmd_data},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void help(FILE *f) {
    fprintf(f, "cuglyph %s - trains small image models\n\nusage: cuglyph COMMAND [ARGUMENTS]\n\n", CUG_VERSION);
    for (int i = 0; i < N_COMMANDS; i++) fprintf(f, "  %-10s %s\n", commands[i].name, commands[i].about);
    fprintf(f, "\ncuglyph COMMAND --help says more; cuglyph --version prints the version.\n");
}

int main(int argc, char **argv) {
    cli_guard_json();
    if (argc < 2) {
        help(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("cuglyph %s\n", CUG_VERSION);
        return 0;
    }
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0) {
            int rc = commands[i].run(argc - 1, argv + 1);
            if (fflush(stdout) != 0 || ferror(stdout)) {
                fprintf(stderr, "cuglyph: writing the output failed\n");
                return rc ? rc : 1;
            }
            return rc;
        }
    fprintf(stderr, "cuglyph: no command '%s' (see cuglyph --help)\n", argv[1]);
    return 2;
}
