/* main.c - runs the tests without Criterion (criterion.h beside it says where that is needed): a process for each, two
 * at a time, Criterion's options --filter=SUITE/NAME (extended glob) and --tap=FILE, and its exit status. */
#include <criterion/criterion.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 2, SLOWER = 10 /* than the build that timeouts are meant for */, DEFAULT_TIMEOUT = 120 };

static plain_test *tests; /* sorted */
static int failed;        /* in this test */
static struct {
    int skipped;
    char why[240];
} * shared; /* of the running tests, one each, with their processes */
static int own;

void plain_add(plain_test *t) {
    plain_test **at = &tests;
    for (int c; *at; at = &(*at)->next) {
        c = strcmp((*at)->suite, t->suite);
        if (c > 0 || (c == 0 && (*at)->name && (!t->name || strcmp((*at)->name, t->name) > 0))) break;
    }
    t->next = *at;
    *at = t;
}

void plain_failed(const char *file, int line, int fatal, const char *what, const char *fmt, ...) {
    fprintf(stderr, "%s:%d: not so: %s", file, line, what);
    if (fmt) {
        va_list ap;
        va_start(ap, fmt);
        fputs(": ", stderr);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
    }
    fputc('\n', stderr);
    failed = 1;
    if (fatal) exit(1);
}

void plain_skip(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(shared[own].why, sizeof shared[own].why, fmt, ap);
    va_end(ap);
    shared[own].skipped = 1;
    exit(0);
}

static int wanted(const plain_test *t, const char *filter) {
    char name[300];
    if (!t->name) return 0;
    snprintf(name, sizeof name, "%s/%s", t->suite, t->name);
    return !fnmatch(filter, name, FNM_EXTMATCH);
}

static void run(const plain_test *t) {
    const plain_test *common = tests;
    while (common && (common->name || strcmp(common->suite, t->suite))) common = common->next;
    if (common && common->init) common->init();
    if (t->init) t->init();
    t->run();
    if (t->fini) t->fini();
    if (common && common->fini) common->fini();
    exit(failed);
}

int main(int argc, char **argv) {
    const char *filter = "*", *tap = NULL;
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "--filter=", 9)) filter = argv[i] + 9;
        if (!strncmp(argv[i], "--tap=", 6)) tap = argv[i] + 6;
    }
    FILE *out = tap ? fopen(tap, "w") : stdout;
    shared = mmap(NULL, MOST * sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!out || shared == MAP_FAILED) {
        perror(out ? "mmap" : tap);
        return 2;
    }
    struct {
        pid_t pid;
        const plain_test *test;
    } running[MOST] = {{0, NULL}};
    int busy = 0, ran = 0, bad = 0;
    const plain_test *next = tests;
    for (;;) {
        while (next && !wanted(next, filter)) next = next->next;
        if (!next && !busy) break;
        if (next && busy < MOST) {
            for (own = 0; running[own].pid;) own++;
            memset(&shared[own], 0, sizeof shared[own]);
            fflush(NULL);
            running[own].pid = fork();
            running[own].test = next;
            if (running[own].pid < 0) return 2;
            if (running[own].pid == 0) {
                alarm((unsigned)(next->timeout > 0 ? next->timeout : DEFAULT_TIMEOUT) * SLOWER);
                run(next);
            }
            busy++;
            next = next->next;
            continue;
        }
        int status = 0, i = 0;
        pid_t pid = waitpid(-1, &status, 0);
        for (i = 0; i < MOST && running[i].pid != pid;) i++;
        if (pid < 0 || i == MOST) continue;
        int ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        fprintf(out, "%s - %s::%s%s%s", ok ? "ok" : "not ok", running[i].test->suite, running[i].test->name,
                ok && shared[i].skipped ? " # SKIP " : "", ok && shared[i].skipped ? shared[i].why : "");
        if (!ok && WIFEXITED(status)) fprintf(out, "  (exit status %d)", WEXITSTATUS(status));
        if (!ok && WIFSIGNALED(status)) fprintf(out, "  (signal %d)", WTERMSIG(status));
        fputc('\n', out);
        running[i].pid = 0;
        busy--;
        ran++;
        bad += !ok;
    }
    fprintf(stderr, "%d tests, %d failed\n", ran, bad);
    return bad ? 1 : 0;
}
