/* op_loss.c - losses and metrics of all backends against the reference. */
#include "../cases/bce_logits.h"
#include "../cases/metrics.h"
#include "../cases/mse.h"
#include "../cases/softmax_xent.h"
#include "op_tests.h"
#include <limits.h>
#include <math.h>

/* Which of the three tables. */
typedef struct {
    const char *name;
    size_t table;
} loss_kind;

static const cug_loss_ops *ops(const cug_backend *be, const op_call *c) {
    switch (c->table) {
    case offsetof(cug_backend, softmax_xent):
        return be->softmax_xent;
    case offsetof(cug_backend, bce_logits):
        return be->bce_logits;
    default:
        return be->mse;
    }
}

static cug_status fwd_bwd(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return ops(be, c)->fwd_bwd(t[0], t[1], t[2], t[3], t[4], c->shape, ex);
}

enum { LOSS, DZ, PRED, Z, LABELS };

/* zmax scales the tolerances: log-sum-exp and the exponent's argument carry an absolute error of zmax roundings. */
static op_call loss_call(const loss_kind *k, const cug_loss_shape *s, const char *name, const double *z,
                         const int32_t *labels, double zmax) {
    size_t n = (size_t)s->N, nk = n * (size_t)s->K;
    double size = 1 + (k->table == offsetof(cug_backend, mse) ? zmax * zmax : zmax);
    return (op_call){
        .op = k->name,
        .name = name,
        .shape = s,
        .run = fwd_bwd,
        .table = k->table,
        .slots =
            {{.name = "loss", .role = OP_OUT, .dtype = CUG_F64, .count = n, .rtol = OP_RTOL, .atol = size * 0x1p-22},
             {.name = "dz",
              .role = OP_OUT,
              .dtype = CUG_F64,
              .count = nk,
              .rtol = OP_RTOL,
              .atol = (1 + zmax) * 0x1p-22 / s->N / (k->table == offsetof(cug_backend, softmax_xent) ? 1 : s->K)},
             {.name = "pred", .role = OP_OUT, .dtype = CUG_I32, .count = n},
             {.name = "z", .role = OP_IN, .dtype = CUG_F64, .count = nk, .data = z},
             {.name = "labels", .role = OP_IN, .dtype = CUG_I32, .count = n, .data = labels}},
    };
}

static void variations(op_world *w, const op_call *c) {
    op_compare(w, c);
    op_call v = *c;
    v.slots[DZ].inplace = 1 + Z;
    op_compare(w, &v);
    v = *c;
    v.slots[DZ].role = OP_ABSENT;
    op_compare(w, &v);
    v.slots[PRED].role = OP_ABSENT;
    op_compare(w, &v);
}

/* Rows that carry NaN or an unusable label; predictions of a NaN row are nobody's business, so none are asked for. */
static void spoilt_rows(op_world *w, const loss_kind *k, const cug_loss_shape *s) {
    size_t n = (size_t)s->N, nk = n * (size_t)s->K;
    double *z = op_reals(w, 5, nk, -4, 4);
    int classes = s->K > 2 ? s->K : 2;
    int32_t *labels = op_int32(w, 6, n, 0, classes - 1);
    const int32_t bad[] = {-1, classes, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < n; i++) {
        if (i % 3 == 1) z[i * (size_t)s->K + i % (size_t)s->K] = NAN;
        if (i % 3 == 2) labels[i] = bad[i / 3 % 4];
    }
    op_call c = loss_call(k, s, "NaN and bad labels", z, labels, 4);
    c.slots[PRED].role = OP_ABSENT;
    op_compare(w, &c);
    c.slots[DZ].inplace = 1 + Z;
    op_compare(w, &c);
}

static void loss_case(op_world *w, const loss_kind *k, const cug_loss_shape *s) {
    size_t n = (size_t)s->N, nk = n * (size_t)s->K;
    const int32_t *labels = op_int32(w, 1, n, 0, s->K > 2 ? s->K - 1 : 1);
    op_call c = loss_call(k, s, "reals", op_reals(w, 2, nk, -4, 4), labels, 4);
    variations(w, &c);
    c = loss_call(k, s, "ties", op_integers(w, 3, nk, -1, 1), labels, 1);
    op_compare(w, &c);
    c = loss_call(k, s, "large logits", op_reals(w, 4, nk, -2000, 2000), labels, 2000);
    op_compare(w, &c);
    spoilt_rows(w, k, s);
    op_release(w);
}

