/* test_ref_grad.c - every backward of the reference against central differences of its own forward, in float64. */
#include "cases/activation.h"
#include "cases/add.h"
#include "cases/bce_logits.h"
#include "cases/bias.h"
#include "cases/concat.h"
#include "cases/conv2d.h"
#include "cases/dropout.h"
#include "cases/linear.h"
#include "cases/mse.h"
#include "cases/pool2d.h"
#include "cases/softmax_xent.h"
#include "support/op_check.h"
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define EPS 1e-6
#define ATOL 1e-5
#define RTOL 1e-3
#define ENTRIES 24 /* of each tensor, spread over it */

static const cug_backend *const ref = &cug_backend_ref;
static op_world world; /* owns the numbers; no backend is opened in it */
static long checked;

/* A scalar function of tensors: sum of y * r, where y = op(in...). */
typedef struct problem problem;
struct problem {
    const char *name;
    const void *shape;
    cug_tensor in[CUG_MAX_INPUTS], y; /* y: filled by forward */
    const double *r;                  /* dL/dy */
    cug_status (*forward)(problem *p);
    cug_tensor ids, labels, argmax;
    cug_step step;
};

static double *numbers(uint64_t seed, size_t n) { return op_reals(&world, seed, n, -1, 1); }
static cug_tensor tensor(double *v, size_t n) { return cug_tensor1(v, CUG_F64, (int)n); }
static cug_tensor random_tensor(uint64_t seed, size_t n) { return tensor(numbers(seed, n), n); }
static cug_tensor empty(size_t n) { return tensor(op_memory(&world, n * sizeof(double)), n); }

static double scalar(problem *p) {
    double sum = 0;
    cr_assert_eq(p->forward(p), CUG_OK, "%s: %s", p->name, cug_error());
    for (size_t i = 0, n = cug_tensor_count(&p->y); i < n; i++) sum += p->r[i] * ((double *)p->y.ptr)[i];
    return sum;
}

/* in[k]'s gradient, as backward gave it, against central differences. */
static void agree(problem *p, int k, const cug_tensor *gradient) {
    size_t n = cug_tensor_count(&p->in[k]), stride = n / ENTRIES + 1;
    double *v = p->in[k].ptr;
    for (size_t i = 0; i < n; i += stride) {
        double keep = v[i];
        v[i] = keep + EPS;
        double up = scalar(p);
        v[i] = keep - EPS;
        double down = scalar(p);
        v[i] = keep;
        double want = (up - down) / (2 * EPS), got = ((double *)gradient->ptr)[i];
        checked++;
        cr_expect(fabs(got - want) <= ATOL + RTOL * fabs(want),
                  "%s: input %d, element %zu: %.10g, differences say %.10g", p->name, k, i, got, want);
    }
}

static void done(const char *op) {
    fprintf(stderr, "  ref gradients  %s: %ld entries\n", op, checked);
    cr_assert_gt(checked, 0);
    op_release(&world);
}

/* --- conv2d, linear ----------------------------------------------------------------------------------------------- */

static cug_status conv_forward(problem *p) {
    return ref->conv2d->fwd(&p->y, &p->in[0], &p->in[1], &p->in[2], p->shape, NULL);
}

Test(ref_grad, conv2d) {
    for (int i = 0; i < CONV2D_CASES; i++) {
        cug_conv2d_shape s = conv2d_cases[i].s;
        if (conv2d_cases[i].large) continue;
        cr_assert_eq(cug_conv2d_shape_init(&s), CUG_OK);
        size_t nx = (size_t)(s.N * s.H * s.W * s.C), nw = (size_t)(s.K * s.R * s.S * s.C);
        size_t ny = (size_t)(s.N * s.P * s.Q * s.K), nb = (size_t)s.K;
        problem p = {.name = conv2d_cases[i].name,
                     .shape = &s,
                     .forward = conv_forward,
                     .y = empty(ny),
                     .r = numbers(9, ny),
                     .in = {random_tensor(1, nx), random_tensor(2, nw), random_tensor(3, nb)}};
        cug_tensor g[3] = {empty(nx), empty(nw), empty(nb)}, dy = tensor(numbers(9, ny), ny);
        cr_assert_eq(ref->conv2d->bwd(&g[0], &g[1], &g[2], &dy, &p.in[0], &p.in[1], &s, 0, NULL), CUG_OK);
        for (int k = 0; k < 3; k++) agree(&p, k, &g[k]);
        op_release(&world);
    }
    done("conv2d");
}

