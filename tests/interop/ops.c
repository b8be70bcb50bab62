/* ops.c - samples of single ops: forward, backward, losses, one update. What a sample gives and wants says which passes
 * it has. */
#include "../support/op_tests.h"
#include "interop.h"
#include <cuglyph/random.h>
#include <math.h>
#include <string.h>

typedef union {
    cug_conv2d_shape conv2d;
    cug_pool2d_shape pool2d;
    cug_linear_shape linear;
    cug_bias_shape bias;
    cug_batch_norm_shape batch_norm;
    cug_activation_shape activation;
    cug_dropout_shape dropout;
    cug_add_shape add;
    cug_concat_shape concat;
    cug_loss_shape loss;
    cug_opt_params update;
} any_shape;

/* --- calls -------------------------------------------------------------------------------------------------------- */

#define RUN(name, call)                                                                                                \
    static cug_status name(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {  \
        return call;                                                                                                   \
    }
RUN(conv2d_fwd, be->conv2d->fwd(t[0], t[1], t[2], t[3], c->shape, ex))
RUN(conv2d_bwd, be->conv2d->bwd(t[0], t[1], t[2], t[3], t[4], t[5], c->shape, 0, ex))
RUN(linear_fwd, be->linear->fwd(t[0], t[1], t[2], t[3], c->shape, ex))
RUN(linear_bwd, be->linear->bwd(t[0], t[1], t[2], t[3], t[4], t[5], c->shape, 0, ex))
RUN(pool2d_fwd, be->pool2d->fwd(t[0], t[1], t[2], c->shape, ex))
RUN(pool2d_bwd, be->pool2d->bwd(t[0], t[1], t[2], c->shape, 0, ex))
RUN(bias_fwd, be->bias->fwd(t[0], t[1], t[2], c->shape, ex))
RUN(bias_bwd, be->bias->bwd(t[0], t[1], t[2], c->shape, 0, ex))
RUN(norm_train, be->batch_norm->fwd_train(t[0], t[1], t[2], t[3], t[4], c->shape, ex))
RUN(norm_bwd, be->batch_norm->bwd(t[0], t[1], t[2], t[3], t[4], t[5], t[6], c->shape, 0, ex))
RUN(norm_track, be->batch_norm->track(t[0], t[1], t[2], t[3]->ptr, c->shape, ex))
RUN(norm_eval, be->batch_norm->fwd_eval(t[0], t[1], t[2], t[3], t[4], t[5], c->shape, ex))
RUN(norm_bwd_eval, be->batch_norm->bwd_eval(t[0], t[1], t[2], t[3], c->shape, 0, ex))
RUN(activation_fwd, be->activation->fwd(t[0], t[1], c->shape, ex))
RUN(activation_bwd, be->activation->bwd(t[0], t[1], t[2], c->shape, 0, ex))
RUN(dropout_fwd, be->dropout->fwd(t[0], t[1], t[2], t[3]->ptr, c->shape, ex))
RUN(dropout_bwd, be->dropout->bwd(t[0], t[1], t[2], t[3]->ptr, c->shape, 0, ex))
RUN(add_fwd, be->add->fwd(t[0], t + 1, c->shape, ex))
RUN(add_bwd, be->add->bwd(t[0], t[1], c->shape, 0, ex))
RUN(concat_fwd, be->concat->fwd(t[0], t + 1, c->shape, ex))
RUN(concat_bwd, be->concat->bwd(t[0], t[1], c->index, c->shape, 0, ex))
RUN(softmax_xent, be->softmax_xent->fwd_bwd(t[0], t[1], t[2], t[3], t[4], c->shape, ex))
RUN(bce_logits, be->bce_logits->fwd_bwd(t[0], t[1], t[2], t[3], t[4], c->shape, ex))
RUN(mse, be->mse->fwd_bwd(t[0], t[1], t[2], t[3], t[4], c->shape, ex))
RUN(update, be->optimizer->update(t[0], t[1], t[2], t[3], c->shape, c->aux, 1, t[4]->ptr, ex))
#undef RUN

#define SUPPORTS(op)                                                                                                   \
    static int op##_supports(const cug_backend *be, const op_call *c) {                                                \
        return !be->op->supports || be->op->supports(c->shape);                                                        \
    }
