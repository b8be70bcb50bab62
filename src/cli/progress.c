/* progress.c - the bar and the lines of a training run. */
#include "cli/progress.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"
#include "seconds.h"

enum { PLAIN_SECONDS = 10 }; /* how often a plain line shows an epoch in the middle */

static void duration(double s, char *out, size_t n) {
    if (s < 60)
        snprintf(out, n, "%.0fs", s);
    else if (s < 3600)
        snprintf(out, n, "%.0fm%02.0fs", floor(s / 60), floor(fmod(s, 60)));
    else
        snprintf(out, n, "%.0fh%02.0fm", floor(s / 3600), floor(fmod(s, 3600) / 60));
}

static int columns(void) {
    struct winsize w;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

void cli_progress_init(cli_progress *p, int quiet) {
    memset(p, 0, sizeof *p);
    p->fancy = cli_fancy_stderr();
    p->quiet = quiet;
    p->last_line = seconds_now();
}

void cli_progress_clear(cli_progress *p) {
    if (p->drawn) fputs("\r\033[K", stderr);
    p->drawn = 0;
}

static void bar(cli_progress *p, const char *head, const char *tail, double part) {
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int width = columns() - (int)strlen(head) - (int)strlen(tail) - 4;
    if (width > 30) width = 30;
    fprintf(stderr, "\r%s ", head);
    if (width >= 5) {
        int full = (int)(part * width * 8), used = full / 8 + (full % 8 != 0);
        for (int i = 0; i < full / 8; i++) fputs("█", stderr);
        fputs(eighths[full % 8], stderr);
        for (int i = used; i < width; i++) fputs("·", stderr);
    }
    fprintf(stderr, " %s\033[K", tail);
    fflush(stderr);
    p->drawn = 1;
}

/* Is a step worth a word? Most are not, and are not even put into one. */
static int is_due(cli_progress *p, int last) {
    double t = seconds_now(), *before = p->fancy ? &p->last_draw : &p->last_line;
    if (p->fancy ? t - *before < 0.1 && !last : t - *before < PLAIN_SECONDS || last) return 0;
    *before = t;
    return 1;
}

static void step(cli_progress *p, const cug_event *e) {
    char eta[32], head[64], tail[160];
    if (!is_due(p, e->done == e->of)) return;
    duration(e->eta_seconds, eta, sizeof eta);
    snprintf(head, sizeof head, "epoch %lld/%lld", (long long)e->epoch, (long long)e->epochs);
    if (isfinite(e->loss))
        snprintf(tail, sizeof tail, "%3.0f%%  %.0f img/s  loss %.4f  acc %.2f%%  eta %s",
                 100.0 * (double)e->done / (double)e->of, e->images_per_second, e->loss, 100 * e->accuracy, eta);
    else
        snprintf(tail, sizeof tail, "%3.0f%%  %.0f img/s  eta %s", 100.0 * (double)e->done / (double)e->of,
                 e->images_per_second, eta);
    if (p->fancy)
        bar(p, head, tail, (double)e->done / (double)e->of);
    else
        fprintf(stderr, "%s  %s\n", head, tail);
}

static void epoch(cli_progress *p, const cug_event *e) {
    char spent[32];
    cli_progress_clear(p);
    p->last_line = seconds_now();
    duration(e->seconds, spent, sizeof spent);
    fprintf(stderr, "epoch %lld/%lld  loss %.4f  acc %.2f%%", (long long)e->epoch, (long long)e->epochs, e->loss,
            100 * e->accuracy);
    if (isfinite(e->val_loss)) fprintf(stderr, "  val loss %.4f  val acc %.2f%%", e->val_loss, 100 * e->val_accuracy);
    fprintf(stderr, "  lr %.3g  %.0f img/s  %s%s\n", e->lr, e->images_per_second, spent, e->improved ? "  best" : "");
}

void cli_progress_event(void *user, const cug_event *e) {
    cli_progress *p = user;
    if (p->quiet) return;
    switch (e->kind) {
    case CUG_EVENT_START:
    case CUG_EVENT_NOTE:
        cli_progress_clear(p);
        fprintf(stderr, "%s\n", e->text);
        break;
    case CUG_EVENT_STEP:
        step(p, e);
        break;
    case CUG_EVENT_VALIDATE:
        if (p->fancy && (e->done == e->of || seconds_now() - p->last_draw >= 0.1)) {
            p->last_draw = seconds_now();
            bar(p, "evaluating", "", (double)e->done / (double)e->of);
        }
        break;
    case CUG_EVENT_EPOCH:
        epoch(p, e);
        break;
    case CUG_EVENT_FINAL:
        cli_progress_clear(p);
        break;
    }
}
