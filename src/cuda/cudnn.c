/* cudnn.c - conv2d by cuDNN: its handle, the plans made so far, and running one. */
#include "cuda/cuda.h"
#include "cuda/cudnn_plan.h"
#include <stdlib.h>

#if CUG_HAVE_CUDNN
#define ALIGNED 16

typedef struct dnn_plan {
    struct dnn_plan *next;
    cug_cudnn_wish wish;
    int bias_after; /* no allowed engine adds the bias: the project's own kernel does, afterwards */
    cug_cudnn_plan made;
} dnn_plan;

struct cug_cudnn {
    const cug_cudnn_api *api;
    cudnnHandle_t handle;
    cudaStream_t stream; /* the handle's now */
    cudnnBackendDescriptor_t properties;
    size_t version;
    int nondeterministic;
    dnn_plan *plans;
};

static cug_status read_properties(cug_cudnn *c) {
    DNN_TRY(c->api, cudnnBackendCreateDescriptor, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &c->properties);
    DNN_TRY(c->api, cudnnBackendSetAttribute, c->properties, CUDNN_ATTR_DEVICEPROP_HANDLE, CUDNN_TYPE_HANDLE, 1,
            &c->handle);
    DNN_TRY(c->api, cudnnBackendFinalize, c->properties);
    return CUG_OK;
}

cug_status cug_cudnn_open(cug_cudnn **out, int nondeterministic) {
    cug_status st = CUG_OK;
    *out = NULL;
    cug_cudnn *c = calloc(1, sizeof *c);
    if (!c) return cug_fail(CUG_ENOMEM, "out of memory for cuDNN's handle");
    c->nondeterministic = nondeterministic;
    CUG_GOTO(cug_library_cudnn(&c->api, &c->version));
    cudnnStatus_t s = c->api->cudnnCreate(&c->handle);
    if (s != CUDNN_STATUS_SUCCESS) {
        c->handle = NULL;
        st = cug_cudnn_failed(c->api, "cudnnCreate", s);
        goto cleanup;
    }
    CUG_GOTO(read_properties(c));
cleanup:
    if (st == CUG_OK)
        *out = c;
    else
        cug_cudnn_close(c);
    return st;
}

void cug_cudnn_close(cug_cudnn *c) {
    if (!c) return;
    for (dnn_plan *p = c->plans, *next; p; p = next) {
        next = p->next;
        cug_cudnn_drop_plan(&p->made, c->api);
        free(p);
    }
    if (c->properties) (void)c->api->cudnnBackendDestroyDescriptor(c->properties);
    if (c->handle) (void)c->api->cudnnDestroy(c->handle);
    free(c);
}

size_t cug_cudnn_version(const cug_cudnn *c) { return c->version; }

static dnn_plan *find_plan(const cug_cudnn *c, const cug_product *p, int bias, int add) {
    dnn_plan *d = c->plans;
    while (d && (d->wish.bias != bias || d->wish.add != add || !cug_product_same(&d->wish.p, p))) d = d->next;
    return d;
}

static cug_status make_plan(cug_cudnn *c, const cug_product *p, int bias, int add, size_t *workspace) {
    dnn_plan *d = find_plan(c, p, bias, add);
    if (!d) {
        d = calloc(1, sizeof *d);
        if (!d) return cug_fail(CUG_ENOMEM, "out of memory for a plan of cuDNN");
        d->wish = (cug_cudnn_wish){.p = *p, .bias = bias, .add = add, .nondeterministic = c->nondeterministic};
        cug_status st = cug_cudnn_make_plan(&d->made, c->api, &d->wish, c->properties);
        if (st == CUG_ENOTSUP && bias) {
            cug_cudnn_wish without = d->wish;
            without.bias = 0;
            d->bias_after = 1;
            st = cug_cudnn_make_plan(&d->made, c->api, &without, c->properties);
        }
        if (st != CUG_OK) {
            free(d);
            return st;
        }
        d->next = c->plans;
        c->plans = d;
    }
    if (d->made.workspace > *workspace) *workspace = d->made.workspace;
    return CUG_OK;
}

/* With bias and without, overwriting and adding: a recorded step may meet any of them, and can make no plan then. */
cug_status cug_cudnn_prepare(cug_cudnn *c, const cug_product *p, size_t *workspace) {
    *workspace = 0;
    if (!p->is_conv) return cug_fail(CUG_ENOTSUP, "cuDNN is asked for convolutions alone");
    CUG_TRY(make_plan(c, p, 0, 0, workspace));
    return p->role == CUG_ROLE_FWD ? make_plan(c, p, 1, 0, workspace) : make_plan(c, p, 0, 1, workspace);
}

