/* op_norm.c - benchmarks of batch normalisation in training. */
#include "bench/op.h"
#include "cases/batch_norm.h"
#include <stdio.h>

/* fwd 0 y, 1 saved, 2 x, 3 gamma, 4 beta; bwd 0 dx, 1 dgamma, 2 dbeta, 3 dy, 4 x, 5 gamma, 6 saved, 7 beta, 8 y (for
 * saved) */
static cug_status norm_fwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->batch_norm->fwd_train(t[0], t[1], t[2], t[3], t[4], &c->u.batch_norm, ex);
}
static cug_status norm_prime(const cug_backend *be, const cug_tensor *const *t, const bench_case *c,
                             const cug_exec *ex) {
    return be->batch_norm->fwd_train(t[8], t[6], t[4], t[5], t[7], &c->u.batch_norm, ex);
}
static cug_status norm_bwd(const cug_backend *be, const cug_tensor *const *t, const bench_case *c, const cug_exec *ex) {
    return be->batch_norm->bwd(t[0], t[1], t[2], t[3], t[4], t[5], t[6], &c->u.batch_norm, 0, ex);
}
static size_t norm_workspace(const cug_backend *be, const cug_device *d, const bench_case *c) {
    const int bwd = c->run == norm_bwd;
    return be->batch_norm->workspace ? be->batch_norm->workspace(d, &c->u.batch_norm, bwd ? CUG_BWD : CUG_FWD) : 0;
}

/* Values about `size`, made of `terms` roundings at most. */
static bench_arg result(const char *name, size_t n, double size, double terms) {
    bench_arg a = bench_out(name, n);
    a.rtol = 1e-5;
    a.atol = 0x1p-22 * size * terms;
    return a;
}

/* Few rows are no work, and may lie so close together that rounding is magnified. */
static int worth(const cug_batch_norm_shape *s) { return s->rows >= 63; }

int bench_batch_norm(bench_case *c, int i) {
    int k = 0;
    for (int left = i / 2; k < BATCH_NORM_CASES; k++)
        if (worth(&batch_norm_cases[k]) && left-- == 0) break;
    if (k >= BATCH_NORM_CASES) return 0;
    const cug_batch_norm_shape s = c->u.batch_norm = batch_norm_cases[k];
    const size_t n = (size_t)s.rows * (size_t)s.C, C = (size_t)s.C;
    c->op = "batch_norm";
    c->table = offsetof(cug_backend, batch_norm);
    c->pass = i % 2 ? "bwd" : "fwd";
    c->source = "cases";
    c->workspace = norm_workspace;
    snprintf(c->name, sizeof c->name, "%dx%d", s.rows, s.C);
    snprintf(c->shape, sizeof c->shape, "%dx%d", s.rows, s.C);
    if (i % 2 == 0) {
        c->run = norm_fwd;
        c->arg[0] = result("y", n, 4, 4);
        c->arg[1] = result("saved", 3 * C, 1, 4);
        c->arg[2] = bench_in("x", n);
        c->arg[3] = bench_in("gamma", C);
        c->arg[4] = bench_in("beta", C);
        return 1;
    }
    c->run = norm_bwd;
    c->prime = norm_prime;
    c->arg[0] = result("dx", n, 16, 4);
    c->arg[1] = result("dgamma", C, 4, s.rows);
    c->arg[2] = result("dbeta", C, 1, s.rows);
    c->arg[3] = bench_in("dy", n);
    c->arg[4] = bench_in("x", n);
    c->arg[5] = bench_in("gamma", C);
    c->arg[6] = bench_in("saved", 3 * C);
    c->arg[6].primed = 1;
    c->arg[7] = bench_in("beta", C);
    c->arg[8] = bench_in("y", n);
    c->arg[7].aside = c->arg[8].aside = 1;
    return 1;
}