SUPPORTS(conv2d)
SUPPORTS(linear)
SUPPORTS(pool2d)
SUPPORTS(activation)
#undef SUPPORTS

#define SCRATCH(op, way, pass)                                                                                         \
    static size_t op##_##way##_scratch(const cug_backend *be, const cug_device *d, const op_call *c) {                 \
        return be->op->workspace ? be->op->workspace(d, c->shape, pass) : 0;                                           \
    }
SCRATCH(conv2d, fwd, CUG_FWD)
SCRATCH(conv2d, bwd, CUG_BWD)
SCRATCH(linear, fwd, CUG_FWD)
SCRATCH(linear, bwd, CUG_BWD)
SCRATCH(batch_norm, fwd, CUG_FWD)
SCRATCH(batch_norm, bwd, CUG_BWD)
#undef SCRATCH

/* --- passes ------------------------------------------------------------------------------------------------------- */

enum { GIVEN, WANTED, TERMS, CHANGED }; /* TERMS: wanted, and a sum */

typedef struct {
    const char *op, *title;
    size_t table;
    cug_status (*run)(const cug_backend *, const cug_tensor *const *, const op_call *, const cug_exec *);
    int (*supports)(const cug_backend *, const op_call *);
    size_t (*workspace)(const cug_backend *, const cug_device *, const op_call *);
    struct {
        const char *name; /* in the sample */
        int role;
        cug_dtype dtype;
    } slots[OP_SLOTS];
} pass;

#define F CUG_F64
#define TABLE(op) offsetof(cug_backend, op)
#define INPUTS                                                                                                         \
    {"x0", GIVEN, F}, {"x1", GIVEN, F}, {"x2", GIVEN, F}, {"x3", GIVEN, F}, {"x4", GIVEN, F}, {"x5", GIVEN, F},        \
        {"x6", GIVEN, F}, {                                                                                            \
        "x7", GIVEN, F                                                                                                 \
    }
#define LOSS(op)                                                                                                       \
    {                                                                                                                  \
#op, #op, TABLE(op), op, NULL, NULL, {                                                                         \
            {"loss", WANTED, F}, {"dz", WANTED, F}, {"pred", WANTED, CUG_I32}, {"z", GIVEN, F}, {                      \
                "labels", GIVEN, CUG_I32                                                                               \
            }                                                                                                          \
        }                                                                                                              \
    }

