/* steps.c - a net on random images, stepped until its time is known. */
#include "bench/steps.h"
#include "bench/profile.h"
#include "host.h"
#include "model/plan.h"
#include "range.h"
#include "seconds.h"
#include "train/net_internal.h"
#include <cuglyph/dataset.h>
#include <cuglyph/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGES 4096 /* at least, and four batches */

typedef struct stepper {
    const bench_steps_options *o;
    const cug_backend *be;
    cug_device *dev;
    cug_net *net;
    cug_images images;
    cug_loader loader;
    uint8_t *pixels;
    int32_t *labels, *ids;
    uint64_t step, announced; /* steps taken; steps told to the net */
    uint64_t staged;          /* on the ring's thread: which batch it fills */
    int use_ring;
    bench_profile *profile;
    cug_backend heard; /* be, with its ranges listened to */
} stepper;

/* --- data --------------------------------------------------------------------------------------------------------- */

static cug_status make_images(stepper *s) {
    const cug_value *in = &s->o->graph->values[0], *out = &s->o->graph->values[s->o->graph->output];
    const size_t bytes = cug_value_count(in), batch = (size_t)s->o->batch;
    const size_t whole = (IMAGES + batch - 1) / batch * batch, n = whole < 4 * batch ? 4 * batch : whole;
    s->images = (cug_images){.count = (int)n, .H = in->H, .W = in->W, .C = in->C};
    s->images.pixels = malloc(n * bytes);
    s->images.labels = malloc(n * sizeof(int32_t));
    s->pixels = malloc(batch * bytes);
    s->labels = malloc(batch * sizeof(int32_t));
    s->ids = malloc(batch * sizeof(int32_t));
    if (!s->images.pixels || !s->images.labels || !s->pixels || !s->labels || !s->ids)
        return cug_fail(CUG_ENOMEM, "out of memory for %zu images of %zu bytes", n, bytes);
    for (size_t i = 0; i < n * bytes; i++) { /* as bright as handwriting: four pixels in five are 0 */
        const uint32_t r = (uint32_t)i * 2654435761u;
        s->images.pixels[i] = (r >> 16) % 5 ? 0 : (uint8_t)(r >> 24);
    }
    for (size_t i = 0; i < n; i++) s->images.labels[i] = (int32_t)(i % (size_t)(out->C > 1 ? out->C : 2));
    s->loader =
        (cug_loader){.images = &s->images, .n = n, .batch = s->o->batch, .shuffle = s->o->training, .seed = s->o->seed};
    return CUG_OK;
}

static void load(const stepper *s, uint64_t step, uint8_t *pixels, int32_t *labels, int32_t *ids, int *n) {
    const size_t batches = cug_loader_batches(&s->loader);
    cug_loader_batch(&s->loader, (uint32_t)(step / batches), (size_t)(step % batches), ids, pixels, labels, n);
}

