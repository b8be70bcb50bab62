/* time_block.c - a fused block against its ops apart, forward and backward: whether a faster convolution is worth the
 * passes over memory that fusing saves. */
#include "cuda/cuda.h"
#include "cuda/time_both.h"

enum { X, W, B, Y, DY, DX, DW, DB, SAVED, Z, DZ, ARGMAX, SCRATCH, PIECES };

typedef struct block {
    const cug_conv_block_shape *s;
    cug_activation_shape act;
    void *mem[PIECES];
    cug_tensor x, w, b, y, dy, dx, dw, db, z, dz, argmax;
    cug_exec ex;
} block;

static cug_status fused(const block *k) {
    CUG_TRY(cug_cuda_conv_block.fwd(&k->y, k->mem[SAVED], &k->x, &k->w, &k->b, k->s, &k->ex));
    return cug_cuda_conv_block.bwd(&k->dx, &k->dw, &k->db, &k->dy, &k->y, k->mem[SAVED], &k->x, &k->w, k->s, 0, &k->ex);
}

static cug_status apart(const block *k) {
    const int act = k->s->act != CUG_ACT_NONE, pool = k->s->has_pool;
    CUG_TRY(cug_cuda_conv2d.fwd(&k->z, &k->x, &k->w, &k->b, &k->s->conv, &k->ex));
    if (act) CUG_TRY(cug_cuda_activation.fwd(&k->z, &k->z, &k->act, &k->ex));
    if (pool) {
        CUG_TRY(cug_cuda_pool2d.fwd(&k->y, &k->argmax, &k->z, &k->s->pool, &k->ex));
        CUG_TRY(cug_cuda_pool2d.bwd(&k->dz, &k->dy, &k->argmax, &k->s->pool, 0, &k->ex));
    }
    if (act) CUG_TRY(cug_cuda_activation.bwd(&k->dz, &k->dz, &k->z, &k->act, 0, &k->ex));
    return cug_cuda_conv2d.bwd(&k->dx, &k->dw, &k->db, &k->dz, &k->x, &k->w, &k->s->conv, 0, &k->ex);
}

static cug_status run_block(void *user, int who) { return who ? apart(user) : fused(user); }

static size_t largest(const cug_device *dev, const cug_conv_block_shape *s) {
    const size_t need[] = {
        cug_cuda_conv_block.workspace(dev, s, CUG_FWD), cug_cuda_conv_block.workspace(dev, s, CUG_BWD),
        cug_cuda_conv2d.workspace(dev, &s->conv, CUG_FWD), cug_cuda_conv2d.workspace(dev, &s->conv, CUG_BWD)};
    size_t most = 0;
    for (int i = 0; i < 4; i++) most = need[i] > most ? need[i] : most;
    return most;
}

cug_status cug_time_block(cug_device *dev, const cug_conv_block_shape *s, double us[2]) {
    const cug_conv2d_shape *c = &s->conv;
    const cug_pool2d_shape *p = &s->pool;
    cug_status st = CUG_OK;
    block k = {.s = s};
    k.x = cug_tensor4(NULL, CUDA_REAL, c->N, c->H, c->W, c->C);
    k.w = cug_tensor4(NULL, CUDA_REAL, c->K, c->R, c->S, c->C);
    k.b = cug_tensor1(NULL, CUDA_REAL, c->K);
    k.z = cug_tensor4(NULL, CUDA_REAL, c->N, c->P, c->Q, c->K);
    k.y = s->has_pool ? cug_tensor4(NULL, CUDA_REAL, p->N, p->P, p->Q, p->C) : k.z;
    k.argmax = s->has_pool ? cug_tensor4(NULL, CUG_U8, p->N, p->P, p->Q, p->C) : k.b;
    k.dx = k.x, k.dw = k.w, k.db = k.b, k.dy = k.y, k.dz = k.z;
    k.act = (cug_activation_shape){.kind = s->act, .slope = s->slope, .count = cug_tensor_count(&k.z)};
    cug_tensor *const places[] = {&k.x, &k.w, &k.b, &k.y, &k.dy, &k.dx, &k.dw, &k.db, NULL, &k.z, &k.dz, &k.argmax};
    size_t bytes[PIECES] = {[SAVED] = cug_cuda_conv_block.saved_bytes(s), [SCRATCH] = largest(dev, s)};
    for (int i = 0; i < SCRATCH; i++)
        if (places[i]) bytes[i] = cug_tensor_bytes(places[i]);
    CUG_GOTO(cug_time_memory(dev, PIECES, bytes, k.mem));
    for (int i = 0; i < SCRATCH; i++)
        if (places[i]) places[i]->ptr = k.mem[i];
    k.ex = (cug_exec){.device = dev, .workspace = k.mem[SCRATCH], .workspace_bytes = bytes[SCRATCH]};
    CUG_GOTO(cug_time_contest(dev, run_block, &k, us));
cleanup:
    for (int i = 0; i < PIECES; i++) cug_cuda_free(dev, k.mem[i]);
    return st;
}
