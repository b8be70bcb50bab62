/* test_batch_norm.c - batch normalisation in whole runs: running statistics are followed, saved, used and left alone.
 */
#include <criterion/criterion.h>
#include <cuglyph/checkpoint.h>
#include <cuglyph/train.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/synthetic.h"

#define MODEL "input 10x10x1; conv 8 3x3; batchnorm; relu; maxpool 2; flatten; linear 16; batchnorm; relu; linear 4"

static void make(synthetic *s, cug_config *c) {
    synthetic_make(s);
    synthetic_config(s, c);
    cr_assert(cug_config_set(c, "model", MODEL) == CUG_OK);
}

static cug_status train(const synthetic *s, const cug_config *c, const char *name, int resume, cug_train_result *r) {
    char run[300];
    snprintf(run, sizeof run, "%s/%s", s->dir, name);
    const cug_train_request req = {.config = c, .run_path = run, .resume = resume};
    return cug_train(&req, r);
}

static void load(const synthetic *s, const char *name, cug_graph **g, cug_snapshot *snap) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s/last.safetensors", s->dir, name);
    memset(snap, 0, sizeof *snap);
    cr_assert(cug_checkpoint_load(path, g, snap) == CUG_OK, "%s", cug_error());
}

static const float *segment(const cug_graph *g, const cug_snapshot *snap, const char *name, size_t *count) {
    for (int i = 0; i < g->n_segments; i++)
        if (strcmp(g->segments[i].name, name) == 0) {
            *count = g->segments[i].count;
            return (const float *)snap->params + g->segments[i].offset;
        }
    cr_assert_fail("no %s", name);
    return NULL;
}

Test(batch_norm, counts_its_factors_as_parameters_and_its_statistics_not) {
    cug_graph *g = NULL;
    cr_assert(cug_spec_parse(&g, MODEL, "spec") == CUG_OK, "%s", cug_error());
    cr_expect_eq(g->param_count, 8 * 9 + 8 + 2 * 8 + (128 * 16 + 16) + 2 * 16 + (16 * 4 + 4));
    cug_graph_free(g);
}

Test(batch_norm, learns_and_goes_on_as_if_never_stopped) {
    synthetic s;
    cug_config c;
    cug_train_result whole, part;
    cug_graph *a, *b;
    cug_snapshot x, y;
    make(&s, &c);
    cr_assert(train(&s, &c, "whole", 0, &whole) == CUG_OK, "%s", cug_error());
    cr_expect_gt(whole.test_accuracy, 0.95);
    cr_assert(cug_config_set(&c, "max-steps", "20") == CUG_OK);
    cr_assert(train(&s, &c, "part", 0, &part) == CUG_OK, "%s", cug_error());
    cr_assert(cug_config_set(&c, "max-steps", "0") == CUG_OK);
    cr_assert(train(&s, &c, "part", 1, &part) == CUG_OK, "%s", cug_error());
    load(&s, "whole", &a, &x);
    load(&s, "part", &b, &y);
    for (int i = 0; i < a->n_segments; i++) {
        const cug_segment *g = &a->segments[i];
        cr_expect_eq(memcmp((float *)x.params + g->offset, (float *)y.params + g->offset, g->count * sizeof(float)), 0,
                     "%s", g->name);
    }
    cr_expect_eq(whole.test_loss, part.test_loss);
    cug_snapshot_free(&x);
    cug_snapshot_free(&y);
    cug_graph_free(a);
    cug_graph_free(b);
    cug_config_free(&c);
    synthetic_remove(&s);
}

