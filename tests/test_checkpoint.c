/* test_checkpoint.c - models in training, saved and loaded: version 1 for ever, every value in its place. */
#include "support/scratch.h"
#include <criterion/criterion.h>
#include <cuglyph/checkpoint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(checkpoint, .init = scratch_setup, .fini = scratch_remove);

#define SPEC "input 6x6x2; conv 2 3x3 as c; relu; maxpool 2; flatten; linear 3 as f"
#define FIXTURES "tests/fixtures/safetensors/"

enum { C_WEIGHT, C_BIAS, F_WEIGHT, F_BIAS, N_SEGMENTS };

static double get(const cug_snapshot *s, int buffer, size_t at) {
    const void *p = buffer == 0 ? s->params : s->state[buffer - 1];
    return s->real == CUG_F32 ? (double)((const float *)p)[at] : ((const double *)p)[at];
}

static const cug_segment *segment(const cug_graph *g, const char *name) {
    for (int i = 0; i < g->n_segments; i++)
        if (strcmp(g->segments[i].name, name) == 0) return &g->segments[i];
    cr_assert_fail("no segment %s", name);
    return NULL;
}

/* What make_v1.py wrote as value k of a buffer's tensor. */
static double formula(int buffer, int tensor, int k) { return 100.0 * (buffer * N_SEGMENTS + tensor + 1) + k / 4.0; }

/* Compares one buffer with the formula, file order turned into memory order by plain loops; then the padding. */
static void expect_formula(const cug_graph *g, const cug_snapshot *s, int b) {
    const cug_segment *cw = segment(g, "c.weight"), *cb = segment(g, "c.bias"), *fw = segment(g, "f.weight"),
                      *fb = segment(g, "f.bias");
    size_t seen = 0, nonzero = 0;
    for (int k = 0; k < 2; k++)
        for (int c = 0; c < 2; c++)
            for (int y = 0; y < 3; y++)
                for (int x = 0; x < 3; x++, seen++) {
                    int oihw = ((k * 2 + c) * 3 + y) * 3 + x, krsc = ((k * 3 + y) * 3 + x) * 2 + c;
                    cr_assert_eq(get(s, b, cw->offset + (size_t)krsc), formula(b, C_WEIGHT, oihw), "c.weight %d", oihw);
                }
    for (int o = 0; o < 3; o++)
        for (int c = 0; c < 2; c++)
            for (int y = 0; y < 2; y++)
                for (int x = 0; x < 2; x++, seen++) {
                    int ochw = o * 8 + (c * 2 + y) * 2 + x, ohwc = o * 8 + (y * 2 + x) * 2 + c;
                    cr_assert_eq(get(s, b, fw->offset + (size_t)ohwc), formula(b, F_WEIGHT, ochw), "f.weight %d", ochw);
                }
    for (int k = 0; k < 2; k++, seen++) cr_assert_eq(get(s, b, cb->offset + (size_t)k), formula(b, C_BIAS, k));
    for (int k = 0; k < 3; k++, seen++) cr_assert_eq(get(s, b, fb->offset + (size_t)k), formula(b, F_BIAS, k));
    for (size_t i = 0; i < g->flat_count; i++) nonzero += get(s, b, i) != 0;
    cr_assert_eq(seen, 65);
    cr_assert_eq(nonzero, seen, "padding is not zero");
}