static cug_status fill(void *user, uint64_t seq, uint8_t *pixels, int32_t *labels, int32_t *ids, int *n) {
    load(user, seq, pixels, labels, ids, n);
    return CUG_OK;
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

static cug_status announce(stepper *s) {
    cug_step_row rows[CUG_NET_ROWS];
    if (s->step < s->announced) return CUG_OK;
    for (int i = 0; i < CUG_NET_ROWS; i++) rows[i] = (cug_step_row){s->step + (uint64_t)i, 1e-4f, s->o->batch};
    s->announced = s->step + CUG_NET_ROWS;
    return cug_net_announce(s->net, rows, CUG_NET_ROWS, 0);
}

static cug_status step_once(stepper *s) {
    const int in_place = !s->use_ring && cug_net_lend(s->net, s->images.pixels, (size_t)s->images.count);
    cug_batch b = {0, in_place ? NULL : s->pixels, s->labels, s->ids};
    if (s->o->training) CUG_TRY(announce(s));
    if (!s->use_ring) {
        range_push(s->be, "batch");
        load(s, s->step, in_place ? NULL : s->pixels, s->labels, s->ids, &b.n);
        range_pop(s->be);
    }
    s->step++;
    if (!s->o->training) return cug_net_eval_step(s->net, &b);
    return cug_net_train_step(s->net, s->use_ring ? NULL : &b);
}

static cug_status sample(void *user, int calls, double *seconds) {
    stepper *s = user;
    const double start = seconds_now();
    for (int i = 0, n = s->o->steps > 1 ? calls * s->o->steps : calls; i < n; i++) CUG_TRY(step_once(s));
    CUG_TRY(s->be->sync(s->dev, NULL));
    *seconds = seconds_now() - start;
    return CUG_OK;
}

/* --- setting up -----------------------------------------------------------------------------------------------------
 */

static cug_status init_parameters(stepper *s) {
    float *flat = calloc(s->o->graph->flat_count + 1, sizeof *flat);
    if (!flat) return cug_fail(CUG_ENOMEM, "out of memory for %zu parameters", s->o->graph->flat_count);
    cug_graph_init(s->o->graph, s->o->seed, flat);
    cug_status st = cug_net_upload_f32(s->net, flat);
    free(flat);
    return st;
}

static cug_status open_net(stepper *s, int op_by_op) {
    cug_net_options n = {.scale = 1 / 255.0f,
                         .no_graph = op_by_op,
                         .classes = s->o->graph->values[s->o->graph->output].C,
                         .seed = s->o->seed,
                         .opt = {.kind = CUG_OPT_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f}};
    if (n.classes < 2) n.classes = 2;
    *(s->o->training ? n.train_sizes : n.eval_sizes) = s->o->batch;
    s->step = s->announced = 0;
    CUG_TRY(cug_net_create(&s->net, s->o->graph, s->be, s->dev, &n));
    CUG_TRY(init_parameters(s));
    s->use_ring = s->o->training && !op_by_op && s->be->ring_open != NULL;
    return s->use_ring ? cug_net_stage(s->net, fill, s) : CUG_OK;
}

static void close_net(stepper *s) {
    cug_net_free(s->net);
    s->net = NULL;
}

/* --- energy: RAPL's counter of the first package, where this process may read it
 * -------------------------------------- */

static double package_joules(void) {
    char text[64], *end = text;
    FILE *f = fopen("/sys/class/powercap/intel-rapl:0/energy_uj", "re");
    if (!f) return -1;
    const double micro = fgets(text, sizeof text, f) ? strtod(text, &end) : 0;
    fclose(f);
    return end == text ? -1 : micro * 1e-6;
}

static cug_status measure_steps(bench_steps *out, stepper *s) {
    int calls;
    CUG_TRY(open_net(s, 0));
    const double before = package_joules();
    const uint64_t first = s->step;
    CUG_TRY(bench_measure(&out->step, &calls, sample, s, 100000, &s->o->limits));
    const double after = package_joules();
    const uint64_t steps = s->step - first;
    out->joules = s->be->timing && s->be->timing->mark     ? -1 /* the GPU's own counter would be another library's */
                  : before >= 0 && after > before && steps ? (after - before) / (double)steps
                                                           : -1;
    cug_net_memory_used(s->net, &out->memory);
    return CUG_OK;
}

/* --- where the time goes
 * ---------------------------------------------------------------------------------------------- */

static double op_flop(const cug_plan *p, const plan_op *op, cug_pass pass) {
    cug_node one = op->node;
    if (one.op == CUG_OP_CONV_BLOCK) {
        const cug_conv2d_shape conv = one.u.conv_block.conv;
        one.op = CUG_OP_CONV2D;
        one.u.conv2d = conv;
    }
    const double macs = (double)cug_node_macs(&one) * p->batch;
    return 2 * macs * (pass == CUG_FWD ? 1 : (op->dx[0].ptr != NULL) + (op->dw.ptr != NULL));
}

static void count_flop(bench_steps *out, const cug_plan *p) {
    out->flop = 0;
    for (int i = 0; i < p->n_ops; i++)
        for (int pass = CUG_FWD; pass <= CUG_BWD; pass++) {
            if (pass == CUG_BWD && !p->ops[i].dy.ptr) continue;
            const double flop = op_flop(p, &p->ops[i], (cug_pass)pass);
            out->flop += flop;
            for (int k = 0; k < out->parts; k++)
                if (strcmp(out->part[k].name, p->ops[i].range[pass]) == 0) out->part[k].flop += flop;
        }
}

/* At least 20 steps and as long as a measurement takes. */
static cug_status split_steps(bench_steps *out, stepper *s) {
    CUG_TRY(bench_profile_open(&s->profile, &s->heard, s->be));
    s->be = &s->heard;
    cug_status st = open_net(s, 1);
    for (int i = 0; st == CUG_OK && i < 3; i++) st = step_once(s);
    if (st == CUG_OK) st = s->be->sync(s->dev, NULL);
    const double start = seconds_now();
    for (int i = 0; st == CUG_OK && i < PROFILE_STEPS; i++) {
        if (i >= 20 && seconds_now() - start > s->o->limits.min_time) break;
        if (i && s->o->limits.late && s->o->limits.late()) break;
        if (s->o->training) st = announce(s); /* its upload is no part of a step: one in 512 does it */
        if (st == CUG_OK) st = bench_profile_begin(s->profile, s->dev);
        if (st == CUG_OK) st = step_once(s);
        if (st == CUG_OK) st = bench_profile_end(s->profile);
    }
    if (st == CUG_OK) st = bench_profile_parts(s->profile, out->part, &out->parts, &out->split_step, &out->covered);
    if (st == CUG_OK) count_flop(out, s->o->training ? s->net->train[0] : s->net->eval[0]);
    close_net(s);
    bench_profile_close(s->profile);
    s->be = s->o->be;
    return st;
}

cug_status bench_steps_run(bench_steps *out, const bench_steps_options *o) {
    stepper s = {.o = o, .be = o->be};
    cug_status st;
    memset(out, 0, sizeof *out);
    out->joules = -1;
    const cug_device_options d = {
        .ordinal = o->ordinal, .threads = o->threads, .precision = o->precision, .conv = o->conv, .gemm = o->gemm};
    CUG_GOTO(make_images(&s));
    CUG_GOTO(o->be->open(&s.dev, &d));
    snprintf(out->device, sizeof out->device, "%s", o->be->describe(s.dev));
    out->threads = o->threads || o->be != &cug_backend_cpu ? o->threads : host_cores();
    CUG_GOTO(measure_steps(out, &s));
    count_flop(out, o->training ? s.net->train[0] : s.net->eval[0]);
    close_net(&s);
    if (o->split) CUG_GOTO(split_steps(out, &s));
cleanup:
    close_net(&s);
    if (s.dev) o->be->close(s.dev);
    free(s.images.pixels);
    free(s.images.labels);
    free(s.pixels);
    free(s.labels);
    free(s.ids);
    return st;
}
