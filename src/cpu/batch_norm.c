/* batch_norm.c - batch normalisation. Rows are taken `group` at a time as one wide row of whole vectors, so that any
 * number of channels fills them; what is left over goes through a wide row of its own. Sums run over CHUNK wide rows in
 * float32 and from there in double. */
#include "cpu/cpu.h"
#include <math.h>
#include <string.h>

enum { CHUNK = 32 };

/* How the rows are cut, and the scratch memory for it. */
typedef struct bn_job {
    const cug_device *dev;
    const cug_batch_norm_shape *s;
    size_t C, group, width, wide_rows, left; /* left: rows past the last wide one */
    float *k[5];                             /* constants of a wide row's columns */
    float *part_sums;                        /* (parts, 2, width): of one chunk */
    double *sums;                            /* (parts + 1, 2, width): of everything; the last: of what is left over */
    float *rest[3];                          /* what is left over, a wide row for each tensor */
    int parts, add;
    float *y;
    const float *x, *g;
} bn_job;

static size_t common(size_t a, size_t b) { return b ? common(b, a % b) : a; }

static size_t lay_out(bn_job *j, const cug_device *dev, const cug_batch_norm_shape *s, void *base) {
    const size_t vectors = 4 * (size_t)dev->simd->lanes;
    cug_cpu_scratch at = {base, 0};
    *j = (bn_job){.dev = dev, .s = s, .C = (size_t)s->C};
    j->group = vectors / common(vectors, j->C);
    j->width = j->group * j->C; /* a checked shape has a channel */
    j->wide_rows = (size_t)s->rows / j->group;
    j->left = (size_t)s->rows % j->group;
    j->parts =
        cug_cpu_parts(dev, j->wide_rows, CUG_CPU_GRAIN / j->width + 1); /* NOLINT(clang-analyzer-core.DivideZero) */
    for (int i = 0; i < 5; i++) j->k[i] = cpu_take(&at, j->width, sizeof(float));
    for (int i = 0; i < 3; i++) j->rest[i] = cpu_take(&at, j->width, sizeof(float));
    j->part_sums = cpu_take(&at, 2 * j->width * (size_t)j->parts, sizeof(float));
    j->sums = cpu_take(&at, 2 * j->width * (size_t)(j->parts + 1), sizeof(double));
    return at.used;
}

static size_t workspace(const cug_device *dev, const cug_batch_norm_shape *s, cug_pass pass) {
    bn_job j;
    (void)pass;
    return lay_out(&j, dev, s, NULL);
}

/* Channel c's value in each column that is one of that channel's. */
static void spread(const bn_job *j, float *k) {
    for (size_t w = j->C; w < j->width; w++) k[w] = k[w - j->C];
}

static void add_sums(double *to, const float *from, size_t n) {
    for (size_t i = 0; i < n; i++) to[i] += (double)from[i];
}

static void sum_rows(const bn_job *j, double *to, float *chunk, const float *x, const float *g, size_t rows) {
    memset(to, 0, 2 * j->width * sizeof *to);
    for (size_t r = 0; r < rows; r += CHUNK) {
        size_t n = rows - r < CHUNK ? rows - r : CHUNK;
        if (g)
            j->dev->simd->comoments(chunk, chunk + j->width, g + r * j->width, x + r * j->width, j->k[0], n, j->width);
        else
            j->dev->simd->moments(chunk, chunk + j->width, x + r * j->width, j->k[0], n, j->width);
        add_sums(to, chunk, 2 * j->width);
    }
}

static void sum_part(void *ctx, size_t lo, size_t hi, int part) {
    const bn_job *j = ctx;
    size_t n = 2 * j->width;
    sum_rows(j, j->sums + n * (size_t)part, j->part_sums + n * (size_t)part, j->x + lo * j->width,
             j->g ? j->g + lo * j->width : NULL, hi - lo);
}

/* The rows left over as a wide row, behind them `fill` (what adds nothing to the sums), or zeros. */
static const float *widen(const bn_job *j, float *to, const float *x, const float *fill) {
    const size_t n = j->left * j->C, done = j->wide_rows * j->width;
    memcpy(to, x + done, n * sizeof *to);
    if (fill)
        memcpy(to + n, fill + n, (j->width - n) * sizeof *to);
    else
        memset(to + n, 0, (j->width - n) * sizeof *to);
    return to;
}

