/* progress.h - how long work shows itself: a bar with rate and ETA on a terminal, plain lines elsewhere. */
#ifndef CUG_CLI_PROGRESS_H
#define CUG_CLI_PROGRESS_H

#include <cuglyph/train.h>

typedef struct cli_progress {
    int fancy, quiet, drawn;
    double last_draw, last_line;
} cli_progress;

void cli_progress_init(cli_progress *p, int quiet);
/* For cug_train_request.on_event and cug_eval_request.on_event; user is a cli_progress. */
void cli_progress_event(void *user, const cug_event *e);
/* Removes a bar that is still on screen. */
void cli_progress_clear(cli_progress *p);

#endif