static cug_status linear_forward(problem *p) {
    return ref->linear->fwd(&p->y, &p->in[0], &p->in[1], &p->in[2], p->shape, NULL);
}

Test(ref_grad, linear) {
    for (int i = 0; i < LINEAR_CASES; i++) {
        const cug_linear_shape *s = &linear_cases[i].s;
        if (linear_cases[i].large) continue;
        size_t nx = (size_t)(s->N * s->I), nw = (size_t)(s->O * s->I), ny = (size_t)(s->N * s->O), nb = (size_t)s->O;
        problem p = {.name = linear_cases[i].name,
                     .shape = s,
                     .forward = linear_forward,
                     .y = empty(ny),
                     .r = numbers(9, ny),
                     .in = {random_tensor(1, nx), random_tensor(2, nw), random_tensor(3, nb)}};
        cug_tensor g[3] = {empty(nx), empty(nw), empty(nb)}, dy = tensor(numbers(9, ny), ny);
        cr_assert_eq(ref->linear->bwd(&g[0], &g[1], &g[2], &dy, &p.in[0], &p.in[1], s, 0, NULL), CUG_OK);
        for (int k = 0; k < 3; k++) agree(&p, k, &g[k]);
        op_release(&world);
    }
    done("linear");
}

/* --- pool2d ------------------------------------------------------------------------------------------------------- */

static cug_status pool_forward(problem *p) {
    return ref->pool2d->fwd(&p->y, p->argmax.ptr ? &p->argmax : NULL, &p->in[0], p->shape, NULL);
}

Test(ref_grad, pool2d) {
    for (int i = 0; i < 2 * POOL2D_CASES; i++) {
        cug_pool2d_shape s = pool2d_cases[i / 2].s;
        if (pool2d_cases[i / 2].large) continue;
        s.kind = i % 2 ? CUG_POOL_AVG : CUG_POOL_MAX;
        cr_assert_eq(cug_pool2d_shape_init(&s), CUG_OK);
        size_t nx = (size_t)(s.N * s.H * s.W * s.C), ny = (size_t)(s.N * s.P * s.Q * s.C);
        /* all different, by 1/nx at least: a step of EPS never changes a winner */
        problem p = {.name = pool2d_cases[i / 2].name,
                     .shape = &s,
                     .forward = pool_forward,
                     .y = empty(ny),
                     .r = numbers(9, ny),
                     .in = {tensor(op_distinct(&world, 1, nx), nx)},
                     .argmax = cug_tensor1(op_memory(&world, ny), CUG_U8, (int)ny)};
        for (size_t j = 0; j < nx; j++) ((double *)p.in[0].ptr)[j] /= (double)nx;
        cug_tensor g = empty(nx), dy = tensor(numbers(9, ny), ny);
        cr_assert_eq(pool_forward(&p), CUG_OK);
        cr_assert_eq(ref->pool2d->bwd(&g, &dy, &p.argmax, &s, 0, NULL), CUG_OK);
        p.argmax.ptr = NULL;
        agree(&p, 0, &g);
        op_release(&world);
    }
    done("pool2d");
}

/* --- elementwise -------------------------------------------------------------------------------------------------- */

static cug_status bias_forward(problem *p) { return ref->bias->fwd(&p->y, &p->in[0], &p->in[1], p->shape, NULL); }

