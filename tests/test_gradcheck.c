/* test_gradcheck.c - the gradient check accepts what is right and catches a flipped sign in every backward op. */
#include <criterion/criterion.h>
#include <cuglyph/gradcheck.h>
#include <stdio.h>
#include <string.h>

/* Every op in one small model, each with a parameter upstream so that its backward matters. */
#define EVERY_OP                                                                                                       \
    "input 8x8x2; conv 4 3x3 pad=same; leaky_relu; residual { conv 4 3x3 pad=same; tanh }; "                           \
    "residual { bias; silu }; batchnorm; residual { bias; gelu }; branch { { conv 3 1x1; sigmoid } { avgpool 3 "       \
    "stride=1 pad=1 } "                                                                                                \
    "}; maxpool 2; bias; dropout 0.3; relu; flatten; "                                                                 \
    "linear 5"

/* Backward wrappers: the real one, then the sign of what it wrote turned over. Everything is host memory here. */
static void negate(const cug_tensor *t) {
    size_t n = t && t->ptr ? cug_tensor_count(t) : 0;
    for (size_t i = 0; i < n; i++) {
        if (t->dtype == CUG_F64)
            ((double *)t->ptr)[i] *= -1;
        else
            ((float *)t->ptr)[i] *= -1;
    }
}

static const cug_backend *real; /* whose ops the wrappers call */

static cug_status flip_conv2d(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                              const cug_tensor *x, const cug_tensor *w, const cug_conv2d_shape *s, unsigned acc,
                              const cug_exec *ex) {
    cug_status st = real->conv2d->bwd(dx, dw, db, dy, x, w, s, acc, ex);
    negate(dw);
    return st;
}
static cug_status flip_conv2d_dx(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                                 const cug_tensor *x, const cug_tensor *w, const cug_conv2d_shape *s, unsigned acc,
                                 const cug_exec *ex) {
    cug_status st = real->conv2d->bwd(dx, dw, db, dy, x, w, s, acc, ex);
    negate(dx);
    return st;
}
static cug_status flip_linear(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                              const cug_tensor *x, const cug_tensor *w, const cug_linear_shape *s, unsigned acc,
                              const cug_exec *ex) {
    cug_status st = real->linear->bwd(dx, dw, db, dy, x, w, s, acc, ex);
    negate(db);
    return st;
}
static cug_status flip_pool2d(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *argmax,
                              const cug_pool2d_shape *s, unsigned acc, const cug_exec *ex) {
    cug_status st = real->pool2d->bwd(dx, dy, argmax, s, acc, ex);
    negate(dx);
    return st;
}
static cug_status flip_bias(const cug_tensor *dx, const cug_tensor *db, const cug_tensor *dy, const cug_bias_shape *s,
                            unsigned acc, const cug_exec *ex) {
    cug_status st = real->bias->bwd(dx, db, dy, s, acc, ex);
    negate(db);
    return st;
}
static cug_status flip_batch_norm(const cug_tensor *dx, const cug_tensor *dgamma, const cug_tensor *dbeta,
                                  const cug_tensor *dy, const cug_tensor *x, const cug_tensor *gamma,
                                  const cug_tensor *saved, const cug_batch_norm_shape *s, unsigned acc,
                                  const cug_exec *ex) {
    cug_status st = real->batch_norm->bwd(dx, dgamma, dbeta, dy, x, gamma, saved, s, acc, ex);
    negate(dgamma);
    return st;
}
static cug_act_kind flipped_kind; /* NONE: all */
static cug_status flip_activation(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *of,
                                  const cug_activation_shape *s, unsigned acc, const cug_exec *ex) {
    cug_status st = real->activation->bwd(dx, dy, of, s, acc, ex);
    if (flipped_kind == CUG_ACT_NONE || s->kind == flipped_kind) negate(dx);
    return st;
}
static cug_status flip_dropout(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *ids, const cug_step *step,
                               const cug_dropout_shape *s, unsigned acc, const cug_exec *ex) {
    cug_status st = real->dropout->bwd(dx, dy, ids, step, s, acc, ex);
    negate(dx);
    return st;
}
static cug_status flip_add(const cug_tensor *dx, const cug_tensor *dy, const cug_add_shape *s, unsigned acc,
                           const cug_exec *ex) {
    cug_status st = real->add->bwd(dx, dy, s, acc, ex);
    negate(dx);
    return st;
}
static cug_status flip_concat(const cug_tensor *dx, const cug_tensor *dy, int j, const cug_concat_shape *s,
                              unsigned acc, const cug_exec *ex) {
    cug_status st = real->concat->bwd(dx, dy, j, s, acc, ex);
    negate(dx);
    return st;
}
#define FLIP_LOSS(name)                                                                                                \
    static cug_status flip_##name(const cug_tensor *loss, const cug_tensor *dz, const cug_tensor *pred,                \
                                  const cug_tensor *z, const cug_tensor *labels, const cug_loss_shape *s,              \
                                  const cug_exec *ex) {                                                                \
        cug_status st = real->name->fwd_bwd(loss, dz, pred, z, labels, s, ex);                                         \
        negate(dz);                                                                                                    \
        return st;                                                                                                     \
    }
