/* library.c - the rungs that are a vendor's library (library.h). */
#include "library.h"
#include <stdio.h>

static cug_cudnn *cudnn[2]; /* the second with engines that are not deterministic */
static cug_cublas *cublas[2];

void ladder_libraries_open(void) {
    cug_status conv = CUG_OK, gemm = CUG_OK;
    for (int any = 0; any < 2 && conv == CUG_OK; any++) conv = cug_cudnn_open(&cudnn[any], any);
    if (conv != CUG_OK) printf("conv2d without a library beside it: %s\n", cug_error());
    for (int any = 0; any < 2 && gemm == CUG_OK; any++) gemm = cug_cublas_open(&cublas[any], any);
    if (gemm != CUG_OK) printf("linear without a library beside it: %s\n", cug_error());
}

void ladder_libraries_close(void) {
    for (int any = 0; any < 2; any++) {
        cug_cudnn_close(cudnn[any]);
        cug_cublas_close(cublas[any]);
        cudnn[any] = NULL;
        cublas[any] = NULL;
    }
}

/* The library's own words go to stderr; the runtime has no code for them. */
static cudaError_t run(const ladder_task *t, cudaStream_t stream) {
    const ladder_plan *plan = t->plan;
    const cug_product *p = &plan->product;
    const cug_product_args args = {.out = t->out,
                                   .a = t->a,
                                   .b = t->b,
                                   .workspace = plan->workspace,
                                   .workspace_bytes = plan->workspace_bytes,
                                   .stream = stream};
    cug_status st =
        p->is_conv ? cug_cudnn_run(cudnn[plan->any], p, &args) : cug_cublas_run(cublas[plan->any], p, &args);
    if (st == CUG_OK) return cudaSuccess;
    fprintf(stderr, "ladder: %s\n", cug_error());
    return cudaErrorUnknown;
}

static cug_product product_of(const ladder *l, const ladder_task *t, cug_precision precision) {
    if (l == &ladder_linear_fwd) return cug_product_linear(&t->linear, CUG_ROLE_FWD, precision);
    return cug_product_conv(&t->conv,
                            l == &ladder_conv_fwd     ? CUG_ROLE_FWD
                            : l == &ladder_conv_dgrad ? CUG_ROLE_DGRAD
                                                      : CUG_ROLE_WGRAD,
                            precision);
}

static void describe(ladder_plan *plan) {
    const cug_precision precision = plan->rung.precision;
    const int conv = plan->product.is_conv;
    const size_t v = conv ? cug_cudnn_version(cudnn[plan->any]) : cug_cublas_version(cublas[plan->any]);
    snprintf(plan->text, sizeof plan->text, "%zu.%zu.%zu, %s%s%s", v / 10000, v / 100 % 100, v % 100,
             cug_precision_name(precision), conv && precision == CUG_PREC_BF16 ? " as tf32" : "",
             !plan->any ? ""
             : conv     ? ", engine not deterministic"
                        : ", algorithm not deterministic");
}

cug_status ladder_plan_make(ladder_plan *out, const ladder *l, const ladder_task *t, cug_precision precision, int any) {
    static const double errors[] = {0, 2 * 0x1p-10, 2 * 0x1p-7};
    *out = (ladder_plan){.any = any, .product_error = errors[precision], .product = product_of(l, t, precision)};
    const cug_product *p = &out->product;
    out->rung = (ladder_rung){.name = p->is_conv ? "cuDNN" : "cuBLASLt", .idea = out->text, .precision = precision};
    if (p->is_conv ? !cudnn[any] : !cublas[any]) return CUG_OK;
    cug_status st = p->is_conv ? cug_cudnn_prepare(cudnn[any], p, &out->workspace_bytes)
                               : cug_cublas_prepare(cublas[any], p, &out->workspace_bytes);
    if (st == CUG_ENOTSUP) {
        if (!any) snprintf(out->text, sizeof out->text, "%s: %.250s", cug_precision_name(precision), cug_error());
        return CUG_OK;
    }
    if (st != CUG_OK) return st;
    if (any && (p->is_conv ? cug_cudnn_alike(cudnn[0], cudnn[1], p) : cug_cublas_alike(cublas[0], cublas[1], p)))
        return CUG_OK;
    if (out->workspace_bytes) {
        cudaError_t err = cudaMalloc(&out->workspace, out->workspace_bytes);
        if (err != cudaSuccess)
            return cug_fail(CUG_ENOMEM, "%zu bytes of workspace: %s", out->workspace_bytes, cudaGetErrorString(err));
    }
    out->rung.run = run;
    describe(out);
    return CUG_OK;
}

void ladder_plan_drop(ladder_plan *plan) {
    (void)cudaFree(plan->workspace);
    plan->workspace = NULL;
}