Test(ref_grad, bias) {
    for (int i = 0; i < BIAS_CASES; i++) {
        const cug_bias_shape *s = &bias_cases[i];
        size_t n = (size_t)(s->rows * s->C), nb = (size_t)s->C;
        problem p = {.name = "bias",
                     .shape = s,
                     .forward = bias_forward,
                     .y = empty(n),
                     .r = numbers(9, n),
                     .in = {random_tensor(1, n), random_tensor(2, nb)}};
        cug_tensor g[2] = {empty(n), empty(nb)}, dy = tensor(numbers(9, n), n);
        cr_assert_eq(ref->bias->bwd(&g[0], &g[1], &dy, s, 0, NULL), CUG_OK);
        agree(&p, 0, &g[0]);
        agree(&p, 1, &g[1]);
        op_release(&world);
    }
    done("bias");
}

static cug_status activation_forward(problem *p) { return ref->activation->fwd(&p->y, &p->in[0], p->shape, NULL); }

Test(ref_grad, activation) {
    for (int k = 0; k < ACTIVATION_KINDS; k++)
        for (int i = 0; i < ACTIVATION_CASES && activation_counts[i] < 10000; i++) {
            cug_activation_shape s = {activation_kinds[k].kind, activation_kinds[k].slope, activation_counts[i]};
            problem p = {.name = activation_kinds[k].name,
                         .shape = &s,
                         .forward = activation_forward,
                         .y = empty(s.count),
                         .r = numbers(9, s.count),
                         .in = {tensor(op_reals(&world, 1, s.count, -5, 5), s.count)}};
            double *x = p.in[0].ptr;
            for (size_t j = 0; j < s.count; j++)
                if (fabs(x[j]) < 1e-3) x[j] = 0.5; /* off the kink */
            cug_tensor g = empty(s.count), dy = tensor(numbers(9, s.count), s.count);
            cr_assert_eq(activation_forward(&p), CUG_OK);
            cr_assert_eq(ref->activation->bwd(&g, &dy, cug_act_reads_x(s.kind) ? &p.in[0] : &p.y, &s, 0, NULL), CUG_OK);
            agree(&p, 0, &g);
            op_release(&world);
        }
    done("activation");
}

static cug_status dropout_forward(problem *p) {
    return ref->dropout->fwd(&p->y, &p->in[0], &p->ids, &p->step, p->shape, NULL);
}

Test(ref_grad, dropout) {
    for (int i = 0; i < DROPOUT_CASES; i++) {
        double drop = dropout_cases[i].p;
        cug_dropout_shape s = {dropout_cases[i].N, dropout_cases[i].F, cug_dropout_threshold(drop),
                               (float)(1 / (1 - drop)), dropout_cases[i].node};
        size_t n = (size_t)(s.N * s.F), rows = (size_t)s.N;
        problem p = {.name = "dropout",
                     .shape = &s,
                     .forward = dropout_forward,
                     .y = empty(n),
                     .r = numbers(9, n),
                     .in = {random_tensor(1, n)},
                     .step = {.seed = 5, .step = 3},
                     .ids = cug_tensor1(op_int32(&world, 2, rows, 0, 59999), CUG_I32, s.N)};
        cug_tensor g = empty(n), dy = tensor(numbers(9, n), n);
        cr_assert_eq(ref->dropout->bwd(&g, &dy, &p.ids, &p.step, &s, 0, NULL), CUG_OK);
        agree(&p, 0, &g);
        op_release(&world);
    }
    done("dropout");
}

/* --- add, concat -------------------------------------------------------------------------------------------------- */

static cug_status add_forward(problem *p) {
    const cug_tensor *x[CUG_MAX_INPUTS];
    for (int j = 0; j < CUG_MAX_INPUTS; j++) x[j] = &p->in[j];
    return ref->add->fwd(&p->y, x, p->shape, NULL);
}

Test(ref_grad, add) {
    for (int i = 0; i < ADD_CASES; i++) {
        const cug_add_shape *s = &add_cases[i];
        problem p = {
            .name = "add", .shape = s, .forward = add_forward, .y = empty(s->count), .r = numbers(9, s->count)};
        for (int j = 0; j < s->inputs; j++) p.in[j] = random_tensor((uint64_t)j, s->count);
        cug_tensor g = empty(s->count), dy = tensor(numbers(9, s->count), s->count);
        cr_assert_eq(ref->add->bwd(&g, &dy, s, 0, NULL), CUG_OK);
        for (int j = 0; j < s->inputs; j++) agree(&p, j, &g);
        op_release(&world);
    }
    done("add");
}

