/* op_world.c - opening the backends, counting what was run and what failed. */
#include "op_check.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PRINT_MAX 25
#define TINY 8192.0 /* multiply-adds of a tiny case, at most */

void op_failed(op_world *w, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    if (w->printed < PRINT_MAX) {
        fputs("  FAIL ", w->log);
        vfprintf(w->log, fmt, ap);
        fputc('\n', w->log);
    } else if (w->printed == PRINT_MAX) {
        fputs("  (further failures are counted, not printed)\n", w->log);
    }
    w->printed++;
    w->failures++;
    va_end(ap);
}

static cug_status side_open(const op_world *w, op_side *s, const cug_backend *be, int threads, const char *isa) {
    *s = (op_side){.be = be};
    const cug_device_options o = {.threads = threads, .precision = w->precision};
    CUG_TRY(be->open(&s->dev, &o));
    snprintf(s->label, sizeof s->label, threads ? "%s/%d %s" : "%s", be->name, threads, isa);
    return CUG_OK;
}

/* The cpu backend again, on the instruction sets it would not choose here, alone and with an odd number of threads that
 * splits work unevenly. */
static void open_cpu_variants(op_world *w) {
    static const struct {
        int threads;
        const char *isa;
    } variants[] = {{1, "base"}, {3, "avx2"}};
    const char *chosen = getenv("CUGLYPH_CPU_ISA");
    char *keep = chosen ? strdup(chosen) : NULL;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        setenv("CUGLYPH_CPU_ISA", variants[i].isa, 1);
        w->sides += !side_open(w, &w->side[w->sides], &cug_backend_cpu, variants[i].threads, variants[i].isa);
    }
    if (keep)
        setenv("CUGLYPH_CPU_ISA", keep, 1);
    else
        unsetenv("CUGLYPH_CPU_ISA");
    free(keep);
}

static void side_close(op_side *s) {
    for (int i = 0; i <= OP_SLOTS && s->dev; i++) s->be->free(s->dev, s->buf[i]);
    for (int i = 0; i < OP_SLOTS; i++) {
        free(s->first[i]);
        free(s->second[i]);
        free(s->value[i]);
    }
    if (s->dev) s->be->close(s->dev);
    *s = (op_side){.be = NULL};
}

static void perhaps_tiny(op_world *w) {
    const char *tiny = getenv("CUGLYPH_TEST_TINY");
    w->tiny = tiny && strcmp(tiny, "1") == 0;
    w->small |= w->tiny;
}

int op_open(op_world *w, FILE *log, int with_ref, cug_precision precision) {
    *w = (op_world){.log = log, .small = with_ref, .precision = precision};
    if (side_open(w, &w->ref, &cug_backend_ref, 0, "") || side_open(w, &w->terms, &cug_backend_ref, 0, "")) return -1;
    if (with_ref) return side_open(w, &w->side[w->sides++], &cug_backend_ref, 0, "");
    const cug_backend *be;
    const char *only = getenv("CUGLYPH_TEST_BACKEND");
    int lacks_precision = 0;
    perhaps_tiny(w);
    for (int i = 0; (be = cug_backend_at(i)); i++) {
        if (be == &cug_backend_ref || (only && *only && strcmp(only, be->name) != 0)) continue;
        cug_status st = side_open(w, &w->side[w->sides], be, 0, "");
        if (st != CUG_OK) {
            fprintf(log, "  %s: not here: %s\n", be->name, cug_error());
            lacks_precision |= st == CUG_ENOTSUP && precision != CUG_PREC_FP32;
            continue;
        }
        w->sides++;
        if (be == &cug_backend_cpu) open_cpu_variants(w);
    }
    return only && *only && !w->sides && !lacks_precision ? -1 : 0;
}

int op_too_large(const op_world *w, int large, double work) { return (w->small && large) || (w->tiny && work > TINY); }

void op_close(op_world *w) {
    op_release(w);
    for (int i = 0; i < w->sides; i++) side_close(&w->side[i]);
    side_close(&w->ref);
    side_close(&w->terms);
}

op_side *op_any_side(op_world *w, int i) { return i < w->sides ? &w->side[i] : i == w->sides ? &w->ref : NULL; }

int op_summary(op_world *w, const char *title) {
    fprintf(w->log, "  %-14s", title);
    for (int i = 0; i < w->sides; i++)
        fprintf(w->log, "%s %s %ld cases (%ld not supported)", i ? "," : "", w->side[i].label, w->side[i].cases,
                w->side[i].skipped);
    fprintf(w->log, "%s, %d failures\n", w->sides ? "" : " no backend to compare", w->failures);
    return w->failures;
}

int op_open_cuda(op_world *w, FILE *log, const cug_device_options *opt, const char *label) {
    static const double errors[] = {0, 2 * 0x1p-10, 2 * 0x1p-7}; /* of fp32, tf32, bf16 */
    const cug_backend *cuda = cug_backend_find("cuda");
    op_side *const sides[] = {&w->ref, &w->terms, &w->side[0]};
    *w = (op_world){.log = log, .product_error = errors[opt->precision]};
    perhaps_tiny(w);
    for (int i = 0; i < 3; i++) {
        const cug_device_options plain = {0};
        op_side *s = sides[i];
        *s = (op_side){.be = i < 2 ? &cug_backend_ref : cuda};
        if (!s->be || s->be->open(&s->dev, i < 2 ? &plain : opt) != CUG_OK) return -1;
    }
    snprintf(w->side[0].label, sizeof w->side[0].label, "%s", label);
    w->sides = 1;
    return 0;
}
