/* cli.h - what the subcommands share. Each has one file, cmd_NAME(argc, argv) with argv[0] = NAME, returning the exit
 * status: 0 success, 1 failure (one line on stderr), 2 wrong usage. */
#ifndef CUG_CLI_H
#define CUG_CLI_H

#include <cuglyph/exec.h>

int cmd_train(int argc, char **argv);
int cmd_sprint(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_predict(int argc, char **argv);
int cmd_gradcheck(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_data(int argc, char **argv);
int cmd_bench(int argc, char **argv);

/* `cuglyph info --device`, with argv[0] = "--device". */
int info_devices(int argc, char **argv);
/* `cuglyph info --choices`, with argv[0] = "--choices". */
int info_choices(int argc, char **argv);

/* "cuglyph: MESSAGE" on stderr from cug_error(), or the status's own text; returns 1. */
int cli_fail(cug_status s);
/* "cuglyph NAME: MESSAGE (see cuglyph NAME --help)" on stderr; returns 2. */
int cli_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* From now on libjansson's failing allocations end the program, with a line and status 1: its parser answers some of
 * them with a failing assertion (lex_unget_unsave), and a reader that takes "no memory" for "no such key" would go on
 * with wrong values. Checkpoints are replaced atomically, so nothing is lost. Once, before any command. */
void cli_guard_json(void);

/* True when stdout (stderr) is a terminal that takes colours and cursor moves (TERM set, not dumb, NO_COLOR unset). */
int cli_fancy_stdout(void);
int cli_fancy_stderr(void);

/* Is argv[*i] the option `name`? "--name VALUE" (moves *i on) or "--name=VALUE": 1 and *value set; another argument: 0;
 * the value is missing: -1. */
int cli_value(int argc, char **argv, int *i, const char *name, const char **value);
/* The same for an option that says whose code runs: own, `library` or auto. 1: taken; 0: another option; -1: wrong, the
 * line is written. */
int cli_whose(int argc, char **argv, int *i, const char *command, const char *name, const char *library,
              cug_choice *out);

/* A whole number in [lo, hi], nothing after it; 0 on success, -1 otherwise. */
int cli_int(const char *text, long long lo, long long hi, long long *out);

#endif