static const pass passes[] = {
    {"conv2d",
     "conv2d fwd",
     TABLE(conv2d),
     conv2d_fwd,
     conv2d_supports,
     conv2d_fwd_scratch,
     {{"y", TERMS, F}, {"x", GIVEN, F}, {"w", GIVEN, F}, {"b", GIVEN, F}}},
    {"conv2d",
     "conv2d bwd",
     TABLE(conv2d),
     conv2d_bwd,
     conv2d_supports,
     conv2d_bwd_scratch,
     {{"dx", TERMS, F}, {"dw", TERMS, F}, {"db", TERMS, F}, {"dy", GIVEN, F}, {"x", GIVEN, F}, {"w", GIVEN, F}}},
    {"linear",
     "linear fwd",
     TABLE(linear),
     linear_fwd,
     linear_supports,
     linear_fwd_scratch,
     {{"y", TERMS, F}, {"x", GIVEN, F}, {"w", GIVEN, F}, {"b", GIVEN, F}}},
    {"linear",
     "linear bwd",
     TABLE(linear),
     linear_bwd,
     linear_supports,
     linear_bwd_scratch,
     {{"dx", TERMS, F}, {"dw", TERMS, F}, {"db", TERMS, F}, {"dy", GIVEN, F}, {"x", GIVEN, F}, {"w", GIVEN, F}}},
    {"pool2d",
     "pool2d fwd",
     TABLE(pool2d),
     pool2d_fwd,
     pool2d_supports,
     NULL,
     {{"y", TERMS, F}, {"argmax", WANTED, CUG_U8}, {"x", GIVEN, F}}},
    {"pool2d",
     "pool2d bwd",
     TABLE(pool2d),
     pool2d_bwd,
     pool2d_supports,
     NULL,
     {{"dx", TERMS, F}, {"dy", GIVEN, F}, {"winner", GIVEN, CUG_U8}}},
    {"bias", "bias fwd", TABLE(bias), bias_fwd, NULL, NULL, {{"y", WANTED, F}, {"x", GIVEN, F}, {"b", GIVEN, F}}},
    {"bias", "bias bwd", TABLE(bias), bias_bwd, NULL, NULL, {{"dx", WANTED, F}, {"db", TERMS, F}, {"dy", GIVEN, F}}},
    {"batch_norm",
     "batch_norm fwd_train",
     TABLE(batch_norm),
     norm_train,
     NULL,
     batch_norm_fwd_scratch,
     {{"y", WANTED, F}, {"saved", WANTED, F}, {"x", GIVEN, F}, {"gamma", GIVEN, F}, {"beta", GIVEN, F}}},
    {"batch_norm",
     "batch_norm bwd",
     TABLE(batch_norm),
     norm_bwd,
     NULL,
     batch_norm_bwd_scratch,
     {{"dx", WANTED, F},
      {"dgamma", WANTED, F},
      {"dbeta", WANTED, F},
      {"dy", GIVEN, F},
      {"x", GIVEN, F},
      {"gamma", GIVEN, F},
      {"saved", GIVEN, F}}},
    {"batch_norm",
     "batch_norm track",
     TABLE(batch_norm),
     norm_track,
     NULL,
     NULL,
     {{"running_mean", CHANGED, F}, {"running_var", CHANGED, F}, {"saved", GIVEN, F}, {"step", GIVEN, CUG_U8}}},
    {"batch_norm_eval",
     "batch_norm fwd_eval",
     TABLE(batch_norm),
     norm_eval,
     NULL,
     batch_norm_fwd_scratch,
     {{"y", WANTED, F},
      {"x", GIVEN, F},
      {"gamma", GIVEN, F},
      {"beta", GIVEN, F},
      {"running_mean", GIVEN, F},
      {"running_var", GIVEN, F}}},
    {"batch_norm_eval",
     "batch_norm bwd_eval",
     TABLE(batch_norm),
     norm_bwd_eval,
     NULL,
     batch_norm_bwd_scratch,
     {{"dx", WANTED, F}, {"dy", GIVEN, F}, {"gamma", GIVEN, F}, {"running_var", GIVEN, F}}},
    {"activation",
     "activation fwd",
     TABLE(activation),
     activation_fwd,
     activation_supports,
     NULL,
     {{"y", WANTED, F}, {"x", GIVEN, F}}},
    {"activation",
     "activation bwd",
     TABLE(activation),
     activation_bwd,
     activation_supports,
     NULL,
     {{"dx", WANTED, F}, {"dy", GIVEN, F}, {"of", GIVEN, F}}},
    {"dropout",
     "dropout fwd",
     TABLE(dropout),
     dropout_fwd,
     NULL,
     NULL,
     {{"y", WANTED, F}, {"x", GIVEN, F}, {"ids", GIVEN, CUG_I32}, {"step", GIVEN, CUG_U8}}},
    {"dropout",
     "dropout bwd",
     TABLE(dropout),
     dropout_bwd,
     NULL,
     NULL,
     {{"dx", WANTED, F}, {"dy", GIVEN, F}, {"ids", GIVEN, CUG_I32}, {"step", GIVEN, CUG_U8}}},
    {"add", "add fwd", TABLE(add), add_fwd, NULL, NULL, {{"y", TERMS, F}, INPUTS}},
    {"add", "add bwd", TABLE(add), add_bwd, NULL, NULL, {{"dx", WANTED, F}, {"dy", GIVEN, F}}},
    {"concat", "concat fwd", TABLE(concat), concat_fwd, NULL, NULL, {{"y", WANTED, F}, INPUTS}},
    LOSS(softmax_xent),
    LOSS(bce_logits),
    LOSS(mse),
    {"update",
     "update",
     TABLE(optimizer),
     update,
     NULL,
     NULL,
     {{"w", CHANGED, F}, {"m", CHANGED, F}, {"v", CHANGED, F}, {"g", GIVEN, F}, {"step", GIVEN, CUG_U8}}},
};
#define PASSES ((int)(sizeof passes / sizeof *passes))

