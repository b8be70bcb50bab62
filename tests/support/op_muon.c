/* op_muon.c - Muon's step against what it does to singular values: every side, the reference included. A gradient made
 * of given singular vectors and values keeps the vectors, and each value goes through the iteration's polynomial by
 * itself, so that the right weights need no matrix product at all. */
#include "op_tests.h"
#include <cuglyph/optimizer.h>
#include <math.h>
#include <string.h>

enum { W, M, V, G, STEP };

#define RATE 0.125f
#define MU 0.75f
#define DECAY 0.5f
#define SCALE 0.5f /* matrix_lr_scale */
#define STEPS 4
#define BIASES 3

typedef struct {
    int rows, cols;
    double smallest; /* singular value; the largest is 1 */
    double size;     /* of the whole gradient */
} matrix;

static const matrix matrices[] = {
    {1, 1, 1, 1},       {2, 2, 0.3, 1},     {2, 3, 0.5, 10},    {3, 2, 0.5, 10}, {1, 7, 1, 1e-3},
    {7, 1, 1, 1e3},     {5, 5, 0.2, 1e-12}, {6, 20, 0.1, 1e12}, {20, 6, 0.1, 1}, {33, 17, 0.2, 1},
    {17, 33, 0.2, 1e6}, {24, 40, 0.3, 1},   {40, 24, 0.3, 1},
};
#define MATRICES ((int)(sizeof matrices / sizeof *matrices))

/* Element i of the k-th of n orthonormal vectors: the cosines of a discrete cosine transform (its second type). */
static double basis(int n, int k, int i) { return sqrt((k ? 2.0 : 1.0) / n) * cos(acos(-1.0) * (i + 0.5) * k / n); }

static double singular(const matrix *x, int k) {
    int n = x->rows < x->cols ? x->rows : x->cols;
    return x->size * (n > 1 ? 1 - (1 - x->smallest) * k / (n - 1) : 1);
}

static int shorter(const matrix *x) { return x->rows < x->cols ? x->rows : x->cols; }

static double norm(const matrix *x) {
    double sum = 0;
    for (int k = 0; k < shorter(x); k++) sum += singular(x, k) * singular(x, k);
    return sqrt(sum);
}

/* What becomes of a singular value of a direction that is `by` times the gradient. */
static double lifted(const matrix *x, int k, double by) {
    double s = by * singular(x, k) / (by * norm(x) + 1e-7);
    for (int i = 0; i < 5; i++) s = 3.4445 * s - 4.7750 * pow(s, 3) + 2.0315 * pow(s, 5);
    return s;
}

/* (rows, cols): the gradient (by 0), or what Muon makes of `by` times it. */
static void compose(double *out, const matrix *x, double by) {
    memset(out, 0, (size_t)x->rows * (size_t)x->cols * sizeof *out);
    for (int k = 0; k < shorter(x); k++) {
        double s = by > 0 ? lifted(x, k, by) : singular(x, k);
        for (int i = 0; i < x->rows; i++)
            for (int j = 0; j < x->cols; j++) out[i * x->cols + j] += s * basis(x->rows, k, i) * basis(x->cols, k, j);
    }
}

static cug_status update(const cug_backend *be, const cug_tensor *const *t, const op_call *c, const cug_exec *ex) {
    return be->optimizer->update(t[W], t[M], t[V], t[G], c->shape, c->aux, 2, t[STEP]->ptr, ex);
}
static size_t workspace(const cug_backend *be, const cug_device *d, const op_call *c) {
    return be->optimizer->workspace(d, c->shape, c->aux, 2);
}

static const cug_opt_params params = {.kind = CUG_OPT_MUON,
                                      .momentum = MU,
                                      .beta1 = 0.9f,
                                      .beta2 = 0.999f,
                                      .eps = 1e-8f,
                                      .matrix_lr_scale = SCALE,
                                      .weight_decay = DECAY};

static op_slot state(const char *name, size_t n, const double *start) {
    return (op_slot){.name = name, .role = OP_ADD, .dtype = CUG_F64, .count = n, .data = start};
}

/* One step on one side from now[]; its results replace them. */
static int one_step(op_world *w, op_side *s, int t, const cug_param_run *runs, size_t n, const double *now[3],
                    const double *g) {
    const cug_step step = {.step = (uint64_t)t,
                           .lr = RATE,
                           .bias_corr1 = (float)(1 - pow((double)params.beta1, t + 1)),
                           .bias_corr2 = (float)(1 - pow((double)params.beta2, t + 1))};
    const op_call c = {
        .op = "muon",
        .name = "of known singular values",
        .shape = &params,
        .aux = runs,
        .run = update,
        .workspace = workspace,
        .table = offsetof(cug_backend, optimizer),
        .slots = {state("w", n, now[W]),
                  state("m", n, now[M]),
                  state("v", n, now[V]),
                  {.name = "g", .role = OP_IN, .dtype = CUG_F64, .count = n, .data = g},
                  {.name = "step", .role = OP_IN, .dtype = CUG_U8, .count = sizeof step, .data = &step, .raw = 1}}};
    if (op_run(w, s, &c) != 1) return -1;
    for (int i = W; i <= V; i++) now[i] = op_keep(w, s, &c, i);
    return 0;
}

