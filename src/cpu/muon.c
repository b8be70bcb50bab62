/* muon.c - Muon's step of one matrix: momentum, Newton-Schulz iterations on the register tiles, update. A tall matrix
 * stays as it is: X' X and X B are what X X' and B X are of its transpose. Every sum's order depends on the shape
 * alone. */
#include "cpu/gemm.h"
#include <math.h>

typedef struct room {
    float *x, *y;    /* the matrix, and where its next one goes */
    float *a, *b;    /* squares of its shorter side */
    size_t S, bytes; /* the shorter side */
} room;

static room rooms(const cug_param_run *r, void *base) {
    size_t rows = (size_t)r->rows, cols = (size_t)r->cols, S = rows < cols ? rows : cols;
    cug_cpu_scratch s = {base, 0};
    room m = {.S = S};
    m.x = cpu_take(&s, r->count, sizeof(float));
    m.y = cpu_take(&s, r->count, sizeof(float));
    m.a = cpu_take(&s, S * S, sizeof(float));
    m.b = cpu_take(&s, S * S, sizeof(float));
    m.bytes = s.used;
    return m;
}

size_t cug_cpu_muon_workspace(const cug_device *dev, const cug_param_run *r) {
    (void)dev;
    return rooms(r, NULL).bytes;
}

typedef struct muon_job {
    const cug_device *dev;
    float *w, *m;
    const float *g;
    const room *r;
    const cug_update *u;
    double factor;
} muon_job;

static void ahead_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    muon_job *j = ctx;
    j->dev->simd->update(j->w + lo, j->m + lo, j->r->x + lo, j->g + lo, j->u, hi - lo);
}

static void scale_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    muon_job *j = ctx;
    for (size_t i = lo; i < hi; i++) j->r->x[i] = (float)((double)j->r->x[i] * j->factor);
}

/* b = a I + b A + c A A, rows [lo, hi); b holds A A. Its product with X is the whole iteration. */
static void polynomial_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    const room *r = ((muon_job *)ctx)->r;
    const float b = (float)CUG_MUON_B, c = (float)CUG_MUON_C;
    for (size_t i = lo; i < hi; i++) {
        float *to = r->b + i * r->S;
        const float *from = r->a + i * r->S;
        for (size_t k = 0; k < r->S; k++) to[k] = b * from[k] + c * to[k];
        to[i] += (float)CUG_MUON_A;
    }
}

static void apply_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    muon_job *j = ctx;
    const float keep = j->u->keep, rate = (float)j->factor;
    for (size_t i = lo; i < hi; i++) j->w[i] = keep * j->w[i] - rate * j->r->x[i];
}

/* c (M,N) = a (M,L) b (L,N), all dense; a_turned, b_turned: they lie transposed. */
static void product(const cug_device *dev, float *c, const float *a, int a_turned, const float *b, int b_turned,
                    size_t M, size_t N, size_t L) {
    cug_cpu_gemm g = {.c = c,
                      .a = a,
                      .am = a_turned ? 1 : L,
                      .al = a_turned ? M : 1,
                      .b = b,
                      .bl = b_turned ? 1 : N,
                      .bn = b_turned ? L : 1,
                      .M = M,
                      .N = N,
                      .L = L};
    cug_cpu_gemm_run(dev, &g);
}

void cug_cpu_muon(const cug_device *dev, float *w, float *m, const float *g, const cug_param_run *run,
                  const cug_update *u, void *workspace) {
    room r = rooms(run, workspace);
    const size_t n = run->count, rows = (size_t)run->rows, cols = (size_t)run->cols, S = r.S;
    const int wide = rows <= cols;
    muon_job j = {dev, w, m, g, &r, u, 0};
    cug_cpu_run(dev, n, CUG_CPU_GRAIN, ahead_part, &j);
    j.factor = 1 / (sqrt(cug_cpu_sum_squares(dev, r.x, n)) + CUG_MUON_EPS);
    cug_cpu_run(dev, n, CUG_CPU_GRAIN, scale_part, &j);
    for (int k = 0; k < CUG_MUON_STEPS; k++) {
        product(dev, r.a, r.x, !wide, r.x, wide, S, S, n / S);
        product(dev, r.b, r.a, 0, r.a, 0, S, S, S);
        cug_cpu_run(dev, S, CUG_CPU_GRAIN / S + 1, polynomial_part, &j);
        if (wide)
            product(dev, r.y, r.b, 0, r.x, 0, rows, cols, rows);
        else
            product(dev, r.y, r.x, 0, r.b, 0, rows, cols, cols);
        float *done = r.y;
        r.y = r.x;
        r.x = done;
    }
    j.factor = (double)u->lr * sqrt(fmax(1, (double)rows / (double)cols));
    cug_cpu_run(dev, n, CUG_CPU_GRAIN, apply_part, &j);
}