/* Concat's backward is a call for each input. */
static const char *const dx_of[CUG_MAX_INPUTS] = {"dx0", "dx1", "dx2", "dx3", "dx4", "dx5", "dx6", "dx7"};

/* --- shapes ------------------------------------------------------------------------------------------------------- */

static int is_loss(const sample_call *c) {
    return !strcmp(c->op, "softmax_xent") || !strcmp(c->op, "bce_logits") || !strcmp(c->op, "mse");
}

static double number(const sample_call *c, size_t i) {
    size_t n = 0;
    const double *v = sample_reals(c, "in", "numbers", &n);
    return v && i < n ? v[i] : 0;
}

static cug_status make_shape(any_shape *s, const sample_call *c) {
    const int *v = c->shape;
    memset(s, 0, sizeof *s);
    if (!strcmp(c->op, "conv2d")) {
        s->conv2d = (cug_conv2d_shape){.N = v[0], .H = v[1], .W = v[2], .C = v[3], .K = v[4], .R = v[5], .S = v[6]};
        s->conv2d.stride_h = v[7], s->conv2d.stride_w = v[8];
        s->conv2d.pad_top = v[9], s->conv2d.pad_bottom = v[10];
        s->conv2d.pad_left = v[11], s->conv2d.pad_right = v[12];
        return cug_conv2d_shape_init(&s->conv2d);
    }
    if (!strcmp(c->op, "pool2d")) {
        s->pool2d = (cug_pool2d_shape){.N = v[1], .H = v[2], .W = v[3], .C = v[4], .R = v[5], .S = v[6]};
        s->pool2d.kind = v[0] ? CUG_POOL_AVG : CUG_POOL_MAX;
        s->pool2d.stride_h = v[7], s->pool2d.stride_w = v[8];
        s->pool2d.pad_top = v[9], s->pool2d.pad_bottom = v[10];
        s->pool2d.pad_left = v[11], s->pool2d.pad_right = v[12];
        return cug_pool2d_shape_init(&s->pool2d);
    }
    if (!strcmp(c->op, "linear")) {
        s->linear = (cug_linear_shape){v[0], v[1], v[2]};
        return cug_linear_shape_init(&s->linear);
    }
    if (!strcmp(c->op, "bias")) s->bias = (cug_bias_shape){v[0], v[1]};
    if (!strncmp(c->op, "batch_norm", 10))
        s->batch_norm = (cug_batch_norm_shape){v[0], v[1], (float)number(c, 0), (float)number(c, 1)};
    if (!strcmp(c->op, "activation"))
        s->activation = (cug_activation_shape){(cug_act_kind)v[0], (float)c->slope, (size_t)v[1]};
    if (!strcmp(c->op, "dropout"))
        s->dropout = (cug_dropout_shape){v[0], v[1], cug_dropout_threshold(c->slope), (float)(1 / (1 - c->slope)),
                                         (uint32_t)number(c, 3)};
    if (!strcmp(c->op, "add")) s->add = (cug_add_shape){v[0], (size_t)v[1]};
    if (!strcmp(c->op, "concat")) {
        s->concat = (cug_concat_shape){.inputs = v[0], .rows = v[1]};
        for (int i = 0; i < v[0] && i < CUG_MAX_INPUTS; i++) s->concat.total += s->concat.C[i] = v[2 + i];
    }
    if (is_loss(c)) s->loss = (cug_loss_shape){v[0], v[1], (float)c->slope};
    if (!strcmp(c->op, "update"))
        s->update = (cug_opt_params){.kind = (cug_opt_kind)v[0],
                                     .momentum = (float)number(c, 1),
                                     .beta1 = (float)number(c, 2),
                                     .beta2 = (float)number(c, 3),
                                     .eps = (float)number(c, 4),
                                     .l2 = (float)number(c, 5)};
    return CUG_OK;
}