FLIP_LOSS(softmax_xent)
FLIP_LOSS(bce_logits)
FLIP_LOSS(mse)

static struct {
    cug_conv2d_ops conv2d;
    cug_linear_ops linear;
    cug_pool2d_ops pool2d;
    cug_bias_ops bias;
    cug_batch_norm_ops batch_norm;
    cug_activation_ops activation;
    cug_dropout_ops dropout;
    cug_add_ops add;
    cug_concat_ops concat;
    cug_loss_ops softmax_xent, bce_logits, mse;
} ops;

enum { FLIPS = 15 };
static const char *const flip_names[FLIPS] = {"conv2d dw",  "conv2d dx", "linear db", "pool2d", "bias",
                                              "activation", "dropout",   "add",       "concat", "softmax_xent",
                                              "bce_logits", "mse",       "silu",      "gelu",   "batch_norm"};

/* b: a copy of `real` with one backward op's sign flipped. Fused blocks are off, so that the op itself runs. */
static void flip(cug_backend *b, int which) {
    *b = *real;
    b->conv_block = NULL;
    switch (which) {
    case 0:
    case 1:
        ops.conv2d = *real->conv2d;
        ops.conv2d.bwd = which ? flip_conv2d_dx : flip_conv2d;
        b->conv2d = &ops.conv2d;
        break;
    case 2:
        ops.linear = *real->linear, ops.linear.bwd = flip_linear, b->linear = &ops.linear;
        break;
    case 3:
        ops.pool2d = *real->pool2d, ops.pool2d.bwd = flip_pool2d, b->pool2d = &ops.pool2d;
        break;
    case 4:
        ops.bias = *real->bias, ops.bias.bwd = flip_bias, b->bias = &ops.bias;
        break;
    case 5:
    case 12:
    case 13:
        flipped_kind = which == 12 ? CUG_ACT_SILU : which == 13 ? CUG_ACT_GELU : CUG_ACT_NONE;
        ops.activation = *real->activation, ops.activation.bwd = flip_activation, b->activation = &ops.activation;
        break;
    case 6:
        ops.dropout = *real->dropout, ops.dropout.bwd = flip_dropout, b->dropout = &ops.dropout;
        break;
    case 7:
        ops.add = *real->add, ops.add.bwd = flip_add, b->add = &ops.add;
        break;
    case 8:
        ops.concat = *real->concat, ops.concat.bwd = flip_concat, b->concat = &ops.concat;
        break;
    case 9:
        ops.softmax_xent.fwd_bwd = flip_softmax_xent, b->softmax_xent = &ops.softmax_xent;
        break;
    case 10:
        ops.bce_logits.fwd_bwd = flip_bce_logits, b->bce_logits = &ops.bce_logits;
        break;
    case 14:
        ops.batch_norm = *real->batch_norm, ops.batch_norm.bwd = flip_batch_norm, b->batch_norm = &ops.batch_norm;
        break;
    default:
        ops.mse.fwd_bwd = flip_mse, b->mse = &ops.mse;
        break;
    }
}

static cug_graph *model_for(int which) {
    static const char *const loss[] = {"softmax_xent", "bce_logits", "mse"};
    char spec[512];
    snprintf(spec, sizeof spec, EVERY_OP "; loss %s", loss[which < 9 || which > 11 ? 0 : which - 9]);
    cug_graph *g = NULL;
    cr_assert(cug_spec_parse(&g, spec, "spec") == CUG_OK, "%s", cug_error());
    return g;
}

