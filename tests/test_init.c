/* test_init.c - initial weights: which law each layer gets, its bounds and moments, and that the seed alone decides. */
#include <criterion/criterion.h>
#include <cuglyph/graph.h>
#include <cuglyph/random.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cug_graph *parse(const char *text) {
    cug_graph *g = 0;
    cr_assert_eq(cug_spec_parse(&g, text, "t"), CUG_OK, "%s: %s", text, cug_error());
    return g;
}

static const cug_segment *segment(const cug_graph *g, const char *name) {
    for (int i = 0; i < g->n_segments; i++)
        if (strcmp(g->segments[i].name, name) == 0) return &g->segments[i];
    cr_assert_fail("no segment %s", name);
    return 0;
}

static float *weights(const cug_graph *g, uint64_t seed) {
    float *flat = malloc(g->flat_count * sizeof *flat);
    cr_assert_not_null(flat);
    memset(flat, 0xff, g->flat_count * sizeof *flat); /* NaN */
    cug_graph_init(g, seed, flat);
    return flat;
}

Test(init, automatic_choice) {
    static const struct {
        const char *text, *segment;
        cug_init_kind want;
    } cases[] = {
        {"input 9; linear 9; relu; linear 2", "fc1.weight", CUG_INIT_HE_UNIFORM},
        {"input 9; linear 9; relu; linear 2", "fc2.weight", CUG_INIT_GLOROT_UNIFORM},
        {"input 9; linear 9; leaky_relu; linear 2", "fc1.weight", CUG_INIT_HE_UNIFORM},
        {"input 9; linear 9; tanh; relu; linear 2", "fc1.weight", CUG_INIT_LECUN_UNIFORM},
        {"input 9; linear 9; sigmoid; relu; linear 2", "fc1.weight", CUG_INIT_GLOROT_UNIFORM},
        {"input 9; linear 9; linear 9; relu; linear 2", "fc1.weight", CUG_INIT_GLOROT_UNIFORM},
        {"input 4x4x1; conv 2 3x3; maxpool 2; bias; dropout 0.1; flatten; relu; linear 2", "conv1.weight",
         CUG_INIT_HE_UNIFORM},
        {"input 4x4x1; residual { conv 1 3x3 pad=same }; relu; flatten; linear 2", "conv1.weight", CUG_INIT_HE_UNIFORM},
        {"input 4x4x1; branch { { conv 1 1x1 } {} }; tanh; flatten; linear 2", "conv1.weight", CUG_INIT_LECUN_UNIFORM},
        {"input 9; linear 9 init=zeros; relu; linear 2", "fc1.weight", CUG_INIT_ZEROS},
        {"input 9; linear 9 init=glorot; relu; linear 2", "fc1.weight", CUG_INIT_GLOROT_UNIFORM},
        {"input 9; linear 9 init=auto; relu; linear 2", "fc1.weight", CUG_INIT_HE_UNIFORM},
        {"input 9; linear 9; relu; linear 2", "fc1.bias", CUG_INIT_ZEROS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cug_graph *g = parse(cases[i].text);
        cr_expect_eq(segment(g, cases[i].segment)->init, cases[i].want, "%s: %s", cases[i].text,
                     cug_init_name(segment(g, cases[i].segment)->init));
        cug_graph_free(g);
    }
}

/* 90,000 weights each: the standard error of the variance is 0.3-0.5 % of it, of the mean 0.33 % of the deviation. */
Test(init, laws) {
    static const struct {
        const char *init;
        double variance; /* for fan_in 200, fan_out 450 */
        int uniform;
    } cases[] = {
        {"he", 2.0 / 200, 1},     {"he_uniform", 2.0 / 200, 1},     {"he_normal", 2.0 / 200, 0},
        {"glorot", 2.0 / 650, 1}, {"glorot_uniform", 2.0 / 650, 1}, {"glorot_normal", 2.0 / 650, 0},
        {"lecun", 1.0 / 200, 1},  {"lecun_uniform", 1.0 / 200, 1},  {"lecun_normal", 1.0 / 200, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[96];
        snprintf(text, sizeof text, "input 200; linear 450 init=%s; linear 2", cases[i].init);
        cug_graph *g = parse(text);
        float *w = weights(g, 7);
        const cug_segment *s = segment(g, "fc1.weight");
        double sum = 0, squares = 0, bound = sqrt(3 * cases[i].variance), largest = 0;
        for (size_t j = 0; j < s->count; j++) {
            double x = (double)w[s->offset + j];
            sum += x;
            squares += x * x;
            if (fabs(x) > largest) largest = fabs(x);
        }
        double n = (double)s->count, mean = sum / n, variance = squares / n - mean * mean;
        cr_expect(fabs(mean) <= 4 * sqrt(cases[i].variance / n), "%s: mean %g", cases[i].init, mean);
        cr_expect(fabs(variance / cases[i].variance - 1) <= 0.02, "%s: variance %g, not %g", cases[i].init, variance,
                  cases[i].variance);
        if (cases[i].uniform)
            cr_expect(largest <= bound * (1 + 1e-6) && largest >= 0.999 * bound, "%s: %g of %g", cases[i].init, largest,
                      bound);
        else
            cr_expect(largest >= 1.9 * bound, "%s: a normal law has tails, %g", cases[i].init, largest);
        free(w);
        cug_graph_free(g);
    }
}

Test(init, fans_of_a_convolution) {
    cug_graph *g = parse("input 8x8x3; conv 16 5x3; relu; flatten; linear 2");
    const cug_segment *s = segment(g, "conv1.weight");
    cr_expect(s->fan_in == 5 * 3 * 3 && s->fan_out == 5 * 3 * 16, "%d %d", s->fan_in, s->fan_out);
    cug_graph_free(g);
}

Test(init, biases_and_padding_are_zero_and_every_weight_is_drawn) {
    cug_graph *g = parse("input 8x8x3; conv 5 3x3; relu; bias; flatten; linear 7 init=zeros; linear 3");
    float *w = weights(g, 3);
    unsigned char *inside = calloc(g->flat_count, 1);
    cr_assert_not_null(inside);
    for (int i = 0; i < g->n_segments; i++) {
        const cug_segment *s = &g->segments[i];
        for (size_t j = 0; j < s->count; j++) {
            int zero = !s->is_weight || s->init == CUG_INIT_ZEROS;
            inside[s->offset + j] = 1;
            cr_expect((w[s->offset + j] == 0) == zero, "%s[%zu] = %g", s->name, j, (double)w[s->offset + j]);
        }
    }
    for (size_t i = 0; i < g->flat_count; i++) cr_expect(inside[i] || w[i] == 0, "padding at %zu", i);
    free(inside);
    free(w);
    cug_graph_free(g);
}

Test(init, the_seed_alone_decides) {
    cug_graph *g = 0, *h = 0;
    cr_assert_eq(cug_model_load(&g, "cnn-d"), CUG_OK);
    cr_assert_eq(cug_model_load(&h, g->spec), CUG_OK);
    float *a = weights(g, 1), *b = weights(h, 1), *c = weights(g, 2);
    cr_expect(memcmp(a, b, g->flat_count * sizeof *a) == 0, "same seed, same bits");
    size_t same = 0, drawn = 0;
    for (int i = 0; i < g->n_segments; i++)
        for (size_t j = 0; g->segments[i].is_weight && j < g->segments[i].count; j++, drawn++)
            same += a[g->segments[i].offset + j] == c[g->segments[i].offset + j];
    cr_expect(same <= drawn / 1000, "another seed, other weights: %zu of %zu are the same", same, drawn);
    /* Element 5 of segment 2 (conv2.weight) comes from the stream of that segment, whatever lies before it. */
    const cug_segment *s = &g->segments[2];
    float bound = (float)sqrt(6.0 / (3 * 3 * 32));
    cr_expect_eq(a[s->offset + 5], bound * (2 * cug_uniform(1, CUG_RNG_INIT, 2, 5) - 1));
    free(a), free(b), free(c);
    cug_graph_free(g);
    cug_graph_free(h);
}

Test(init, override_spares_layers_with_their_own) {
    cug_graph *g = parse("input 9; linear 9 init=zeros; relu; linear 9; relu; linear 2");
    cr_expect_eq(cug_graph_override_init(g, "lecun_normal"), CUG_OK);
    cr_expect_eq(segment(g, "fc1.weight")->init, CUG_INIT_ZEROS);
    cr_expect_eq(segment(g, "fc2.weight")->init, CUG_INIT_LECUN_NORMAL);
    cr_expect_eq(segment(g, "fc3.weight")->init, CUG_INIT_LECUN_NORMAL);
    cr_expect_eq(segment(g, "fc3.bias")->init, CUG_INIT_ZEROS);
    cr_expect_eq(cug_graph_override_init(g, "xavier"), CUG_ESPEC_VALUE);
    cr_expect_eq(segment(g, "fc2.weight")->init, CUG_INIT_LECUN_NORMAL, "unchanged by a failure");
    cug_graph_free(g);
}
