/* steps.c - whole training steps: the same twice, the same as the reference's, and how fast. */
#include "check.h"
#include <cuglyph/net.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_MODEL "input 12x12x1; conv 8 3x3; relu; maxpool 2; flatten; linear 16; relu; linear 10"
#define MAX_STEPS 20

/* Images of noise with a bright row that tells the class: something to learn. */
typedef struct batches {
    int n;
    size_t pixel_bytes, H;
    uint8_t *pixels;
    int32_t *labels, *ids;
    uint64_t seed;
} batches;

static void batch_free(batches *b) {
    free(b->pixels);
    free(b->labels);
    free(b->ids);
}

static int batch_make(batches *b, const cug_graph *g, int n) {
    const cug_value *in = &g->values[0];
    *b = (batches){.n = n, .pixel_bytes = cug_value_count(in), .H = (size_t)in->H, .seed = 7};
    b->pixels = malloc((size_t)n * b->pixel_bytes);
    b->labels = malloc((size_t)n * sizeof *b->labels);
    b->ids = malloc((size_t)n * sizeof *b->ids);
    if (b->pixels && b->labels && b->ids) return 0;
    batch_free(b);
    return -1;
}

static cug_batch batch_next(batches *b, int step) {
    const size_t row = b->pixel_bytes / b->H;
    for (int n = 0; n < b->n; n++) {
        uint8_t *p = b->pixels + (size_t)n * b->pixel_bytes;
        for (size_t i = 0; i < b->pixel_bytes; i++) p[i] = (uint8_t)(gpu_random(&b->seed) % 100);
        b->labels[n] = (int32_t)(gpu_random(&b->seed) % 10);
        b->ids[n] = step * b->n + n;
        memset(p + (size_t)b->labels[n] % b->H * row, 220, row);
    }
    return (cug_batch){b->n, b->pixels, b->labels, b->ids};
}

cug_status gpu_train_step(cug_net *n, const cug_batch *b, uint64_t step, float lr) {
    const cug_step_row row = {step, lr, b->n};
    CUG_TRY(cug_net_announce(n, &row, 1, 0));
    return cug_net_train_step(n, b);
}

/* As many of the next `left` steps as fit the table, all of `batch` samples. */
static cug_status announce(cug_net *n, uint64_t step, int left, int batch) {
    cug_step_row rows[CUG_NET_ROWS];
    int count = left < CUG_NET_ROWS ? left : CUG_NET_ROWS;
    for (int i = 0; i < count; i++) rows[i] = (cug_step_row){step + (uint64_t)i, 0.001f, batch};
    return cug_net_announce(n, rows, (size_t)count, 0);
}

