/* eval.c - cuglyph eval. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/picture.h"
#include "cli/progress.h"
#include "train/report.h"

typedef struct arguments {
    cug_eval_request req;
    int64_t top_k, worst;
    int json;
    const char *json_file, *worst_png;
} arguments;

enum { DEFAULT_WORST = 10, MAX_WORST = 10000, PNG_SCALE = 3 };

static void help(void) {
    printf("usage: cuglyph eval RUN [OPTIONS]\n\n"
           "Loss, accuracy with its 95 %% interval, top-k accuracy, calibration, confusion matrix, precision,\n"
           "recall and F1 of each class with their averages, and the samples of greatest loss, of a run\n"
           "folder or a checkpoint file.\n\n"
           "  --weights W       best or last (default: those of the run's own final figure)\n"
           "  --part P          test, val or train (default: test)\n"
           "  --data NAME       another data set: mnist, fashion-mnist, idx:IMAGES,LABELS (default: the run's)\n"
           "  --data-dir DIR    where it lies (default: the run's, else CUGLYPH_DATA, else the cache folder)\n"
           "  --device D        auto, cpu, ref, cuda or cuda:N (default: the run's)\n"
           "  --precision P     fp32, tf32 or bf16 (default: the run's)\n"
           "  --conv WHOSE      GPU: convolutions by own kernels, cudnn or auto (default: the run's)\n"
           "  --gemm WHOSE      GPU: dense layers by own kernels, cublas or auto (default: the run's)\n"
           "  --eval-batch N    images at a time (default: the run's)\n"
           "  --threads N       of the cpu backend (default: the run's)\n"
           "  --top-k K         how often the label is among the K most probable (default: 2 and 5)\n"
           "  --worst N         how many samples of greatest loss (default: %d; 0: none)\n"
           "  --worst-png FILE  a picture of them, row by row\n"
           "  --json            one JSON object instead of tables\n"
           "  --json=FILE       the same into a file, beside the tables\n"
           "  --help            this text\n",
           DEFAULT_WORST);
}

static int parse(int argc, char **argv, arguments *a) {
    const struct {
        const char *name;
        const char **out;
    } texts[] = {{"--weights", &a->req.weights},   {"--part", &a->req.part},     {"--data", &a->req.data},
                 {"--data-dir", &a->req.data_dir}, {"--device", &a->req.device}, {"--precision", &a->req.precision},
                 {"--conv", &a->req.conv},         {"--gemm", &a->req.gemm},     {"--worst-png", &a->worst_png}};
    const struct {
        const char *name;
        int64_t *out;
        int least, most;
    } numbers[] = {{"--eval-batch", &a->req.eval_batch, 1, 65536},
                   {"--threads", &a->req.threads, 1, 1024},
                   {"--top-k", &a->top_k, 1, CUG_SCORE_CLASSES},
                   {"--worst", &a->worst, 0, MAX_WORST}};
    for (int i = 1; i < argc; i++) {
        int k = 0;
        for (size_t t = 0; t < sizeof texts / sizeof *texts && !k; t++)
            if ((k = cli_value(argc, argv, &i, texts[t].name, texts[t].out)) < 0)
                return cli_usage("eval", "%s needs a value", texts[t].name);
        for (size_t t = 0; t < sizeof numbers / sizeof *numbers && !k; t++) {
            const char *v = 0;
            long long x = 0;
            k = cli_value(argc, argv, &i, numbers[t].name, &v);
            if (k < 0 || (k && cli_int(v, numbers[t].least, numbers[t].most, &x) != 0))
                return cli_usage("eval", "%s needs a whole number from %d to %d", numbers[t].name, numbers[t].least,
                                 numbers[t].most);
            if (k) *numbers[t].out = x;
        }
        if (k) continue;
        if (strcmp(argv[i], "--json") == 0)
            a->json = 1;
        else if (strncmp(argv[i], "--json=", 7) == 0 && argv[i][7])
            a->json_file = argv[i] + 7;
        else if (argv[i][0] == '-' || a->req.run)
            return cli_usage("eval", "unexpected argument '%s'", argv[i]);
        else
            a->req.run = argv[i];
    }
    if (a->json_file && strcmp(a->json_file, "-") == 0) {
        a->json = 1;
        a->json_file = 0;
    }
    if (a->worst_png && !a->worst) return cli_usage("eval", "--worst-png needs --worst of at least 1");
    a->req.worst = (int)a->worst;
    return a->req.run ? 0 : cli_usage("eval", "which run folder or checkpoint file?");
}

static int width_of(const cug_eval_info *info, int classes) {
    int w = 5;
    for (int c = 0; c < classes; c++)
        if ((int)strlen(info->class_names[c]) > w) w = (int)strlen(info->class_names[c]);
    return w;
}

static void print_confusion(const cug_evaluation *e, const cug_eval_info *info, int w) {
    printf("\nconfusion matrix (row: label, column: prediction)\n%*s", w + 2, "");
    for (int c = 0; c < e->classes; c++) printf(" %*.*s", 6, 6, info->class_names[c]);
    printf("\n");
    for (int r = 0; r < e->classes; r++) {
        printf("  %*s", w, info->class_names[r]);
        for (int c = 0; c < e->classes; c++) {
            long long n = (long long)e->confusion[r * e->classes + c];
            if (n)
                printf(" %6lld", n);
            else
                printf(" %6s", ".");
        }
        printf("\n");
    }
}

static void print_top_k(const cug_sample_scores *s, int64_t only) {
    const int usual[] = {2, 5};
    if (only) {
        printf("top-%lld accuracy %.2f%%\n", (long long)only, 100 * cug_top_k(s, (int)only));
        return;
    }
    for (int i = 0; i < 2; i++) /* as many as classes is always 100 % */
        if (usual[i] < s->classes)
            printf("%stop-%d accuracy %.2f%%", i ? "  " : "", usual[i], 100 * cug_top_k(s, usual[i]));
    if (s->classes > usual[0]) printf("\n");
}

