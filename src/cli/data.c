/* data.c - cuglyph data: fetch, verify, info, list (show is in data_show.c). */
#include "cli/data.h"
#include "cli/cli.h"
#include "data/places.h"
#include "seconds.h"
#include <cuglyph/dataset.h>
#include <cuglyph/fetch.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { FETCH = 1, VERIFY = 2, INFO = 4, SHOW = 8, LIST = 16 };

#define HELP_PLACE                                                                                                     \
    "  --data-dir DIR   look in DIR/NAME and DIR, and nowhere else (default: $CUGLYPH_DATA, then the\n"                \
    "                   cache, ~/.cache/cuglyph)\n"
#define HELP_NAME                                                                                                      \
    "  NAME, --data NAME  mnist (default), fashion-mnist, or idx:IMAGES,LABELS[,IMAGES,LABELS] with the\n"             \
    "                   paths of any IDX files, training part first, gzip or plain\n"
#define HELP_HELP "  --help           this text\n"

static const char data_help[] = "usage: cuglyph data COMMAND [NAME] [OPTIONS]\n\n"
                                "Data sets: get them, check them, look at them.\n\n"
                                "  fetch   download a known data set, checked against its SHA-256\n"
                                "  verify  check the files that are here against their SHA-256\n"
                                "  info    counts, shape, classes, mean and standard deviation\n"
                                "  show    images in the terminal, or as a PNG\n"
                                "  list    the known data sets and where they lie\n\n"
                                "cuglyph data COMMAND --help tells more. NAME is mnist when not given.\n";

static const char fetch_help[] =
    "usage: cuglyph data fetch [NAME] [OPTIONS]\n\n"
    "Downloads what is missing of a data set. A file gets its name only when its SHA-256 is right.\n\n"
    "  NAME, --data NAME  mnist (default) or fashion-mnist\n"
    "  --data-dir DIR   put it in DIR/NAME (default: the cache, ~/.cache/cuglyph/NAME); DIR itself when\n"
    "                   its last part is NAME\n"
    "  --mirror URL     take the files from under URL, https:// or http:// (default: the known mirrors)\n" HELP_HELP;

static const char verify_help[] =
    "usage: cuglyph data verify [NAME] [OPTIONS]\n\n"
    "Checks each file's SHA-256 (of the unpacked bytes); the exit status is 1 when one differs.\n\n"
    "  NAME, --data NAME  mnist (default) or fashion-mnist\n" HELP_PLACE HELP_HELP;

static const char info_help[] =
    "usage: cuglyph data info [NAME] [OPTIONS]\n\n"
    "Counts, shape, classes, mean and standard deviation of pixels / 255.\n\n" HELP_NAME HELP_PLACE HELP_HELP;

static const char show_help[] =
    "usage: cuglyph data show [NAME] [OPTIONS]\n\n"
    "Images in the terminal with their numbers and labels, or as a grid in a PNG file.\n\n" HELP_NAME HELP_PLACE
    "  --split PART     train (default) or test\n"
    "  --start N        from image number N (default 0)\n"
    "  --count N        so many images (default 10; 100 with --png)\n"
    "  --rows N         in so many rows (default: as the terminal's width asks; near square with --png)\n"
    "  --class C        only this class, by number or name\n"
    "  --png FILE       write a PNG instead\n"
    "  --scale N        PNG: each pixel as N x N (default 3)\n" HELP_HELP;

static const char list_help[] =
    "usage: cuglyph data list [OPTIONS]\n\n"
    "The data sets known by name, and where each lies on this machine.\n\n" HELP_PLACE HELP_HELP;

const char *data_grouped(size_t n, char out[32]) {
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%zu", n), w = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0) out[w++] = ',';
        out[w++] = digits[i];
    }
    out[w] = 0;
    return out;
}

int data_columns(int fd) {
    struct winsize w;
    return ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col ? w.ws_col : 80;
}

