/* op_check.c - the comparison itself; see op_check.h. */
#include "op_check.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Two runs of a call differ in everything a correct op does not look at. All-ones bytes are NaN in every float type, so
 * that reading what was never written, or past an input's end, shows in the result. Guards of outputs differ from those
 * of inputs, or a loop that runs too far would copy one onto the other unseen. */
static const struct {
    int poison, scratch, guard_in, guard_out;
} runs[2] = {{0xFF, 0xFF, 0xFF, 0xA5}, {0x7B, 0x00, 0x5A, 0x3C}};

/* The slot whose memory slot i uses. */
static int home(const op_call *c, int i) { return c->slots[i].inplace ? c->slots[i].inplace - 1 : i; }

static int guard_of(const op_call *c, int i, int r) {
    return c->slots[home(c, i)].role == OP_IN ? runs[r].guard_in : runs[r].guard_out;
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static int grow_host(void **p, size_t *cap, size_t bytes) {
    if (*cap >= bytes && *p) return 0;
    free(*p);
    *p = malloc(bytes ? bytes : 1);
    *cap = *p ? bytes : 0;
    return *p ? 0 : -1;
}

static int grow_device(op_side *s, int i, size_t bytes) {
    if (s->cap[i] >= bytes && s->buf[i]) return 0;
    s->be->free(s->dev, s->buf[i]);
    s->buf[i] = NULL;
    s->cap[i] = 0;
    if (s->be->alloc(s->dev, &s->buf[i], bytes) != CUG_OK) return -1;
    s->cap[i] = bytes;
    return 0;
}

size_t op_element(const op_side *s, const op_slot *slot) {
    return cug_dtype_size(slot->dtype == CUG_F64 ? s->be->real : slot->dtype);
}

static size_t slot_bytes(const op_side *s, const op_slot *slot) { return slot->count * op_element(s, slot); }

/* Writes n numbers in the backend's float type (or as they are) to dst. */
static void convert(const op_side *s, unsigned char *dst, const op_slot *slot, const void *data, int absolute) {
    if (slot->dtype != CUG_F64) {
        memcpy(dst, data, slot_bytes(s, slot));
        return;
    }
    for (size_t i = 0; i < slot->count; i++) {
        double v = ((const double *)data)[i];
        if (absolute) v = fabs(v);
        float f = (float)v;
        if (s->be->real == CUG_F64)
            memcpy(dst + i * 8, &v, 8);
        else
            memcpy(dst + i * 4, &f, 4);
    }
}

/* What a slot's whole buffer holds before run r: guard, contents, guard. */
static void image(const op_side *s, unsigned char *dst, const op_call *c, int i, int r, int absolute) {
    const op_slot *slot = &c->slots[i];
    size_t bytes = slot_bytes(s, slot);
    memset(dst, guard_of(c, i, r), bytes + 2 * OP_GUARD);
    if (slot->data)
        convert(s, dst + OP_GUARD, slot, slot->data, absolute);
    else
        memset(dst + OP_GUARD, runs[r].poison, bytes);
}

typedef struct {
    cug_tensor tensor[OP_SLOTS];
    const cug_tensor *arg[OP_SLOTS];
    cug_exec exec;
    size_t scratch;
} prepared;

static int prepare(op_side *s, const op_call *c, int r, int absolute, prepared *p) {
    *p = (prepared){.exec = {.device = s->dev, .frozen = r}}; /* a hint changes no byte */
    unsigned char *host = NULL;
    for (int i = 0; i < OP_SLOTS; i++) {
        const op_slot *slot = &c->slots[i];
        if (slot->role == OP_ABSENT) continue;
        size_t bytes = slot_bytes(s, slot) + 2 * OP_GUARD;
        if (!slot->inplace) {
            unsigned char *bigger = realloc(host, bytes);
            if (!bigger || grow_device(s, i, bytes)) goto fail;
            host = bigger;
            image(s, host, c, i, r, absolute);
            if (s->be->upload(s->dev, s->buf[i], host, bytes, NULL) != CUG_OK) goto fail;
        }
        p->tensor[i] = cug_tensor1((char *)s->buf[home(c, i)] + OP_GUARD,
                                   slot->dtype == CUG_F64 ? s->be->real : slot->dtype, (int)slot->count);
        p->arg[i] = &p->tensor[i];
    }
    p->scratch = c->workspace ? c->workspace(s->be, s->dev, c) : 0;
    if (grow_device(s, OP_SLOTS, p->scratch + 2 * OP_GUARD)) goto fail;
    if (s->be->fill(s->dev, s->buf[OP_SLOTS], runs[r].guard_out, p->scratch + 2 * OP_GUARD, NULL) != CUG_OK) goto fail;
    p->exec.workspace = (char *)s->buf[OP_SLOTS] + OP_GUARD;
    p->exec.workspace_bytes = p->scratch;
    if (s->be->fill(s->dev, p->exec.workspace, runs[r].scratch, p->scratch, NULL) != CUG_OK) goto fail;
    free(host);
    return 0;
fail:
    free(host);
    return -1;
}

static int all_equal(const unsigned char *p, size_t n, int byte) {
    for (size_t i = 0; i < n; i++)
        if (p[i] != byte) return 0;
    return 1;
}

/* Checks guards (and, where nothing may have been written, everything) of one slot; keeps its bytes in *keep. */
static int collect(op_world *w, op_side *s, const op_call *c, int i, int r, int untouched, unsigned char **keep,
                   size_t *cap) {
    const op_slot *slot = &c->slots[i];
    size_t bytes = slot_bytes(s, slot), whole = bytes + 2 * OP_GUARD;
    int bad = 0, shared = 0;
    for (int j = 0; j < OP_SLOTS; j++) shared |= c->slots[j].role != OP_ABSENT && c->slots[j].inplace == i + 1;
    unsigned char *before = malloc(whole);
    if (!before || grow_host((void **)keep, cap, whole) ||
        s->be->download(s->dev, *keep, s->buf[home(c, i)], whole, NULL) != CUG_OK) {
        op_failed(w, "%s [%s] on %s: could not read %s back: %s", c->op, c->name, s->label, slot->name, cug_error());
        free(before);
        return -1;
    }
    image(s, before, c, i, r, 0);
    int guard = guard_of(c, i, r);
    if (!all_equal(*keep, OP_GUARD, guard) || !all_equal(*keep + OP_GUARD + bytes, OP_GUARD, guard)) {
        op_failed(w, "%s [%s] on %s: wrote outside %s", c->op, c->name, s->label, slot->name);
        bad = -1;
    } else if (!slot->inplace && (untouched || (slot->role == OP_IN && !shared)) && memcmp(before, *keep, whole)) {
        op_failed(w, "%s [%s] on %s: %s was changed", c->op, c->name, s->label, slot->name);
        bad = -1;
    }
    free(before);
    return bad;
}

static int scratch_intact(op_world *w, op_side *s, const op_call *c, int r, size_t scratch) {
    unsigned char band[2 * OP_GUARD];
    char *at = s->buf[OP_SLOTS];
    if (s->be->download(s->dev, band, at, OP_GUARD, NULL) == CUG_OK &&
        s->be->download(s->dev, band + OP_GUARD, at + OP_GUARD + scratch, OP_GUARD, NULL) == CUG_OK &&
        all_equal(band, sizeof band, runs[r].guard_out))
        return 0;
    op_failed(w, "%s [%s] on %s: wrote outside its workspace of %zu bytes", c->op, c->name, s->label, scratch);
    return -1;
}

/* --- running ------------------------------------------------------------------------------------------------------ */

static int run_once(op_world *w, op_side *s, const op_call *c, int r) {
    prepared p;
    if (prepare(s, c, r, 0, &p)) {
        op_failed(w, "%s [%s] on %s: could not prepare the buffers: %s", c->op, c->name, s->label, cug_error());
        return -1;
    }
    cug_status st = c->run(s->be, p.arg, c, &p.exec);
    if (st == CUG_OK) st = s->be->sync(s->dev, NULL);
    if (st == CUG_ENOTSUP) return 0;
    if (st != CUG_OK) {
        op_failed(w, "%s [%s] on %s: %s: %s", c->op, c->name, s->label, cug_status_name(st), cug_error());
        return -1;
    }
    int bad = scratch_intact(w, s, c, r, p.scratch);
    for (int i = 0; i < OP_SLOTS; i++)
        if (c->slots[i].role != OP_ABSENT)
            bad |= r ? collect(w, s, c, i, r, 0, &s->second[i], &s->second_cap[i])
                     : collect(w, s, c, i, r, 0, &s->first[i], &s->first_cap[i]);
    return bad ? -1 : 1;
}

/* Widens the first run's floats. */
static int widen(op_side *s, const op_call *c, int i) {
    const op_slot *slot = &c->slots[i];
    if (slot->dtype != CUG_F64) return 0;
    if (grow_host((void **)&s->value[i], &s->value_cap[i], slot->count * sizeof(double))) return -1;
    const unsigned char *from = s->first[i] + OP_GUARD;
    for (size_t k = 0; k < slot->count; k++) {
        float f;
        if (s->be->real == CUG_F64) {
            memcpy(&s->value[i][k], from + 8 * k, 8);
        } else {
            memcpy(&f, from + 4 * k, 4);
            s->value[i][k] = (double)f;
        }
    }
    return 0;
}

static int has_op(const op_side *s, const op_call *c) {
    const void *table;
    memcpy(&table, (const char *)s->be + c->table, sizeof table);
    return table != NULL && (!c->has || c->has(s->be));
}

int op_run(op_world *w, op_side *s, const op_call *c) {
    if (!has_op(s, c) || (c->supports && !c->supports(s->be, c))) {
        s->skipped++;
        return 0;
    }
    int once = run_once(w, s, c, 0);
    if (once == 0) s->skipped++;
    if (once <= 0) return once;
    s->cases++;
    int again = s != &w->ref; /* the reference proves its own repeatability when it is a side (op_open, with_ref) */
    if (again && run_once(w, s, c, 1) != 1) return -1;
    for (int i = 0; i < OP_SLOTS; i++) {
        const op_slot *slot = &c->slots[i];
        if (slot->role == OP_ABSENT) continue;
        if (again && memcmp(s->first[i] + OP_GUARD, s->second[i] + OP_GUARD, slot_bytes(s, slot))) {
            op_failed(w, "%s [%s] on %s: two runs gave different bits in %s", c->op, c->name, s->label, slot->name);
            return -1;
        }
        if (widen(s, c, i)) {
            op_failed(w, "out of memory");
            return -1;
        }
    }
    return 1;
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

/* Runs the call once on the second reference device with absolute values: the sums of absolute terms. */
static int run_terms(op_world *w, const op_call *c) {
    prepared p;
    op_side *s = &w->terms;
    if (prepare(s, c, 0, 1, &p) || c->run(s->be, p.arg, c, &p.exec) != CUG_OK) {
        op_failed(w, "%s [%s]: the run for tolerances failed: %s", c->op, c->name, cug_error());
        return -1;
    }
    return 0;
}

static double unit_roundoff(const op_side *s) { return s->be->real == CUG_F64 ? 0x1p-53 : 0x1p-24; }

static int within(double got, double want, double tol) {
    if (isnan(want)) return isnan(got);
    if (isinf(want)) return got == want;
    return fabs(got - want) <= tol; /* false for a NaN */
}

static void compare_floats(op_world *w, op_side *s, const op_call *c, int i, const double *terms) {
    const op_slot *slot = &c->slots[i];
    const double *want = w->ref.value[i], *got = s->value[i], u = unit_roundoff(s);
    int exact = slot->atol == 0 && slot->rtol == 0 && !terms;
    const double roundoffs = w->precision == CUG_PREC_FP32 ? 4 : 8; /* tensor cores cut off where others round */
    size_t wrong = 0, at = 0, far = 0, far_max = slot->count / 1000 > 10 ? slot->count / 1000 : 10;
    for (size_t k = 0; k < slot->count; k++) {
        double expect = exact && s->be->real != CUG_F64 ? (double)(float)want[k] : want[k];
        double tol = slot->atol + slot->rtol * fabs(expect);
        double sum = terms ? (roundoffs * u + w->product_error) * terms[k] : 0;
        if (within(got[k], expect, tol + sum)) continue;
        if (terms && far++ < far_max && within(got[k], expect, tol + 2 * sum)) continue;
        if (!wrong++) at = k;
    }
    if (wrong)
        op_failed(w, "%s [%s] on %s: %s: %zu of %zu differ, first at %zu: got %.9g, want %.9g (terms %.3g)", c->op,
                  c->name, s->label, slot->name, wrong, slot->count, at, got[at], want[at], terms ? terms[at] : 0.0);
}

static void compare_bytes(op_world *w, op_side *s, const op_call *c, int i) {
    const op_slot *slot = &c->slots[i];
    size_t size = op_element(s, slot);
    for (size_t k = 0; k < slot->count; k++)
        if (memcmp(s->first[i] + OP_GUARD + k * size, w->ref.first[i] + OP_GUARD + k * size, size)) {
            op_failed(w, "%s [%s] on %s: %s differs at element %zu of %zu", c->op, c->name, s->label, slot->name, k,
                      slot->count);
            return;
        }
}

void op_compare(op_world *w, const op_call *c) {
    op_call apart = *c; /* the reference runs with memory of its own for every output */
    int terms = 0;
    for (int i = 0; i < OP_SLOTS; i++) {
        apart.slots[i].inplace = 0;
        terms |= c->slots[i].role >= OP_OUT && c->slots[i].by_terms && !c->slots[i].terms;
    }
    if (op_run(w, &w->ref, &apart) != 1 || (terms && run_terms(w, &apart))) return;
    for (int j = 0; j < w->sides; j++) {
        op_side *s = &w->side[j];
        if (op_run(w, s, c) != 1) continue;
        for (int i = 0; i < OP_SLOTS; i++) {
            const op_slot *slot = &c->slots[i];
            if (slot->role != OP_OUT && slot->role != OP_ADD) continue;
            const double *sums = slot->terms      ? slot->terms
                                 : slot->by_terms ? (const double *)(void *)((char *)w->terms.buf[i] + OP_GUARD)
                                                  : NULL;
            if (slot->dtype == CUG_F64)
                compare_floats(w, s, c, i, sums);
            else
                compare_bytes(w, s, c, i);
        }
    }
}

/* --- numbers from elsewhere --------------------------------------------------------------------------------------- */

static void against_floats(op_world *w, op_side *s, const op_call *c, int i, const double *want, int wide) {
    const op_slot *slot = &c->slots[i];
    const double *terms = slot->by_terms ? (const double *)(void *)((char *)w->terms.buf[i] + OP_GUARD) : NULL;
    int exact = slot->atol == 0 && slot->rtol == 0 && !terms, tight = wide && s->be->real == CUG_F64;
    double u = wide ? 0x1p-24 : 0x1p-23; /* float32 on both sides: two roundoffs */
    size_t wrong = 0, at = 0, far = 0, far_max = slot->count / 1000 > 10 ? slot->count / 1000 : 10;
    for (size_t k = 0; k < slot->count; k++) {
        double got = s->value[i][k], expect = want[k], sum = terms ? terms[k] : 0;
        if (tight) {
            if (within(got, expect, OP_WIDE_ATOL + OP_WIDE_RTOL * (fabs(expect) + sum))) continue;
        } else {
            if (exact) got = (double)(float)got, expect = (double)(float)expect;
            double tol = slot->atol + slot->rtol * fabs(expect);
            if (within(got, expect, tol + 4 * u * sum)) continue;
            if (terms && far++ < far_max && within(got, expect, tol + 8 * u * sum)) continue;
        }
        if (!wrong++) at = k;
    }
    if (wrong)
        op_failed(w, "%s [%s] on %s: %s: %zu of %zu differ, first at %zu: got %.17g, want %.17g (terms %.3g)", c->op,
                  c->name, s->label, slot->name, wrong, slot->count, at, s->value[i][at], want[at],
                  terms ? terms[at] : 0.0);
}

/* Integers of any width against int32_t. */
static void against_integers(op_world *w, op_side *s, const op_call *c, int i, const int32_t *want) {
    const op_slot *slot = &c->slots[i];
    size_t size = op_element(s, slot);
    for (size_t k = 0; k < slot->count; k++) {
        int64_t got = 0; /* little-endian, none negative but int32_t */
        memcpy(&got, s->first[i] + OP_GUARD + k * size, size);
        if (slot->dtype == CUG_I32) got = (int32_t)got;
        if (got == want[k]) continue;
        op_failed(w, "%s [%s] on %s: %s: element %zu of %zu is %lld, not %d", c->op, c->name, s->label, slot->name, k,
                  slot->count, (long long)got, (int)want[k]);
        return;
    }
}

void op_against(op_world *w, const op_call *c, const void *const want[OP_SLOTS], int wide) {
    int terms = 0;
    for (int i = 0; i < OP_SLOTS; i++) terms |= c->slots[i].by_terms;
    if (terms && run_terms(w, c)) return;
    for (int j = -1; j < w->sides; j++) {
        op_side *s = j < 0 ? &w->ref : &w->side[j];
        if (op_run(w, s, c) != 1) continue;
        for (int i = 0; i < OP_SLOTS; i++) {
            if (!want[i] || c->slots[i].role == OP_ABSENT) continue;
            if (c->slots[i].dtype == CUG_F64)
                against_floats(w, s, c, i, want[i], wide);
            else
                against_integers(w, s, c, i, want[i]);
        }
    }
}

/* --- bad arguments ------------------------------------------------------------------------------------------------ */

/* Calls with one argument spoilt and looks whether it was refused and nothing was touched. */
static void expect_refusal(op_world *w, op_side *s, const op_call *c, const prepared *p, const op_call *as,
                           const char *what, const char *which) {
    cug_fail(CUG_OK, "nothing said");
    cug_status st = c->run(s->be, p->arg, as, &p->exec);
    if (st != CUG_EINVAL)
        op_failed(w, "%s [%s] on %s: %s %s was answered with %s, not EINVAL", c->op, c->name, s->label, which, what,
                  cug_status_name(st));
    else if (!strcmp(cug_error(), "nothing said"))
        op_failed(w, "%s [%s] on %s: %s %s was refused without a message", c->op, c->name, s->label, which, what);
    s->be->sync(s->dev, NULL);
    s->cases++;
}

static void spoil(op_world *w, op_side *s, const op_call *c, prepared *p, int i, int optional) {
    const char *name = c->slots[i].name;
    const cug_tensor good = p->tensor[i];
    if (!optional) {
        p->arg[i] = NULL;
        expect_refusal(w, s, c, p, c, "being NULL", name);
        p->arg[i] = &p->tensor[i];
    }
    if (c->slots[i].raw) return;
    p->tensor[i].dtype = good.dtype == CUG_I32 ? CUG_U8 : CUG_I32;
    expect_refusal(w, s, c, p, c, "of another type", name);
    p->tensor[i] = good;
    for (int off = -1; off <= 1 && !c->slots[i].any_count; off += 2) {
        p->tensor[i].dims[0] = good.dims[0] + off;
        expect_refusal(w, s, c, p, c, off < 0 ? "one element short" : "one element long", name);
        p->tensor[i] = good;
    }
    p->tensor[i].ptr = NULL;
    expect_refusal(w, s, c, p, c, "without memory", name);
    p->tensor[i] = good;
}

/* Nothing may have been written since the buffers were prepared. */
static void expect_untouched(op_world *w, op_side *s, const op_call *c, const prepared *p) {
    for (int i = 0; i < OP_SLOTS; i++)
        if (c->slots[i].role != OP_ABSENT) collect(w, s, c, i, 0, 1, &s->first[i], &s->first_cap[i]);
    scratch_intact(w, s, c, 0, p->scratch);
}

void op_bad_arguments(op_world *w, const op_call *c, unsigned optional) {
    for (int j = 0; j < w->sides; j++) {
        op_side *s = &w->side[j];
        prepared p;
        if (!has_op(s, c) || (c->supports && !c->supports(s->be, c))) continue;
        if (prepare(s, c, 0, 0, &p)) {
            op_failed(w, "%s on %s: could not prepare the buffers: %s", c->op, s->label, cug_error());
            continue;
        }
        for (int i = 0; i < OP_SLOTS; i++)
            if (c->slots[i].role != OP_ABSENT) spoil(w, s, c, &p, i, (optional >> i) & 1);
        op_call no_shape = *c;
        no_shape.shape = NULL;
        expect_refusal(w, s, c, &p, &no_shape, "being NULL", "shape");
        expect_untouched(w, s, c, &p);
    }
}

static size_t plenty(const cug_backend *be, const cug_device *d, const op_call *c) {
    (void)be, (void)d, (void)c;
    return (size_t)1 << 20;
}

void op_bad_shape(op_world *w, const op_call *c, const char *what) {
    op_call good = *c;
    if (good.workspace) good.workspace = plenty; /* not for the backend to say with such a shape */
    for (int j = 0; j < w->sides; j++) {
        op_side *s = &w->side[j];
        prepared p;
        if (!has_op(s, c)) continue;
        if (prepare(s, &good, 0, 0, &p)) {
            op_failed(w, "%s on %s: could not prepare the buffers: %s", c->op, s->label, cug_error());
            continue;
        }
        expect_refusal(w, s, &good, &p, &good, what, "shape");
        expect_untouched(w, s, &good, &p);
    }
}
