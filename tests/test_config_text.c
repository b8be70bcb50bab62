/* test_config_text.c - configs as files, on the command line and in --help. */
#include "support/scratch.h"
#include <criterion/criterion.h>
#include <cuglyph/config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(config_text, .init = scratch_setup, .fini = scratch_remove);

static void expect_same(const cug_config *a, const cug_config *b) {
    char x[4096], y[4096];
    for (int i = 0; cug_option_at(i); i++) {
        const char *key = cug_option_at(i)->key;
        cr_expect_str_eq(cug_config_get(a, key, x, sizeof x), cug_config_get(b, key, y, sizeof y), "%s: '%s' '%s'", key,
                         x, y);
    }
}

/* print() must give text that parse() turns into the same config, and that text again. */
static void expect_round_trip(const cug_config *c) {
    char *text, *again;
    cug_config d;
    cug_config_defaults(&d);
    cr_assert_eq(cug_config_print(c, &text), CUG_OK, "%s", cug_error());
    cr_assert_eq(cug_config_parse(&d, text, strlen(text), "printed"), CUG_OK, "%s", cug_error());
    expect_same(c, &d);
    cr_assert_eq(cug_config_print(&d, &again), CUG_OK);
    cr_expect_str_eq(text, again);
    free(text);
    free(again);
    cug_config_free(&d);
}

Test(config_text, fixture_reads_as_written) {
    cug_config c;
    cug_config_defaults(&c);
    cr_assert_eq(cug_config_read(&c, "tests/fixtures/config/sprint.conf"), CUG_OK, "%s", cug_error());
    cr_expect_str_eq(c.model, "input 28x28x1; conv 24 5x5; relu; maxpool 2; conv 32 3x3; relu; maxpool 2; flatten; "
                              "linear 256; relu; linear 10");
    cr_expect(c.val == 0 && c.epochs == 1 && c.batch == 256 && c.lr == 0.01 && c.beta1 == 0.7 && c.beta2 == 0.9);
    cr_expect(c.schedule == CUG_SCHED_ONECYCLE && c.smoothing == 0.1 && c.no_fuse == 1 && c.no_reuse == 0);
    cr_expect_str_eq(c.freeze, "a #1, \"b\" \\ ");
    cr_expect_eq(c.eval_batch, 256, "what is not named keeps its value");
    expect_round_trip(&c);
    cug_config_free(&c);
}

Test(config_text, what_is_printed_is_read) {
    static const char *const strings[] = {"",   "plain",      " lead", "trail ",      "#",     "a#b",      "a #b",
                                          "\"", "\"quoted\"", "\\",    "back\\slash", "a = b", "\xc3\xa9", "\\\"#\" "};
    cug_config c;
    cug_config_defaults(&c);
    expect_round_trip(&c);
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
        cr_assert_eq(cug_config_set(&c, "classes", strings[i]), CUG_OK, "%s", cug_error());
        expect_round_trip(&c);
    }
    static const char *const others[][2] = {{"scale", "signed"},
                                            {"seed", "18446744073709551615"},
                                            {"optimizer", "nesterov"},
                                            {"lr", "0.30000000000000004"},
                                            {"schedule", "onecycle-linear"},
                                            {"no-reuse", "true"},
                                            {"init", "lecun_normal"},
                                            {"device", "cuda:3"}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        cr_assert_eq(cug_config_set(&c, others[i][0], others[i][1]), CUG_OK, "%s", cug_error());
    expect_round_trip(&c);
    cug_config_free(&c);
}

