/* pool2d.c - max and average pooling, all channels of a pixel at a time; images over threads. */
#include "cpu/cpu.h"
#include <string.h>

typedef struct pool_job {
    const cug_device *dev;
    const cug_pool2d_shape *s;
    float *y, *dx;
    uint8_t *arg;
    const float *x, *dy;
    const uint8_t *won;
    int add;
} pool_job;

/* The part of a window that lies on the image: rows [r0, r1), columns [s0, s1). h, w: where its corner would be. */
typedef struct window {
    int h, w, r0, r1, s0, s1;
} window;

static window window_at(const cug_pool2d_shape *s, int p, int q) {
    window a = {.h = p * s->stride_h - s->pad_top, .w = q * s->stride_w - s->pad_left};
    a.r0 = a.h < 0 ? -a.h : 0;
    a.s0 = a.w < 0 ? -a.w : 0;
    a.r1 = a.h + s->R > s->H ? s->H - a.h : s->R;
    a.s1 = a.w + s->S > s->W ? s->W - a.w : s->S;
    return a;
}

static size_t pixel(const cug_pool2d_shape *s, size_t n, int h, int w) {
    return ((n * (size_t)s->H + (size_t)h) * (size_t)s->W + (size_t)w) * (size_t)s->C;
}

static void max_window(const pool_job *j, size_t n, window a, float *y, uint8_t *arg) {
    const cug_pool2d_shape *s = j->s;
    size_t C = (size_t)s->C;
    int first = 1;
    for (int r = a.r0; r < a.r1; r++)
        for (int t = a.s0; t < a.s1; t++) {
            const float *x = j->x + pixel(s, n, a.h + r, a.w + t);
            if (first) {
                memcpy(y, x, C * sizeof *y);
                if (arg) memset(arg, r * s->S + t, C);
                first = 0;
            } else {
                j->dev->simd->pool_max(y, arg, x, C, r * s->S + t);
            }
        }
}

static void avg_window(const pool_job *j, size_t n, window a, float *y) {
    size_t C = (size_t)j->s->C;
    memset(y, 0, C * sizeof *y);
    for (int r = a.r0; r < a.r1; r++)
        for (int t = a.s0; t < a.s1; t++) j->dev->simd->axpy1(y, j->x + pixel(j->s, n, a.h + r, a.w + t), C);
    float count = (float)((a.r1 - a.r0) * (a.s1 - a.s0));
    for (size_t c = 0; c < C; c++) y[c] /= count;
}

/* Items are rows of outputs, (n, p). */
static void fwd_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    pool_job *j = ctx;
    const cug_pool2d_shape *s = j->s;
    for (size_t i = lo; i < hi; i++)
        for (int q = 0; q < s->Q; q++) {
            size_t at = (i * (size_t)s->Q + (size_t)q) * (size_t)s->C;
            window a = window_at(s, (int)(i % (size_t)s->P), q);
            if (s->kind == CUG_POOL_MAX)
                max_window(j, i / (size_t)s->P, a, j->y + at, j->arg ? j->arg + at : NULL);
            else
                avg_window(j, i / (size_t)s->P, a, j->y + at);
        }
}

static cug_status pool2d_fwd(const cug_tensor *y, const cug_tensor *argmax, const cug_tensor *x,
                             const cug_pool2d_shape *s, const cug_exec *ex) {
    CUG_TRY(cug_check_pool2d_fwd(CPU_REAL, y, argmax, x, s));
    CUG_TRY(cpu_ready("pool2d fwd", ex, 0));
    pool_job j = {.dev = ex->device, .s = s, .y = cpu_f32(y), .arg = cpu_u8(argmax), .x = cpu_f32(x)};
    size_t row = (size_t)s->Q * (size_t)s->C * (size_t)s->R * (size_t)s->S;
    cug_cpu_run(ex->device, (size_t)s->N * (size_t)s->P, CUG_CPU_GRAIN / row + 1, fwd_part, &j);
    return CUG_OK;
}

