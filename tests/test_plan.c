/* test_plan.c - the plan's memory: nothing alive is overwritten, sharing pays, and steps allocate nothing. */
#include <criterion/criterion.h>
#include <cuglyph/net.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "model/plan.h"

/* silu and gelu read their input again in backward: behind ops that work in place, and before one. */
#define SMOOTH                                                                                                         \
    "input 8x8x2; conv 4 3x3; silu; bias; gelu; maxpool 2; residual { bias; dropout 0.2; silu; bias; relu }; "         \
    "flatten; gelu; linear 16; silu; dropout 0.3; linear 5"
#define TREE                                                                                                           \
    "input 8x8x2; conv 4 3x3 pad=same; relu; residual { conv 4 3x3 pad=same; tanh; bias; relu }; "                     \
    "branch { { conv 3 1x1; sigmoid } { avgpool 3 stride=1 pad=1 } { } }; maxpool 2; dropout 0.3; flatten; "           \
    "linear 16; relu; linear 5"

static cug_graph *parse(const char *spec) {
    cug_graph *g = NULL;
    cr_assert(cug_model_load(&g, spec) == CUG_OK, "%s", cug_error());
    return g;
}

static const char *const models[] = {TREE, "mlp", "cnn-d", "cnn-e", "lenet-5", "sprint", "logistic", SMOOTH};
enum { MODELS = sizeof models / sizeof *models };

Test(plan, buffers_alive_at_one_time_never_overlap) {
    for (int m = 0; m < MODELS; m++) {
        cug_graph *g = parse(models[m]);
        for (unsigned flags = 0; flags < 16; flags++) {
            cug_plan *p = NULL;
            cr_assert(cug_plan_create(&p, g, &cug_backend_ref, NULL, 3, flags) == CUG_OK, "%s", cug_error());
            for (int i = 0; i < p->n_buffers; i++) {
                const plan_buffer *a = &p->buffers[i];
                cr_expect(a->offset % 256 == 0 && a->offset + a->bytes <= p->arena_bytes, "%s", a->name);
                for (int j = 0; j < i; j++) {
                    const plan_buffer *b = &p->buffers[j];
                    int together = a->start <= b->end && b->start <= a->end;
                    int overlap = a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
                    cr_expect(!overlap || (!together && !(flags & CUG_PLAN_NO_REUSE)), "%s: %s and %s", models[m],
                              a->name, b->name);
                }
            }
            cug_plan_free(p);
        }
        cug_graph_free(g);
    }
}

Test(plan, sharing_saves_memory) {
    cug_graph *g = parse("cnn-d");
    cug_plan *train = NULL, *eval = NULL;
    cr_assert(cug_plan_create(&train, g, &cug_backend_ref, NULL, 128, CUG_PLAN_TRAIN) == CUG_OK);
    cr_assert(cug_plan_create(&eval, g, &cug_backend_ref, NULL, 128, 0) == CUG_OK);
    cr_expect_lt((double)cug_plan_arena_bytes(train), 0.8 * (double)cug_plan_unshared_bytes(train));
    cr_expect_lt(cug_plan_arena_bytes(eval), cug_plan_arena_bytes(train));
    cug_plan_free(train);
    cug_plan_free(eval);
    cug_graph_free(g);
}

/* A block keeps y and not x: silu and gelu run apart from their convolution, everything else is fused as before. */
Test(plan, activations_that_read_x_are_not_fused) {
    static const struct {
        const char *spec;
        int ops;
        cug_op_kind first;
    } cases[] = {{"input 8x8x1; conv 4 3x3; relu; maxpool 2; flatten; linear 5", 3, CUG_OP_CONV_BLOCK},
                 {"input 8x8x1; conv 4 3x3; maxpool 2; silu; flatten; linear 5", 4, CUG_OP_CONV_BLOCK},
                 {"input 8x8x1; conv 4 3x3; silu; maxpool 2; flatten; linear 5", 5, CUG_OP_CONV2D},
                 {"input 8x8x1; conv 4 3x3; gelu; flatten; linear 5", 4, CUG_OP_CONV2D}};
    const cug_device_options o = {.threads = 2};
    cug_device *dev = NULL;
    cr_assert(cug_backend_cpu.open(&dev, &o) == CUG_OK, "%s", cug_error());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cug_graph *g = parse(cases[i].spec);
        cug_plan *p = NULL;
        cr_assert(cug_plan_create(&p, g, &cug_backend_cpu, dev, 3, CUG_PLAN_TRAIN) == CUG_OK, "%s", cug_error());
        cr_expect_eq(cug_plan_op_count(p), cases[i].ops, "%s", cases[i].spec);
        cr_expect_eq(cug_plan_op(p, 0)->op, cases[i].first, "%s", cases[i].spec);
        cug_plan_free(p);
        cug_graph_free(g);
    }
    cug_backend_cpu.close(dev);
}

