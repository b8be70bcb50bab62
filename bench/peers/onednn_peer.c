/* onednn_peer.c - oneDNN's convolutions and inner products at the shapes of cnn-d, sprint and mlp, in layouts of its
 * choice. onednn_peer SECONDS      one line of JSON a pass: median seconds of calls repeated for so long Backward is
 * the weights' and, where training needs it, the input's gradient, timed apart and added. C API of oneDNN 2. */
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if DNNL_VERSION_MAJOR != 2
#error "written for oneDNN 2 (Debian 12's libdnnl-dev)"
#endif

typedef struct layer {
    const char *name;
    int N, C, H, K, R; /* H x H images, R x R filters without padding; H = 0: a dense layer, C to K */
    int dx;            /* the input's gradient is wanted */
} layer;

static const layer layers[] = {
    {"cnn-d conv1", 128, 1, 28, 32, 3, 0},  {"cnn-d conv2", 128, 32, 13, 64, 3, 1},
    {"sprint conv1", 256, 1, 28, 24, 5, 0}, {"sprint conv2", 256, 24, 12, 32, 3, 1},
    {"mlp fc1", 128, 784, 0, 128, 0, 0},    {"mlp, cnn-d fc2", 128, 128, 0, 10, 0, 1},
    {"cnn-d fc1", 128, 1600, 0, 128, 0, 1}, {"sprint fc1", 256, 800, 0, 256, 0, 1},
    {"sprint fc2", 256, 256, 0, 10, 0, 1},
};

enum { FWD, BWD_W, BWD_D };