/* --- fetch ------------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t stop_signal;

static void on_signal(int s) { stop_signal = s; }

typedef struct meter {
    int fancy;
    char file[64];
    double started, drawn;
    size_t done;
    int files;
} meter;

static void draw_bar(const meter *m, size_t total) {
    double rate = (double)m->done / (seconds_now() - m->started + 1e-3);
    int width = data_columns(STDERR_FILENO) - 64, fill = 0;
    width = width < 6 ? 6 : width > 30 ? 30 : width;
    if (total) fill = (int)((double)width * (double)m->done / (double)total);
    fprintf(stderr, "\r\033[K%-23s [", m->file);
    for (int i = 0; i < width; i++) fputc(i < fill ? '#' : '-', stderr);
    fprintf(stderr, "] %.1f", 1e-6 * (double)m->done);
    if (total) fprintf(stderr, "/%.1f", 1e-6 * (double)total);
    fprintf(stderr, " MB  %.1f MB/s", 1e-6 * rate);
    if (total && rate > 0) fprintf(stderr, "  %.0f s left", (double)(total - m->done) / rate);
    fflush(stderr);
}

/* The last words on a file: what came, how fast. */
static void finish_file(meter *m) {
    char text[32];
    if (!m->file[0]) return;
    double seconds = seconds_now() - m->started;
    if (m->fancy) fprintf(stderr, "\r\033[K");
    printf("%-23s  %s bytes in %.1f s\n", m->file, data_grouped(m->done, text), seconds);
    fflush(stdout);
    m->file[0] = 0;
    m->files++;
}

static int on_progress(void *user, const char *file, size_t done, size_t total) {
    meter *m = user;
    double t = seconds_now();
    if (done && strcmp(m->file, file) != 0) {
        finish_file(m);
        snprintf(m->file, sizeof m->file, "%s", file);
        m->started = t;
        m->drawn = 0;
    }
    m->done = done;
    if (m->fancy && m->file[0] && t - m->drawn > 0.1) {
        m->drawn = t;
        draw_bar(m, total);
    }
    return stop_signal != 0;
}

/* --data-dir as it is when its last part is the data set's name, else its sub-folder: two sets share file names, so
 * each has a folder of its own. */
static cug_status fetch_folder(char out[PATH_MAX], const char *data_dir, const char *name) {
    if (!data_dir) return cug_cache_dir(out, PATH_MAX, name);
    int n = (int)strlen(data_dir), len = (int)strlen(name);
    while (n > 1 && data_dir[n - 1] == '/') n--;
    int named =
        n >= len && strncmp(data_dir + n - len, name, (size_t)len) == 0 && (n == len || data_dir[n - len - 1] == '/');
    int w = snprintf(out, PATH_MAX, "%.*s%s%s", n, data_dir, named ? "" : "/", named ? "" : name);
    return w < PATH_MAX ? CUG_OK : cug_fail(CUG_EINVAL, "the path %s is too long", data_dir);
}

static int data_fetch(const data_options *o) {
    char dir[PATH_MAX];
    if (!cug_known_dataset_find(o->name))
        return cli_usage("data fetch", "\"%s\" cannot be fetched; mnist and fashion-mnist can", o->name);
    cug_status st = fetch_folder(dir, o->data_dir, o->name);
    if (st != CUG_OK) return cli_fail(st);

    struct sigaction act = {.sa_handler = on_signal}, old_int, old_term;
    sigemptyset(&act.sa_mask);
    stop_signal = 0;
    sigaction(SIGINT, &act, &old_int);
    sigaction(SIGTERM, &act, &old_term);
    meter m = {.fancy = cli_fancy_stderr()};
    st = cug_fetch(o->name, dir, o->mirror, on_progress, &m);
    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGTERM, &old_term, NULL);

    if (st != CUG_OK) {
        if (m.fancy) fprintf(stderr, "\r\033[K");
        int rc = cli_fail(st);
        return st == CUG_EINTR ? 128 + (int)stop_signal : rc;
    }
    finish_file(&m);
    printf("%s is in %s (%s)\n", o->name, dir, m.files ? "checksums right" : "was there; checksums right");
    return 0;
}

/* --- verify, list ------------------------------------------------------------------------------------------------ */