/* Training keeps what backward reads; without backward silu works in place like relu. */
Test(plan, silu_works_in_place_only_without_backward) {
    cug_graph *g = parse("input 784; linear 128; silu; linear 5");
    for (int train = 0; train < 2; train++) {
        cug_plan *p = NULL;
        cr_assert(cug_plan_create(&p, g, &cug_backend_ref, NULL, 3, train ? CUG_PLAN_TRAIN : 0) == CUG_OK);
        const cug_node *silu = cug_plan_op(p, 1);
        cr_expect_eq(p->value_buffer[silu->in[0]] == p->value_buffer[silu->out], !train);
        cug_plan_free(p);
    }
    cug_graph_free(g);
}

typedef struct fixture {
    cug_graph *g;
    cug_device *dev;
    cug_net *net;
    uint8_t *pixels;
    int32_t labels[8], ids[8];
    float *init;
} fixture;

static void open_net(fixture *f, const char *model, const cug_backend *be, unsigned flags) {
    const cug_device_options o = {.threads = 2};
    memset(f, 0, sizeof *f);
    f->g = parse(model);
    cr_assert(be->open(&f->dev, &o) == CUG_OK, "%s", cug_error());
    const cug_net_options opt = {.train_sizes = {8, 3},
                                 .eval_sizes = {8, 3},
                                 .plan_flags = flags,
                                 .scale = 1 / 255.0f,
                                 .classes = 10,
                                 .seed = 3,
                                 .opt = {.kind = CUG_OPT_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f}};
    cr_assert(cug_net_create(&f->net, f->g, be, f->dev, &opt) == CUG_OK, "%s", cug_error());
    size_t n = cug_value_count(&f->g->values[0]);
    f->pixels = malloc(8 * n);
    for (size_t i = 0; i < 8 * n; i++) f->pixels[i] = (uint8_t)(i * 2654435761u >> 24);
    for (int i = 0; i < 8; i++) f->labels[i] = i % f->g->values[f->g->output].C, f->ids[i] = i;
    f->init = malloc(f->g->flat_count * sizeof *f->init);
    cug_graph_init(f->g, 5, f->init);
    cr_assert(cug_net_upload_f32(f->net, f->init) == CUG_OK);
}

static void close_net(fixture *f, const cug_backend *be) {
    cug_net_free(f->net);
    be->close(f->dev);
    cug_graph_free(f->g);
    free(f->pixels);
    free(f->init);
}

static void steps(fixture *f, int from, int to) {
    for (int i = from; i < to; i++) {
        const cug_batch b = {i % 4 == 3 ? 3 : 8, f->pixels, f->labels, f->ids};
        const cug_step_row row = {(uint64_t)i, 0.01f, b.n};
        cr_assert(cug_net_announce(f->net, &row, 1, 0) == CUG_OK, "%s", cug_error());
        cr_assert(cug_net_train_step(f->net, &b) == CUG_OK, "%s", cug_error());
        cr_assert(cug_net_eval_step(f->net, &b) == CUG_OK, "%s", cug_error());
    }
}

