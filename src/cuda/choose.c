/* choose.c - settling whose code runs a product: by name, or by timing both once and remembering it in a file. */
#include "cuda/choose.h"
#include "cuda/cuda.h"
#include "cuda/time_both.h"
#include "data/places.h"
#include "io/choices.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY_WINS 0.98 /* of the own kernels' time: a tie is not worth other code */

typedef struct settled {
    struct settled *next;
    cug_decision d;
    char why[200];
} settled;

struct cug_chooser {
    cug_device *dev;
    cug_choice conv, gemm;
    cug_cublas *cublas;
    cug_cudnn *cudnn;
    char cublas_name[32], cudnn_name[32]; /* as in the file */
    settled *first, *last;
    cug_choice_file file;
    char path[4200]; /* "": nothing is remembered */
    int unsaved;
    char note[400];
};

static void add_note(cug_chooser *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add_note(cug_chooser *c, const char *fmt, ...) {
    size_t used = strlen(c->note);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(c->note + used, sizeof c->note - used, fmt, ap);
    va_end(ap);
}

/* The file of this machine; one that is broken or of another machine is left aside and written anew. */
static cug_status open_file(cug_chooser *c) {
    struct cudaDeviceProp p;
    char machine[sizeof c->file.machine];
    int driver = 0, runtime = 0;
    CUDA_TRY(c->dev, cudaGetDeviceProperties(&p, c->dev->ordinal));
    CUDA_TRY(c->dev, cudaDriverGetVersion(&driver));
    CUDA_TRY(c->dev, cudaRuntimeGetVersion(&runtime));
    snprintf(machine, sizeof machine, "%.200s, sm_%d%d, driver %d, runtime %d, cuglyph %.40s", p.name, p.major, p.minor,
             driver, runtime, CUG_VERSION);
    for (char *m = machine; *m; m++)
        if ((unsigned char)*m < ' ' || *m == 127) *m = '?';
    if (cug_choices_path(c->path, sizeof c->path, machine) != CUG_OK) {
        c->path[0] = 0;
        add_note(c, ", timings are not kept: %.160s", cug_error());
    }
    cug_status st = c->path[0] ? cug_choices_read(&c->file, c->path) : CUG_ENOENT;
    if (st == CUG_OK && strcmp(c->file.machine, machine) != 0) {
        cug_choices_free(&c->file);
        st = cug_fail(CUG_EINVAL, "%s: of another machine", c->path);
    }
    if (st != CUG_OK && st != CUG_ENOENT) add_note(c, ", file of choices ignored: %.200s", cug_error());
    snprintf(c->file.machine, sizeof c->file.machine, "%s", machine);
    return CUG_OK;
}

static void version_name(char out[32], const char *library, size_t version, int nondeterministic) {
    snprintf(out, 32, "%s-%zu%s", library, version, nondeterministic ? "-any" : "");
}

/* What became of one option. */
static cug_status settle_option(cug_chooser *c, const char *option, cug_choice *choice, cug_status opened,
                                const char *name) {
    if (opened != CUG_OK && *choice == CUG_CHOOSE_LIBRARY) return opened;
    if (opened == CUG_OK)
        add_note(c, *choice == CUG_CHOOSE_AUTO ? ", %s auto (%s)" : ", %s by %s", option, name);
    else
        add_note(c, ", %s auto: own kernels, for %.200s", option, cug_error());
    if (opened != CUG_OK) *choice = CUG_CHOOSE_OWN;
    return CUG_OK;
}

cug_status cug_choose_open(cug_chooser **out, cug_device *dev, const cug_device_options *opt) {
    cug_status st = CUG_OK, opened;
    *out = NULL;
    if (!opt || (opt->conv == CUG_CHOOSE_OWN && opt->gemm == CUG_CHOOSE_OWN)) return CUG_OK;
    cug_chooser *c = calloc(1, sizeof *c);
    if (!c) return cug_fail(CUG_ENOMEM, "out of memory for the choice of kernels");
    c->dev = dev;
    c->conv = opt->conv;
    c->gemm = opt->gemm;
    if (c->conv != CUG_CHOOSE_OWN) {
        opened = cug_cudnn_open(&c->cudnn, opt->nondeterministic);
        if (opened == CUG_OK) version_name(c->cudnn_name, "cudnn", cug_cudnn_version(c->cudnn), opt->nondeterministic);
        CUG_GOTO(settle_option(c, "conv", &c->conv, opened, c->cudnn_name));
    }
    if (c->gemm != CUG_CHOOSE_OWN) {
        opened = cug_cublas_open(&c->cublas, opt->nondeterministic);
        if (opened == CUG_OK)
            version_name(c->cublas_name, "cublasLt", cug_cublas_version(c->cublas), opt->nondeterministic);
        CUG_GOTO(settle_option(c, "gemm", &c->gemm, opened, c->cublas_name));
    }
    if (c->conv == CUG_CHOOSE_AUTO || c->gemm == CUG_CHOOSE_AUTO) CUG_GOTO(open_file(c));
cleanup:
    if (st == CUG_OK)
        *out = c;
    else
        cug_choose_close(c);
    return st;
}

/* Rows that another process has written meanwhile are kept. Failing is no error of the run: it costs timing again. */
static void save(cug_chooser *c) {
    cug_choice_file now;
    char folder[4200];
    if (!c->unsaved || !c->path[0]) return;
    if (cug_choices_read(&now, c->path) == CUG_OK && strcmp(now.machine, c->file.machine) == 0)
        for (int i = 0; i < now.n; i++)
            if (!cug_choices_find(&c->file, now.rows[i].name, now.rows[i].product))
                (void)cug_choices_put(&c->file, &now.rows[i]);
    cug_choices_free(&now);
    snprintf(folder, sizeof folder, "%s", c->path);
    *strrchr(folder, '/') = 0;
    if (cug_make_folders(folder) == CUG_OK) (void)cug_choices_write(&c->file, c->path);
    c->unsaved = 0;
}

void cug_choose_close(cug_chooser *c) {
    if (!c) return;
    save(c);
    cug_choices_free(&c->file);
    cug_cublas_close(c->cublas);
    cug_cudnn_close(c->cudnn);
    for (settled *s = c->first, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    free(c);
}

const char *cug_choose_note(const cug_chooser *c) { return c ? c->note : ""; }

static cug_choice wanted(const cug_chooser *c, const cug_product *p) { return p->is_conv ? c->conv : c->gemm; }

static cug_status prepare(const cug_chooser *c, const cug_product *p, size_t *workspace) {
    return p->is_conv ? cug_cudnn_prepare(c->cudnn, p, workspace) : cug_cublas_prepare(c->cublas, p, workspace);
}

static cug_status run_library(void *user, const cug_product *p, const cug_product_args *args) {
    const cug_chooser *c = user;
    return p->is_conv ? cug_cudnn_run(c->cudnn, p, args) : cug_cublas_run(c->cublas, p, args);
}

/* What was just timed, remembered. */
static cug_choice_row measured(cug_chooser *c, const double us[2], const char *name, const char *product) {
    cug_choice_row row = {.library = us[1] < LIBRARY_WINS * us[0], .own_us = us[0], .library_us = us[1]};
    snprintf(row.name, sizeof row.name, "%s", name);
    snprintf(row.product, sizeof row.product, "%s", product);
    (void)cug_choices_put(&c->file, &row);
    c->unsaved = 1;
    save(c);
    return row;
}

/* By the file, else by timing both now. */
static cug_status settle_by_time(cug_chooser *c, cug_decision *d) {
    char text[CUG_PRODUCT_TEXT];
    cug_choice_row row = {.library = 0};
    const char *name = d->p.is_conv ? c->cudnn_name : c->cublas_name;
    const cug_choice_row *known = cug_choices_find(&c->file, name, cug_product_text(&d->p, text));
    if (!known) {
        double us[2];
        CUG_TRY(cug_time_both(c->dev, &d->p, d->workspace, run_library, c, us));
        row = measured(c, us, name, text);
        known = &row;
    }
    d->library = known->library;
    d->own_us = known->own_us;
    d->library_us = known->library_us;
    return CUG_OK;
}

static settled *find(const cug_chooser *c, const cug_product *p) {
    settled *s = c->first;
    while (s && !cug_product_same(&s->d.p, p)) s = s->next;
    return s;
}

/* A library that refuses a shape, or cannot be timed, leaves it to the project's kernels; the reason is kept. */
static settled *settle(cug_chooser *c, const cug_product *p) {
    settled *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->d.p = *p;
    s->d.why = s->why;
    cug_status st = prepare(c, p, &s->d.workspace);
    if (st == CUG_OK && wanted(c, p) == CUG_CHOOSE_AUTO)
        st = settle_by_time(c, &s->d);
    else
        s->d.library = st == CUG_OK;
    if (st != CUG_OK) snprintf(s->why, sizeof s->why, "%s", cug_error());
    if (!s->d.library) s->d.workspace = 0;
    if (c->last)
        c->last->next = s;
    else
        c->first = s;
    c->last = s;
    return s;
}

static const settled *settled_now(const cug_device *dev, const cug_product *p) {
    cug_chooser *c = dev ? dev->chooser : NULL;
    if (!c || wanted(c, p) == CUG_CHOOSE_OWN || cug_cuda_enter(c->dev) != CUG_OK) return NULL;
    const settled *s = find(c, p);
    return s ? s : settle(c, p);
}

size_t cug_choose_workspace(const cug_device *dev, const cug_product *p) {
    const settled *s = settled_now(dev, p);
    return s ? s->d.workspace : 0;
}

int cug_choose_library(const cug_device *dev, const cug_product *p) {
    const settled *s = settled_now(dev, p);
    return s && s->d.library;
}

cug_status cug_choose_run(const cug_device *dev, const cug_product *p, const cug_product_args *args, int *ran) {
    cug_chooser *c = dev->chooser;
    const settled *s = c && wanted(c, p) != CUG_CHOOSE_OWN ? find(c, p) : NULL;
    *ran = s && s->d.library;
    return *ran ? run_library(c, p, args) : CUG_OK;
}

int cug_choose_block(const cug_device *dev, const cug_conv_block_shape *s) {
    cug_chooser *c = dev ? dev->chooser : NULL;
    int library = 0;
    char text[CUG_PRODUCT_TEXT], product[CUG_PRODUCT_TEXT];
    for (int role = CUG_ROLE_FWD; role <= CUG_ROLE_WGRAD; role++) {
        const cug_product p = cug_product_conv(&s->conv, (cug_role)role, cuda_precision(dev));
        library |= cug_choose_library(dev, &p);
    }
    if (!c || !library || c->conv != CUG_CHOOSE_AUTO) return !library;
    const cug_product y = cug_product_conv(&s->conv, CUG_ROLE_FWD, c->dev->precision);
    snprintf(text, sizeof text, "%s", strchr(cug_product_text(&y, product), ' ') + 5); /* without "conv2d fwd " */
    snprintf(product, sizeof product, "block fwd+bwd %.150s act=%d,%.3f pool=%d", text, (int)s->act, (double)s->slope,
             s->has_pool);
    const cug_choice_row *known = cug_choices_find(&c->file, c->cudnn_name, product);
    if (known) return !known->library;
    double us[2];
    if (cug_time_block(c->dev, s, us) != CUG_OK) return 1;
    return !measured(c, us, c->cudnn_name, product).library;
}

const cug_decision *cug_choose_at(const cug_device *dev, int i) {
    const settled *s = dev->chooser ? dev->chooser->first : NULL;
    for (; s && i > 0; i--) s = s->next;
    return s ? &s->d : NULL;
}
