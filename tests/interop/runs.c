/* runs.c - whole training runs against PyTorch's: its initial weights, its batches, its losses.
 *
 * The weights need no file. PyTorch draws them from MT19937 (Matsumoto and Nishimura, 1998), and so does this: the sums
 * that come with a sample say whether they are the same. */
#include "interop.h"
#include <cuglyph/idx.h>
#include <cuglyph/net.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RUN_RTOL 1e-4
#define MAX_BATCH 256
#define IMAGES "data/segments/train-images-idx3-ubyte.gz"
#define LABELS "data/segments/train-labels-idx1-ubyte.gz"

static const char *const models[] = {
    "mlp", "cnn-d",
    "input 28x28x1; avgpool 2; conv 8 3x3 pad=same; bias; leaky_relu slope=0.3; residual { conv 8 3x3 pad=same; tanh "
    "}; "
    "branch { { conv 4 1x1; sigmoid } { avgpool 3 stride=1 pad=1 } }; maxpool 2; relu; flatten; linear 10"};
#define MODELS ((int)(sizeof models / sizeof *models))

/* --- PyTorch's initial weights ------------------------------------------------------------------------------------ */

typedef struct {
    uint32_t word[624];
    int next;
} twister;

static void twister_seed(twister *t, uint32_t seed) {
    t->word[0] = seed;
    for (uint32_t i = 1; i < 624; i++) t->word[i] = 1812433253u * (t->word[i - 1] ^ t->word[i - 1] >> 30) + i;
    t->next = 624;
}