Test(gradcheck, accepts_the_reference_and_the_cpu) {
    cug_gradcheck_options o;
    cug_gradcheck_defaults(&o);
    for (int which = 9; which < 12; which++) { /* each loss */
        cug_graph *g = model_for(which);
        cug_check_table t;
        cr_expect(cug_gradcheck_numeric(&t, g, &cug_backend_ref, &o) == CUG_OK, "%s", cug_error());
        int trained = 0;
        for (int i = 0; i < g->n_segments; i++) trained += cug_segment_trained(&g->segments[i]);
        cr_expect_eq(t.n, trained + 1, "every parameter tensor and the input");
        for (int i = 0; i < t.n; i++)
            cr_expect(t.rows[i].checked >= 4 && t.rows[i].failed == 0, "%s", t.rows[i].tensor);
        cug_check_table_free(&t);
        for (o.batch = 1; o.batch <= 5; o.batch += 2) {
            cr_expect(cug_gradcheck_parity(&t, g, &cug_backend_ref, &cug_backend_cpu, &o) == CUG_OK, "%s", cug_error());
            cug_check_table_free(&t);
        }
        o.batch = 2;
        cug_graph_free(g);
    }
}

Test(gradcheck, catches_a_flipped_sign_in_every_backward_op_of_ref) {
    cug_gradcheck_options o;
    cug_gradcheck_defaults(&o);
    o.entries = 12;
    real = &cug_backend_ref;
    for (int which = 0; which < FLIPS; which++) {
        cug_graph *g = model_for(which);
        cug_backend broken;
        cug_check_table t;
        flip(&broken, which);
        cr_expect(cug_gradcheck_numeric(&t, g, &broken, &o) == CUG_EMISMATCH, "%s was not caught", flip_names[which]);
        cr_expect_gt(t.failed, 0, "%s", flip_names[which]);
        cug_check_table_free(&t);
        cug_graph_free(g);
    }
}

Test(gradcheck, catches_a_flipped_sign_in_every_backward_op_of_cpu) {
    cug_gradcheck_options o;
    cug_gradcheck_defaults(&o);
    real = &cug_backend_cpu;
    for (int which = 0; which < FLIPS; which++) {
        cug_graph *g = model_for(which);
        cug_backend broken;
        cug_check_table t;
        flip(&broken, which);
        cr_expect(cug_gradcheck_parity(&t, g, &cug_backend_ref, &broken, &o) == CUG_EMISMATCH, "%s was not caught",
                  flip_names[which]);
        cug_check_table_free(&t);
        cug_graph_free(g);
    }
}

/* The fused block has a backward of its own. */
static cug_status flip_block(const cug_tensor *dx, const cug_tensor *dw, const cug_tensor *db, const cug_tensor *dy,
                             const cug_tensor *y, const void *saved, const cug_tensor *x, const cug_tensor *w,
                             const cug_conv_block_shape *s, unsigned acc, const cug_exec *ex) {
    cug_status st = real->conv_block->bwd(dx, dw, db, dy, y, saved, x, w, s, acc, ex);
    negate(dw);
    return st;
}

Test(gradcheck, catches_a_flipped_sign_in_the_fused_block) {
    cug_gradcheck_options o;
    cug_gradcheck_defaults(&o);
    real = &cug_backend_cpu;
    if (!real->conv_block) cr_skip_test("the cpu backend has no fused block");
    cug_graph *g = NULL;
    cr_assert(cug_spec_parse(&g, "input 8x8x2; conv 8 3x3; relu; maxpool 2; flatten; linear 5", "spec") == CUG_OK);
    cug_check_table t;
    cr_expect(cug_gradcheck_parity(&t, g, &cug_backend_ref, &cug_backend_cpu, &o) == CUG_OK, "%s", cug_error());
    cug_check_table_free(&t);
    cug_backend broken = cug_backend_cpu;
    cug_conv_block_ops block = *real->conv_block;
    block.bwd = flip_block;
    broken.conv_block = &block;
    cr_expect(cug_gradcheck_parity(&t, g, &cug_backend_ref, &broken, &o) == CUG_EMISMATCH, "was not caught");
    cug_check_table_free(&t);
    cug_graph_free(g);
}
