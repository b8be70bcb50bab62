/* gradcheck.c - cuglyph gradcheck. */
#include <cuglyph/gradcheck.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

typedef struct arguments {
    const char *model, *backend;
    int verbose;
    cug_gradcheck_options o;
} arguments;

static void help(void) {
    cug_gradcheck_options o;
    cug_gradcheck_defaults(&o);
    printf(
        "usage: cuglyph gradcheck MODEL [OPTIONS]\n\n"
        "First the float64 reference against central differences, for every parameter tensor and the input; then "
        "every\n"
        "other backend of this machine against the reference, op by op and over a whole training step. Exit status 1\n"
        "when anything disagrees. MODEL: a name from `cuglyph info`, a spec file, or a one-line spec.\n\n"
        "  --backend NAME   check only this one against the reference: cpu, cuda; ref: central differences alone\n"
        "                   (default: all that work here)\n"
        "  --batch N        samples (default %d)\n"
        "  --entries N      entries of each tensor, drawn at random (default %d)\n"
        "  --directions N   random directions through each tensor (default %d)\n"
        "  --seed N         of parameters, inputs and choices (default %llu)\n"
        "  --threads N      of the cpu backend (default 0: one a core)\n"
        "  --precision P    fp32, tf32 or bf16: factors of products, on the backend and, rounded alike, in ref; "
        "central\n"
        "                   differences are always float64 (default fp32)\n"
        "  --conv WHOSE     cuda: convolutions by own kernels, cudnn or auto (default own)\n"
        "  --gemm WHOSE     cuda: dense layers by own kernels, cublas or auto (default own)\n"
        "  --verbose        every row of the backend tables, not only the worst of each layer and what failed\n"
        "  --help           this text\n",
        o.batch, o.entries, o.directions, (unsigned long long)o.seed);
}

static int number(int argc, char **argv, int *i, const char *name, long long lo, long long hi, long long *out,
                  int *rc) {
    const char *v = 0;
    int k = cli_value(argc, argv, i, name, &v);
    if (k < 0 || (k && cli_int(v, lo, hi, out) != 0)) {
        *rc = cli_usage("gradcheck", "%s needs a whole number from %lld to %lld", name, lo, hi);
        return 1;
    }
    return k;
}

/* As cli_value; -1 for a word that is none of them as well. */
static int precision(int argc, char **argv, int *i, cug_precision *out) {
    const char *v = 0;
    int k = cli_value(argc, argv, i, "--precision", &v);
    for (cug_precision p = CUG_PREC_FP32; k > 0 && cug_precision_name(p); p++)
        if (strcmp(v, cug_precision_name(p)) == 0) {
            *out = p;
            return 1;
        }
    return k ? -1 : 0;
}

static int parse(int argc, char **argv, arguments *a) {
    long long v = 0;
    int rc = 0;
    for (int i = 1; i < argc && !rc; i++) {
        int k = cli_value(argc, argv, &i, "--backend", &a->backend);
        if (k < 0) return cli_usage("gradcheck", "--backend needs a name");
        if (!k && (k = precision(argc, argv, &i, &a->o.precision)) < 0)
            return cli_usage("gradcheck", "--precision needs fp32, tf32 or bf16");
        if (!k) k = cli_whose(argc, argv, &i, "gradcheck", "--conv", "cudnn", &a->o.conv);
        if (!k) k = cli_whose(argc, argv, &i, "gradcheck", "--gemm", "cublas", &a->o.gemm);
        if (k < 0) return 2;
        if (k) continue;
        if (number(argc, argv, &i, "--batch", 1, 4096, &v, &rc))
            a->o.batch = (int)v;
        else if (number(argc, argv, &i, "--entries", 1, 1000000, &v, &rc))
            a->o.entries = (int)v;
        else if (number(argc, argv, &i, "--directions", 0, 1000, &v, &rc))
            a->o.directions = (int)v;
        else if (number(argc, argv, &i, "--seed", 0, INT64_MAX, &v, &rc))
            a->o.seed = (uint64_t)v;
        else if (number(argc, argv, &i, "--threads", 0, 1024, &v, &rc))
            a->o.threads = (int)v;
        else if (strcmp(argv[i], "--verbose") == 0)
            a->verbose = 1;
        else if (argv[i][0] == '-' || a->model)
            return cli_usage("gradcheck", "unexpected argument '%s'", argv[i]);
        else
            a->model = argv[i];
    }
    if (!rc && !a->model) return cli_usage("gradcheck", "which model?");
    if (!rc && a->backend && !cug_backend_find(a->backend))
        return cli_usage("gradcheck", "no backend '%s' in this build", a->backend);
    return rc;
}

