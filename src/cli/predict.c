/* predict.c - cuglyph predict: which digit is that? */
#include "cli/predict.h"
#include "cli/cli.h"
#include <cuglyph/idx.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { RUNNERS_UP = 2, CHUNK = 256 };

static void help(void) {
    printf("usage: cuglyph predict RUN FILE... [OPTIONS]\n\n"
           "What a run folder or a checkpoint file says of each FILE: a PNG picture of a handwritten digit,\n"
           "or an IDX file of images (plain or gzip).\n\n"
           "A picture may have any size and colours. It is prepared as MNIST was made: grey, ink light on\n"
           "black, cropped to the ink, fitted into 20x20, its centre of mass in the middle of 28x28 (other\n"
           "models: in proportion). Images of an IDX file, and pictures for models of colour images, are\n"
           "taken as they are.\n\n"
           "  --invert I          auto, yes (dark ink) or no (light ink); auto compares with the border\n"
           "                      (default: auto)\n"
           "  --raw               no preparation, only resized to the model's input; --invert yes inverts\n"
           "  --index I, A-B      which images of IDX files (default: all)\n"
           "  --top N             how many of the next probable classes are shown (default: %d)\n"
           "  --show              prints each image as the net saw it\n"
           "  --save-prepared DIR writes each image as the net saw it, as PNG\n"
           "  --json              a JSON array with all probabilities instead of text\n"
           "  --weights W         best or last (default: those of the run's own final figure)\n"
           "  --device D          auto, cpu, ref, cuda or cuda:N (default: the run's)\n"
           "  --threads N         of the cpu backend (default: the run's)\n"
           "  --help              this text\n\n"
           "Exit status 1 when any file failed; the others are answered all the same.\n",
           RUNNERS_UP);
}

static int parse_index(const char *text, predict_options *o) {
    char first[32];
    const char *dash = strchr(text, '-');
    size_t n = dash ? (size_t)(dash - text) : strlen(text);
    if (n >= sizeof first) return -1;
    memcpy(first, text, n);
    first[n] = 0;
    if (cli_int(first, 0, INT32_MAX, &o->first) != 0) return -1;
    o->last = o->first;
    return dash ? cli_int(dash + 1, o->first, INT32_MAX, &o->last) : 0;
}

static int parse_invert(const char *text, cug_invert *out) {
    static const char *const words[] = {"auto", "no", "yes"}; /* in cug_invert's order */
    for (int i = 0; i < 3; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = (cug_invert)i;
            return 0;
        }
    return -1;
}

/* One option with a value; 1 taken, 0 another argument, -1 (with *rc set) wrong. */
static int parse_value(int argc, char **argv, int *i, predict_options *o, int *rc) {
    static const char *const names[] = {"--weights", "--device", "--threads",      "--invert",
                                        "--index",   "--top",    "--save-prepared"};
    const char *v = NULL;
    size_t n = 0;
    int k = 0;
    while (n < sizeof names / sizeof *names && !(k = cli_value(argc, argv, i, names[n], &v))) n++;
    if (k < 0) *rc = cli_usage("predict", "%s needs a value", names[n]);
    if (k <= 0) return k;
    long long threads = 0;
    switch (n) {
    case 0:
        o->model.weights = v;
        return 1;
    case 1:
        o->model.device = v;
        return 1;
    case 2:
        if (cli_int(v, 1, 1024, &threads) == 0) break;
        *rc = cli_usage("predict", "--threads needs a whole number from 1 to 1024");
        return -1;
    case 3:
        if (parse_invert(v, &o->invert) == 0) return 1;
        *rc = cli_usage("predict", "--invert '%s': expected auto, yes or no", v);
        return -1;
    case 4:
        if (parse_index(v, o) == 0) return 1;
        *rc = cli_usage("predict", "--index '%s': expected a number, or FIRST-LAST", v);
        return -1;
    case 5:
        if (cli_int(v, 0, CUG_MAX_CLASSES, &o->top) == 0) return 1;
        *rc = cli_usage("predict", "--top needs a whole number from 0 to %d", CUG_MAX_CLASSES);
        return -1;
    default:
        o->save = v;
        return 1;
    }
    o->model.threads = threads;
    return 1;
}

/* Files are gathered at argv's start, in order; their number in *n. */
static int parse(int argc, char **argv, predict_options *o, int *n) {
    int rc = 0, only_files = 0;
    *n = 0;
    for (int i = 1; i < argc; i++) {
        int k = only_files ? 0 : parse_value(argc, argv, &i, o, &rc);
        if (k < 0) return rc;
        if (k) continue;
        if (!only_files && strcmp(argv[i], "--") == 0)
            only_files = 1;
        else if (!only_files && strcmp(argv[i], "--raw") == 0)
            o->raw = 1;
        else if (!only_files && strcmp(argv[i], "--json") == 0)
            o->json = 1;
        else if (!only_files && strcmp(argv[i], "--show") == 0)
            o->show = 1;
        else if (!only_files && argv[i][0] == '-')
            return cli_usage("predict", "unexpected argument '%s'", argv[i]);
        else if (!o->model.run)
            o->model.run = argv[i];
        else
            argv[(*n)++] = argv[i];
    }
    if (!o->model.run) return cli_usage("predict", "which run folder or checkpoint file?");
    if (!*n) return cli_usage("predict", "which pictures? name PNG or IDX files after the run");
    if (o->json && o->show) return cli_usage("predict", "--show and --json exclude each other");
    return 0;
}

