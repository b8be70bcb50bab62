/* time_both.c - timing the project's kernels against a library, for --conv auto and --gemm auto. */
#include "cuda/time_both.h"
#include "cuda/cuda.h"
#include <stdlib.h>

#define SAMPLES 9
#define SAMPLE_US 200.0 /* calls of a sample are as many as take about this long */
#define CALLS_MOST 50
#define PATTERN 0x3c /* every float 0.0115...: zeros would cost less power than real data */

size_t cug_own_workspace(const cug_product *p) {
    const cug_precision precision = (cug_precision)p->precision;
    if (p->role == CUG_ROLE_FWD)
        return p->is_conv ? cug_cuda_conv2d_fwd_workspace(&p->conv, precision)
                          : cug_cuda_linear_fwd_workspace(&p->linear, precision);
    return p->is_conv ? cug_cuda_conv2d_bwd_workspace(&p->conv, precision)
                      : cug_cuda_linear_bwd_workspace(&p->linear, precision);
}

static cudaError_t own_conv(const cug_product *p, const cug_product_args *a) {
    const cug_precision precision = (cug_precision)p->precision;
    const cug_conv2d_shape *s = &p->conv;
    const unsigned add = a->add ? CUG_ACC_DX | CUG_ACC_DW : 0;
    if (p->role == CUG_ROLE_FWD)
        return cug_cuda_conv2d_fwd(a->out, a->a, a->b, a->bias, s, precision, a->workspace, a->stream);
    if (p->role == CUG_ROLE_DGRAD)
        return cug_cuda_conv2d_dgrad(a->out, a->a, a->b, s, precision, add, a->workspace, a->stream);
    return cug_cuda_conv2d_wgrad(a->out, NULL, a->a, a->b, s, precision, add, a->workspace, a->stream);
}

static cudaError_t own_linear(const cug_product *p, const cug_product_args *a) {
    const cug_precision precision = (cug_precision)p->precision;
    const cug_linear_shape *s = &p->linear;
    const unsigned add = a->add ? CUG_ACC_DX | CUG_ACC_DW : 0;
    if (p->role == CUG_ROLE_FWD)
        return cug_cuda_linear_fwd(a->out, a->a, a->b, a->bias, s, precision, a->workspace, a->stream);
    if (p->role == CUG_ROLE_DGRAD)
        return cug_cuda_linear_bwd(a->out, NULL, NULL, a->a, NULL, a->b, s, precision, add, a->workspace, a->stream);
    return cug_cuda_linear_bwd(NULL, a->out, NULL, a->a, a->b, NULL, s, precision, add, a->workspace, a->stream);
}

cug_status cug_own_run(const cug_device *dev, const cug_product *p, const cug_product_args *args) {
    cudaError_t err = p->is_conv ? own_conv(p, args) : own_linear(p, args);
    return cug_cuda_launched((cug_device *)dev, err, p->is_conv ? "conv2d" : "linear");
}

typedef struct contest {
    cug_device *dev;
    cug_contender *run;
    void *user;
    cudaEvent_t start, stop;
} contest;