/* Of x - k[0] and its squares, or of g and g * (x - k[0]); then s[c] and q[c] are column c's. */
static void sum_all(bn_job *j) {
    double *last = j->sums + 2 * j->width * (size_t)j->parts;
    for (size_t i = 0; i < 2 * j->width * (size_t)(j->parts + 1); i++) j->sums[i] = 0;
    if (j->wide_rows) cug_cpu_run(j->dev, j->wide_rows, CUG_CPU_GRAIN / j->width + 1, sum_part, j);
    if (j->left) {
        const float *x = widen(j, j->rest[0], j->x, j->k[0]);
        sum_rows(j, last, j->part_sums, x, j->g ? widen(j, j->rest[1], j->g, NULL) : NULL, 1);
    }
    for (int p = 1; p <= j->parts; p++)
        for (size_t w = 0; w < 2 * j->width; w++) j->sums[w] += j->sums[2 * j->width * (size_t)p + w];
    for (size_t half = 0; half < 2; half++)
        for (size_t w = j->C; w < j->width; w++) j->sums[half * j->width + w % j->C] += j->sums[half * j->width + w];
}

static void affine_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    const bn_job *j = ctx;
    j->dev->simd->affine(j->y + lo * j->width, j->x + lo * j->width, j->k[0], j->k[1], j->k[2], j->add, hi - lo,
                         j->width);
}

static void affine2_part(void *ctx, size_t lo, size_t hi, int part) {
    (void)part;
    const bn_job *j = ctx;
    j->dev->simd->affine2(j->y + lo * j->width, j->g + lo * j->width, j->x + lo * j->width, j->k[0], j->k[1], j->k[2],
                          j->k[3], j->add, hi - lo, j->width);
}

/* y = (x - k0) k1 + k2; or, with g, g k1 + (x - k0) k2 + k3. */
static void map_all(bn_job *j) {
    for (int i = 0; i < 4; i++) spread(j, j->k[i]);
    if (j->wide_rows)
        cug_cpu_run(j->dev, j->wide_rows, CUG_CPU_GRAIN / j->width + 1, j->g ? affine2_part : affine_part, j);
    if (!j->left) return;
    float *y = j->rest[2], *to = j->y + j->wide_rows * j->width;
    const float *x = widen(j, j->rest[0], j->x, NULL);
    if (j->add) widen(j, y, j->y, NULL);
    if (j->g)
        j->dev->simd->affine2(y, widen(j, j->rest[1], j->g, NULL), x, j->k[0], j->k[1], j->k[2], j->k[3], j->add, 1,
                              j->width);
    else
        j->dev->simd->affine(y, x, j->k[0], j->k[1], j->k[2], j->add, 1, j->width);
    memcpy(to, y, j->left * j->C * sizeof *to);
}

/* Something near each channel's mean: of the first rows. Sums about it lose nothing to a mean far from 0: were f of all
 * rows at a distance D from the rest, the variance would be f (1 - f) D^2 at least. */
static void near_means(bn_job *j) {
    size_t rows = (size_t)j->s->rows < 64 ? (size_t)j->s->rows : 64;
    for (size_t c = 0; c < j->C; c++) {
        double sum = 0;
        for (size_t r = 0; r < rows; r++) sum += (double)j->x[r * j->C + c];
        j->k[0][c] = (float)(sum / (double)rows);
    }
    spread(j, j->k[0]);
}

static cug_status begin(bn_job *j, const char *op, const cug_batch_norm_shape *s, const cug_exec *ex) {
    CUG_TRY(cpu_ready(op, ex, 0));
    CUG_TRY(cpu_ready(op, ex, workspace(ex->device, s, CUG_FWD)));
    lay_out(j, ex->device, s, ex->workspace);
    for (int i = 0; i < 5; i++) memset(j->k[i], 0, j->width * sizeof(float));
    return CUG_OK;
}

static cug_status fwd_train(const cug_tensor *y, const cug_tensor *saved, const cug_tensor *x, const cug_tensor *gamma,
                            const cug_tensor *beta, const cug_batch_norm_shape *s, const cug_exec *ex) {
    bn_job j;
    CUG_TRY(cug_check_batch_norm_fwd_train(CPU_REAL, y, saved, x, gamma, beta, s));
    CUG_TRY(begin(&j, "batch_norm fwd_train", s, ex));
    j.x = cpu_f32(x), j.y = cpu_f32(y);
    near_means(&j);
    sum_all(&j);
    float *kept = cpu_f32(saved);
    for (size_t c = 0; c < j.C; c++) {
        double off = j.sums[c] / s->rows, var = j.sums[j.width + c] / s->rows - off * off;
        if (var < 0) var = 0; /* NaN stays */
        double rstd = 1 / sqrt(var + (double)s->eps);
        kept[c] = (float)((double)j.k[0][c] + off);
        kept[j.C + c] = (float)rstd;
        kept[2 * j.C + c] = (float)var;
        j.k[0][c] = kept[c];
        j.k[1][c] = (float)((double)cpu_f32(gamma)[c] * rstd);
        j.k[2][c] = cpu_f32(beta)[c];
    }
    map_all(&j);
    return CUG_OK;
}