/* With the batch's own statistics an answer would depend on the images beside it. */
Test(batch_norm, evaluates_by_its_running_statistics) {
    synthetic s;
    cug_config c;
    cug_train_result r;
    cug_evaluation e[2];
    static cug_eval_info info;
    char run[300];
    make(&s, &c);
    cr_assert(train(&s, &c, "run", 0, &r) == CUG_OK, "%s", cug_error());
    snprintf(run, sizeof run, "%s/run", s.dir);
    for (int i = 0; i < 2; i++) {
        const cug_eval_request req = {.run = run, .eval_batch = i ? 7 : 200};
        cr_assert(cug_eval(&req, &e[i], &info) == CUG_OK, "%s", cug_error());
    }
    cr_expect(fabs(e[0].loss - e[1].loss) <= 1e-6 * e[0].loss, "%.9g in one batch, %.9g in batches of 7", e[0].loss,
              e[1].loss);
    cr_expect_eq(e[0].correct, e[1].correct);
    cug_evaluation_free(&e[0]);
    cug_evaluation_free(&e[1]);
    cug_config_free(&c);
    synthetic_remove(&s);
}

Test(batch_norm, frozen_it_is_left_as_it_is) {
    synthetic s;
    cug_config c;
    cug_train_result r;
    cug_graph *g;
    cug_snapshot snap;
    size_t n;
    make(&s, &c);
    cr_assert(cug_config_set(&c, "freeze", "bn1") == CUG_OK);
    cr_assert(cug_config_set(&c, "epochs", "1") == CUG_OK);
    cr_assert(train(&s, &c, "run", 0, &r) == CUG_OK, "%s", cug_error());
    load(&s, "run", &g, &snap);
    static const char *const ones[] = {"bn1.weight", "bn1.running_var"}, *const zeros[] = {"bn1.bias",
                                                                                           "bn1.running_mean"};
    for (int i = 0; i < 2; i++) {
        const float *p = segment(g, &snap, ones[i], &n);
        for (size_t k = 0; k < n; k++) cr_expect_eq(p[k], 1.0f, "%s", ones[i]);
        p = segment(g, &snap, zeros[i], &n);
        for (size_t k = 0; k < n; k++) cr_expect_eq(p[k], 0.0f, "%s", zeros[i]);
    }
    const float *followed = segment(g, &snap, "bn2.running_mean", &n);
    int moved = 0;
    for (size_t k = 0; k < n; k++) moved += followed[k] != 0;
    cr_expect_gt(moved, 0, "the other layer's statistics are followed");
    cug_snapshot_free(&snap);
    cug_graph_free(g);
    cug_config_free(&c);
    synthetic_remove(&s);
}

Test(batch_norm, cpu_follows_ref) {
    synthetic s;
    cug_config c;
    cug_train_result r[2];
    make(&s, &c);
    cr_assert(cug_config_set(&c, "optimizer", "sgd") == CUG_OK);
    cr_assert(cug_config_set(&c, "lr", "0.05") == CUG_OK);
    cr_assert(cug_config_set(&c, "max-steps", "20") == CUG_OK);
    for (int i = 0; i < 2; i++) {
        cr_assert(cug_config_set(&c, "device", i ? "cpu" : "ref") == CUG_OK);
        cr_assert(train(&s, &c, i ? "cpu" : "ref", 0, &r[i]) == CUG_OK, "%s", cug_error());
    }
    cr_expect(fabs(r[0].test_loss - r[1].test_loss) <= 1e-4 * r[0].test_loss, "ref %.9g, cpu %.9g", r[0].test_loss,
              r[1].test_loss);
    cug_config_free(&c);
    synthetic_remove(&s);
}

Test(batch_norm, a_batch_of_one_value_a_channel_is_refused) {
    synthetic s;
    cug_config c;
    cug_train_result r;
    make(&s, &c);
    cr_assert(cug_config_set(&c, "batch", "1") == CUG_OK);
    cr_expect(train(&s, &c, "run", 0, &r) == CUG_EINVAL);
    cr_expect(strstr(cug_error(), "bn2") && strstr(cug_error(), "no variance"), "%s", cug_error());
    cug_config_free(&c);
    synthetic_remove(&s);
}
