/* cpu_ops.c - time of every op of a training step on the cpu backend: cnn-d, mlp and sprint at their batch sizes.
 *   make CUDA=0 lib && cc -O2 -Iinclude bench/cpu_ops.c build/libcuglyph.a -lpthread -lm -o build/cpu_ops
 *   build/cpu_ops [threads [repetitions]]      best of the repetitions, so that a busy machine counts less
 * GFLOP/s are of dense work (2 x multiply-adds), also where zeros are skipped. */
#include <cuglyph/backend.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DIE(...) (fprintf(stderr, __VA_ARGS__), exit(1))
#define CHECK(e)                                                                                                       \
    do {                                                                                                               \
        if ((e) != CUG_OK) DIE("cpu_ops: %s\n", cug_error());                                                          \
    } while (0)

static const cug_backend *be = &cug_backend_cpu;
static cug_device *dev;
static int reps = 30;
static cug_exec ex;
static unsigned long long seed = 1;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float draw(void) { /* about -1..1 */
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (float)(seed >> 40) * 0x1p-23f - 1;
}

static cug_tensor reals(size_t n, float scale) {
    void *p;
    CHECK(be->alloc(dev, &p, n * sizeof(float)));
    for (size_t i = 0; i < n; i++) ((float *)p)[i] = scale * draw();
    return cug_tensor1(p, CUG_F32, (int)n);
}

static void workspace(size_t bytes) {
    if (bytes <= ex.workspace_bytes) return;
    be->free(dev, ex.workspace);
    CHECK(be->alloc(dev, &ex.workspace, bytes));
    ex.workspace_bytes = bytes;
}

static double total; /* seconds of the model's ops */

static void report(const char *name, double best, double flop) {
    printf("  %-22s %8.3f ms", name, best * 1e3);
    if (flop > 0) printf("  %7.1f GFLOP/s", flop / best * 1e-9);
    puts("");
    total += best;
}

#define TIME(name, flop, call)                                                                                         \
    do {                                                                                                               \
        double best_ = 1e30;                                                                                           \
        for (int i_ = 0; i_ < reps; i_++) {                                                                            \
            double t_ = now();                                                                                         \
            CHECK(call);                                                                                               \
            t_ = now() - t_;                                                                                           \
            if (t_ < best_) best_ = t_;                                                                                \
        }                                                                                                              \
        report(name, best_, flop);                                                                                     \
    } while (0)

/* conv -> relu -> 2x2 pool; returns its output. */
static cug_tensor block(const char *name, cug_tensor x, int N, int *H, int *C, int K, int R, int first) {
    cug_conv_block_shape s = {
        .conv = {.N = N, .H = *H, .W = *H, .C = *C, .K = K, .R = R, .S = R, .stride_h = 1, .stride_w = 1},
        .act = CUG_ACT_RELU,
        .has_pool = 1};
    CHECK(cug_conv2d_shape_init(&s.conv));
    s.pool = (cug_pool2d_shape){.kind = CUG_POOL_MAX,
                                .N = N,
                                .H = s.conv.P,
                                .W = s.conv.Q,
                                .C = K,
                                .R = 2,
                                .S = 2,
                                .stride_h = 2,
                                .stride_w = 2};
    CHECK(cug_pool2d_shape_init(&s.pool));
    size_t ny = (size_t)N * (size_t)s.pool.P * (size_t)s.pool.Q * (size_t)K, nw = (size_t)(K * R * R * *C);
    cug_tensor y = reals(ny, 1), w = reals(nw, 0.1f), b = reals((size_t)K, 0.1f), dy = reals(ny, 1), dw = reals(nw, 1);
    cug_tensor db = reals((size_t)K, 1), dx = reals((size_t)N * (size_t)*H * (size_t)*H * (size_t)*C, 1);
    void *saved;
    CHECK(be->alloc(dev, &saved, be->conv_block->saved_bytes(&s)));
    workspace(be->conv_block->workspace(dev, &s, CUG_FWD));
    workspace(be->conv_block->workspace(dev, &s, CUG_BWD));
    double flop = 8.0 * (double)ny * R * R * *C;
    char text[64];
    snprintf(text, sizeof text, "%s fwd", name);
    TIME(text, flop, be->conv_block->fwd(&y, saved, &x, &w, &b, &s, &ex));
    snprintf(text, sizeof text, "%s bwd", name);
    TIME(text, first ? flop : 2 * flop,
         be->conv_block->bwd(first ? NULL : &dx, &dw, &db, &dy, &y, saved, &x, &w, &s, 0, &ex));
    *H = s.pool.P;
    *C = K;
    return y;
}