static void check(dnnl_status_t st, const char *what) {
    if (st == dnnl_success) return;
    fprintf(stderr, "onednn_peer: %s: status %d\n", what, (int)st);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A description of the pass with every layout left open; hint: the forward pass, for the gradients. */
static dnnl_primitive_desc_t describe(const layer *l, int pass, dnnl_engine_t engine,
                                      const_dnnl_primitive_desc_t hint) {
    const int conv = l->H > 0, P = l->H - l->R + 1, nd = conv ? 4 : 2;
    const dnnl_dims_t x = {l->N, l->C, l->H, l->H}, w = {l->K, l->C, l->R, l->R}, b = {l->K}, y = {l->N, l->K, P, P};
    const dnnl_dims_t stride = {1, 1}, pad = {0, 0};
    dnnl_memory_desc_t mx, mw, mb, my;
    check(dnnl_memory_desc_init_by_tag(&mx, nd, x, dnnl_f32, dnnl_format_tag_any), l->name);
    check(dnnl_memory_desc_init_by_tag(&mw, nd, w, dnnl_f32, dnnl_format_tag_any), l->name);
    check(dnnl_memory_desc_init_by_tag(&mb, 1, b, dnnl_f32, dnnl_a), l->name);
    check(dnnl_memory_desc_init_by_tag(&my, nd, y, dnnl_f32, dnnl_format_tag_any), l->name);
    dnnl_convolution_desc_t c;
    dnnl_inner_product_desc_t i;
    const dnnl_alg_kind_t direct = dnnl_convolution_direct;
    if (conv && pass == FWD)
        check(
            dnnl_convolution_forward_desc_init(&c, dnnl_forward_training, direct, &mx, &mw, &mb, &my, stride, pad, pad),
            l->name);
    else if (conv && pass == BWD_W)
        check(dnnl_convolution_backward_weights_desc_init(&c, direct, &mx, &mw, &mb, &my, stride, pad, pad), l->name);
    else if (conv)
        check(dnnl_convolution_backward_data_desc_init(&c, direct, &mx, &mw, &my, stride, pad, pad), l->name);
    else if (pass == FWD)
        check(dnnl_inner_product_forward_desc_init(&i, dnnl_forward_training, &mx, &mw, &mb, &my), l->name);
    else if (pass == BWD_W)
        check(dnnl_inner_product_backward_weights_desc_init(&i, &mx, &mw, &mb, &my), l->name);
    else
        check(dnnl_inner_product_backward_data_desc_init(&i, &mx, &mw, &my), l->name);
    dnnl_primitive_desc_t pd;
    check(
        dnnl_primitive_desc_create(&pd, conv ? (const_dnnl_op_desc_t)&c : (const_dnnl_op_desc_t)&i, NULL, engine, hint),
        l->name);
    return pd;
}

static dnnl_memory_t memory(const_dnnl_primitive_desc_t pd, dnnl_query_t query, dnnl_engine_t engine) {
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(pd, query, 0);
    dnnl_memory_t m;
    void *data;
    check(dnnl_memory_create(&m, md, engine, DNNL_MEMORY_ALLOCATE), "memory");
    check(dnnl_memory_get_data_handle(m, &data), "memory");
    for (size_t k = 0; k < dnnl_memory_desc_get_size(md) / sizeof(float); k++) ((float *)data)[k] = (float)(k % 7) / 64;
    return m;
}

static double time_pass(const layer *l, int pass, double seconds, dnnl_engine_t engine, dnnl_stream_t stream) {
    static const dnnl_query_t query[3][4] = {
        {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md, dnnl_query_undef},
        {dnnl_query_src_md, dnnl_query_diff_weights_md, dnnl_query_diff_dst_md, dnnl_query_undef},
        {dnnl_query_diff_src_md, dnnl_query_weights_md, dnnl_query_diff_dst_md, dnnl_query_undef}};
    static const int arg[3][3] = {{DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
                                  {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST},
                                  {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST}};
    static double times[100000];
    dnnl_primitive_desc_t fwd = describe(l, FWD, engine, NULL), pd = pass == FWD ? fwd : describe(l, pass, engine, fwd);
    dnnl_primitive_t op;
    check(dnnl_primitive_create(&op, pd), l->name);
    dnnl_exec_arg_t args[4];
    int n = 0, calls = 0;
    for (; n < 3; n++) args[n] = (dnnl_exec_arg_t){arg[pass][n], memory(pd, query[pass][n], engine)};
    if (pass == FWD) args[n++] = (dnnl_exec_arg_t){DNNL_ARG_BIAS, NULL};
    if (pass == BWD_W) args[n++] = (dnnl_exec_arg_t){DNNL_ARG_DIFF_BIAS, NULL};
    if (n == 4) { /* the bias is the second of the weights */
        const dnnl_memory_desc_t *md =
            dnnl_primitive_desc_query_md(pd, pass == FWD ? dnnl_query_weights_md : dnnl_query_diff_weights_md, 1);
        check(dnnl_memory_create(&args[3].memory, md, engine, DNNL_MEMORY_ALLOCATE), "memory");
        void *data;
        check(dnnl_memory_get_data_handle(args[3].memory, &data), "memory");
        memset(data, 0, dnnl_memory_desc_get_size(md));
    }
    const double end = now() + seconds;
    for (int warm = 3;; warm--) {
        const double start = now();
        check(dnnl_primitive_execute(op, stream, n, args), l->name);
        check(dnnl_stream_wait(stream), l->name);
        if (warm <= 0) times[calls++] = now() - start;
        if (calls == 100000 || (calls >= 3 && now() > end)) break;
    }
    qsort(times, (size_t)calls, sizeof *times, by_size);
    for (int k = 0; k < n; k++) dnnl_memory_destroy(args[k].memory);
    dnnl_primitive_destroy(op);
    if (pd != fwd) dnnl_primitive_desc_destroy(pd);
    dnnl_primitive_desc_destroy(fwd);
    return times[calls / 2];
}

int main(int argc, char **argv) {
    const double seconds = argc == 2 ? atof(argv[1]) : 0;
    if (!(seconds > 0 && seconds < 100)) {
        fprintf(stderr, "usage: onednn_peer SECONDS\n");
        return 2;
    }
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    check(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine");
    check(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "stream");
    for (size_t k = 0; k < sizeof layers / sizeof *layers; k++) {
        const layer *l = &layers[k];
        double bwd = time_pass(l, BWD_W, seconds, engine, stream);
        if (l->dx) bwd += time_pass(l, BWD_D, seconds, engine, stream);
        printf("{\"name\": \"%s\", \"pass\": \"fwd\", \"seconds\": %.9f}\n", l->name,
               time_pass(l, FWD, seconds, engine, stream));
        printf("{\"name\": \"%s\", \"pass\": \"bwd\", \"seconds\": %.9f}\n", l->name, bwd);
    }
    dnnl_stream_destroy(stream);
    dnnl_engine_destroy(engine);
    return 0;
}