static cug_status fwd_eval(const cug_tensor *y, const cug_tensor *x, const cug_tensor *gamma, const cug_tensor *beta,
                           const cug_tensor *running_mean, const cug_tensor *running_var, const cug_batch_norm_shape *s,
                           const cug_exec *ex) {
    bn_job j;
    CUG_TRY(cug_check_batch_norm_fwd_eval(CPU_REAL, y, x, gamma, beta, running_mean, running_var, s));
    CUG_TRY(begin(&j, "batch_norm fwd_eval", s, ex));
    j.x = cpu_f32(x), j.y = cpu_f32(y);
    for (size_t c = 0; c < j.C; c++) {
        j.k[0][c] = cpu_f32(running_mean)[c];
        j.k[1][c] = (float)((double)cpu_f32(gamma)[c] / sqrt((double)cpu_f32(running_var)[c] + (double)s->eps));
        j.k[2][c] = cpu_f32(beta)[c];
    }
    map_all(&j);
    return CUG_OK;
}

static cug_status bwd(const cug_tensor *dx, const cug_tensor *dgamma, const cug_tensor *dbeta, const cug_tensor *dy,
                      const cug_tensor *x, const cug_tensor *gamma, const cug_tensor *saved,
                      const cug_batch_norm_shape *s, unsigned accumulate, const cug_exec *ex) {
    bn_job j;
    CUG_TRY(cug_check_batch_norm_bwd(CPU_REAL, dx, dgamma, dbeta, dy, x, gamma, saved, s, accumulate));
    CUG_TRY(begin(&j, "batch_norm bwd", s, ex));
    j.x = cpu_f32(x), j.g = cpu_f32(dy), j.y = cpu_f32(dx);
    j.add = (accumulate & CUG_ACC_DX) != 0;
    const float *mean = cpu_f32(saved), *rstd = mean + j.C;
    memcpy(j.k[0], mean, j.C * sizeof(float));
    spread(&j, j.k[0]);
    sum_all(&j);
    for (size_t c = 0; c < j.C; c++) {
        double sum = j.sums[c], dot = j.sums[j.width + c] * (double)rstd[c];
        double a = (double)cpu_f32(gamma)[c] * (double)rstd[c];
        j.k[1][c] = (float)a;
        j.k[2][c] = (float)(-a * (double)rstd[c] * dot / s->rows);
        j.k[3][c] = (float)(-a * sum / s->rows);
        if (dgamma) cpu_f32(dgamma)[c] = (float)(accumulate & CUG_ACC_DW ? (double)cpu_f32(dgamma)[c] + dot : dot);
        if (dbeta) cpu_f32(dbeta)[c] = (float)(accumulate & CUG_ACC_DW ? (double)cpu_f32(dbeta)[c] + sum : sum);
    }
    if (dx) map_all(&j);
    return CUG_OK;
}

static cug_status bwd_eval(const cug_tensor *dx, const cug_tensor *dy, const cug_tensor *gamma,
                           const cug_tensor *running_var, const cug_batch_norm_shape *s, unsigned accumulate,
                           const cug_exec *ex) {
    bn_job j;
    CUG_TRY(cug_check_batch_norm_bwd_eval(CPU_REAL, dx, dy, gamma, running_var, s, accumulate));
    CUG_TRY(begin(&j, "batch_norm bwd_eval", s, ex));
    j.x = cpu_f32(dy), j.y = cpu_f32(dx);
    j.add = (accumulate & CUG_ACC_DX) != 0;
    for (size_t c = 0; c < j.C; c++)
        j.k[1][c] = (float)((double)cpu_f32(gamma)[c] / sqrt((double)cpu_f32(running_var)[c] + (double)s->eps));
    map_all(&j);
    return CUG_OK;
}

static cug_status track(const cug_tensor *running_mean, const cug_tensor *running_var, const cug_tensor *saved,
                        const cug_step *step, const cug_batch_norm_shape *s, const cug_exec *ex) {
    CUG_TRY(cug_check_batch_norm_track(CPU_REAL, running_mean, running_var, saved, step, s));
    CUG_TRY(cpu_ready("batch_norm track", ex, 0));
    float *mean = cpu_f32(running_mean), *var = cpu_f32(running_var);
    const float *kept = cpu_f32(saved);
    const double k = (double)s->momentum, unbiased = (double)s->rows / (s->rows - 1);
    for (int c = 0; c < s->C && !step->nonfinite; c++) {
        mean[c] = (float)((1 - k) * (double)mean[c] + k * (double)kept[c]);
        var[c] = (float)((1 - k) * (double)var[c] + k * (double)kept[2 * s->C + c] * unbiased);
    }
    return CUG_OK;
}

const cug_batch_norm_ops cug_cpu_batch_norm = {.workspace = workspace,
                                               .fwd_train = fwd_train,
                                               .fwd_eval = fwd_eval,
                                               .bwd = bwd,
                                               .bwd_eval = bwd_eval,
                                               .track = track};
