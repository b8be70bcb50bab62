/* cublas.c - the dense layer's products by cublasLtMatmul, in a workspace of ours.
 *
 * The library thinks in columns: a row-major (rows, cols) matrix is its (cols, rows) matrix with leading dimension
 * cols. So y = x w' becomes y' = w x', with w transposed as it lies in memory:
 *   fwd    y'  (O,N) = op(w: I,O)' (x': I,N)      + bias down the rows, an epilogue
 *   dgrad  dx' (I,N) =   (w: I,O)  (dy': O,N)
 *   wgrad  dw' (I,O) =   (x': I,N) (dy': O,N)'
 *
 * The algorithm is the heuristics' first for the shape, asked once, so a run does not change it underway; split sums
 * that add in whatever order blocks finish (CUBLASLT_REDUCTION_SCHEME_INPLACE) are not allowed. */
#include "cuda/cuda.h"
#include "cuda/library.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if CUG_HAVE_CUBLAS
#define ALIGNED 16 /* of every pointer: what the algorithms are chosen for */
#define LT_WORKSPACE ((size_t)32 << 20)

typedef struct lt_plan {
    struct lt_plan *next;
    cug_product p;
    int bias;       /* asked for */
    int bias_after; /* the library does not add it: the project's own kernel does, afterwards */
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t a, b, d;
    cublasLtMatmulAlgo_t algo;
    size_t workspace;
} lt_plan;

struct cug_cublas {
    const cug_cublas_api *api;
    cublasLtHandle_t handle;
    size_t version;
    int nondeterministic;
    lt_plan *plans;
};

static cug_status failed(const cug_cublas *c, const char *call, cublasStatus_t s) {
    return cug_fail(s == CUBLAS_STATUS_NOT_SUPPORTED ? CUG_ENOTSUP : CUG_ECUDA, "%s: %s", call,
                    c->api->cublasLtGetStatusString(s));
}