static int data_verify(const data_options *o) {
    const cug_known_dataset *k = cug_known_dataset_find(o->name);
    char dir[PATH_MAX], path[PATH_MAX], hex[65];
    int bad = 0;
    if (!k) return cli_usage("data verify", "no checksums are known for \"%s\"; mnist and fashion-mnist have", o->name);
    cug_status st = cug_data_find(dir, k, o->data_dir);
    if (st != CUG_OK) return cli_fail(st);
    for (int i = 0; i < 4; i++) {
        const cug_known_file *f = &k->file[i];
        int there = cug_data_file(path, dir, f->name);
        st = there ? cug_sha256_raw(path, hex, NULL) : cug_fail(CUG_ENOENT, "%s/%s: gone", dir, f->name);
        int right = st == CUG_OK && strcmp(hex, f->sha256) == 0;
        bad += !right;
        printf("%-5s %s  %s\n", right ? "ok" : "WRONG", st == CUG_OK ? hex : cug_error(), there ? path : f->name);
    }
    if (!bad) return 0;
    return cli_fail(cug_fail(CUG_ECHECKSUM,
                             "%d of the 4 files in %s are not %s's; remove them and run: cuglyph data "
                             "fetch %s%s%s",
                             bad, dir, k->name, k->name, o->data_dir ? " --data-dir " : "",
                             o->data_dir ? o->data_dir : ""));
}

static int data_list(const data_options *o) {
    char dir[PATH_MAX];
    for (int i = 0; cug_known_dataset_at(i); i++) {
        const cug_known_dataset *k = cug_known_dataset_at(i);
        if (cug_data_find(dir, k, o->data_dir) == CUG_OK)
            printf("%-14s %s\n", k->name, dir);
        else
            printf("%-14s not here (cuglyph data fetch %s)\n", k->name, k->name);
    }
    printf("%-14s any IDX files: training images and labels, then test\n", "idx:I,L[,I,L]");
    return 0;
}

/* --- info -------------------------------------------------------------------------------------------------------- */

static void print_first_labels(const char *title, const cug_images *im) {
    printf("%-13s", title);
    for (int i = 0; i < im->count && i < 10; i++) printf(" %d", im->labels[i]);
    printf("\n");
}

static void print_info(const cug_dataset *d) {
    const cug_images *part[2] = {&d->train, &d->test};
    size_t count[2][CUG_MAX_CLASSES] = {{0}};
    char text[32];
    int parts = d->test.count ? 2 : 1;
    printf("%-13s %s\n%-13s %s\n", "data set", d->name, "from", d->where);
    printf("%-13s %d x %d x %d (height, width, channels), unsigned bytes\n", "image", d->train.H, d->train.W,
           d->train.C);
    printf("%-13s %d\n", "classes", d->classes);
    printf("%-13s %12s %12s\n", "", "train", parts == 2 ? "test" : "");
    printf("%-13s", "images");
    for (int p = 0; p < parts; p++) printf(" %12s", data_grouped((size_t)part[p]->count, text));
    double mean[2], sd[2];
    for (int p = 0; p < parts; p++) cug_images_stats(part[p], NULL, 0, &mean[p], &sd[p]);
    printf("\n%-13s", "mean / 255");
    for (int p = 0; p < parts; p++) printf(" %12.6f", mean[p]);
    printf("\n%-13s", "sd / 255");
    for (int p = 0; p < parts; p++) printf(" %12.6f", sd[p]);
    printf("\n");
    for (int p = 0; p < parts; p++)
        for (int i = 0; i < part[p]->count; i++) count[p][part[p]->labels[i]]++;
    for (int c = 0; c < d->classes; c++) {
        char number[16];
        snprintf(number, sizeof number, "%d", c);
        if (strcmp(number, d->class_names[c]) == 0)
            printf("class %-7d", c);
        else
            printf("%d %-11s", c, d->class_names[c]);
        for (int p = 0; p < parts; p++) printf(" %12s", data_grouped(count[p][c], text));
        printf("\n");
    }
    print_first_labels("first train", &d->train);
    if (parts == 2) print_first_labels("first test", &d->test);
}

static int data_info(const data_options *o) {
    cug_dataset *d;
    cug_status st = cug_dataset_open(&d, o->name, o->data_dir);
    if (st != CUG_OK) return cli_fail(st);
    print_info(d);
    cug_dataset_free(d);
    return 0;
}

