/* main.c - every call for memory, to a file or for a thread that training, resuming and evaluating make fails in turn,
 * once and for good. Each time the command ends with one line on stderr, or carries on to the very result; no temporary
 * file stays, every checkpoint loads, nothing is lost: going on gives the weights of the run that nothing befell. Built
 * with the sanitizers (faults.mk), so a leak or a wild access fails as well.
 *   faults [POINTS]   at most POINTS calls for each command, evenly spread (default: every one); prints TAP */
#include "cli/cli.h"
#include "faults.h"
#include <cuglyph/checkpoint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIDE = 6, TRAIN = 22, TEST = 12, CLASSES = 3, HANGS_AFTER = 30 };

static char top[] = "/tmp/cuglyph-faults-XXXXXX", data[512];
static char run[128], saved[128]; /* the folder the commands work on, and its state before */

typedef struct shared { /* with the child */
    long calls;
    char name[64];
} shared;
static shared *told;

static void die(const char *what) {
    printf("Bail out! %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- files ---- */

static char *read_file(const char *folder, const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s%s%s", folder, *name ? "/" : "", name);
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    char *text = calloc(1, 1 << 20);
    size_t n = fread(text, 1, (1 << 20) - 1, f);
    (void)n;
    fclose(f);
    return text;
}

static int exists(const char *folder, const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static int remove_one(const char *path, const struct stat *sb, int kind, struct FTW *at) {
    (void)sb, (void)kind, (void)at;
    return remove(path);
}

static void remove_folder(const char *path) { nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

/* Copies the files of a folder; no folder: none there afterwards either. */
static void copy_folder(const char *from, const char *to) {
    static char buffer[1 << 20];
    remove_folder(to);
    DIR *d = opendir(from);
    if (!d) return;
    if (mkdir(to, 0777) != 0) die(to);
    for (struct dirent *e; (e = readdir(d));) {
        char path[512];
        if (e->d_name[0] == '.' && (!e->d_name[1] || e->d_name[1] == '.')) continue;
        snprintf(path, sizeof path, "%s/%s", from, e->d_name);
        int in = open(path, O_RDONLY);
        snprintf(path, sizeof path, "%s/%s", to, e->d_name);
        int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        ssize_t n = read(in, buffer, sizeof buffer);
        if (n < 0 || n == sizeof buffer || write(out, buffer, (size_t)n) != n) die(path);
        close(in);
        close(out);
    }
    closedir(d);
}

static void write_idx(const char *name, int count, int images) {
    char path[512];
    unsigned char head[16] = {0, 0, 8, images ? 3 : 1, 0, 0, 0, (unsigned char)count, 0, 0, 0, SIDE, 0, 0, 0, SIDE};
    snprintf(path, sizeof path, "%s/%s", top, name);
    FILE *f = fopen(path, "wb");
    if (!f) die(path);
    fwrite(head, 1, images ? 16 : 8, f);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < (images ? SIDE * SIDE : 1); k++)
            fputc(images ? (k % CLASSES == i % CLASSES ? 200 : 0) + (i * 31 + k * 7) % 50 : i % CLASSES, f);
    fclose(f);
}

/* ---- running a command with a fault ---- */

typedef struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *argv[24];
} command;

typedef struct outcome {
    int status; /* exit status; 1000 + signal */
    int lines;  /* on stderr */
    char text[2048], fault[64];
} outcome;

static outcome execute(const command *c, long at, int lasting) {
    outcome o = {0};
    char path[512];
    snprintf(path, sizeof path, "%s/stderr", top);
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) die("fork");
    if (pid == 0) {
        int argc = 0, err = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666), out = open("/dev/null", O_WRONLY);
        dup2(err, 2);
        dup2(out, 1);
        alarm(HANGS_AFTER);
        while (c->argv[argc]) argc++;
        fault_arm(at, lasting);
        int rc = c->run(argc, (char **)c->argv);
        told->calls = fault_disarm();
        snprintf(told->name, sizeof told->name, "%s", fault_name());
        exit(rc); /* LeakSanitizer looks now */
    }
    int status;
    if (waitpid(pid, &status, 0) != pid) die("waitpid");
    o.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    char *text = read_file(path, "");
    for (const char *p = text; p && *p; p++) o.lines += *p == '\n';
    snprintf(o.text, sizeof o.text, "%.*s", (int)sizeof o.text - 1, text ? text : "");
    free(text);
    snprintf(o.fault, sizeof o.fault, "%s", told->name);
    return o;
}

/* ---- what must hold afterwards ---- */

/* The digest of the final weights; NULL: the run did not end. Free it. */
static char *weights_of(const char *folder) {
    char *text = read_file(folder, "metrics.json"), *at = text ? strstr(text, "weights_sha256") : NULL;
    char *digest = at ? strndup(at, 64 + 18) : NULL;
    free(text);
    return digest;
}

static int loads(const char *name) {
    char path[512];
    cug_graph *g;
    cug_snapshot s;
    if (!exists(run, name)) return 1;
    snprintf(path, sizeof path, "%s/%s", run, name);
    if (cug_checkpoint_load(path, &g, &s) != CUG_OK) return 0;
    cug_graph_free(g);
    cug_snapshot_free(&s);
    return 1;
}

static int temporary_files(void) {
    int n = 0;
    DIR *d = opendir(run);
    for (struct dirent *e; d && (e = readdir(d));)
        n += strlen(e->d_name) > 4 && !strcmp(strchr(e->d_name, 0) - 4, ".tmp");
    if (d) closedir(d);
    return n;
}