Test(checkpoint, version_1_loads_for_ever) {
    static const struct {
        const char *file;
        cug_dtype real;
        int n_state;
    } cases[] = {{FIXTURES "v1-adam-f32.safetensors", CUG_F32, 2}, {FIXTURES "v1-plain-f64.safetensors", CUG_F64, 0}};
    for (int i = 0; i < 2; i++) {
        cug_graph *g;
        cug_snapshot s;
        cr_assert_eq(cug_checkpoint_load(cases[i].file, &g, &s), CUG_OK, "%s", cug_error());
        cr_assert(s.real == cases[i].real && s.n_state == cases[i].n_state);
        cr_assert_eq(g->n_segments, N_SEGMENTS);
        for (int b = 0; b <= s.n_state; b++) expect_formula(g, &s, b);
        cr_expect_str_eq(cug_snapshot_meta(&s, "format"), "cuglyph");
        cr_expect_str_eq(cug_snapshot_meta(&s, "version"), "1");
        cr_expect_str_eq(cug_snapshot_meta(&s, "spec"), SPEC);
        if (i == 0) cr_expect_str_eq(cug_snapshot_meta(&s, "step"), "469");
        if (i == 0) cr_expect_str_eq(cug_snapshot_meta(&s, "classes"), "[\"zero\",\"one\",\"two\"]");
        cr_expect_null(cug_snapshot_meta(&s, "nothing"));
        cug_snapshot_free(&s);
        cug_graph_free(g);
    }
}

/* Saving what was loaded gives the same bytes but for the spec's wording, so twice saved is the same file. */
Test(checkpoint, save_and_load_are_inverse) {
    for (int i = 0; i < 2; i++) {
        const char *first = scratch_path("first"), *second = scratch_path("second");
        cug_graph *g[2];
        cug_snapshot s[2];
        size_t n[2];
        cr_assert_eq(cug_checkpoint_load(i ? FIXTURES "v1-plain-f64.safetensors" : FIXTURES "v1-adam-f32.safetensors",
                                         &g[0], &s[0]),
                     CUG_OK, "%s", cug_error());
        cr_assert_eq(cug_checkpoint_save(first, g[0], &s[0]), CUG_OK, "%s", cug_error());
        cr_assert_eq(cug_checkpoint_load(first, &g[1], &s[1]), CUG_OK, "%s", cug_error());
        cr_assert(s[1].real == s[0].real && s[1].n_state == s[0].n_state && s[1].n_meta == s[0].n_meta);
        for (int b = 0; b <= s[1].n_state; b++) expect_formula(g[1], &s[1], b);
        cr_assert_eq(cug_checkpoint_save(second, g[1], &s[1]), CUG_OK);
        char *bytes[2] = {file_read(first, &n[0]), file_read(second, &n[1])};
        cr_assert(n[0] == n[1] && memcmp(bytes[0], bytes[1], n[0]) == 0, "saved twice, two different files");
        for (int k = 0; k < 2; k++) {
            free(bytes[k]);
            cug_snapshot_free(&s[k]);
            cug_graph_free(g[k]);
        }
    }
}

Test(checkpoint, one_state_buffer_and_own_metadata) {
    cug_graph *g, *back;
    cr_assert_eq(cug_spec_parse(&g, SPEC, "spec"), CUG_OK, "%s", cug_error());
    float *params = calloc(g->flat_count, sizeof *params), *state = calloc(g->flat_count, sizeof *state);
    for (size_t i = 0; i < g->flat_count; i++) params[i] = (float)i, state[i] = -(float)i;
    char k1[] = "note", v1[] = "\xe2\x82\xac and \"quotes\"\n", k2[] = "version", v2[] = "999";
    cug_st_pair meta[] = {{k1, v1}, {k2, v2}};
    cug_snapshot s = {CUG_F32, params, 1, {state}, meta, 2}, t;
    cr_assert_eq(cug_checkpoint_save(scratch_path("m"), g, &s), CUG_OK, "%s", cug_error());
    cr_assert_eq(cug_checkpoint_load(scratch_path("m"), &back, &t), CUG_OK, "%s", cug_error());
    cr_expect_str_eq(cug_snapshot_meta(&t, "note"), v1);
    cr_expect_str_eq(cug_snapshot_meta(&t, "version"), "1", "reserved keys are the writer's");
    cr_assert_eq(t.n_state, 1);
    for (int i = 0; i < g->n_segments; i++)
        for (size_t k = g->segments[i].offset; k < g->segments[i].offset + g->segments[i].count; k++) {
            cr_assert_eq(get(&t, 0, k), (double)k);
            cr_assert_eq(get(&t, 1, k), -(double)k);
        }
    cug_snapshot_free(&t);
    cug_graph_free(back);

    s.n_state = 3;
    cr_expect_eq(cug_checkpoint_save(scratch_path("n"), g, &s), CUG_EINVAL);
    s.n_state = 2;
    cr_expect_eq(cug_checkpoint_save(scratch_path("n"), g, &s), CUG_EINVAL, "state[1] is NULL");
    s.n_state = 1, s.real = CUG_BF16;
    cr_expect_eq(cug_checkpoint_save(scratch_path("n"), g, &s), CUG_EINVAL);
    cr_expect_eq(folder_count(scratch_path("."), NULL), 1);
    free(params);
    free(state);
    cug_graph_free(g);
}