static const struct {
    const char *text;
    cug_status want;
    const char *says;
} broken[] = {
    {"epochs", CUG_ECONFIG_SYNTAX, "F:1: 'epochs' is not 'key = value'"},
    {"\n\n epochs 5\n", CUG_ECONFIG_SYNTAX, "F:3: "},
    {"= 5", CUG_ECONFIG_SYNTAX, "F:1: no key"},
    {"# fine\nepochs = 5\nepcohs = 5\n", CUG_ECONFIG_KEY, "F:3: epcohs: no such option: did you mean 'epochs'"},
    {"epochs = 5\nepochs = 5\n", CUG_ECONFIG_KEY, "F:2: epochs: given twice"},
    {"lr = 1\nbatch = 64 64", CUG_ECONFIG_VALUE, "F:2: batch: '64 64'"},
    {"lr =", CUG_ECONFIG_VALUE, "F:1: lr: ''"},
    {"lr = # 1", CUG_ECONFIG_VALUE, "F:1: lr: ''"},
    {"data = \"mnist", CUG_ECONFIG_SYNTAX, "F:1: data: quotes"},
    {"data = \"mnist\" x", CUG_ECONFIG_SYNTAX, "quotes"},
    {"data = \"mn\\ist\"", CUG_ECONFIG_SYNTAX, "quotes"},
    {"data = \"mnist\\", CUG_ECONFIG_SYNTAX, "quotes"},
    {"data = mn\rist", CUG_ECONFIG_VALUE, "control"},
    {"lr 1 = 1", CUG_ECONFIG_KEY, "lr 1"},
    {"\xef\xbb\xbflr = 1", CUG_ECONFIG_KEY, "F:1"},
};

Test(config_text, broken_text_is_refused_by_line) {
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        cug_config c;
        cug_config_defaults(&c);
        cug_status st = cug_config_parse(&c, broken[i].text, strlen(broken[i].text), "F");
        cr_expect_eq(st, broken[i].want, "%s: %s (%s)", broken[i].text, cug_status_name(st), cug_error());
        cr_expect(strstr(cug_error(), broken[i].says), "%s: '%s' not in: %s", broken[i].text, broken[i].says,
                  cug_error());
        cug_config_free(&c);
    }
    cug_config c;
    cug_config_defaults(&c);
    cr_expect_eq(cug_config_parse(&c, "lr = 1\0", 7, "F"), CUG_ECONFIG_SYNTAX, "a zero byte");
    cr_expect_eq(cug_config_parse(&c, NULL, 1, "F"), CUG_EINVAL);
    cug_config_free(&c);
}

Test(config_text, unusual_text_is_taken) {
    static const char *const texts[] = {"", "\n", "#", "  # x", "lr=2", "lr = 2\r\n\r\n# x\r\n", "lr = 2# x"};
    cug_config c;
    for (size_t i = 0; i < 6; i++) {
        cug_config_defaults(&c);
        cr_expect_eq(cug_config_parse(&c, texts[i], strlen(texts[i]), "F"), CUG_OK, "%zu: %s", i, cug_error());
        cr_expect_eq(c.lr, i < 4 ? 0.001 : 2);
        cug_config_free(&c);
    }
    cug_config_defaults(&c);
    cr_expect_eq(cug_config_parse(&c, texts[6], strlen(texts[6]), "F"), CUG_ECONFIG_VALUE,
                 "'#' needs a blank before it");
    cr_expect_eq(cug_config_parse(&c, NULL, 0, NULL), CUG_OK);
    cug_config_free(&c);
}

Test(config_text, files_that_cannot_be_read) {
    cug_config c;
    cug_config_defaults(&c);
    cr_expect_eq(cug_config_read(&c, scratch_path("absent")), CUG_ENOENT);
    cr_expect(strstr(cug_error(), "absent"), "%s", cug_error());
    cr_expect_eq(cug_config_read(&c, scratch_path(".")), CUG_EIO, "a folder");
    cr_expect_eq(cug_config_read(&c, "/dev/zero"), CUG_ECONFIG_SYNTAX, "no end");
    cug_config_free(&c);
}