static cug_status execute(const cug_cudnn *c, const dnn_plan *d, const cug_product_args *args,
                          cudnnBackendDescriptor_t pack) {
    const int role = d->wish.p.role;
    const float *x = role == CUG_ROLE_FWD ? args->a : role == CUG_ROLE_DGRAD ? args->out : args->b;
    const float *w = role == CUG_ROLE_WGRAD ? args->out : args->b;
    const float *y = role == CUG_ROLE_FWD ? args->out : args->a;
    const int64_t ids[4] = {CUG_DNN_X, CUG_DNN_W, CUG_DNN_Y, CUG_DNN_BIAS};
    const void *pointers[4] = {x, w, y, args->bias};
    const int64_t n = d->wish.bias && !d->bias_after ? 4 : 3;
    DNN_TRY(c->api, cudnnBackendSetAttribute, pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, ids);
    DNN_TRY(c->api, cudnnBackendSetAttribute, pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n,
            pointers);
    DNN_TRY(c->api, cudnnBackendSetAttribute, pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1,
            &args->workspace);
    DNN_TRY(c->api, cudnnBackendFinalize, pack);
    DNN_TRY(c->api, cudnnBackendExecute, c->handle, d->made.plan, pack);
    return CUG_OK;
}

static int misaligned(const void *p) { return ((uintptr_t)p & (ALIGNED - 1)) != 0; }

cug_status cug_cudnn_run(cug_cudnn *c, const cug_product *p, const cug_product_args *args) {
    const dnn_plan *d = find_plan(c, p, args->bias != NULL, args->add != 0);
    cudnnBackendDescriptor_t pack = NULL;
    char text[CUG_PRODUCT_TEXT];
    if (!d) return cug_fail(CUG_EINVAL, "cuDNN: %s was not prepared", cug_product_text(p, text));
    if (misaligned(args->out) || misaligned(args->a) || misaligned(args->b) || misaligned(args->bias))
        return cug_fail(CUG_EINVAL, "cuDNN: %s: a tensor is not %d-byte aligned", cug_product_text(p, text), ALIGNED);
    if (args->workspace_bytes < d->made.workspace || (d->made.workspace && !args->workspace))
        return cug_fail(CUG_EINVAL, "cuDNN: %s: workspace of %zu bytes, needed are %zu", cug_product_text(p, text),
                        args->workspace_bytes, d->made.workspace);
    if (args->stream != c->stream) DNN_TRY(c->api, cudnnSetStream, c->handle, args->stream);
    c->stream = args->stream;
    DNN_TRY(c->api, cudnnBackendCreateDescriptor, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack);
    cug_status st = execute(c, d, args, pack);
    (void)c->api->cudnnBackendDestroyDescriptor(pack);
    if (st != CUG_OK || !d->bias_after) return st;
    const cug_bias_shape rows = {p->conv.N * p->conv.P * p->conv.Q, p->conv.K};
    cudaError_t err = cug_cuda_bias_fwd(args->out, args->out, args->bias, &rows, args->stream);
    return cug_cuda_launched(NULL, err, "bias fwd");
}

/* Notes are an engine's: what is allowed decides which engine is the first, not how it is set. */
int cug_cudnn_alike(const cug_cudnn *a, const cug_cudnn *b, const cug_product *p) {
    const dnn_plan *x = find_plan(a, p, 0, 0), *y = find_plan(b, p, 0, 0);
    return x && y && x->made.engine == y->made.engine;
}

#else

cug_status cug_cudnn_open(cug_cudnn **out, int nondeterministic) {
    const cug_cudnn_api *api;
    size_t version;
    (void)nondeterministic;
    *out = NULL;
    return cug_library_cudnn(&api, &version);
}
void cug_cudnn_close(cug_cudnn *c) { (void)c; }
size_t cug_cudnn_version(const cug_cudnn *c) {
    (void)c;
    return 0;
}
cug_status cug_cudnn_prepare(cug_cudnn *c, const cug_product *p, size_t *workspace) {
    (void)c, (void)p, (void)workspace;
    return CUG_ENOTSUP;
}
cug_status cug_cudnn_run(cug_cudnn *c, const cug_product *p, const cug_product_args *args) {
    (void)c, (void)p, (void)args;
    return CUG_ENOTSUP;
}
int cug_cudnn_alike(const cug_cudnn *a, const cug_cudnn *b, const cug_product *p) {
    (void)a, (void)b, (void)p;
    return 0;
}
#endif