#define LT_TRY(c, function, ...)                                                                                       \
    do {                                                                                                               \
        cublasStatus_t lt_status_ = (c)->api->function(__VA_ARGS__);                                                   \
        if (lt_status_ != CUBLAS_STATUS_SUCCESS) return failed(c, #function, lt_status_);                              \
    } while (0)

cug_status cug_cublas_open(cug_cublas **out, int nondeterministic) {
    cug_status st = CUG_OK;
    *out = NULL;
    cug_cublas *c = calloc(1, sizeof *c);
    if (!c) return cug_fail(CUG_ENOMEM, "out of memory for cuBLASLt's handle");
    c->nondeterministic = nondeterministic;
    CUG_GOTO(cug_library_cublas(&c->api, &c->version));
    cublasStatus_t s = c->api->cublasLtCreate(&c->handle);
    if (s != CUBLAS_STATUS_SUCCESS) {
        st = failed(c, "cublasLtCreate", s);
        c->handle = NULL;
    }
cleanup:
    if (st == CUG_OK)
        *out = c;
    else
        cug_cublas_close(c);
    return st;
}

static void drop_plan(const cug_cublas *c, lt_plan *p) {
    if (p->desc) (void)c->api->cublasLtMatmulDescDestroy(p->desc);
    if (p->a) (void)c->api->cublasLtMatrixLayoutDestroy(p->a);
    if (p->b) (void)c->api->cublasLtMatrixLayoutDestroy(p->b);
    if (p->d) (void)c->api->cublasLtMatrixLayoutDestroy(p->d);
    free(p);
}

void cug_cublas_close(cug_cublas *c) {
    if (!c) return;
    for (lt_plan *p = c->plans, *next; p; p = next) {
        next = p->next;
        drop_plan(c, p);
    }
    if (c->handle) (void)c->api->cublasLtDestroy(c->handle);
    free(c);
}

size_t cug_cublas_version(const cug_cublas *c) { return c->version; }

static cublasComputeType_t compute_type(int precision) {
    switch (precision) {
    case CUG_PREC_TF32:
        return CUBLAS_COMPUTE_32F_FAST_TF32;
    case CUG_PREC_BF16:
        return CUBLAS_COMPUTE_32F_FAST_16BF;
    default: /* IEEE float32 even where the environment allows cuBLAS to emulate it */
        return CUBLAS_COMPUTE_32F_PEDANTIC;
    }
}

static cug_status describe(const cug_cublas *c, lt_plan *l) {
    const uint64_t N = (uint64_t)l->p.linear.N, I = (uint64_t)l->p.linear.I, O = (uint64_t)l->p.linear.O;
    const int fwd = l->p.role == CUG_ROLE_FWD, wgrad = l->p.role == CUG_ROLE_WGRAD;
    const cublasOperation_t none = CUBLAS_OP_N, transposed = CUBLAS_OP_T;
    const cublasLtEpilogue_t bias = CUBLASLT_EPILOGUE_BIAS;
    LT_TRY(c, cublasLtMatmulDescCreate, &l->desc, compute_type(l->p.precision), CUDA_R_32F);
    LT_TRY(c, cublasLtMatmulDescSetAttribute, l->desc, CUBLASLT_MATMUL_DESC_TRANSA, fwd ? &transposed : &none,
           sizeof none);
    LT_TRY(c, cublasLtMatmulDescSetAttribute, l->desc, CUBLASLT_MATMUL_DESC_TRANSB, wgrad ? &transposed : &none,
           sizeof none);
    if (l->bias && !l->bias_after) { /* the pointer comes with each call; until then it is only not NULL, which means no
                                        bias at all */
        const void *some = l;
        LT_TRY(c, cublasLtMatmulDescSetAttribute, l->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &bias, sizeof bias);
        LT_TRY(c, cublasLtMatmulDescSetAttribute, l->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &some, sizeof some);
    }
    /* rows, columns, leading dimension: every one of them is contiguous */
    LT_TRY(c, cublasLtMatrixLayoutCreate, &l->a, CUDA_R_32F, I, wgrad ? N : O, (int64_t)I);
    LT_TRY(c, cublasLtMatrixLayoutCreate, &l->b, CUDA_R_32F, fwd ? I : O, N, (int64_t)(fwd ? I : O));
    LT_TRY(c, cublasLtMatrixLayoutCreate, &l->d, CUDA_R_32F, fwd ? O : I, wgrad ? O : N, (int64_t)(fwd ? O : I));
    return CUG_OK;
}

static cug_status ask_heuristics(const cug_cublas *c, lt_plan *l, cublasLtMatmulPreference_t pref) {
    const uint64_t most = LT_WORKSPACE;
    const uint32_t aligned = ALIGNED, schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE |
                                                CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE |
                                                (c->nondeterministic ? CUBLASLT_REDUCTION_SCHEME_INPLACE : 0);
    static const cublasLtMatmulPreferenceAttributes_t pointers[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    cublasLtMatmulHeuristicResult_t best = {.state = CUBLAS_STATUS_NOT_SUPPORTED};
    int found = 0;
    LT_TRY(c, cublasLtMatmulPreferenceSetAttribute, pref, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most, sizeof most);
    LT_TRY(c, cublasLtMatmulPreferenceSetAttribute, pref, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes,
           sizeof schemes);
    for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++)
        LT_TRY(c, cublasLtMatmulPreferenceSetAttribute, pref, pointers[i], &aligned, sizeof aligned);
    LT_TRY(c, cublasLtMatmulAlgoGetHeuristic, c->handle, l->desc, l->a, l->b, l->d, l->d, pref, 1, &best, &found);
    if (found < 1) return cug_fail(CUG_ENOTSUP, "cublasLtMatmulAlgoGetHeuristic: no algorithm");
    if (best.state != CUBLAS_STATUS_SUCCESS) return failed(c, "cublasLtMatmulAlgoGetHeuristic", best.state);
    l->algo = best.algo;
    l->workspace = best.workspaceSize;
    return CUG_OK;
}

static lt_plan *find_plan(const cug_cublas *c, const cug_product *p, int bias) {
    lt_plan *l = c->plans;
    while (l && (l->bias != bias || !cug_product_same(&l->p, p))) l = l->next;
    return l;
}

static cug_status new_plan(cug_cublas *c, const cug_product *p, int bias, int bias_after) {
    cublasLtMatmulPreference_t pref = NULL;
    lt_plan *l = calloc(1, sizeof *l);
    if (!l) return cug_fail(CUG_ENOMEM, "out of memory for a plan of cuBLASLt");
    l->p = *p;
    l->bias = bias;
    l->bias_after = bias_after;
    cug_status st = describe(c, l);
    if (st == CUG_OK) {
        cublasStatus_t s = c->api->cublasLtMatmulPreferenceCreate(&pref);
        st = s == CUBLAS_STATUS_SUCCESS ? ask_heuristics(c, l, pref) : failed(c, "cublasLtMatmulPreferenceCreate", s);
    }
    if (pref) (void)c->api->cublasLtMatmulPreferenceDestroy(pref);
    if (st != CUG_OK) {
        drop_plan(c, l);
        return st;
    }
    l->next = c->plans;
    c->plans = l;
    return CUG_OK;
}

static cug_status make_plan(cug_cublas *c, const cug_product *p, int bias, size_t *workspace) {
    if (!find_plan(c, p, bias)) {
        cug_status st = new_plan(c, p, bias, 0);
        if (st == CUG_ENOTSUP && bias) st = new_plan(c, p, bias, 1);
        CUG_TRY(st);
    }
    const lt_plan *l = find_plan(c, p, bias);
    if (l->workspace > *workspace) *workspace = l->workspace;
    return CUG_OK;
}

cug_status cug_cublas_prepare(cug_cublas *c, const cug_product *p, size_t *workspace) {
    *workspace = 0;
    if (p->is_conv) return cug_fail(CUG_ENOTSUP, "cuBLASLt has no convolutions");
    CUG_TRY(make_plan(c, p, 0, workspace));
    return p->role == CUG_ROLE_FWD ? make_plan(c, p, 1, workspace) : CUG_OK;
}

static int misaligned(const void *p) { return ((uintptr_t)p & (ALIGNED - 1)) != 0; }

cug_status cug_cublas_run(cug_cublas *c, const cug_product *p, const cug_product_args *args) {
    const float one = 1, beta = args->add ? 1 : 0;
    lt_plan *l = find_plan(c, p, args->bias != NULL);
    char text[CUG_PRODUCT_TEXT];
    if (!l) return cug_fail(CUG_EINVAL, "cuBLASLt: %s was not prepared", cug_product_text(p, text));
    if (misaligned(args->out) || misaligned(args->a) || misaligned(args->b) || misaligned(args->bias))
        return cug_fail(CUG_EINVAL, "cuBLASLt: %s: a tensor is not %d-byte aligned", cug_product_text(p, text),
                        ALIGNED);
    if (args->workspace_bytes < l->workspace || (l->workspace && !args->workspace))
        return cug_fail(CUG_EINVAL, "cuBLASLt: %s: workspace of %zu bytes, needed are %zu", cug_product_text(p, text),
                        args->workspace_bytes, l->workspace);
    if (l->bias && !l->bias_after)
        LT_TRY(c, cublasLtMatmulDescSetAttribute, l->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &args->bias,
               sizeof args->bias);
    /* in columns the factors change places: its A is our b */
    LT_TRY(c, cublasLtMatmul, c->handle, l->desc, &one, args->b, l->a, args->a, l->b, &beta, args->out, l->d, args->out,
           l->d, &l->algo, args->workspace, l->workspace, args->stream);
    if (!l->bias_after) return CUG_OK;
    const cug_bias_shape rows = {p->linear.N, p->linear.O};
    cudaError_t err = cug_cuda_bias_fwd(args->out, args->out, args->bias, &rows, args->stream);
    return cug_cuda_launched(NULL, err, "bias fwd");
}

int cug_cublas_alike(const cug_cublas *a, const cug_cublas *b, const cug_product *p) {
    const lt_plan *x = find_plan(a, p, 0), *y = find_plan(b, p, 0);
    return x && y && memcmp(&x->algo, &y->algo, sizeof x->algo) == 0;
}

#else

cug_status cug_cublas_open(cug_cublas **out, int nondeterministic) {
    const cug_cublas_api *api;
    size_t version;
    (void)nondeterministic;
    *out = NULL;
    return cug_library_cublas(&api, &version);
}
void cug_cublas_close(cug_cublas *c) { (void)c; }
size_t cug_cublas_version(const cug_cublas *c) {
    (void)c;
    return 0;
}
cug_status cug_cublas_prepare(cug_cublas *c, const cug_product *p, size_t *workspace) {
    (void)c, (void)p, (void)workspace;
    return CUG_ENOTSUP;
}
cug_status cug_cublas_run(cug_cublas *c, const cug_product *p, const cug_product_args *args) {
    (void)c, (void)p, (void)args;
    return CUG_ENOTSUP;
}
int cug_cublas_alike(const cug_cublas *a, const cug_cublas *b, const cug_product *p) {
    (void)a, (void)b, (void)p;
    return 0;
}
#endif