static void expect(op_world *w, const op_side *s, const matrix *x, const char *what, const double *got,
                   const double *want, size_t n, double tol) {
    for (size_t i = 0; i < n; i++) {
        if (fabs(got[i] - want[i]) <= tol) continue;
        op_failed(w, "muon, %d x %d, on %s: %s %zu is %.10g, not %.10g", x->rows, x->cols, s->label, what, i, got[i],
                  want[i]);
        return;
    }
}

/* q_k' x r_k */
static double along(const matrix *x, const double *of, int k) {
    double sum = 0;
    for (int i = 0; i < x->rows; i++)
        for (int j = 0; j < x->cols; j++) sum += basis(x->rows, k, i) * of[i * x->cols + j] * basis(x->cols, k, j);
    return sum;
}

/* Whatever the coefficients: a step from weights of zero has singular values of about the rate. */
static void near_orthogonal(op_world *w, const op_side *s, const matrix *x, const double *step, double rate) {
    for (int k = 0; k < shorter(x) && x->size > 1e-6; k++) {
        double value = -along(x, step, k) / rate;
        if (!(value > 0.67 && value < 1.21))
            op_failed(w, "muon, %d x %d, on %s: singular value %d of the step is %.4g", x->rows, x->cols, s->label, k,
                      value);
    }
}

/* The same gradient at every step: m is 1 + mu + ... times it, the direction 1 + mu (1 + mu + ...) times. Weights
 * decay. The run behind the matrix is Adam's, which moves each element by the rate. */
static void walk(op_world *w, op_side *s, const matrix *x) {
    const size_t n = (size_t)x->rows * (size_t)x->cols, all = n + BIASES;
    const cug_param_run runs[] = {{.count = n, .decay = 1, .rows = x->rows, .cols = x->cols},
                                  {.offset = n, .count = BIASES}};
    const double lr = (double)SCALE * (double)RATE, rate = lr * fmax(1, sqrt((double)x->rows / x->cols));
    const double *now[3] = {op_memory(w, all * sizeof(double)), op_memory(w, all * sizeof(double)),
                            op_memory(w, all * sizeof(double))};
    double *g = op_memory(w, all * sizeof *g), *o = op_memory(w, n * sizeof *o), *want = op_memory(w, all * sizeof *g);
    double *momentum = op_memory(w, n * sizeof *g), *none = op_memory(w, n * sizeof *none);
    double sum = 0, u = s->be->real == CUG_F32 ? 0x1p-24 : 0x1p-45; /* the host's basis is not exact either */
    compose(g, x, 0);
    for (size_t i = 0; i < n && s->be->real == CUG_F32; i++) g[i] = (double)(float)g[i];
    for (size_t i = 0; i < BIASES; i++) g[n + i] = i == 1 ? 0.5 : -2;
    for (int t = 0; t < STEPS; t++) {
        if (one_step(w, s, t, runs, all, now, g)) return;
        if (!t) near_orthogonal(w, s, x, now[W], rate);
        sum = 1 + (double)MU * sum;
        compose(o, x, 1 + (double)MU * sum);
        for (size_t i = 0; i < n; i++) {
            want[i] -= lr * (double)DECAY * want[i] + rate * o[i];
            momentum[i] = sum * g[i];
        }
        for (size_t i = n; i < all; i++) want[i] -= (double)RATE * (g[i] > 0 ? 1 : -1);
    }
    /* A gradient is off by u to begin with, and small singular values grow 3.4445 times, five times over. */
    expect(w, s, x, "weight", now[W], want, n, STEPS * rate * 500 * u);
    expect(w, s, x, "momentum", now[M], momentum, n, 8 * u * sum * x->size);
    expect(w, s, x, "second moment", now[V], none, n, 0);
    expect(w, s, x, "bias", now[W] + n, want + n, BIASES, 2e-6);
}

void op_test_muon(op_world *w) {
    op_side *s;
    for (int i = 0; (s = op_any_side(w, i)); i++)
        for (int k = 0; k < MATRICES; k++) {
            walk(w, s, &matrices[k]);
            op_release(w);
        }
}