static void print_average(const char *name, const cug_averages *a, int w) {
    printf("  %*s %9.4f %9.4f %9.4f\n", w, name, a->precision, a->recall, a->f1);
}

static void print_worst(const cug_sample_scores *s, const cug_eval_info *info, int w) {
    if (!s->n_worst) return;
    printf("\nsamples of greatest loss\n  %9s  %*s  %*s %12s %12s %9s\n", "image", w, "label", w > 10 ? w : 10,
           "prediction", "probability", "label's", "loss");
    for (int i = 0; i < s->n_worst; i++) {
        const cug_sample *x = &s->worst[i];
        printf("  %9d  %*s  %*s %11.2f%% %11.4f%% %9.4f\n", x->id, w, info->class_names[x->label], w > 10 ? w : 10,
               info->class_names[x->predicted], 100 * (double)x->p_predicted, 100 * (double)x->p_label, x->loss);
    }
}

static void print_tables(const cug_evaluation *e, const cug_sample_scores *s, const cug_eval_info *info,
                         const arguments *a) {
    int name = width_of(info, e->classes), w = name > 8 ? name : 8; /* "weighted" */
    printf("%s, %s weights, on %s %s (%lld images), %s\n", info->model, info->weights, info->data, a->req.part,
           (long long)e->count, info->device);
    printf("accuracy %.2f%%  (95 %% interval %.2f%% - %.2f%%)  errors %lld  loss %.6f\n", 100 * e->accuracy,
           100 * e->low, 100 * e->high, (long long)(e->count - e->correct), e->loss);
    print_top_k(s, a->top_k);
    printf("mean confidence %.2f%%  expected calibration error %.4f (%d bins)\n",
           100 * s->confidence_sum / (double)s->count, cug_scores_calibration_error(s), CUG_CALIBRATION_BINS);
    if (e->classes <= 20) print_confusion(e, info, name);
    printf("\n  %*s %9s %9s %9s %9s\n", w, "class", "precision", "recall", "F1", "images");
    for (int c = 0; c < e->classes; c++) {
        const cug_class_score *k = &e->per_class[c];
        printf("  %*s %9.4f %9.4f %9.4f %9lld\n", w, info->class_names[c], k->precision, k->recall, k->f1,
               (long long)k->support);
    }
    print_average("macro", &e->macro, w);
    print_average("micro", &e->micro, w);
    print_average("weighted", &e->weighted, w);
    print_worst(s, info, w);
}

/* The whole as JSON text, to be freed; NULL: out of memory. */
static char *json_text(const cug_evaluation *e, const cug_sample_scores *s, const cug_eval_info *info,
                       const char *part) {
    const char(*names)[32] = (const char(*)[32])info->class_names;
    json_t *o = json_pack("{s:s s:s s:s s:s s:s s:I s:I s:o s:f s:[ff]}", "model", info->model, "weights",
                          info->weights, "data", info->data, "part", part, "device", info->device, "images",
                          (json_int_t)e->count, "correct", (json_int_t)e->correct, "loss", report_real(e->loss),
                          "accuracy", e->accuracy, "accuracy_95", e->low, e->high);
    int ok = o && report_scores(o, e, names) == 0 && report_samples(o, s, names) == 0;
    char *text = ok ? json_dumps(o, JSON_INDENT(2) | REPORT_DIGITS) : 0;
    json_decref(o);
    return text;
}

static int put_json(const cug_evaluation *e, const cug_sample_scores *s, const cug_eval_info *info,
                    const arguments *a) {
    char *text = json_text(e, s, info, a->req.part);
    if (!text) return cli_fail(cug_fail(CUG_ENOMEM, "out of memory for the result"));
    cug_status st = CUG_OK;
    size_t n = strlen(text);
    text[n] = '\n'; /* in place of the terminator: the file ends in a line break */
    if (a->json_file)
        st = cug_write_atomic(a->json_file, text, n + 1);
    else
        fwrite(text, 1, n + 1, stdout);
    free(text);
    return st == CUG_OK ? 0 : cli_fail(st);
}

static int put_picture(const cug_sample_scores *s, const arguments *a) {
    const picture_set set = {s->pixels, s->H, s->W, s->C};
    size_t n = (size_t)s->n_worst, columns = picture_columns(n, 0);
    cug_status st = picture_grid(a->worst_png, &set, 0, n, columns, PNG_SCALE, 0, 0);
    if (st != CUG_OK) return cli_fail(st);
    if (!a->json) printf("%s: they are drawn, %zu in a row\n", a->worst_png, columns);
    return 0;
}

int cmd_eval(int argc, char **argv) {
    arguments a = {.worst = DEFAULT_WORST, .req = {.part = "test"}};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help();
            return 0;
        }
    int rc = parse(argc, argv, &a);
    if (rc) return rc;
    cli_progress progress;
    cug_evaluation e;
    cug_sample_scores samples;
    static cug_eval_info info; /* large: 256 class names */
    cli_progress_init(&progress, 0);
    a.req.samples = &samples;
    a.req.on_event = cli_progress_event;
    a.req.user = &progress;
    cug_status st = cug_eval(&a.req, &e, &info);
    cli_progress_clear(&progress);
    if (st != CUG_OK) return cli_fail(st);
    if (!a.json) print_tables(&e, &samples, &info, &a);
    if (a.json || a.json_file) rc = put_json(&e, &samples, &info, &a);
    if (!rc && a.worst_png) rc = put_picture(&samples, &a);
    cug_evaluation_free(&e);
    cug_sample_scores_free(&samples);
    return rc;
}