static cug_status concat_forward(problem *p) {
    const cug_tensor *x[CUG_MAX_INPUTS];
    for (int j = 0; j < CUG_MAX_INPUTS; j++) x[j] = &p->in[j];
    return ref->concat->fwd(&p->y, x, p->shape, NULL);
}

Test(ref_grad, concat) {
    for (int i = 0; i < CONCAT_CASES; i++) {
        const cug_concat_shape *s = &concat_cases[i];
        size_t ny = (size_t)(s->rows * s->total);
        problem p = {.name = "concat", .shape = s, .forward = concat_forward, .y = empty(ny), .r = numbers(9, ny)};
        for (int j = 0; j < s->inputs; j++) p.in[j] = random_tensor((uint64_t)j, (size_t)(s->rows * s->C[j]));
        cug_tensor dy = tensor(numbers(9, ny), ny);
        for (int j = 0; j < s->inputs; j++) {
            cug_tensor g = empty((size_t)(s->rows * s->C[j]));
            cr_assert_eq(ref->concat->bwd(&g, &dy, j, s, 0, NULL), CUG_OK);
            agree(&p, j, &g);
        }
        op_release(&world);
    }
    done("concat");
}

/* --- losses: dz is the gradient of the mean
 * --------------------------------------------------------------------------- */

static cug_status softmax_forward(problem *p) {
    return ref->softmax_xent->fwd_bwd(&p->y, NULL, NULL, &p->in[0], &p->labels, p->shape, NULL);
}
static cug_status bce_forward(problem *p) {
    return ref->bce_logits->fwd_bwd(&p->y, NULL, NULL, &p->in[0], &p->labels, p->shape, NULL);
}
static cug_status mse_forward(problem *p) {
    return ref->mse->fwd_bwd(&p->y, NULL, NULL, &p->in[0], &p->labels, p->shape, NULL);
}

static void loss_gradients(const char *name, const cug_loss_ops *op, cug_status (*forward)(problem *),
                           const cug_loss_shape *cases, int n_cases) {
    for (int i = 0; i < n_cases; i++) {
        const cug_loss_shape *s = &cases[i];
        size_t n = (size_t)s->N, nk = n * (size_t)s->K;
        double *ones = op_memory(&world, n * sizeof *ones);
        for (size_t j = 0; j < n; j++) ones[j] = 1;
        problem p = {.name = name,
                     .shape = s,
                     .forward = forward,
                     .y = empty(n),
                     .r = ones,
                     .in = {tensor(op_reals(&world, 1, nk, -4, 4), nk)},
                     .labels = cug_tensor1(op_int32(&world, 2, n, 0, s->K > 2 ? s->K - 1 : 1), CUG_I32, s->N)};
        cug_tensor g = empty(nk), loss = empty(n);
        cr_assert_eq(op->fwd_bwd(&loss, &g, NULL, &p.in[0], &p.labels, s, NULL), CUG_OK);
        /* Against the sum instead of the mean, or the absolute tolerance would swallow small gradients. */
        for (size_t j = 0; j < nk; j++) ((double *)g.ptr)[j] *= s->N;
        agree(&p, 0, &g);
        op_release(&world);
    }
    done(name);
}

Test(ref_grad, softmax_xent) {
    loss_gradients("softmax_xent", ref->softmax_xent, softmax_forward, softmax_xent_cases, SOFTMAX_XENT_CASES);
}
Test(ref_grad, bce_logits) {
    loss_gradients("bce_logits", ref->bce_logits, bce_forward, bce_logits_cases, BCE_LOGITS_CASES);
}
Test(ref_grad, mse) { loss_gradients("mse", ref->mse, mse_forward, mse_cases, MSE_CASES); }