Test(config_text, arguments_are_taken_in_order) {
    char *argv[] = {(char *)"--lr",        (char *)"0.5",         (char *)"--no-fuse",
                    (char *)"--epochs=3",  (char *)"--lr=0.25",   (char *)"--no-fuse=false",
                    (char *)"--no-reuse",  (char *)"--min-delta", (char *)"0",
                    (char *)"--data-dir=", (char *)"--model",     (char *)"-x = y"};
    int argc = sizeof argv / sizeof *argv, used, steps = 0;
    cug_config c;
    cug_config_defaults(&c);
    for (int i = 0; i < argc; i += used, steps++)
        cr_assert_eq(cug_config_arg(&c, argc - i, argv + i, &used), CUG_OK, "%s: %s", argv[i], cug_error());
    cr_expect_eq(steps, 9);
    cr_expect(c.lr == 0.25 && c.epochs == 3 && c.no_fuse == 0 && c.no_reuse == 1);
    cr_expect_str_eq(c.model, "-x = y");
    cug_config_free(&c);
}

Test(config_text, wrong_arguments_are_named) {
    static const struct {
        const char *argv[2];
        int argc;
        cug_status want;
        const char *says;
    } cases[] = {
        {{"--lr"}, 1, CUG_ECONFIG_VALUE, "--lr: a value is missing: --lr X"},
        {{"--lr", "--epochs"}, 2, CUG_ECONFIG_VALUE, "--lr: a value is missing"},
        {{"--lr", "-1"}, 2, CUG_ECONFIG_VALUE, "--lr: '-1'"},
        {{"--lr="}, 1, CUG_ECONFIG_VALUE, "--lr: ''"},
        {{"--no-fuse=maybe"}, 1, CUG_ECONFIG_VALUE, "--no-fuse: 'maybe'"},
        {{"--batchsize=3"}, 1, CUG_ECONFIG_KEY, "--batchsize: no such option: did you mean '--batch'?"},
        {{"--learning-rate", "1"}, 2, CUG_ECONFIG_KEY, "--learning-rate: no such option: see"},
        {{"-lr", "1"}, 2, CUG_ECONFIG_KEY, "-lr: no such option: did you mean '--lr'?"},
        {{"---lr", "1"}, 2, CUG_ECONFIG_KEY, "no such option"},
        {{"--=", "1"}, 2, CUG_ECONFIG_KEY, "no such option"},
        {{"--", "1"}, 2, CUG_ECONFIG_KEY, "no such option"},
        {{"lr", "1"}, 2, CUG_ECONFIG_KEY, "no such option"},
        {{"--lrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlrlr=1"},
         1,
         CUG_ECONFIG_KEY,
         "no such option"},
    };
    cug_config c, d;
    cug_config_defaults(&c);
    cug_config_defaults(&d);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int used = 9;
        cug_status st = cug_config_arg(&c, cases[i].argc, (char **)cases[i].argv, &used);
        cr_expect_eq(st, cases[i].want, "%s: %s", cases[i].argv[0], cug_status_name(st));
        cr_expect(strstr(cug_error(), cases[i].says), "%s: '%s' not in: %s", cases[i].argv[0], cases[i].says,
                  cug_error());
        cr_expect_eq(used, 0);
    }
    expect_same(&c, &d);
    cug_config_free(&c);
    cug_config_free(&d);
}

Test(config_text, help_shows_every_option) {
    char *text = NULL, out[256], want[300];
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    cug_config_help(f);
    fclose(f);
    cug_config c;
    cug_config_defaults(&c);
    for (int i = 0; cug_option_at(i); i++) {
        const cug_option *o = cug_option_at(i);
        snprintf(want, sizeof want, "\n  --%s%s%s ", o->key, o->arg ? " " : "", o->arg ? o->arg : "");
        const char *line = strstr(text, want);
        cr_assert(line, "--%s is not in the help", o->key);
        cr_expect(strstr(text, o->group) && strstr(line, o->about));
        cug_config_get(&c, o->key, out, sizeof out);
        snprintf(want, sizeof want, " [%s]\n", out);
        if (o->arg && *out) cr_expect(strstr(line, want) && strstr(line, want) < strchr(line + 1, '\n'), "%s", want);
    }
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        cr_expect_leq(strlen(line), 100, "%zu columns: %s", strlen(line), line);
    free(text);
    cug_config_free(&c);
}
