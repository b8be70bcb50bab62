/* eval.c - cuglyph eval. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/progress.h"
#include "train/report.h"

typedef struct arguments {
    cug_eval_request req;
    int json;
} arguments;

static void help(void) {
    printf("usage: cuglyph eval RUN [OPTIONS]\n\n"
           "Loss, accuracy with its 95 %% interval, confusion matrix, and precision, recall and F1 of each class, of a "
           "run\n"
           "folder or a checkpoint file.\n\n"
           "  --weights W      best or last (default: those of the run's own final figure)\n"
           "  --part P         test, val or train (default: test)\n"
           "  --data NAME      another data set: mnist, fashion-mnist, idx:IMAGES,LABELS (default: the run's)\n"
           "  --data-dir DIR   where it lies (default: the run's, else CUGLYPH_DATA, else the cache folder)\n"
           "  --device D       auto, cpu, ref, cuda or cuda:N (default: the run's)\n"
           "  --precision P    fp32, tf32 or bf16 (default: the run's)\n"
           "  --conv WHOSE     GPU: convolutions by own kernels, cudnn or auto (default: the run's)\n"
           "  --gemm WHOSE     GPU: dense layers by own kernels, cublas or auto (default: the run's)\n"
           "  --eval-batch N   images at a time (default: the run's)\n"
           "  --threads N      of the cpu backend (default: the run's)\n"
           "  --json           one JSON object instead of tables\n"
           "  --help           this text\n");
}

static int parse(int argc, char **argv, arguments *a) {
    const struct {
        const char *name;
        const char **out;
    } texts[] = {{"--weights", &a->req.weights},   {"--part", &a->req.part},     {"--data", &a->req.data},
                 {"--data-dir", &a->req.data_dir}, {"--device", &a->req.device}, {"--precision", &a->req.precision},
                 {"--conv", &a->req.conv},         {"--gemm", &a->req.gemm}};
    const struct {
        const char *name;
        int64_t *out;
    } numbers[] = {{"--eval-batch", &a->req.eval_batch}, {"--threads", &a->req.threads}};
    for (int i = 1; i < argc; i++) {
        int k = 0;
        for (size_t t = 0; t < sizeof texts / sizeof *texts && !k; t++)
            if ((k = cli_value(argc, argv, &i, texts[t].name, texts[t].out)) < 0)
                return cli_usage("eval", "%s needs a value", texts[t].name);
        for (size_t t = 0; t < sizeof numbers / sizeof *numbers && !k; t++) {
            const char *v = 0;
            long long x = 0;
            k = cli_value(argc, argv, &i, numbers[t].name, &v);
            if (k < 0 || (k && cli_int(v, 1, 65536, &x) != 0))
                return cli_usage("eval", "%s needs a whole number from 1 to 65536", numbers[t].name);
            if (k) *numbers[t].out = x;
        }
        if (k) continue;
        if (strcmp(argv[i], "--json") == 0)
            a->json = 1;
        else if (argv[i][0] == '-' || a->req.run)
            return cli_usage("eval", "unexpected argument '%s'", argv[i]);
        else
            a->req.run = argv[i];
    }
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

static void print_tables(const cug_evaluation *e, const cug_eval_info *info, const char *part) {
    int w = width_of(info, e->classes);
    printf("%s, %s weights, on %s %s (%lld images), %s\n", info->model, info->weights, info->data, part,
           (long long)e->count, info->device);
    printf("accuracy %.2f%%  (95 %% interval %.2f%% - %.2f%%)  errors %lld  loss %.6f\n", 100 * e->accuracy,
           100 * e->low, 100 * e->high, (long long)(e->count - e->correct), e->loss);
    if (e->classes <= 20) print_confusion(e, info, w);
    printf("\n  %*s %9s %9s %9s %9s\n", w, "class", "precision", "recall", "F1", "images");
    for (int c = 0; c < e->classes; c++) {
        const cug_class_score *s = &e->per_class[c];
        printf("  %*s %9.4f %9.4f %9.4f %9lld\n", w, info->class_names[c], s->precision, s->recall, s->f1,
               (long long)s->support);
    }
    printf("  %*s %9.4f %9.4f %9.4f\n", w, "macro", e->macro_precision, e->macro_recall, e->macro_f1);
}

static int print_json(const cug_evaluation *e, const cug_eval_info *info, const char *part) {
    json_t *o = json_pack("{s:s s:s s:s s:s s:s s:I s:I s:o s:f s:[ff]}", "model", info->model, "weights",
                          info->weights, "data", info->data, "part", part, "device", info->device, "images",
                          (json_int_t)e->count, "correct", (json_int_t)e->correct, "loss", report_real(e->loss),
                          "accuracy", e->accuracy, "accuracy_95", e->low, e->high);
    int ok = o && report_scores(o, e, (const char(*)[32])info->class_names) == 0;
    char *text = ok ? json_dumps(o, JSON_INDENT(2) | REPORT_DIGITS) : 0;
    json_decref(o);
    if (!text) return cli_fail(cug_fail(CUG_ENOMEM, "out of memory for the result"));
    puts(text);
    free(text);
    return 0;
}

int cmd_eval(int argc, char **argv) {
    arguments a = {0};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help();
            return 0;
        }
    int rc = parse(argc, argv, &a);
    if (rc) return rc;
    cli_progress progress;
    cug_evaluation e;
    static cug_eval_info info; /* large: 256 class names */
    cli_progress_init(&progress, 0);
    a.req.on_event = cli_progress_event;
    a.req.user = &progress;
    cug_status st = cug_eval(&a.req, &e, &info);
    cli_progress_clear(&progress);
    if (st != CUG_OK) return cli_fail(st);
    const char *part = a.req.part ? a.req.part : "test";
    if (a.json)
        rc = print_json(&e, &info, part);
    else
        print_tables(&e, &info, part);
    cug_evaluation_free(&e);
    return rc;
}
