/* test_hostile.c - refusals that need more than a row in the tables of test_idx.c, test_safetensors.c, test_spec.c and
 * test_config*.c: odd files, and checkpoints whose numbers would lead a resumed run astray. */
#include "support/data_files.h"
#include "support/synthetic.h"
#include <criterion/criterion.h>
#include <cuglyph/dataset.h>
#include <cuglyph/idx.h>
#include <cuglyph/train.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(hostile, .init = tdata_begin, .fini = tdata_end, .timeout = 120);

static void expect(cug_status got, cug_status want, const char *says) {
    cr_expect_eq(got, want, "%s instead of %s (%s)", cug_status_name(got), cug_status_name(want), cug_error());
    cr_expect(strstr(cug_error(), says), "'%s' not in: %s", says, cug_error());
    cr_expect(!strchr(cug_error(), '\n'));
}

Test(hostile, idx_files_of_other_types_or_names) {
    cug_idx x;
    uint8_t head[] = {0, 0, 0x0B, 1, 0, 0, 0, 1, 0, 0};
    expect(cug_idx_parse(&x, head, sizeof head, "f"), CUG_EIDX_TYPE, "16-bit integer");
    head[2] = 0x0E;
    expect(cug_idx_parse(&x, head, sizeof head, "f"), CUG_EIDX_TYPE, "double");
    char name[400]; /* longer than a file's name can be */
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = 0;
    expect(cug_idx_read(&x, name), CUG_EIO, "cannot open");
}

static uint8_t label_0_or_2(size_t i) { return i % 2 ? 2 : 0; }

Test(hostile, a_class_without_images_cannot_be_kept) {
    const char *dir = tdata_path("set");
    cug_dataset *d = 0;
    char spec[2 * 4096 + 64];
    tdata_write_set(dir, 8, 4, 5, 5, label_0_or_2, 0);
    snprintf(spec, sizeof spec, "idx:%s/train-images-idx3-ubyte,%s/train-labels-idx1-ubyte", dir, dir);
    cr_assert_eq(cug_dataset_open(&d, spec, 0), CUG_OK, "%s", cug_error());
    expect(cug_dataset_keep_classes(d, "0,1"), CUG_EINVAL, "no training image has class 1");
    cug_dataset_free(d);
}