static const char *wrong_end(const outcome *o) {
    if (o->status > 1000) return o->status == 1000 + SIGALRM ? "hangs" : "ended by a signal";
    if (o->status > 1) return "an exit status that is neither success nor failure (99: a sanitizer)";
    if (o->status == 1 && (o->lines != 1 || strncmp(o->text, "cuglyph: ", 9) != 0 || strlen(o->text) < 20))
        return "not exactly one clear line";
    if (o->status == 0 && o->lines) return "success, and lines on stderr";
    if (temporary_files()) return "a temporary file is left";
    if (!loads("last.safetensors") || !loads("best.safetensors")) return "a checkpoint does not load";
    return NULL;
}

/* Without faults the work can be done, or finished, and comes out the same. */
static const char *wrong_afterwards(const command *again, const command *start, const outcome *o, const char *want) {
    static char text[2300];
    char *got = weights_of(run);
    if (o->status == 0 || !start) {
        int same = got && strcmp(got, want) == 0;
        free(got);
        return same ? NULL : "success, but other weights";
    }
    free(got);
    int begun = exists(run, "config") || exists(run, "last.safetensors");
    outcome second = execute(begun ? again : start, 0, 0);
    got = weights_of(run);
    int same = second.status == 0 && got && strcmp(got, want) == 0;
    free(got);
    snprintf(text, sizeof text, "going on gives status %d and other weights: %s", second.status, second.text);
    return same ? NULL : text;
}

typedef struct tally {
    long points, failed, bad;
} tally;

static void one_point(const command *c, const command *start, const command *again, const char *want, long at,
                      int lasting, tally *t) {
    copy_folder(saved, run);
    strcpy(told->name, "?");
    outcome o = execute(c, at, lasting);
    const char *wrong = wrong_end(&o);
    if (!wrong) wrong = wrong_afterwards(again, start, &o, want);
    t->points++;
    t->failed += o.status == 1;
    if (getenv("FAULTS_SHOW"))
        printf("# %s %ld %s (%s): %s\n", c->name, at, told->name, lasting ? "lasting" : "once", o.text);
    if (!wrong) return;
    t->bad++;
    if (t->bad <= 20)
        printf("# call %ld, %s, %s: %s; status %d: %s\n", at, o.fault, lasting ? "and all after it" : "once", wrong,
               o.status, o.text);
}

/* The state that `saved` holds is where `c` starts from each time. */
static int sweep(const command *c, const command *start, const command *again, const char *want, long most) {
    tally t = {0};
    copy_folder(saved, run);
    outcome whole = execute(c, 0, 0);
    if (whole.status != 0) {
        printf("not ok - %s without faults: %s\n", c->name, whole.text);
        return 1;
    }
    long calls = told->calls, stride = most && calls > most ? (calls + most - 1) / most : 1;
    for (int lasting = 0; lasting < 2; lasting++)
        for (long at = 1 + lasting * (stride / 2); at <= calls; at += stride)
            one_point(c, start, again, want, at, lasting, &t);
    int bad = t.bad || t.failed < t.points / 4; /* were nearly all of them tolerated, no fault was injected */
    printf("%s - %s: %ld of %ld calls made to fail, %ld times with one line, %ld wrong\n", bad ? "not ok" : "ok",
           c->name, t.points, 2 * calls, t.failed, t.bad);
    return bad;
}

#define MODEL "input 6x6x1; conv 2 3x3; relu; maxpool 2; flatten; dropout 0.25; linear 3"

int main(int argc, char **argv) {
    long most = argc > 1 ? atol(argv[1]) : 0;
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED || !mkdtemp(top)) die("a scratch folder");
    cli_guard_json();
    snprintf(run, sizeof run, "%s/run", top);
    snprintf(saved, sizeof saved, "%s/saved", top);
    const char *const names[] = {"train-images", "train-labels", "test-images", "test-labels"};
    for (int i = 0; i < 4; i++) write_idx(names[i], i < 2 ? TRAIN : TEST, i % 2 == 0);
    snprintf(data, sizeof data, "idx:%s/%s,%s/%s,%s/%s,%s/%s", top, names[0], top, names[1], top, names[2], top,
             names[3]);

#define TRAIN_WITH(...)                                                                                                \
    "train", MODEL, "--data", data, "--val", "6", "--batch", "8", "--epochs", "2", "--patience", "2", "--threads",     \
        "2", "--log-every", "2", "--quiet", "--run", run, __VA_ARGS__
    const command train = {"train", cmd_train, {TRAIN_WITH("--checkpoint-every", "3", NULL)}};
    const command half = {"half a run", cmd_train, {TRAIN_WITH("--checkpoint-every", "3", "--max-steps", "3", NULL)}};
    const command resume = {"resume", cmd_train, {"train", "--resume", run, "--max-steps", "0", "--quiet", NULL}};
    const command eval = {"eval", cmd_eval, {"eval", run, "--part", "train", "--json", NULL}};

    int bad = execute(&train, 0, 0).status != 0;
    char *want = weights_of(run);
    if (bad || !want) {
        printf("not ok - a run without faults\n");
        return 1;
    }
    remove_folder(saved);
    bad |= sweep(&train, &train, &resume, want, most);

    remove_folder(run);
    if (execute(&half, 0, 0).status != 0) die("half a run");
    copy_folder(run, saved);
    bad |= sweep(&resume, &resume, &resume, want, most);

    copy_folder(saved, run);
    if (execute(&resume, 0, 0).status != 0) die("a whole run");
    copy_folder(run, saved);
    bad |= sweep(&eval, NULL, NULL, want, most);

    free(want);
    remove_folder(top);
    return bad;
}