static void bad_calls(op_world *w, const loss_kind *k) {
    cug_loss_shape s = {5, 10, 0};
    op_call c = loss_call(k, &s, "bad", op_reals(w, 1, 50, -1, 1), op_int32(w, 2, 5, 0, 9), 1);
    op_bad_arguments(w, &c, 1u << DZ | 1u << PRED);
    s.smoothing = 1;
    op_bad_shape(w, &c, "with smoothing 1");
    s.smoothing = NAN;
    op_bad_shape(w, &c, "with smoothing NaN");
    s = (cug_loss_shape){50, k->table == offsetof(cug_backend, softmax_xent) ? 1 : 0, 0};
    op_bad_shape(w, &c, "with too few outputs");
    op_release(w);
}

static double work_of(const cug_loss_shape *s) { return (double)s->N * s->K; }

void op_test_softmax_xent(op_world *w) {
    const loss_kind k = {"softmax_xent", offsetof(cug_backend, softmax_xent)};
    for (int i = 0; i < SOFTMAX_XENT_CASES; i++)
        if (!op_too_large(w, 0, work_of(&softmax_xent_cases[i]))) loss_case(w, &k, &softmax_xent_cases[i]);
    bad_calls(w, &k);
}

void op_test_bce_logits(op_world *w) {
    const loss_kind k = {"bce_logits", offsetof(cug_backend, bce_logits)};
    for (int i = 0; i < BCE_LOGITS_CASES; i++)
        if (!op_too_large(w, 0, work_of(&bce_logits_cases[i]))) loss_case(w, &k, &bce_logits_cases[i]);
    bad_calls(w, &k);
}

void op_test_mse(op_world *w) {
    const loss_kind k = {"mse", offsetof(cug_backend, mse)};
    for (int i = 0; i < MSE_CASES; i++)
        if (!op_too_large(w, 0, work_of(&mse_cases[i]))) loss_case(w, &k, &mse_cases[i]);
    bad_calls(w, &k);
}

/* --- metrics ------------------------------------------------------------------------------------------------------ */

static cug_status metrics_add(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->metrics->add(t[0] ? t[0]->ptr : NULL, t[1], t[2], t[3], t[4], c->shape, ex);
}

static op_call metrics_call(op_world *w, const cug_metrics_shape *s, const cug_metrics *start, int outside) {
    size_t n = (size_t)s->N, cells = (size_t)s->classes * (size_t)s->classes;
    int64_t *confusion = op_memory(w, cells * sizeof *confusion);
    for (size_t i = 0; i < cells; i++) confusion[i] = (int64_t)i << 33; /* counts need all 64 bits */
    int32_t *pred = op_int32(w, 2, n, -outside, s->classes - 1 + outside);
    int32_t *labels = op_int32(w, 3, n, -outside, s->classes - 1 + outside);
    for (size_t i = 0; i < n; i += 2) pred[i] = labels[i]; /* some are right, outside the classes as well */
    return (op_call){
        .op = "metrics",
        .name = outside ? "some outside the classes" : "inside",
        .shape = s,
        .run = metrics_add,
        .table = offsetof(cug_backend, metrics),
        .slots = {{.name = "metrics", .role = OP_ADD, .dtype = CUG_U8, .count = sizeof *start, .data = start, .raw = 1},
                  {.name = "confusion", .role = OP_ADD, .dtype = CUG_I64, .count = cells, .data = confusion},
                  {.name = "loss", .role = OP_IN, .dtype = CUG_F64, .count = n, .data = op_reals(w, 1, n, 0, 5)},
                  {.name = "pred", .role = OP_IN, .dtype = CUG_I32, .count = n, .data = pred},
                  {.name = "labels", .role = OP_IN, .dtype = CUG_I32, .count = n, .data = labels}},
    };
}

void op_test_metrics(op_world *w) {
    const cug_metrics start = {0.1, 5, 1000};
    for (int i = 0; i < METRICS_CASES; i++)
        for (int outside = 0; outside < 3; outside++) {
            if (op_too_large(w, 0, (double)metrics_cases[i].N * metrics_cases[i].classes)) continue;
            op_call c = metrics_call(w, &metrics_cases[i], &start, outside);
            op_compare(w, &c);
            c.slots[1].role = OP_ABSENT;
            op_compare(w, &c);
            op_release(w);
        }
    cug_metrics_shape s = metrics_cases[3];
    op_call c = metrics_call(w, &s, &start, 0);
    op_bad_arguments(w, &c, 1u << 1);
    s.classes = 0;
    op_bad_shape(w, &c, "without classes");
    op_release(w);
}