static void print_numeric(const cug_check_table *t) {
    printf("%-24s %9s %8s %8s %11s  %s\n", "ref, central differences", "elements", "checked", "skipped", "worst/tol",
           "");
    for (int i = 0; i < t->n; i++) {
        const cug_check_row *r = &t->rows[i];
        printf("  %-22s %9zu %8d %8d %11.3g  %s\n", r->tensor, r->count, r->checked, r->skipped, r->worst,
               r->failed ? "FAILED" : "ok");
        if (r->failed)
            printf("    %d of %d disagree; at the worst: gradient %.9g, difference quotient %.9g\n", r->failed,
                   r->checked, r->got, r->want);
    }
}

static void print_parity(const cug_check_table *t, const char *name, int verbose) {
    int hidden = 0;
    char head[64];
    snprintf(head, sizeof head, "%s against ref", name);
    printf("\n%-42s %9s %11s\n", head, "elements", "worst/tol");
    for (int i = 0; i < t->n; i++) {
        const cug_check_row *r = &t->rows[i];
        if (!verbose && !r->failed && !strstr(r->tensor, "gradient") && strncmp(r->tensor, "step: loss", 10) != 0) {
            hidden++;
            continue;
        }
        printf("  %-40s %9zu %11.3g  %s\n", r->tensor, r->count, r->worst, r->failed ? "FAILED" : "ok");
        if (r->failed) printf("    at the worst: got %.9g, reference %.9g\n", r->got, r->want);
    }
    if (hidden) printf("  and %d more tensors ok (--verbose lists them)\n", hidden);
}

/* 0 agreed, 1 not (said). */
static int settle(cug_status st) { return st == CUG_OK ? 0 : cli_fail(st); }

static int check(const cug_graph *g, const arguments *a) {
    cug_check_table t;
    const cug_backend *ref = cug_backend_find("ref");
    cug_status st = cug_gradcheck_numeric(&t, g, ref, &a->o);
    print_numeric(&t);
    fflush(stdout);
    cug_check_table_free(&t);
    int rc = settle(st);
    for (int i = 0; cug_backend_at(i); i++) {
        const cug_backend *be = cug_backend_at(i);
        if (be == ref || (a->backend && strcmp(a->backend, be->name) != 0)) continue;
        const cug_device_options o = {
            .threads = a->o.threads, .precision = a->o.precision, .conv = a->o.conv, .gemm = a->o.gemm};
        cug_device *dev = 0;
        st = be->open(&dev, &o);
        if (st != CUG_OK) {
            if (a->backend || (st == CUG_ENOENT && strcmp(be->name, "cuda") == 0)) return cli_fail(st);
            printf("\n%s: not checked: %s\n", be->name, cug_error());
            continue;
        }
        be->close(dev);
        st = cug_gradcheck_parity(&t, g, ref, be, &a->o);
        print_parity(&t, be->name, a->verbose);
        fflush(stdout);
        cug_check_table_free(&t);
        rc |= settle(st);
    }
    if (!rc) printf("\nall gradients agree\n");
    return rc;
}

int cmd_gradcheck(int argc, char **argv) {
    arguments a = {0};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help();
            return 0;
        }
    cug_gradcheck_defaults(&a.o);
    int rc = parse(argc, argv, &a);
    if (rc) return rc;
    cug_graph *g = 0;
    cug_status st = cug_model_load(&g, a.model);
    if (st != CUG_OK) return cli_fail(st);
    rc = check(g, &a);
    cug_graph_free(g);
    return rc;
}
