/* mnist.c - does it learn: cnn-d on MNIST, five epochs of Adam, as `cuglyph train cnn-d` would, on the test images; and
 * the same with factors in TF32 and bfloat16. */
#include "check.h"
#include <cuglyph/dataset.h>
#include <cuglyph/net.h>
#include <stdlib.h>

#define EPOCHS 5
#define BATCH 128
#define EVAL_BATCH 250
#define LEAST 0.98 /* five epochs give 98.9 % on the CPU */
#define LOST 0.002 /* what rounded factors may cost */

typedef struct course {
    cug_dataset *data;
    cug_graph *g;
    cug_net *net;
    uint8_t *pixels;
    int32_t *labels, *ids;
} course;

static void course_free(course *k) {
    cug_net_free(k->net);
    cug_graph_free(k->g);
    cug_dataset_free(k->data);
    free(k->pixels);
    free(k->labels);
    free(k->ids);
}

static cug_status open_course(gpu_check *c, course *k) {
    cug_status st = CUG_OK;
    CUG_TRY(cug_dataset_open(&k->data, "mnist", NULL));
    CUG_TRY(cug_model_load(&k->g, "cnn-d"));
    const cug_images *train = &k->data->train, *test = &k->data->test;
    cug_net_options o = {.train_sizes = {BATCH, train->count % BATCH},
                         .eval_sizes = {EVAL_BATCH, test->count % EVAL_BATCH},
                         .scale = 1 / 255.0f,
                         .classes = k->data->classes,
                         .seed = 1};
    o.opt = (cug_opt_params){.kind = CUG_OPT_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    CUG_TRY(cug_net_create(&k->net, k->g, c->be, c->dev, &o));
    k->pixels = malloc((size_t)EVAL_BATCH * (size_t)(train->H * train->W * train->C));
    k->labels = malloc(EVAL_BATCH * sizeof *k->labels);
    k->ids = malloc(EVAL_BATCH * sizeof *k->ids);
    float *init = calloc(k->g->flat_count, sizeof *init);
    if (k->pixels && k->labels && k->ids && init) {
        cug_graph_init(k->g, 1, init);
        st = cug_net_upload_f32(k->net, init);
    } else {
        st = cug_fail(CUG_ENOMEM, "out of memory for MNIST");
    }
    free(init);
    return st;
}

static cug_status pass(course *k, const cug_loader *l, uint32_t epoch, uint64_t *step) {
    CUG_TRY(cug_net_metrics_reset(k->net));
    for (size_t b = 0; b < cug_loader_batches(l) && !gpu_late(); b++) {
        cug_batch batch = {0, k->pixels, k->labels, k->ids};
        cug_loader_batch(l, epoch, b, k->ids, k->pixels, k->labels, &batch.n);
        if (step)
            CUG_TRY(gpu_train_step(k->net, &batch, (*step)++, 0.001f));
        else
            CUG_TRY(cug_net_eval_step(k->net, &batch));
    }
    return CUG_OK;
}

/* *accuracy stays when the time is over before the end. */
static cug_status study(gpu_check *c, course *k, cug_precision p, double *accuracy) {
    const cug_loader train = {
        .images = &k->data->train, .n = (size_t)k->data->train.count, .batch = BATCH, .shuffle = 1, .seed = 1};
    const cug_loader test = {.images = &k->data->test, .n = (size_t)k->data->test.count, .batch = EVAL_BATCH};
    cug_metrics m;
    uint64_t step = 0;
    const double start = gpu_now();
    for (uint32_t epoch = 0; epoch < EPOCHS && !gpu_late(); epoch++) {
        CUG_TRY(pass(k, &train, epoch, &step));
        CUG_TRY(cug_net_metrics_read(k->net, &m, NULL));
        fprintf(c->log, "  epoch %d: loss %.4f\n", (int)epoch + 1, m.loss_sum / (double)m.count);
    }
    if (gpu_late()) return CUG_OK;
    const double images = (double)EPOCHS * k->data->train.count;
    gpu_figure(c, images / (gpu_now() - start), "images/s", "MNIST, cnn-d, %s, batch %d, loading included",
               cug_precision_name(p), BATCH);
    CUG_TRY(pass(k, &test, 0, NULL));
    if (gpu_late()) return CUG_OK;
    CUG_TRY(cug_net_metrics_read(k->net, &m, NULL));
    *accuracy = (double)m.correct / (double)m.count;
    gpu_figure(c, 100 * *accuracy, "%", "MNIST test accuracy, cnn-d, %s, %d epochs", cug_precision_name(p), EPOCHS);
    return CUG_OK;
}

/* Returns the accuracy, 0 where there is none. */
static double check_precision(gpu_check *c, cug_precision p, double least) {
    const char *where = getenv("CUGLYPH_DATA");
    course k = {0};
    double accuracy = 0;
    if (!gpu_part(c, 60, "MNIST, %s", cug_precision_name(p))) return 0;
    if (!where || !*where) {
        gpu_end(c, GPU_SKIPPED, "CUGLYPH_DATA does not say where it is");
        return 0;
    }
    gpu_check here = *c;
    cug_status st = c->be->open(&here.dev, &(cug_device_options){.precision = p});
    if (st != CUG_OK) here.dev = NULL;
    if (st == CUG_OK) st = open_course(&here, &k);
    if (st == CUG_OK) st = study(&here, &k, p, &accuracy);
    if (st == CUG_ENOENT || (st == CUG_ENOTSUP && p != CUG_PREC_FP32))
        gpu_end(c, GPU_SKIPPED, "%s", cug_error());
    else if (st != CUG_OK)
        gpu_end(c, GPU_FAILED, "%s", cug_error());
    else if (accuracy == 0 && gpu_late())
        gpu_end(c, GPU_SKIPPED, "the time was over before %d epochs and the test images were through", EPOCHS);
    else
        gpu_end(c, accuracy >= least ? GPU_OK : GPU_FAILED, "test accuracy %.2f %%, at least %.2f %% expected",
                100 * accuracy, 100 * least);
    course_free(&k);
    c->be->close(here.dev);
    return accuracy;
}

void check_mnist(gpu_check *c) {
    const double plain = check_precision(c, CUG_PREC_FP32, LEAST);
    for (cug_precision p = CUG_PREC_TF32; p <= CUG_PREC_BF16; p++)
        check_precision(c, p, plain - LOST > LEAST ? plain - LOST : LEAST);
}