/* The step record of dropout (seed low, seed high, step) and of an update (rate, ..., corrections). */
static const cug_step *make_step(op_world *w, const sample_call *c) {
    cug_step *step = op_memory(w, sizeof *step);
    if (!strcmp(c->op, "update")) {
        step->lr = (float)number(c, 0);
        step->bias_corr1 = (float)number(c, 6);
        step->bias_corr2 = (float)number(c, 7);
    } else {
        step->seed = (uint64_t)number(c, 1) << 32 | (uint64_t)number(c, 0);
        step->step = (uint64_t)number(c, 2);
    }
    return step;
}

/* --- from a sample to a call -------------------------------------------------------------------------------------- */

static const void *narrowed(op_world *w, const int32_t *v, size_t n) {
    uint8_t *bytes = op_memory(w, n);
    for (size_t i = 0; v && i < n; i++) bytes[i] = (uint8_t)v[i];
    return bytes;
}

static void fill_slot(op_world *w, const sample_call *c, op_slot *slot, const char *name, int role, cug_dtype dtype,
                      const void **want) {
    size_t n = 0;
    const double *reals;
    const int32_t *integers;
    *slot = (op_slot){.name = name, .role = OP_ABSENT, .dtype = dtype};
    if (!strcmp(name, "step")) {
        *slot = (op_slot){.name = name, .role = OP_IN, .dtype = dtype, .count = sizeof(cug_step), .raw = 1};
        slot->data = make_step(w, c);
        return;
    }
    if (role != GIVEN) {
        reals = sample_reals(c, "want", name, &n);
        integers = sample_integers(c, "want", name, &n);
        *want = dtype == CUG_F64 ? (const void *)reals : (const void *)integers;
        if (*want)
            *slot = (op_slot){.name = name, .role = OP_OUT, .dtype = dtype, .count = n, .by_terms = role == TERMS};
        if (role != CHANGED || !*want) return;
        slot->role = OP_ADD;
    }
    reals = sample_reals(c, "in", name, &n);
    integers = sample_integers(c, "in", name, &n);
    if (!strcmp(name, "ids") && !integers) integers = op_memory(w, (n = (size_t)c->shape[0]) * sizeof *integers);
    slot->data = dtype == CUG_F64 ? (const void *)reals : (const void *)integers;
    if (!slot->data) return;
    slot->count = n;
    if (role == GIVEN) slot->role = OP_IN;
    if (dtype == CUG_U8) slot->data = narrowed(w, integers, n);
}

static double largest_of(const sample_call *c, const char *part, const char *name) {
    size_t n = 0;
    const double *v = sample_reals(c, part, name, &n);
    double largest = 0;
    for (size_t i = 0; v && i < n; i++) largest = fmax(largest, fabs(v[i]));
    return largest;
}

/* How far float32 may be from the truth; sums have their own rule. As in the tests of backends against ref. */
static void set_tolerances(const sample_call *c, op_call *call) {
    if (!strcmp(c->op, "activation") && c->shape[0] >= CUG_ACT_SIGMOID) {
        call->slots[0].rtol = OP_RTOL;
        call->slots[0].atol = OP_ATOL / 10;
    }
    if (is_loss(c)) {
        size_t n = 0;
        const double *z = sample_reals(c, "in", "z", &n);
        double top = 0, rows = c->shape[0], K = c->shape[1];
        for (size_t i = 0; i < n; i++) top = fmax(top, fabs(z[i]));
        int is_mse = !strcmp(c->op, "mse");
        call->slots[0].rtol = call->slots[1].rtol = OP_RTOL;
        call->slots[0].atol = (1 + (is_mse ? top * top : top)) * 0x1p-22;
        call->slots[1].atol = (1 + top) * 0x1p-22 / rows / (strcmp(c->op, "softmax_xent") ? K : 1);
    }
    for (int i = 0; i < 3 && !strcmp(c->op, "update"); i++) {
        call->slots[i].rtol = OP_RTOL;
        call->slots[i].atol = OP_ATOL / 10;
    }
    /* Differences of numbers of one size: as far off as the largest of them. */
    for (int i = 0; i < 3 && !strncmp(c->op, "batch_norm", 10); i++) {
        double factor = largest_of(c, "in", "gamma") * largest_of(c, "in", "saved"), made_of = 0;
        if (!strcmp(call->slots[i].name, "dx")) made_of = factor * largest_of(c, "in", "dy");
        call->slots[i].rtol = OP_RTOL;
        call->slots[i].atol = 1e-5 * largest_of(c, "want", call->slots[i].name) + 0x1p-21 * made_of;
    }
    if (!strcmp(c->op, "add") && c->shape[0] == 2) call->slots[0].by_terms = 0; /* one sum, rounded once */
    if (!strcmp(c->op, "pool2d") && c->shape[0] == CUG_POOL_MAX && !strcmp(call->slots[0].name, "y"))
        call->slots[0].by_terms = 0;
}