static void max_bwd(const pool_job *j, size_t n, window a, const float *dy, const uint8_t *won) {
    for (int r = a.r0; r < a.r1; r++)
        for (int t = a.s0; t < a.s1; t++)
            j->dev->simd->pool_max_bwd(j->dx + pixel(j->s, n, a.h + r, a.w + t), dy, won, r * j->s->S + t,
                                       (size_t)j->s->C);
}

/* First and one past the last window of `stride` and `size` that holds position `at` (padding counted in). */
static int first_window(int at, int size, int stride) { return at < size ? 0 : (at - size) / stride + 1; }
static int end_window(int at, int stride, int windows) { return at / stride + 1 < windows ? at / stride + 1 : windows; }

#define CHANNELS 64 /* handled at a time */

/* One pixel's gradient of an average, gathered: a short sum for each row of windows, so that large windows stay
 * accurate. */
static void avg_bwd(const pool_job *j, size_t n, int h, int w, int c0) {
    const cug_pool2d_shape *s = j->s;
    const cug_simd *simd = j->dev->simd;
    int C = s->C - c0 < CHANNELS ? s->C - c0 : CHANNELS;
    int y = h + s->pad_top, x = w + s->pad_left;
    int q0 = first_window(x, s->S, s->stride_w), q1 = end_window(x, s->stride_w, s->Q);
    float total[CHANNELS] = {0};
    for (int p = first_window(y, s->R, s->stride_h); p < end_window(y, s->stride_h, s->P); p++) {
        float sum[CHANNELS] = {0};
        for (int q = q0; q < q1; q++) {
            window a = window_at(s, p, q);
            size_t at = ((n * (size_t)s->P + (size_t)p) * (size_t)s->Q + (size_t)q) * (size_t)s->C + (size_t)c0;
            simd->axpy(sum, 1.0f / (float)((a.r1 - a.r0) * (a.s1 - a.s0)), j->dy + at, (size_t)C);
        }
        simd->axpy1(total, sum, (size_t)C);
    }
    simd->axpy1(j->dx + pixel(s, n, h, w) + c0, total, (size_t)C);
}

/* Items are images: windows may overlap inside one. */
static void bwd_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    pool_job *j = ctx;
    const cug_pool2d_shape *s = j->s;
    for (size_t n = lo; n < hi; n++) {
        if (!j->add) memset(j->dx + pixel(s, n, 0, 0), 0, pixel(s, 1, 0, 0) * sizeof *j->dx);
        for (int i = 0; s->kind == CUG_POOL_AVG && i < s->H * s->W; i++)
            for (int c = 0; c < s->C; c += CHANNELS) avg_bwd(j, n, i / s->W, i % s->W, c);
        for (int i = 0; s->kind == CUG_POOL_MAX && i < s->P * s->Q; i++) {
            size_t at = (n * (size_t)s->P * (size_t)s->Q + (size_t)i) * (size_t)s->C;
            max_bwd(j, n, window_at(s, i / s->Q, i % s->Q), j->dy + at, j->won + at);
        }
    }
}

static cug_status pool2d_bwd(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *argmax,
                             const cug_pool2d_shape *s, unsigned accumulate, const cug_exec *ex) {
    CUG_TRY(cug_check_pool2d_bwd(CPU_REAL, dx, dy, argmax, s, accumulate));
    CUG_TRY(cpu_ready("pool2d bwd", ex, 0));
    pool_job j = {.dev = ex->device,
                  .s = s,
                  .dx = cpu_f32(dx),
                  .dy = cpu_f32(dy),
                  .won = cpu_u8(argmax),
                  .add = (accumulate & CUG_ACC_DX) != 0};
    cug_cpu_run(ex->device, (size_t)s->N, CUG_CPU_GRAIN / pixel(s, 1, 0, 0) + 1, bwd_part, &j);
    return CUG_OK;
}

const cug_pool2d_ops cug_cpu_pool2d = {.fwd = pool2d_fwd, .bwd = pool2d_bwd};