/* A change to the good file of reject_what_does_not_fit. */
typedef struct change {
    const char *about;
    int tensor;              /* -1: none; else dropped, or changed as follows */
    const char *rename;      /* NULL: keep */
    cug_dtype dtype;         /* when bytes are given */
    size_t bytes;            /* 0: keep */
    int dims[2];             /* [0] 0: keep */
    const char *key, *value; /* metadata replaced; value NULL: dropped */
    cug_status want;
    const char *says;
} change;

#define KEEP_META NULL, NULL
#define KEEP_TENSORS                                                                                                   \
    -1, NULL, 0, 0, {                                                                                                  \
        0, 0                                                                                                           \
    }

static const change changes[] = {
    {"nothing changed", KEEP_TENSORS, KEEP_META, CUG_OK, ""},
    {"tensor missing", 1, "", 0, 0, {0, 0}, KEEP_META, CUG_ECKPT_MISMATCH, "'c.bias' of its own spec is missing"},
    {"tensor of another name", 2, "g.weight", 0, 0, {0, 0}, KEEP_META, CUG_ECKPT_MISMATCH, "'f.weight'"},
    {"first tensor missing", 0, "", 0, 0, {0, 0}, KEEP_META, CUG_ECKPT_MISMATCH, "'c.weight'"},
    {"state missing", 5, "", 0, 0, {0, 0}, KEEP_META, CUG_ECKPT_MISMATCH, "'optimizer.0.c.bias'"},
    {"second state without the first",
     4,
     "optimizer.1.c.weight",
     0,
     0,
     {0, 0},
     KEEP_META,
     CUG_ECKPT_MISMATCH,
     "'optimizer.0.c.weight'"},
    {"third state", 8, "optimizer.2.c.weight", 0, 0, {0, 0}, KEEP_META, CUG_ECKPT_MISMATCH, "9 tensors"},
    {"tensor too many", 8, "extra", 0, 0, {0, 0}, KEEP_META, CUG_ECKPT_MISMATCH, "9 tensors where its spec needs 8"},
    {"same count, other shape", 2, NULL, CUG_F32, 96, {8, 3}, KEEP_META, CUG_ECKPT_MISMATCH, "shape"},
    {"same count, other rank", 2, NULL, CUG_F32, 96, {24, 0}, KEEP_META, CUG_ECKPT_MISMATCH, "shape"},
    {"other count", 1, NULL, CUG_F32, 12, {3, 0}, KEEP_META, CUG_ECKPT_MISMATCH, "'c.bias' has not the shape"},
    {"one tensor in F64", 1, NULL, CUG_F64, 16, {2, 0}, KEEP_META, CUG_ECKPT_MISMATCH, "'c.bias' is F64"},
    {"one tensor of integers", 1, NULL, CUG_I32, 8, {2, 0}, KEEP_META, CUG_ECKPT_MISMATCH, "'c.bias' is I32"},
    {"version of the future", KEEP_TENSORS, "version", "2", CUG_ECKPT_VERSION, "'2'"},
    {"version missing", KEEP_TENSORS, "version", NULL, CUG_ECKPT_VERSION, "version"},
    {"version 01", KEEP_TENSORS, "version", "01", CUG_ECKPT_VERSION, "'01'"},
    {"another program's file", KEEP_TENSORS, "format", "pt", CUG_ECKPT_VERSION, "'pt'"},
    {"format missing", KEEP_TENSORS, "format", NULL, CUG_ECKPT_VERSION, "format is missing"},
    {"spec missing", KEEP_TENSORS, "spec", NULL, CUG_ECKPT_HEADER, "'spec'"},
};