static cug_status sample(const contest *t, int library, int calls, double *us) {
    float ms = 0;
    CUDA_TRY(t->dev, cudaEventRecord(t->start, t->dev->compute));
    for (int i = 0; i < calls; i++) CUG_TRY(t->run(t->user, library));
    CUDA_TRY(t->dev, cudaEventRecord(t->stop, t->dev->compute));
    CUDA_TRY(t->dev, cudaEventSynchronize(t->stop));
    CUDA_TRY(t->dev, cudaEventElapsedTime(&ms, t->start, t->stop));
    *us = (double)ms * 1e3 / calls;
    return CUG_OK;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static cug_status take_turns(const contest *t, double out[2]) {
    double us[2][SAMPLES];
    int calls[2];
    for (int who = 0; who < 2; who++) {
        CUG_TRY(sample(t, who, 1, &us[who][0])); /* the first call loads the kernels */
        CUG_TRY(sample(t, who, 2, &us[who][0]));
        const double one = us[who][0];
        calls[who] = one * CALLS_MOST > SAMPLE_US ? (int)(SAMPLE_US / one) + 1 : CALLS_MOST;
    }
    int n = SAMPLES;
    if (us[0][0] + us[1][0] > 20e3) n = 3; /* tens of milliseconds a call: any clock will do */
    for (int i = 0; i < n; i++)
        for (int who = 0; who < 2; who++) CUG_TRY(sample(t, who, calls[who], &us[who][i]));
    for (int who = 0; who < 2; who++) {
        qsort(us[who], (size_t)n, sizeof us[who][0], by_size);
        out[who] = us[who][n / 2];
    }
    return CUG_OK;
}

cug_status cug_time_contest(cug_device *dev, cug_contender *run, void *user, double us[2]) {
    cug_status st = CUG_OK;
    contest t = {.dev = dev, .run = run, .user = user};
    us[0] = us[1] = 0;
    CUDA_GOTO(dev, cudaEventCreateWithFlags(&t.start, cudaEventDefault));
    CUDA_GOTO(dev, cudaEventCreateWithFlags(&t.stop, cudaEventDefault));
    CUG_GOTO(take_turns(&t, us));
cleanup:
    (void)cudaStreamSynchronize(dev->compute); /* after a failure, calls may still be under way */
    if (t.start) (void)cudaEventDestroy(t.start);
    if (t.stop) (void)cudaEventDestroy(t.stop);
    return st;
}

cug_status cug_time_memory(cug_device *dev, int n, const size_t *bytes, void **mem) {
    for (int i = 0; i < n; i++) mem[i] = NULL;
    for (int i = 0; i < n; i++) {
        if (!bytes[i]) continue;
        CUG_TRY(cug_cuda_alloc(dev, &mem[i], bytes[i]));
        CUG_TRY(cug_cuda_fill(dev, mem[i], PATTERN, bytes[i], dev->compute));
    }
    return CUG_OK;
}

typedef struct one_product {
    cug_device *dev;
    const cug_product *p;
    cug_product_args args;
    cug_product_run *library;
    void *user;
} one_product;

static cug_status run_one_product(void *user, int library) {
    const one_product *o = user;
    return library ? o->library(o->user, o->p, &o->args) : cug_own_run(o->dev, o->p, &o->args);
}

/* Bytes of out, a, b and bias. */
static void sizes(const cug_product *p, size_t bytes[4]) {
    const cug_conv2d_shape *c = &p->conv;
    const cug_linear_shape *l = &p->linear;
    const size_t x =
        p->is_conv ? (size_t)c->N * (size_t)c->H * (size_t)c->W * (size_t)c->C : (size_t)l->N * (size_t)l->I;
    const size_t w =
        p->is_conv ? (size_t)c->K * (size_t)c->R * (size_t)c->S * (size_t)c->C : (size_t)l->O * (size_t)l->I;
    const size_t y =
        p->is_conv ? (size_t)c->N * (size_t)c->P * (size_t)c->Q * (size_t)c->K : (size_t)l->N * (size_t)l->O;
    const size_t of[3][3] = {{y, x, w}, {x, y, w}, {w, y, x}};
    for (int i = 0; i < 3; i++) bytes[i] = of[p->role][i] * sizeof(float);
    bytes[3] = p->role != CUG_ROLE_FWD ? 0 : (size_t)(p->is_conv ? c->K : l->O) * sizeof(float);
}

cug_status cug_time_both(cug_device *dev, const cug_product *p, size_t library_workspace, cug_product_run *library,
                         void *user, double us[2]) {
    cug_status st = CUG_OK;
    one_product o = {.dev = dev, .p = p, .library = library, .user = user};
    size_t bytes[5];
    void *mem[5];
    sizes(p, bytes);
    bytes[4] = cug_own_workspace(p);
    if (library_workspace > bytes[4]) bytes[4] = library_workspace;
    CUG_GOTO(cug_time_memory(dev, 5, bytes, mem));
    o.args = (cug_product_args){.out = mem[0],
                                .a = mem[1],
                                .b = mem[2],
                                .bias = mem[3],
                                .workspace = mem[4],
                                .workspace_bytes = bytes[4],
                                .stream = dev->compute};
    CUG_GOTO(cug_time_contest(dev, run_one_product, &o, us));
cleanup:
    for (int i = 0; i < 5; i++) cug_cuda_free(dev, mem[i]);
    return st;
}
