/* train_predict.c - a program of somebody else: trains, evaluates, saves, loads and predicts with nothing but what
 * `make install` leaves. Built by tests/cli/test_package.sh.
 *   train_predict FOLDER RUN   FOLDER: train-images train-labels test-images test-labels (10x10, four classes)
 * It runs under the user's own locale, as a program with a window would. */
#include <cuglyph/backend.h>
#include <cuglyph/checkpoint.h>
#include <cuglyph/idx.h>
#include <cuglyph/plan.h>
#include <cuglyph/train.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL "input 10x10x1; conv 8 3x3; leaky_relu slope=0.125; maxpool 2; flatten; dropout 0.25; linear 4"

static cug_status train(const char *folder, const char *run) {
    char data[4096];
    snprintf(data, sizeof data, "idx:%s/train-images,%s/train-labels,%s/test-images,%s/test-labels", folder, folder,
             folder, folder);
    const char *const options[][2] = {{"model", MODEL}, {"data", data},     {"val", "60"},       {"epochs", "1"},
                                      {"batch", "16"},  {"lr", "0.005"},    {"threads", "2"},    {"device", "cpu"},
                                      {"seed", "7"},    {"log-every", "5"}, {"smoothing", "0.1"}};
    cug_config config;
    cug_config_defaults(&config);
    cug_status st = CUG_OK;
    for (size_t i = 0; st == CUG_OK && i < sizeof options / sizeof *options; i++)
        st = cug_config_set(&config, options[i][0], options[i][1]);
    cug_train_result result;
    const cug_train_request request = {.config = &config, .run_path = run};
    if (st == CUG_OK) st = cug_train(&request, &result);
    if (st == CUG_OK) printf("trained %lld steps\n", (long long)result.steps);
    cug_config_free(&config);
    return st;
}

typedef struct predictor {
    const cug_backend *be;
    cug_device *dev;
    cug_plan *plan;
    void *memory[6];
} predictor;

static void predictor_close(predictor *p) {
    cug_plan_free(p->plan);
    for (int i = 0; i < 6; i++) p->be->free(p->dev, p->memory[i]);
    p->be->close(p->dev);
}

/* A plan for batches of n images with the checkpoint's weights; pixels are divided by 255, as in training. */
static cug_status predictor_open(predictor *p, const cug_graph *g, const cug_snapshot *weights, int n) {
    cug_status st = CUG_OK;
    const cug_device_options options = {.threads = 2};
    cug_exec ex = {0};
    memset(p, 0, sizeof *p);
    p->be = cug_backend_find("cpu");
    CUG_TRY(p->be->open(&p->dev, &options));
    ex.device = p->dev;
    CUG_GOTO(cug_plan_create(&p->plan, g, p->be, p->dev, n, 0));
    const size_t bytes[6] = {g->flat_count * cug_dtype_size(p->be->real),
                             cug_plan_arena_bytes(p->plan),
                             (size_t)n * cug_value_count(&g->values[0]),
                             (size_t)n * sizeof(int32_t),
                             (size_t)n * sizeof(int32_t),
                             sizeof(cug_step)};
    for (int i = 0; i < 6; i++) {
        CUG_GOTO(p->be->alloc(p->dev, &p->memory[i], bytes[i]));
        CUG_GOTO(p->be->fill(p->dev, p->memory[i], 0, bytes[i], 0));
    }
    CUG_GOTO(p->be->upload(p->dev, p->memory[0], weights->params, bytes[0], 0));
    const cug_plan_buffers buffers = {.params = p->memory[0],
                                      .arena = p->memory[1],
                                      .pixels = p->memory[2],
                                      .labels = p->memory[3],
                                      .ids = p->memory[4],
                                      .step = p->memory[5],
                                      .scale = 1.0f / 255};
    CUG_GOTO(cug_plan_bind(p->plan, &buffers, &ex));
    return CUG_OK;
cleanup:
    predictor_close(p);
    return st;
}

static cug_status predict(predictor *p, const uint8_t *pixels, size_t bytes, int32_t *out, int n) {
    const cug_exec ex = {.device = p->dev};
    CUG_TRY(p->be->upload(p->dev, p->memory[2], pixels, bytes, 0));
    CUG_TRY(cug_plan_forward(p->plan, &ex));
    CUG_TRY(cug_plan_loss(p->plan, &ex));
    return p->be->download(p->dev, out, cug_plan_predictions(p->plan).ptr, (size_t)n * sizeof *out, 0);
}

/* Predictions of the checkpoint at `path` for every image; also saves it again as `copy` where that is not NULL. */
static cug_status predict_file(const char *path, const char *copy, const cug_idx *images, int32_t *out) {
    cug_graph *g = 0;
    cug_snapshot s;
    predictor p;
    int n = (int)images->dims[0];
    CUG_TRY(cug_checkpoint_load(path, &g, &s));
    cug_status st = copy ? cug_checkpoint_save(copy, g, &s) : CUG_OK;
    if (st == CUG_OK && (st = predictor_open(&p, g, &s, n)) == CUG_OK) {
        st = predict(&p, images->data, images->bytes, out, n);
        predictor_close(&p);
    }
    cug_snapshot_free(&s);
    cug_graph_free(g);
    return st;
}

static cug_status compare(const char *folder, const char *run) {
    char path[4096], copy[4096];
    cug_idx images = {0}, labels = {0};
    int32_t *first = 0, *second = 0;
    cug_status st = CUG_OK;
    snprintf(path, sizeof path, "%s/test-images", folder);
    CUG_GOTO(cug_idx_read(&images, path));
    snprintf(path, sizeof path, "%s/test-labels", folder);
    CUG_GOTO(cug_idx_read(&labels, path));
    size_t n = images.dims[0];
    first = calloc(n, sizeof *first);
    second = calloc(n, sizeof *second);
    if (!first || !second) CUG_GOTO(CUG_ENOMEM);
    snprintf(path, sizeof path, "%s/last.safetensors", run);
    snprintf(copy, sizeof copy, "%s/copy.safetensors", run);
    CUG_GOTO(predict_file(path, copy, &images, first));
    CUG_GOTO(predict_file(copy, 0, &images, second));
    int hits = 0;
    for (size_t i = 0; i < n; i++) hits += first[i] == labels.data[i];
    printf("predicted %d of %zu\n", hits, n);
    if (memcmp(first, second, n * sizeof *first) != 0) st = cug_fail(CUG_EMISMATCH, "the copy predicts otherwise");
cleanup:
    free(first);
    free(second);
    cug_idx_free(&images);
    cug_idx_free(&labels);
    return st;
}

/* A number in a message reads the same in every locale. */
static void show_locale(void) {
    char text[32];
    cug_graph *g = 0;
    cug_config config;
    cug_config_defaults(&config);
    cug_spec_parse(&g, "input 4; linear 2; leaky_relu slope=1.5", "spec");
    printf("decimal point '%s', lr %s, message: %s\n", localeconv()->decimal_point,
           cug_config_get(&config, "lr", text, sizeof text), cug_error());
    cug_graph_free(g);
    cug_config_free(&config);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    setlocale(LC_ALL, "");
    printf("cuglyph %s, headers of %s\n", cug_version(), CUG_VERSION);
    show_locale();
    cug_status st = train(argv[1], argv[2]);
    if (st == CUG_OK) st = compare(argv[1], argv[2]);
    if (st != CUG_OK) fprintf(stderr, "%s: %s\n", cug_status_name(st), cug_error());
    return st != CUG_OK;
}