static void write_changed(const char *path, const change *c) {
    static double zeros[64];
    static const char *const names[] = {"c.weight", "c.bias", "f.weight", "f.bias"};
    static const int dims[][4] = {{2, 2, 3, 3}, {2}, {3, 8}, {3}}, ranks[] = {4, 1, 2, 1}, counts[] = {36, 2, 24, 3};
    char *text[3][2] = {
        {(char *)"format", (char *)"cuglyph"}, {(char *)"version", (char *)"1"}, {(char *)"spec", (char *)SPEC}};
    cug_st_tensor t[9];
    cug_st_pair meta[3];
    int n = 0, n_meta = 0;
    for (int i = 0; i < 9; i++) {
        if (i == 8 && c->tensor != 8) continue;
        cug_st_tensor *x = &t[n++];
        *x = (cug_st_tensor){.dtype = CUG_F32, .ndim = ranks[i % 4], .data = zeros, .bytes = (size_t)counts[i % 4] * 4};
        memcpy(x->dims, dims[i % 4], sizeof x->dims);
        snprintf(x->name, sizeof x->name, "%s%s", i >= 4 ? "optimizer.0." : "", names[i % 4]);
        if (i != c->tensor) continue;
        if (c->rename) snprintf(x->name, sizeof x->name, "%s", c->rename);
        if (c->bytes) x->dtype = c->dtype, x->bytes = c->bytes;
        if (c->dims[0]) x->dims[0] = c->dims[0], x->dims[1] = c->dims[1], x->ndim = c->dims[1] ? 2 : 1;
        if (c->rename && !*c->rename) n--;
    }
    for (int i = 0; i < 3; i++) {
        int changed = c->key && strcmp(c->key, text[i][0]) == 0;
        if (changed && !c->value) continue;
        meta[n_meta++] = (cug_st_pair){text[i][0], changed ? (char *)c->value : text[i][1]};
    }
    cr_assert_eq(cug_st_write(path, t, n, meta, n_meta), CUG_OK, "%s: %s", c->about, cug_error());
}

Test(checkpoint, reject_what_does_not_fit) {
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const char *path = scratch_path("changed");
        cug_graph *g;
        cug_snapshot s;
        write_changed(path, &changes[i]);
        cug_status st = cug_checkpoint_load(path, &g, &s);
        cr_expect_eq(st, changes[i].want, "%s: %s (%s)", changes[i].about, cug_status_name(st), cug_error());
        if (st == CUG_OK) {
            cug_snapshot_free(&s);
            cug_graph_free(g);
            continue;
        }
        cr_expect(!g && !s.params && !s.state[0] && !s.meta, "%s: something left in the result", changes[i].about);
        cr_expect(strstr(cug_error(), changes[i].says) && strstr(cug_error(), path), "%s: '%s' not in: %s",
                  changes[i].about, changes[i].says, cug_error());
    }
}

Test(checkpoint, broken_specs_and_files_are_named) {
    const change c = {"spec broken", KEEP_TENSORS, "spec", "inptu 3x3x1", CUG_OK, ""};
    cug_graph *g;
    cug_snapshot s;
    write_changed(scratch_path("b"), &c);
    cug_status st = cug_checkpoint_load(scratch_path("b"), &g, &s);
    cr_expect(st != CUG_OK && strncmp(cug_status_name(st), "ESPEC", 5) == 0, "%s", cug_status_name(st));
    cr_expect(strstr(cug_error(), scratch_path("b")), "%s", cug_error());
    cr_expect_eq(cug_checkpoint_load(scratch_path("absent"), &g, &s), CUG_ENOENT);
    file_write(scratch_path("text"), "model = mlp\n", 12);
    cr_expect_eq(cug_checkpoint_load(scratch_path("text"), &g, &s), CUG_ECKPT_HEADER);
}
