/* test_zoo.c - the models known by name: counts, work, canonical text; MODEL as the command line takes it. */
#include <criterion/criterion.h>
#include <cuglyph/graph.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/same_graph.h"

static cug_graph *load(const char *model) {
    cug_graph *g = 0;
    cr_assert_eq(cug_model_load(&g, model), CUG_OK, "%s: %s", model, cug_error());
    return g;
}

Test(zoo, parameter_counts) {
    static const struct {
        const char *name;
        size_t params;
        int outputs;
        cug_loss_kind loss;
    } want[] = {
        {"mlp", 101770, 10, CUG_LOSS_SOFTMAX_XENT},       {"cnn-a", 34826, 10, CUG_LOSS_SOFTMAX_XENT},
        {"cnn-b", 347146, 10, CUG_LOSS_SOFTMAX_XENT},     {"cnn-c", 121930, 10, CUG_LOSS_SOFTMAX_XENT},
        {"cnn-d", 225034, 10, CUG_LOSS_SOFTMAX_XENT},     {"cnn-e", 104250, 10, CUG_LOSS_SOFTMAX_XENT},
        {"cifar-cnn", 122570, 10, CUG_LOSS_SOFTMAX_XENT}, {"logistic", 785, 1, CUG_LOSS_BCE_LOGITS},
        {"sprint", 215194, 10, CUG_LOSS_SOFTMAX_XENT},    {"lenet-5", 61706, 10, CUG_LOSS_SOFTMAX_XENT},
    };
    enum { N = sizeof want / sizeof *want };
    for (int i = 0; i < N; i++) {
        cug_graph *g = load(want[i].name);
        cr_expect_eq(g->param_count, want[i].params, "%s: %zu", want[i].name, g->param_count);
        cr_expect_eq(g->values[g->output].C, want[i].outputs);
        cr_expect_eq(g->loss, want[i].loss);
        cr_expect_str_eq(g->name, want[i].name);
        cug_graph_free(g);
    }
    int listed = 0;
    while (cug_zoo_at(listed)) listed++;
    cr_expect_eq(listed, N, "a model of the zoo is not checked here");
    cr_expect(!cug_zoo_at(-1) && !cug_zoo_find("cnn") && cug_zoo_find("cnn-d"));
}

Test(zoo, canonical_text_is_a_fixed_point) {
    const cug_zoo_entry *e;
    for (int i = 0; (e = cug_zoo_at(i)); i++) {
        cug_graph *g = load(e->name), *again = load(g->spec);
        const char *differs = same_graph(g, again);
        cr_expect(!differs, "%s: reading `%s` again changes %s", e->name, g->spec, differs ? differs : "");
        cug_graph_free(again);
        cug_graph_free(g);
    }
}

static uint64_t macs(const char *model, const char *layer) {
    cug_graph *g = load(model);
    uint64_t m = 0;
    for (int i = 0; i < g->n_nodes; i++)
        if (strcmp(g->nodes[i].name, layer) == 0) m = cug_node_macs(&g->nodes[i]);
    cug_graph_free(g);
    return m;
}

Test(zoo, multiply_accumulates_of_sprint) {
    cr_expect_eq(macs("sprint", "conv1"), 345600);
    cr_expect_eq(macs("sprint", "conv2"), 691200);
    cr_expect_eq(macs("sprint", "fc1"), 204800);
    cr_expect_eq(macs("sprint", "fc2"), 2560);
    cr_expect_eq(macs("sprint", "pool1"), 0);
}

Test(zoo, model_from_a_file_a_line_or_not_at_all) {
    char path[] = "/tmp/cuglyph-spec-XXXXXX", bad_place[64];
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    FILE *f = fdopen(fd, "w");
    cr_assert_not_null(f);
    cr_assert_geq(fputs("# mine\ninput 9\nlinear 3\n", f), 0);
    cr_assert_eq(fclose(f), 0);
    cug_graph *g = load(path);
    cr_expect_str_eq(g->spec, "input 9; linear 3");
    cug_graph_free(g);

    f = fopen(path, "w");
    cr_assert_not_null(f);
    cr_assert_geq(fputs("input 9\nlinear x\n", f), 0);
    cr_assert_eq(fclose(f), 0);
    cr_expect_eq(cug_model_load(&g, path), CUG_ESPEC_SYNTAX);
    snprintf(bad_place, sizeof bad_place, "%s:2: ", path);
    cr_expect(strncmp(cug_error(), bad_place, strlen(bad_place)) == 0, "%s", cug_error());

    f = fopen(path, "w");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite("input 9\nlinear 3\n\0x", 1, 19, f), 19);
    cr_assert_eq(fclose(f), 0);
    cr_expect_eq(cug_model_load(&g, path), CUG_ESPEC_SYNTAX, "a zero byte must not end the text");
    cr_expect_null(g);
    unlink(path);

    g = load("input 9;linear 3");
    cr_expect_str_eq(g->name, "model");
    cug_graph_free(g);
    cr_expect_eq(cug_model_load(&g, path), CUG_ENOENT);
    cr_expect_eq(cug_model_load(&g, "/tmp"), CUG_EINVAL);
    cr_expect_eq(cug_model_load(&g, ""), CUG_ENOENT);
    cr_expect_eq(cug_model_load(&g, "lenet5"), CUG_ENOENT);
    cr_expect(strstr(cug_error(), "did you mean 'lenet-5'"), "%s", cug_error());
}