/* The mean of the losses in slot 0, for suites that give nothing else. */
static void check_mean(op_world *w, const sample_call *c, const op_call *call) {
    const double *want = sample_reals(c, "want", "mean", NULL);
    for (int j = -1; want && j < w->sides; j++) {
        op_side *s = j < 0 ? &w->ref : &w->side[j];
        double sum = 0;
        if (op_run(w, s, call) != 1) continue;
        for (size_t i = 0; i < call->slots[0].count; i++) sum += s->value[0][i];
        sum /= (double)call->slots[0].count;
        if (!(fabs(sum - *want) <= call->slots[0].atol + call->slots[0].rtol * fabs(*want)))
            op_failed(w, "%s [%s] on %s: mean loss %.9g, not %.9g", c->op, c->name, s->label, sum, *want);
    }
}

/* 1 when something was compared. */
static int run_pass(op_world *w, const sample_call *c, const pass *p, const any_shape *s, int index) {
    static const cug_param_run one_run = {.decay = 1};
    cug_param_run run = one_run;
    op_call call = {.op = p->title,
                    .name = c->name,
                    .shape = s,
                    .index = index,
                    .aux = &run,
                    .run = p->run,
                    .table = p->table,
                    .supports = p->supports,
                    .workspace = p->workspace};
    const void *want[OP_SLOTS] = {NULL};
    int wanted = 0;
    for (int i = 0; i < OP_SLOTS && p->slots[i].name; i++) {
        const char *name = index >= 0 && i == 0 ? dx_of[index] : p->slots[i].name;
        fill_slot(w, c, &call.slots[i], name, p->slots[i].role, p->slots[i].dtype, &want[i]);
        wanted |= want[i] != NULL;
    }
    int mean = sample_reals(c, "want", "mean", NULL) != NULL;
    if (!wanted && !mean) return 0;
    run.count = call.slots[0].count;
    if (mean) call.slots[0] = (op_slot){.name = "loss", .role = OP_OUT, .dtype = CUG_F64, .count = (size_t)c->shape[0]};
    set_tolerances(c, &call);
    if (wanted) op_against(w, &call, want, c->f->wide);
    check_mean(w, c, &call);
    return 1;
}

int run_op(op_world *w, const sample_call *c) {
    static const pass concat_back = {
        "concat", "concat bwd", TABLE(concat), concat_bwd, NULL, NULL, {{"dx0", WANTED, F}, {"dy", GIVEN, F}}};
    any_shape s;
    int found = 0, compared = 0;
    for (int i = 0; i < PASSES; i++) {
        if (strcmp(passes[i].op, c->op)) continue;
        if (!found++ && make_shape(&s, c) != CUG_OK) {
            op_failed(w, "%s [%s]: %s", c->op, c->name, cug_error());
            return 1;
        }
        compared += run_pass(w, c, &passes[i], &s, -1);
    }
    for (int j = 0; found && !strcmp(c->op, "concat") && j < s.concat.inputs; j++)
        compared += run_pass(w, c, &concat_back, &s, j);
    if (found && !compared) op_failed(w, "%s [%s]: the sample has nothing to compare", c->op, c->name);
    return found;
}