/* Trains from the same start every time. loss (NULL: not wanted): of each step; params: flat_count reals. */
static cug_status train(const cug_graph *g, const cug_backend *be, cug_device *dev, cug_opt_kind kind, int batch,
                        int steps, double *loss, void *params) {
    cug_net_options o = {.train_sizes = {batch}, .scale = 1 / 255.0f, .classes = 10, .seed = 3};
    cug_status st = CUG_OK;
    cug_net *net = NULL;
    batches b = {0};
    float *init = calloc(g->flat_count, sizeof *init);
    o.opt = (cug_opt_params){.kind = kind, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    if (!init || batch_make(&b, g, batch) != 0) {
        st = cug_fail(CUG_ENOMEM, "out of memory for a batch of %d", batch);
        goto cleanup;
    }
    cug_graph_init(g, 5, init);
    CUG_GOTO(cug_net_create(&net, g, be, dev, &o));
    CUG_GOTO(cug_net_upload_f32(net, init));
    for (int i = 0; i < steps; i++) {
        cug_batch next = batch_next(&b, i);
        cug_metrics m;
        if (loss) CUG_GOTO(cug_net_metrics_reset(net));
        CUG_GOTO(gpu_train_step(net, &next, (uint64_t)i, kind == CUG_OPT_SGD ? 0.05f : 0.001f));
        if (!loss) continue;
        CUG_GOTO(cug_net_metrics_read(net, &m, NULL));
        loss[i] = m.loss_sum / (double)m.count;
    }
    if (params) CUG_GOTO(cug_net_download(net, params, NULL));
cleanup:
    cug_net_free(net);
    batch_free(&b);
    free(init);
    return st;
}

static void check_repeat(gpu_check *c, const char *name, const char *model) {
    const int steps = c->small ? 3 : 20, batch = c->small ? 8 : 128;
    cug_status st = CUG_OK;
    cug_graph *g = NULL;
    unsigned char *twice[2] = {NULL, NULL};
    size_t bytes = 0, differ = 0;
    if (!gpu_part(c, 30, "determinism: %s", name)) return;
    CUG_GOTO(cug_model_load(&g, model));
    bytes = g->flat_count * cug_dtype_size(c->be->real);
    for (int i = 0; i < 2; i++) {
        twice[i] = calloc(1, bytes);
        if (!twice[i]) {
            st = cug_fail(CUG_ENOMEM, "out of memory for %zu bytes of parameters", bytes);
            goto cleanup;
        }
        CUG_GOTO(train(g, c->be, c->dev, CUG_OPT_ADAM, batch, steps, NULL, twice[i]));
    }
    for (size_t i = 0; i < bytes; i++) differ += twice[0][i] != twice[1][i];
cleanup:
    if (st == CUG_OK)
        gpu_end(c, differ ? GPU_FAILED : GPU_OK, "2 x %d steps of %d, %zu bytes, %zu differ", steps, batch, bytes,
                differ);
    else
        gpu_end(c, GPU_FAILED, "%s", cug_error());
    free(twice[0]);
    free(twice[1]);
    cug_graph_free(g);
}

void check_repeats(gpu_check *c) {
    if (c->small) {
        check_repeat(c, "a small model", SMALL_MODEL);
        return;
    }
    check_repeat(c, "cnn-d", "cnn-d");
    check_repeat(c, "mlp", "mlp");
}

static void check_step(gpu_check *c, const char *name, const char *model) {
    const int steps = c->small ? 5 : MAX_STEPS, batch = c->small ? 8 : 32;
    double want[MAX_STEPS] = {0}, got[MAX_STEPS] = {0}, worst = 0;
    cug_status st = CUG_OK;
    cug_device *ref = NULL;
    cug_graph *g = NULL;
    if (!gpu_part(c, 60, "steps against ref: %s", name)) return;
    CUG_GOTO(cug_model_load(&g, model));
    CUG_GOTO(cug_backend_ref.open(&ref, &(cug_device_options){0}));
    CUG_GOTO(train(g, &cug_backend_ref, ref, CUG_OPT_SGD, batch, steps, want, NULL));
    CUG_GOTO(train(g, c->be, c->dev, CUG_OPT_SGD, batch, steps, got, NULL));
    for (int i = 0; i < steps; i++) {
        double d = fabs(got[i] - want[i]) / fabs(want[i]);
        fprintf(c->log, "  step %2d: loss %.9g, ref %.9g, off by %.2e\n", i, got[i], want[i], d);
        if (!(d <= worst) && !isnan(worst)) worst = d; /* a NaN stays */
    }
cleanup:
    if (st == CUG_OK)
        gpu_end(c, worst <= 1e-4 ? GPU_OK : GPU_FAILED, "%d SGD steps of %d, loss %.4f to %.4f, off by at most %.1e",
                steps, batch, want[0], want[steps - 1], worst);
    else
        gpu_end(c, GPU_FAILED, "%s", cug_error());
    cug_graph_free(g);
    cug_backend_ref.close(ref);
}

void check_steps(gpu_check *c) {
    if (c->small) {
        check_step(c, "a small model", SMALL_MODEL);
        return;
    }
    check_step(c, "cnn-d", "cnn-d");
    check_step(c, "mlp", "mlp");
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median over rounds of steps, each round ended by the step record's download; the batch is in host memory. */
static cug_status time_model(gpu_check *c, const cug_graph *g, int batch, double *per_second) {
    enum { MAX_ROUNDS = 32 };
    const int rounds = c->times < MAX_ROUNDS ? c->times : MAX_ROUNDS, steps = c->small ? 1 : 50;
    cug_net_options o = {.train_sizes = {batch}, .scale = 1 / 255.0f, .classes = 10, .seed = 3};
    double seconds[MAX_ROUNDS];
    cug_status st = CUG_OK;
    cug_net *net = NULL;
    batches b = {0};
    float *init = calloc(g->flat_count, sizeof *init);
    uint64_t done = 0;
    o.opt = (cug_opt_params){.kind = CUG_OPT_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    if (!init || batch_make(&b, g, batch) != 0) {
        st = cug_fail(CUG_ENOMEM, "out of memory for a batch of %d", batch);
        goto cleanup;
    }
    cug_graph_init(g, 5, init);
    CUG_GOTO(cug_net_create(&net, g, c->be, c->dev, &o));
    CUG_GOTO(cug_net_upload_f32(net, init));
    cug_batch next = batch_next(&b, 0);
    int measured = 0;
    for (int r = -1; r < rounds && !(measured && gpu_late()); r++) { /* round -1 warms up */
        double start = gpu_now();
        for (int i = 0; i < steps; i++) {
            if (i % CUG_NET_ROWS == 0) CUG_GOTO(announce(net, done, steps - i, batch));
            CUG_GOTO(cug_net_train_step(net, &next));
            done++;
        }
        CUG_GOTO(c->be->sync(c->dev, NULL));
        if (r >= 0) seconds[measured++] = gpu_now() - start;
    }
    qsort(seconds, (size_t)measured, sizeof *seconds, by_size);
    *per_second = batch * (double)steps / seconds[measured / 2];
cleanup:
    cug_net_free(net);
    batch_free(&b);
    free(init);
    return st;
}

void time_training(gpu_check *c) {
    static const char *const zoo[] = {"cnn-d", "mlp"};
    for (size_t i = 0; i < sizeof zoo / sizeof *zoo; i++) {
        const int batch = c->small ? 2 : 128;
        cug_graph *g = NULL;
        double rate = 0;
        if (!gpu_part(c, 20, "training time: %s", zoo[i])) continue;
        cug_status st = cug_model_load(&g, zoo[i]);
        if (st == CUG_OK) st = time_model(c, g, batch, &rate);
        if (st == CUG_OK) {
            gpu_figure(c, rate, "images/s", "%s, batch %d, Adam", zoo[i], batch);
            gpu_end(c, GPU_OK, "steps on one batch in host memory");
        } else {
            gpu_end(c, GPU_FAILED, "%s", cug_error());
        }
        cug_graph_free(g);
    }
}