static cug_status predict_picture(cug_predictor *m, predict_output *out, const char *path) {
    const cug_predictor_info *about = cug_predictor_about(m);
    const predict_options *o = out->o;
    cug_picture p = {0};
    float probabilities[CUG_MAX_CLASSES];
    cug_status st;
    answer a = {.file = path, .image = -1, .p = probabilities};
    uint8_t *pixels = malloc((size_t)about->H * (size_t)about->W * (size_t)about->C);
    if (!pixels) return cug_fail(CUG_ENOMEM, "%s: out of memory", path);
    CUG_GOTO(cug_png_read(&p, path));
    if (o->raw || about->C != 1)
        st = cug_prepare_resize(pixels, about->H, about->W, about->C, &p, o->invert);
    else
        st = cug_prepare_digit(pixels, about->H, about->W, &p, o->invert);
    if (st != CUG_OK) {
        cug_fail_at(st, "%s", path);
        goto cleanup;
    }
    CUG_GOTO(cug_predict(m, pixels, 1, probabilities, &a.predicted));
    a.pixels = pixels;
    st = predict_output_add(out, &a);
cleanup:
    cug_picture_free(&p);
    free(pixels);
    return st;
}

static cug_status check_idx(const cug_idx *x, const cug_predictor_info *about, const char *path) {
    if (x->ndim < 3)
        return cug_fail(CUG_EDATA_SHAPE, "%s: an IDX file of rank %d holds no images%s", path, x->ndim,
                        x->ndim == 1 ? " (labels?)" : "");
    uint32_t C = x->ndim == 4 ? x->dims[3] : 1;
    if (x->dims[1] != (uint32_t)about->H || x->dims[2] != (uint32_t)about->W || C != (uint32_t)about->C)
        return cug_fail(CUG_EDATA_SHAPE, "%s: images of %ux%ux%u, but %s takes %dx%dx%d", path, x->dims[1], x->dims[2],
                        C, about->model, about->H, about->W, about->C);
    return CUG_OK;
}

static cug_status predict_idx(cug_predictor *m, predict_output *out, const char *path) {
    const cug_predictor_info *about = cug_predictor_about(m);
    size_t size = (size_t)about->H * (size_t)about->W * (size_t)about->C, classes = (size_t)about->classes;
    cug_idx x = {0};
    cug_status st;
    int32_t predicted[CHUNK];
    float *p = malloc(CHUNK * classes * sizeof *p);
    if (!p) return cug_fail(CUG_ENOMEM, "%s: out of memory", path);
    CUG_GOTO(cug_idx_read(&x, path));
    CUG_GOTO(check_idx(&x, about, path));
    size_t first = out->o->last < 0 ? 0 : (size_t)out->o->first;
    size_t end = out->o->last < 0 ? x.dims[0] : (size_t)out->o->last + 1;
    if (end > x.dims[0]) {
        st = cug_fail(CUG_EINVAL, "%s: no image %zu, they are numbered 0 to %u", path, end - 1, x.dims[0] - 1);
        goto cleanup;
    }
    for (size_t from = first; from < end; from += CHUNK) {
        size_t n = end - from < CHUNK ? end - from : CHUNK;
        CUG_GOTO(cug_predict(m, x.data + from * size, n, p, predicted));
        for (size_t i = 0; i < n; i++) {
            const answer a = {path, (int64_t)(from + i), x.data + (from + i) * size, predicted[i], p + i * classes};
            CUG_GOTO(predict_output_add(out, &a));
        }
    }
cleanup:
    cug_idx_free(&x);
    free(p);
    return st;
}

/* The first bytes tell what a file is: PNG's signature, gzip or IDX's two zeros. */
static cug_status predict_file(cug_predictor *m, predict_output *out, const char *path) {
    uint8_t head[4] = {0};
    struct stat sb;
    FILE *f = fopen(path, "rbe");
    if (!f) return cug_fail(errno == ENOENT ? CUG_ENOENT : CUG_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    if (fstat(fileno(f), &sb) == 0 && !S_ISREG(sb.st_mode)) {
        fclose(f);
        return cug_fail(CUG_EINVAL, "%s: not a regular file; name PNG or IDX files", path);
    }
    size_t n = fread(head, 1, sizeof head, f);
    fclose(f);
    if (n == 4 && memcmp(head, "\x89PNG", 4) == 0) return predict_picture(m, out, path);
    if (n == 4 && ((head[0] == 0x1f && head[1] == 0x8b) || (head[0] == 0 && head[1] == 0)))
        return predict_idx(m, out, path);
    const char *what = n == 0                               ? "empty"
                       : head[0] == 0xff && head[1] == 0xd8 ? "a JPEG picture"
                       : memcmp(head, "GIF8", 4) == 0       ? "a GIF picture"
                       : head[0] == 'B' && head[1] == 'M'   ? "a BMP picture"
                                                            : "neither PNG nor IDX";
    return cug_fail(CUG_EPNG, "%s: %s; save the picture as PNG", path, what);
}

int cmd_predict(int argc, char **argv) {
    predict_options o = {.top = RUNNERS_UP, .last = -1};
    predict_output out;
    cug_predictor *m = NULL;
    int n = 0, failed = 0;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help();
            return 0;
        }
    int rc = parse(argc, argv, &o, &n);
    if (rc) return rc;
    cug_status st = cug_predictor_open(&m, &o.model);
    if (st != CUG_OK) return cli_fail(st);
    st = predict_output_open(&out, &o, cug_predictor_about(m));
    for (int i = 0; i < n && st == CUG_OK; i++) {
        cug_status one = predict_file(m, &out, argv[i]);
        if (one == CUG_OK) continue;
        predict_output_failed(&out, argv[i], one);
        failed = 1;
    }
    if (st == CUG_OK) st = predict_output_close(&out);
    cug_predictor_close(m);
    return st == CUG_OK ? failed : cli_fail(st);
}
