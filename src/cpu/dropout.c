/* dropout.c - inverted dropout; each Philox draw serves four features. */
#include "cpu/cpu.h"
#include <cuglyph/random.h>

typedef struct dropout_job {
    float *out;
    const float *in;
    const int32_t *ids;
    const cug_step *step;
    const cug_dropout_shape *s;
    int add;
} dropout_job;

static void part_apply(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    dropout_job *j = ctx;
    size_t F = (size_t)j->s->F;
    for (size_t n = lo; n < hi; n++) {
        float *out = j->out + n * F;
        const float *in = j->in + n * F;
        uint32_t counter[4] = {0, (uint32_t)j->ids[n], (uint32_t)j->step->step,
                               (uint32_t)CUG_RNG_DROPOUT | j->s->node << 8};
        for (size_t f = 0; f < F; f += 4) {
            uint32_t draw[4];
            counter[0] = (uint32_t)(f / 4);
            cug_philox(j->step->seed, counter, draw);
            for (size_t i = 0; i < 4 && f + i < F; i++) {
                float v = draw[i] < j->s->drop ? 0 : in[f + i] * j->s->scale;
                out[f + i] = j->add ? out[f + i] + v : v;
            }
        }
    }
}

static cug_status apply(const cug_tensor *out, const cug_tensor *in, const cug_tensor *ids, const cug_step *step,
                        const cug_dropout_shape *s, unsigned accumulate, const cug_exec *ex) {
    CUG_TRY(cug_check_dropout(CPU_REAL, out, in, ids, step, s, accumulate));
    CUG_TRY(cpu_ready("dropout", ex, 0));
    dropout_job j = {cpu_f32(out), cpu_f32(in), cpu_i32(ids), step, s, (accumulate & CUG_ACC_DX) != 0};
    cug_cpu_run(ex->device, (size_t)s->N, CUG_CPU_GRAIN / 8 / (size_t)s->F + 1, part_apply, &j);
    return CUG_OK;
}

static cug_status dropout_fwd(const cug_tensor *y, const cug_tensor *x, const cug_tensor *ids, const cug_step *step,
                              const cug_dropout_shape *s, const cug_exec *ex) {
    return apply(y, x, ids, step, s, 0, ex);
}

static cug_status dropout_bwd(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *ids, const cug_step *step,
                              const cug_dropout_shape *s, unsigned accumulate, const cug_exec *ex) {
    return apply(dx, dy, ids, step, s, accumulate, ex);
}

const cug_dropout_ops cug_cpu_dropout = {.fwd = dropout_fwd, .bwd = dropout_bwd};