static uint32_t twister_draw(twister *t) {
    if (t->next == 624) {
        for (int i = 0; i < 624; i++) {
            uint32_t y = (t->word[i] & 0x80000000u) | (t->word[(i + 1) % 624] & 0x7fffffffu);
            t->word[i] = t->word[(i + 397) % 624] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
        }
        t->next = 0;
    }
    uint32_t y = t->word[t->next++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

/* Layer after layer, weights in file order and then biases, uniform within +-1/sqrt(fan_in). */
static void initial_weights(const cug_graph *g, uint32_t seed, float *flat, double sums[2]) {
    twister t;
    int fan_in = 1;
    twister_seed(&t, seed);
    sums[0] = sums[1] = 0;
    for (int i = 0; i < g->n_segments; i++) {
        const cug_segment *s = &g->segments[i];
        float *drawn = calloc(s->count + 1, sizeof *drawn);
        if (s->is_weight) fan_in = s->fan_in;
        float bound = (float)(s->is_weight ? sqrt(3.0) * (sqrt(2.0 / 6) / sqrt(fan_in)) : 1 / sqrt(fan_in));
        for (size_t k = 0; drawn && k < s->count; k++) {
            double u = (double)(twister_draw(&t) & 0xffffffu) * 0x1p-24;
            drawn[k] = (float)(u * (double)(bound + bound) - (double)bound);
            sums[0] += (double)drawn[k];
            sums[1] += fabs((double)drawn[k]);
        }
        if (drawn) cug_segment_from_file(s, flat + s->offset, drawn, sizeof *drawn);
        free(drawn);
    }
}

/* --- one run ------------------------------------------------------------------------------------------------------ */

typedef struct {
    const cug_graph *g;
    cug_idx images, labels;
    float *start;
    int batch, steps, resident; /* resident: the images lie with the net, which gathers its batches */
    const int32_t *order;
    const double *want;
    cug_net_options opt;
    float lr;
} whole_run;

static size_t pixels_of(const whole_run *r) { return r->images.bytes / r->images.dims[0]; }

/* The batch of step t; *pixels is to be freed. */
static cug_status fetch(const whole_run *r, int t, int32_t *ids, int32_t *labels, uint8_t **pixels) {
    size_t each = pixels_of(r);
    *pixels = malloc((size_t)r->batch * each);
    if (!*pixels) return cug_fail(CUG_ENOMEM, "out of memory");
    for (int i = 0; i < r->batch; i++) {
        ids[i] = r->order[t * r->batch + i];
        labels[i] = r->labels.data[ids[i]];
        memcpy(*pixels + (size_t)i * each, r->images.data + (size_t)ids[i] * each, each);
    }
    return CUG_OK;
}

static cug_status step(cug_net *net, const whole_run *r, int t, double *loss) {
    int32_t ids[MAX_BATCH], labels[MAX_BATCH];
    uint8_t *pixels = NULL;
    cug_metrics m = {0, 0, 0};
    cug_status st;
    CUG_GOTO(fetch(r, t, ids, labels, &pixels));
    CUG_GOTO(cug_net_metrics_reset(net));
    CUG_GOTO(cug_net_train_step(net, r->resident ? NULL : &(cug_batch){r->batch, pixels, labels, ids}));
    CUG_GOTO(cug_net_metrics_read(net, &m, NULL));
    *loss = m.loss_sum / (double)m.count;
cleanup:
    free(pixels);
    return st;
}

static cug_status hold(cug_net *net, const whole_run *r) {
    size_t count = r->images.dims[0];
    int32_t *labels = malloc(count * sizeof *labels);
    if (!labels) return cug_fail(CUG_ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) labels[i] = r->labels.data[i];
    cug_status st = cug_net_hold(net, r->images.data, labels, count, (size_t)r->batch * (size_t)r->steps);
    free(labels);
    return st == CUG_OK ? cug_net_order(net, r->order) : st;
}

static cug_status run_on(const cug_backend *be, cug_device *dev, const whole_run *r, int steps, double *losses) {
    cug_net *net = NULL;
    cug_step_row rows[CUG_NET_ROWS];
    cug_status st;
    for (int t = 0; t < steps; t++) rows[t] = (cug_step_row){(uint64_t)t, r->lr, r->batch};
    CUG_GOTO(cug_net_create(&net, r->g, be, dev, &r->opt));
    CUG_GOTO(cug_net_upload_f32(net, r->start));
    if (r->resident) CUG_GOTO(hold(net, r));
    CUG_GOTO(cug_net_announce(net, rows, (size_t)steps, 0));
    for (int t = 0; t < steps; t++) CUG_GOTO(step(net, r, t, &losses[t]));
cleanup:
    cug_net_free(net);
    return st;
}

static void compare(op_world *w, const sample_call *c, op_side *s, const whole_run *r) {
    double losses[CUG_NET_ROWS];
    int steps = steps_to_go(r->steps);
    if (run_on(s->be, s->dev, r, steps, losses) != CUG_OK) {
        op_failed(w, "run [%s] on %s: %s", c->name, s->label, cug_error());
        return;
    }
    for (int t = 0; t < steps; t++)
        if (!(fabs(losses[t] - r->want[t]) <= RUN_RTOL * r->want[t])) {
            op_failed(w, "run [%s] on %s: loss of step %d is %.9g, not %.9g", c->name, s->label, t, losses[t],
                      r->want[t]);
            return;
        }
}

/* shape: model, seed, batch, steps, optimizer, resident. */
static const char *prepare(whole_run *r, const sample_call *c) {
    size_t n = 0, have = 0, losses = 0, two = 0;
    const double *v = sample_reals(c, "in", "numbers", &n), *sums = sample_reals(c, "want", "start", &two);
    double drawn[2];
    r->batch = c->shape[2], r->steps = c->shape[3], r->resident = c->shape[5];
    r->order = sample_integers(c, "in", "order", &have);
    r->want = sample_reals(c, "want", "loss", &losses);
    if (c->n_shape != 6 || !v || n != 3 || !r->order || !r->want || !sums || two != 2 || r->batch > MAX_BATCH ||
        r->steps > CUG_NET_ROWS || have != (size_t)r->batch * (size_t)r->steps || losses != (size_t)r->steps)
        return "the sample lacks an array";
    if (cug_idx_read(&r->images, IMAGES) != CUG_OK || cug_idx_read(&r->labels, LABELS) != CUG_OK) return cug_error();
    for (size_t i = 0; i < have; i++)
        if (r->order[i] < 0 || (uint32_t)r->order[i] >= r->images.dims[0]) return "no such image";
    r->start = calloc(r->g->flat_count, sizeof *r->start);
    if (!r->start) return "out of memory";
    initial_weights(r->g, (uint32_t)c->shape[1], r->start, drawn);
    for (int i = 0; i < 2; i++)
        if (!(fabs(drawn[i] - sums[i]) <= 1e-9 * sums[1])) return "the initial weights are not PyTorch's";
    r->lr = (float)v[0];
    r->opt = (cug_net_options){
        .train_sizes = {r->batch},
        .scale = (float)(1 / 255.0),
        .smoothing = (float)v[2],
        .classes = 10,
        .opt = {
            .kind = (cug_opt_kind)c->shape[4], .momentum = (float)v[1], .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f}};
    return NULL;
}

int run_whole(op_world *w, const sample_call *c) {
    if (strcmp(c->op, "run")) return 0;
    whole_run r = {.g = NULL};
    cug_graph *g = NULL;
    if (c->shape[0] < 0 || c->shape[0] >= MODELS || cug_model_load(&g, models[c->shape[0]]) != CUG_OK) {
        op_failed(w, "run [%s]: no such model", c->name);
        return 1;
    }
    r.g = g;
    const char *wrong = prepare(&r, c);
    if (wrong) op_failed(w, "run [%s]: %s", c->name, wrong);
    for (int i = -1; !wrong && i < w->sides; i++) compare(w, c, i < 0 ? &w->ref : &w->side[i], &r);
    free(r.start);
    cug_idx_free(&r.images);
    cug_idx_free(&r.labels);
    cug_graph_free(g);
    return 1;
}