/* --- command line ------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name, *full, *help;
    int bit;
    int (*run)(const data_options *);
} commands[] = {
    {"fetch", "data fetch", fetch_help, FETCH, data_fetch}, {"verify", "data verify", verify_help, VERIFY, data_verify},
    {"info", "data info", info_help, INFO, data_info},      {"show", "data show", show_help, SHOW, data_show},
    {"list", "data list", list_help, LIST, data_list},
};

enum { O_DATA = 1, O_DIR, O_MIRROR, O_SPLIT, O_START, O_COUNT, O_ROWS, O_CLASS, O_PNG, O_SCALE, O_HELP };

static const struct option long_options[] = {
    {"data", 1, NULL, O_DATA},   {"data-dir", 1, NULL, O_DIR}, {"mirror", 1, NULL, O_MIRROR},
    {"split", 1, NULL, O_SPLIT}, {"start", 1, NULL, O_START},  {"count", 1, NULL, O_COUNT},
    {"rows", 1, NULL, O_ROWS},   {"class", 1, NULL, O_CLASS},  {"png", 1, NULL, O_PNG},
    {"scale", 1, NULL, O_SCALE}, {"help", 0, NULL, O_HELP},    {0}};

/* Which subcommands know the option. */
static const int known_by[] = {[O_DATA] = FETCH | VERIFY | INFO | SHOW,
                               [O_DIR] = FETCH | VERIFY | INFO | SHOW | LIST,
                               [O_MIRROR] = FETCH,
                               [O_SPLIT] = SHOW,
                               [O_START] = SHOW,
                               [O_COUNT] = SHOW,
                               [O_ROWS] = SHOW,
                               [O_CLASS] = SHOW,
                               [O_PNG] = SHOW,
                               [O_SCALE] = SHOW,
                               [O_HELP] = FETCH | VERIFY | INFO | SHOW | LIST};

/* Takes one option; -1 when its value is wrong. */
static int take_option(data_options *o, int option, const char *value) {
    switch (option) {
    case O_DATA:
        o->name = value;
        return 0;
    case O_DIR:
        o->data_dir = value;
        return *value ? 0 : -1;
    case O_MIRROR:
        o->mirror = value;
        return 0;
    case O_CLASS:
        o->class_name = value;
        return 0;
    case O_PNG:
        o->png = value;
        return *value ? 0 : -1;
    case O_START:
        return cli_int(value, 0, 2147483647, &o->start);
    case O_COUNT:
        return cli_int(value, 1, 10000, &o->count);
    case O_ROWS:
        return cli_int(value, 1, 10000, &o->rows);
    case O_SCALE:
        return cli_int(value, 1, 64, &o->scale);
    case O_SPLIT:
        o->test = strcmp(value, "test") == 0;
        return o->test || strcmp(value, "train") == 0 ? 0 : -1;
    default:
        return -1;
    }
}

/* Parses a subcommand's own arguments; returns -1 to go on, else the exit status. */
static int parse(data_options *o, int command, int argc, char **argv) {
    const char *full = commands[command].full;
    optind = 0; /* GNU: start over, whoever used getopt before */
    opterr = 0;
    for (int option, index; (option = getopt_long(argc, argv, ":", long_options, &index)) != -1;) {
        if (option == ':') return cli_usage(full, "%s needs a value", argv[optind - 1]);
        if (option == '?' || !(known_by[option] & commands[command].bit))
            return cli_usage(full, "unknown option %s",
                             option == '?' ? argv[optind - 1] : long_options[option - 1].name);
        if (option == O_HELP) {
            fputs(commands[command].help, stdout);
            return 0;
        }
        if (take_option(o, option, optarg))
            return cli_usage(full, "--%s cannot be \"%s\"", long_options[option - 1].name, optarg);
    }
    if (optind < argc && (commands[command].bit & LIST))
        return cli_usage(full, "takes no data set name, but got \"%s\"", argv[optind]);
    if (argc - optind > 1 || (optind < argc && o->name))
        return cli_usage(full, "one data set at a time: \"%s\" is one too many", argv[argc - 1]);
    if (optind < argc) o->name = argv[optind];
    if (!o->name) o->name = "mnist";
    return -1;
}

int cmd_data(int argc, char **argv) {
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(data_help, stdout);
        return 0;
    }
    if (argc < 2) return cli_usage("data", "say what to do: fetch, verify, info, show or list");
    for (int i = 0; i < (int)(sizeof commands / sizeof *commands); i++) {
        if (strcmp(argv[1], commands[i].name) != 0) continue;
        data_options o = {0};
        int rc = parse(&o, i, argc - 1, argv + 1);
        return rc >= 0 ? rc : commands[i].run(&o);
    }
    return cli_usage("data", "unknown command \"%s\"; there are fetch, verify, info, show and list", argv[1]);
}
