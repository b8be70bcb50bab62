/* mnist.c - does it learn: cnn-d on MNIST, five epochs of Adam, as `cuglyph train cnn-d` would, on the test images; and
 * the same with factors in TF32 and bfloat16. */
#include "course.h"
#include "seconds.h"
#include <cuglyph/dataset.h>
#include <stdlib.h>

#define EPOCHS 5
#define BATCH 128
#define EVAL_BATCH 250
#define LEAST 0.98 /* five epochs give 98.9 % on the CPU */
#define LOST 0.002 /* what rounded factors may cost */

typedef struct study {
    cug_dataset *data;
    cug_graph *g;
    gpu_course course;
    uint8_t *pixels; /* a batch to evaluate */
    int32_t *labels, *ids;
} study;

static void study_free(study *k) {
    course_close(&k->course);
    cug_graph_free(k->g);
    cug_dataset_free(k->data);
    free(k->pixels);
    free(k->labels);
    free(k->ids);
}

static cug_status open_data(study *k) {
    CUG_TRY(cug_dataset_open(&k->data, "mnist", NULL));
    CUG_TRY(cug_model_load(&k->g, "cnn-d"));
    const cug_images *train = &k->data->train;
    k->pixels = malloc((size_t)EVAL_BATCH * (size_t)(train->H * train->W * train->C));
    k->labels = malloc(EVAL_BATCH * sizeof *k->labels);
    k->ids = malloc(EVAL_BATCH * sizeof *k->ids);
    return k->pixels && k->labels && k->ids ? CUG_OK : cug_fail(CUG_ENOMEM, "out of memory for MNIST");
}

static cug_status evaluate(study *k, const cug_loader *l) {
    CUG_TRY(cug_net_metrics_reset(k->course.net));
    for (size_t b = 0; b < cug_loader_batches(l) && !gpu_late(); b++) {
        cug_batch batch = {0, k->pixels, k->labels, k->ids};
        cug_loader_batch(l, 0, b, k->ids, k->pixels, k->labels, &batch.n);
        CUG_TRY(cug_net_eval_step(k->course.net, &batch));
    }
    return CUG_OK;
}

/* *accuracy stays when the time is over before the end. */
static cug_status learn(gpu_check *c, study *k, cug_precision p, double *accuracy) {
    const cug_images *images = &k->data->train;
    const cug_loader train = {.images = images, .n = (size_t)images->count, .batch = BATCH, .shuffle = 1, .seed = 1};
    const cug_loader test = {.images = &k->data->test, .n = (size_t)k->data->test.count, .batch = EVAL_BATCH};
    const uint64_t per_epoch = cug_loader_batches(&train);
    cug_net_options o = {.eval_sizes = {EVAL_BATCH, k->data->test.count % EVAL_BATCH},
                         .scale = 1 / 255.0f,
                         .classes = k->data->classes,
                         .seed = 1};
    cug_metrics m;
    o.opt = (cug_opt_params){.kind = CUG_OPT_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    CUG_TRY(course_open(&k->course, k->g, c->be, c->dev, &o, &train, LOAD_STAGED, EPOCHS * per_epoch, 0.001f));
    const double start = seconds_now();
    for (uint64_t epoch = 0; epoch < EPOCHS && !gpu_late(); epoch++) {
        CUG_TRY(cug_net_metrics_reset(k->course.net));
        for (uint64_t done = 0; done < per_epoch && !gpu_late(); done += 100) {
            const uint64_t left = per_epoch - done;
            CUG_TRY(course_run(&k->course, left < 100 ? left : 100));
        }
        CUG_TRY(cug_net_metrics_read(k->course.net, &m, NULL));
        fprintf(c->log, "  epoch %d: loss %.4f\n", (int)epoch + 1, m.loss_sum / (double)m.count);
    }
    if (gpu_late()) return CUG_OK;
    gpu_figure(c, (double)EPOCHS * images->count / (seconds_now() - start), "images/s",
               "MNIST, cnn-d, %s, batch %d, loading included", cug_precision_name(p), BATCH);
    CUG_TRY(evaluate(k, &test));
    if (gpu_late()) return CUG_OK;
    CUG_TRY(cug_net_metrics_read(k->course.net, &m, NULL));
    *accuracy = (double)m.correct / (double)m.count;
    gpu_figure(c, 100 * *accuracy, "%", "MNIST test accuracy, cnn-d, %s, %d epochs", cug_precision_name(p), EPOCHS);
    return CUG_OK;
}

/* Returns the accuracy, 0 where there is none. */
static double check_precision(gpu_check *c, cug_precision p, double least) {
    const char *where = getenv("CUGLYPH_DATA");
    study k = {0};
    double accuracy = 0;
    if (!gpu_part(c, 60, "MNIST, %s", cug_precision_name(p))) return 0;
    if (!where || !*where) {
        gpu_end(c, GPU_SKIPPED, "CUGLYPH_DATA does not say where it is");
        return 0;
    }
    gpu_check here = *c;
    cug_status st = c->be->open(&here.dev, &(cug_device_options){.precision = p});
    if (st != CUG_OK) here.dev = NULL;
    if (st == CUG_OK) st = open_data(&k);
    if (st == CUG_OK) st = learn(&here, &k, p, &accuracy);
    if (st == CUG_ENOENT || (st == CUG_ENOTSUP && p != CUG_PREC_FP32))
        gpu_end(c, GPU_SKIPPED, "%s", cug_error());
    else if (st != CUG_OK)
        gpu_end(c, GPU_FAILED, "%s", cug_error());
    else if (accuracy == 0 && gpu_late())
        gpu_end(c, GPU_SKIPPED, "the time was over before %d epochs and the test images were through", EPOCHS);
    else
        gpu_end(c, accuracy >= least ? GPU_OK : GPU_FAILED, "test accuracy %.2f %%, at least %.2f %% expected",
                100 * accuracy, 100 * least);
    study_free(&k);
    c->be->close(here.dev);
    return accuracy;
}

void check_mnist(gpu_check *c) {
    const double plain = check_precision(c, CUG_PREC_FP32, LEAST);
    for (cug_precision p = CUG_PREC_TF32; p <= CUG_PREC_BF16; p++)
        check_precision(c, p, plain - LOST > LEAST ? plain - LOST : LEAST);
}