/* Sharing memory must not change a single bit of what training computes. */
Test(plan, reuse_gives_the_same_bits_as_memory_of_ones_own) {
    static const cug_backend *const backends[] = {&cug_backend_ref, &cug_backend_cpu};
    for (int m = 0; m < MODELS; m++)
        for (int k = 0; k < 2; k++) {
            const cug_backend *be = backends[k];
            if (be->real == CUG_F64 && m > 1 && m < 6) continue; /* ref is slow */
            void *out[2];
            size_t bytes = 0;
            for (int apart = 0; apart < 2; apart++) {
                fixture f;
                open_net(&f, models[m], be, apart ? CUG_PLAN_NO_REUSE : 0);
                bytes = f.g->flat_count * cug_dtype_size(be->real);
                out[apart] = malloc(bytes);
                steps(&f, 0, 6);
                cr_assert(cug_net_download(f.net, out[apart], NULL) == CUG_OK);
                close_net(&f, be);
            }
            cr_expect(memcmp(out[0], out[1], bytes) == 0, "%s on %s", models[m], be->name);
            free(out[0]);
            free(out[1]);
        }
}

/* Images read where they lie, in turn with batches brought along, and those without pixels to be had from anywhere. */
Test(plan, images_lent_give_the_same_bits_as_images_copied) {
    static const cug_backend *const backends[] = {&cug_backend_ref, &cug_backend_cpu};
    for (int k = 0; k < 2; k++) {
        void *out[2];
        size_t bytes = 0;
        for (int lent = 0; lent < 2; lent++) {
            fixture f;
            open_net(&f, "input 6x6x1; conv 4 3x3; relu; flatten; linear 5", backends[k], 0);
            const size_t size = cug_value_count(&f.g->values[0]);
            uint8_t *copy = malloc(8 * size);
            bytes = f.g->flat_count * cug_dtype_size(backends[k]->real);
            out[lent] = malloc(bytes);
            for (int i = 0; i < 6; i++) {
                cug_batch b = {i % 2 ? 3 : 8, lent && i != 4 ? NULL : copy, f.labels, f.ids};
                const cug_step_row row = {(uint64_t)i, 0.01f, b.n};
                for (int j = 0; j < b.n; j++) {
                    f.ids[j] = (3 * j + i) % 8;
                    memcpy(copy + (size_t)j * size, f.pixels + (size_t)f.ids[j] * size, size);
                }
                for (size_t j = 0; i == 4 && j < 8 * size; j++) copy[j] ^= 0xFF; /* images that nobody lent */
                cr_assert(cug_net_announce(f.net, &row, 1, 0) == CUG_OK, "%s", cug_error());
                if (lent && i == 0) cr_expect_eq(cug_net_train_step(f.net, &b), CUG_EINVAL);
                if (lent) cr_expect(cug_net_lend(f.net, f.pixels, 8));
                cr_assert(cug_net_train_step(f.net, &b) == CUG_OK, "%s", cug_error());
            }
            cr_assert(cug_net_download(f.net, out[lent], NULL) == CUG_OK);
            free(copy);
            close_net(&f, backends[k]);
        }
        cr_expect(memcmp(out[0], out[1], bytes) == 0, "%s", backends[k]->name);
        free(out[0]);
        free(out[1]);
    }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(PLAIN_CRITERION_H)
/* Every allocation of this program passes here while the test counts. */
static volatile int counting, allocations; /* volatile: compilers know that malloc changes no variable */
extern void *__libc_malloc(size_t n);
void *malloc(size_t n) {
    allocations += counting;
    return __libc_malloc(n);
}
extern void *__libc_calloc(size_t n, size_t m);
void *calloc(size_t n, size_t m) {
    allocations += counting;
    return __libc_calloc(n, m);
}

Test(plan, steps_allocate_nothing) {
    for (int m = 0; m < MODELS; m++) {
        fixture f;
        open_net(&f, models[m], &cug_backend_cpu, 0);
        steps(&f, 0, 4); /* the thread pool starts here */
        counting = 1;
        steps(&f, 4, 12);
        counting = 0;
        cr_expect_eq(allocations, 0, "%s: %d allocations", models[m], allocations);
        close_net(&f, &cug_backend_cpu);
    }
    free(malloc(1));
    counting = 1;
    void *volatile probe = malloc(10);
    counting = 0;
    free(probe);
    cr_expect_eq(allocations, 1, "the counter itself must count");
}
#endif