static cug_tensor dense(const char *name, cug_tensor x, int N, int I, int O, int relu, int first) {
    cug_linear_shape s = {N, I, O};
    size_t ny = (size_t)N * (size_t)O, nw = (size_t)O * (size_t)I;
    cug_tensor y = reals(ny, 1), w = reals(nw, 0.1f), b = reals((size_t)O, 0.1f), dy = reals(ny, 1), dw = reals(nw, 1);
    cug_tensor db = reals((size_t)O, 1), dx = reals((size_t)N * (size_t)I, 1);
    workspace(be->linear->workspace(dev, &s, CUG_FWD));
    workspace(be->linear->workspace(dev, &s, CUG_BWD));
    char text[64];
    snprintf(text, sizeof text, "%s fwd", name);
    TIME(text, 2.0 * (double)ny * I, be->linear->fwd(&y, &x, &w, &b, &s, &ex));
    snprintf(text, sizeof text, "%s bwd", name);
    TIME(text, (first ? 2.0 : 4.0) * (double)ny * I,
         be->linear->bwd(first ? NULL : &dx, &dw, &db, &dy, &x, &w, &s, 0, &ex));
    if (!relu) return y;
    cug_activation_shape a = {CUG_ACT_RELU, 0, ny};
    TIME("relu fwd", 0, be->activation->fwd(&y, &y, &a, &ex));
    TIME("relu bwd", 0, be->activation->bwd(&dy, &dy, &y, &a, 0, &ex));
    return y;
}

static void finish(const char *model, cug_tensor z, int N, size_t params) {
    cug_loss_shape s = {N, 10, 0};
    cug_tensor loss = reals((size_t)N, 1), dz = reals((size_t)N * 10, 1), labels = reals((size_t)N, 0);
    labels.dtype = CUG_I32;
    memset(labels.ptr, 0, (size_t)N * sizeof(int32_t));
    TIME("softmax_xent", 0, be->softmax_xent->fwd_bwd(&loss, &dz, NULL, &z, &labels, &s, &ex));
    cug_tensor w = reals(params, 1), m = reals(params, 0), v = reals(params, 0), g = reals(params, 0.01f);
    cug_opt_params opt = {.kind = CUG_OPT_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    cug_step step = {.lr = 1e-3f, .bias_corr1 = 0.1f, .bias_corr2 = 0.001f};
    cug_param_run run = {0, params, 1};
    TIME("grad_norm", 0, be->optimizer->grad_norm(&step, &g, &loss, &run, 1, &ex));
    TIME("adam", 0, be->optimizer->update(&w, &m, &v, &g, &opt, &run, 1, &step, &ex));
    printf("%s, batch %d: %.3f ms a step, %.0f img/s\n\n", model, N, total * 1e3, N / total);
    total = 0;
}

static cug_tensor pixels(int N) {
    size_t n = (size_t)N * 784;
    cug_tensor u = reals(n, 0), x = reals(n, 1);
    u.dtype = CUG_U8;
    for (size_t i = 0; i < n; i++) ((uint8_t *)u.ptr)[i] = (uint8_t)(i * 37 % 251);
    cug_normalize_shape s = {n, 1 / 255.0f, 0};
    TIME("normalize", 0, be->normalize->fwd(&x, &u, &s, &ex));
    return x;
}

int main(int argc, char **argv) {
    cug_device_options o = {0, argc > 1 ? atoi(argv[1]) : 0};
    if (argc > 2) reps = atoi(argv[2]);
    CHECK(be->open(&dev, &o));
    ex.device = dev;
    puts(be->describe(dev));
    int H = 28, C = 1, N = 128;
    cug_tensor t = block("conv1 32", pixels(N), N, &H, &C, 32, 3, 1);
    t = block("conv2 64", t, N, &H, &C, 64, 3, 0);
    t = dense("fc1 1600-128", t, N, 1600, 128, 1, 0);
    finish("cnn-d", dense("fc2 128-10", t, N, 128, 10, 0, 0), N, 225034);
    t = dense("fc1 784-128", pixels(N), N, 784, 128, 1, 1);
    finish("mlp", dense("fc2 128-10", t, N, 128, 10, 0, 0), N, 101770);
    H = 28, C = 1, N = 256;
    t = block("conv1 5x5 24", pixels(N), N, &H, &C, 24, 5, 1);
    t = block("conv2 3x3 32", t, N, &H, &C, 32, 3, 0);
    t = dense("fc1 800-256", t, N, 800, 256, 1, 0);
    finish("sprint", dense("fc2 256-10", t, N, 256, 10, 0, 0), N, 215194);
    be->close(dev);
    return 0;
}