Test(hostile, a_checkpoint_over_the_limit_is_not_read) {
    const char *path = tdata_path("large.safetensors");
    const uint8_t head[] = {2, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    cug_st_file f;
    tdata_write(path, head, sizeof head);
    if (truncate(path, ((off_t)1 << 36) + 11) != 0) cr_skip("this file system has no files of 64 GiB with holes");
    expect(cug_st_read(&f, path), CUG_ECKPT_RANGE, "more than 68719476736 bytes");
    cr_expect(!f.tensors && !f.memory);
}

Test(hostile, writing_a_checkpoint_wants_all_its_parts) {
    const char *path = tdata_path("x.safetensors");
    expect(cug_st_write(NULL, NULL, 0, NULL, 0), CUG_EINVAL, "missing");
    expect(cug_st_write(path, NULL, 1, NULL, 0), CUG_EINVAL, "missing");
    expect(cug_st_write(path, NULL, 0, NULL, 1), CUG_EINVAL, "missing");
    expect(cug_st_write(path, NULL, -1, NULL, 0), CUG_EINVAL, "missing");
    cr_expect_eq(access(path, F_OK), -1);
}

Test(hostile, specs_that_ask_for_too_much) {
    cug_graph *g;
    expect(cug_spec_parse(&g, "input 8x8x1; conv 2 3x3 a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 i=1; flatten; linear 2", "spec"),
           CUG_ESPEC_LIMIT, "more than 8 attributes");
    expect(cug_spec_parse(&g, "input 50x50x1; conv 1000000 50x50; flatten; linear 2", "spec"), CUG_ESPEC_SHAPE,
           "2^31 elements");
    expect(cug_model_load(&g, "/proc/self/mem"), CUG_EIO, "reading failed"); /* nothing lies at its first byte */
    cr_expect_null(g);
}

Test(hostile, a_text_over_a_mebibyte_is_no_option) {
    cug_config c;
    char *text = calloc(1, (1 << 20) + 2);
    memset(text, 'x', (1 << 20) + 1);
    cug_config_defaults(&c);
    expect(cug_config_set(&c, "freeze", text), CUG_ECONFIG_VALUE, "1048577 bytes");
    cr_expect_str_eq(c.freeze, "");
    cug_config_free(&c);
    free(text);
}

/* A config whose memory ran out for a default is told by those who use it. */
Test(hostile, an_option_without_memory_is_told) {
    cug_config c;
    cug_config_defaults(&c);
    free(c.init);
    c.init = NULL;
    expect(cug_config_check(&c), CUG_ENOMEM, "option init");
    cug_config_free(&c);
}

/* The run's checkpoint again, with another text as its progress; NULL: with none. */
static void set_progress(const char *path, const char *text) {
    cug_graph *g;
    cug_snapshot s;
    cr_assert_eq(cug_checkpoint_load(path, &g, &s), CUG_OK, "%s", cug_error());
    for (int i = 0; i < s.n_meta; i++)
        if (strcmp(s.meta[i].key, "progress") == 0) {
            free(s.meta[i].value);
            s.meta[i].value = strdup(text ? text : "");
            if (!text) memcpy(s.meta[i].key, "PROGRESS", 8);
        }
    cr_assert_eq(cug_checkpoint_save(path, g, &s), CUG_OK, "%s", cug_error());
    cug_snapshot_free(&s);
    cug_graph_free(g);
}

/* 540 training images in batches of 32: 17 an epoch. Each row is JSON that a run of two epochs cannot have written. */
Test(hostile, counters_that_lead_astray_are_refused) {
#define REST                                                                                                           \
    ",\"loss_sum\":1.0,\"correct\":1,\"count\":1,\"best\":null,\"best_epoch\":0,\"bad_epochs\":0,\"log_jsonl\":0,"     \
    "\"log_csv\":0,\"seconds\":1.0}"
    static const struct {
        const char *text;
        cug_status want;
        const char *says;
    } cases[] = {
        {"", CUG_ECKPT_HEADER, "cannot be read"},
        {"[]", CUG_ECKPT_HEADER, "cannot be read"},
        {"{\"step\":1}", CUG_ECKPT_HEADER, "cannot be read"},
        {"{\"step\":\"1\",\"epoch\":0,\"batch\":1" REST, CUG_ECKPT_HEADER, "cannot be read"},
        {"{\"step\":-1,\"epoch\":0,\"batch\":-1" REST, CUG_ECKPT_HEADER, "negative"},
        {"{\"step\":18,\"epoch\":0,\"batch\":18" REST, CUG_ECKPT_MISMATCH, "18 steps"},
        {"{\"step\":4611686018427387904,\"epoch\":0,\"batch\":4611686018427387904" REST, CUG_ECKPT_MISMATCH, "steps"},
        {"{\"step\":2,\"epoch\":0,\"batch\":1" REST, CUG_ECKPT_MISMATCH, "2 steps"},
        {"{\"step\":4611686018427387904,\"epoch\":4611686018427387904,\"batch\":0" REST, CUG_ECKPT_MISMATCH,
         "epochs"}, /* 17 x 2^62 = 2^62 */
    };
    synthetic data;
    cug_config c;
    cug_train_result res;
    char run[128], path[256], *kept;
    size_t n, m;
    synthetic_make(&data);
    synthetic_config(&data, &c);
    c.epochs = 2;
    snprintf(run, sizeof run, "%s/run", data.dir);
    snprintf(path, sizeof path, "%s/last.safetensors", run);
    cug_train_request req = {.config = &c, .run_path = run};
    cr_assert_eq(cug_train(&req, &res), CUG_OK, "%s", cug_error());
    req.resume = 1;
    c.epochs = 3;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_progress(path, cases[i].text);
        kept = slurp(path, &n);
        expect(cug_train(&req, &res), cases[i].want, cases[i].says);
        cr_expect(strstr(cug_error(), "last.safetensors"), "no file named in: %s", cug_error());
        char *now = slurp(path, &m);
        cr_expect(n == m && memcmp(kept, now, n) == 0, "the checkpoint was changed");
        free(kept);
        free(now);
    }
    set_progress(path, NULL);
    expect(cug_train(&req, &res), CUG_ECKPT_HEADER, "no training progress in it");
    c.optimizer = CUG_OPT_SGD; /* which keeps no state, and the file has two */
    expect(cug_train(&req, &res), CUG_ECKPT_MISMATCH, "another model, device type or optimizer");
    cug_config_free(&c);
    synthetic_remove(&data);
}
