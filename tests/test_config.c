/* test_config.c - options by name: ranges, exact numbers, what messages say, text that comes back the same. */
#include "support/scratch.h"
#include <criterion/criterion.h>
#include <cuglyph/config.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(config, .init = scratch_setup, .fini = scratch_remove);

static int same(const cug_config *a, const cug_config *b, const char **key) {
    char x[4096], y[4096];
    for (int i = 0; cug_option_at(i); i++) {
        *key = cug_option_at(i)->key;
        if (strcmp(cug_config_get(a, *key, x, sizeof x), cug_config_get(b, *key, y, sizeof y)) != 0) return 0;
    }
    return 1;
}

Test(config, defaults_are_the_contract) {
    cug_config c;
    cug_config_defaults(&c);
    cr_expect_str_eq(c.data, "mnist");
    cr_expect(!*c.data_dir && !*c.classes && !*c.init && !*c.freeze && *c.model);
    cr_expect(c.scale == CUG_SCALE_UNIT && c.val == 5000 && c.limit == 0);
    cr_expect(c.epochs == 5 && c.max_steps == 0 && c.batch == 128 && c.eval_batch == 256 && c.seed == 1);
    cr_expect(c.optimizer == CUG_OPT_ADAM && c.lr == 0.001 && c.momentum == 0.9 && c.muon_lr == 0.02 &&
              c.muon_momentum == 0.95);
    cr_expect(c.beta1 == 0.9 && c.beta2 == 0.999);
    cr_expect(c.eps == 1e-8 && c.weight_decay == 0.01 && c.l1 == 0 && c.l2 == 0 && !c.clip_value && !c.clip_norm);
    cr_expect(c.schedule == CUG_SCHED_CONSTANT && c.min_lr == 0 && c.gamma == 0.1 && c.step_epochs == 1);
    cr_expect(c.pct == 0.3 && c.div == 25 && c.final_div == 1e4 && c.warmup == 0 && c.smoothing == 0);
    cr_expect(c.patience == 0 && c.min_delta == 0 && c.checkpoint_every == 0 && c.log_every == 100);
    cr_expect_str_eq(c.monitor, "val_loss");
    cr_expect_str_eq(c.device, "auto");
    cr_expect(c.threads == 0 && c.no_reuse == 0 && c.no_fuse == 0);
    cr_expect_eq(cug_config_check(&c), CUG_OK, "%s", cug_error());
    cug_config_free(&c);
    cug_config_free(&c); /* twice is safe */
    cug_config_free(NULL);
}

/* What set() takes and what get() then says. */
static const char *const taken[][3] = {
    {"model", "input 28x28x1; conv 8 3x3 stride=2 # x; linear 10", "input 28x28x1; conv 8 3x3 stride=2 # x; linear 10"},
    {"data-dir", " blanks \" and \\ ", " blanks \" and \\ "},
    {"scale", "std", "std"},
    {"val", "0", "0"},
    {"limit", "2147483647", "2147483647"},
    {"epochs", "1000000", "1000000"},
    {"epochs", "007", "7"},
    {"max-steps", "1000000000000", "1000000000000"},
    {"batch", "1", "1"},
    {"batch", "65536", "65536"},
    {"seed", "18446744073709551615", "18446744073709551615"},
    {"optimizer", "gd", "sgd"},
    {"optimizer", "adamw", "adamw"},
    {"optimizer", "muon", "muon"},
    {"muon-lr", "0.05", "0.05"},
    {"muon-momentum", "0", "0"},
    {"lr", "1e-3", "0.001"},
    {"lr", ".5", "0.5"},
    {"lr", "4.9406564584124654e-324", "4.94066e-324"},
    {"lr", "0.1000000000000000055511151231257827", "0.1"},
    {"lr", "0.30000000000000004", "0.30000000000000004"},
    {"lr", "1e38", "1e+38"},
    {"momentum", "0", "0"},
    {"momentum", "0.9999", "0.9999"},
    {"l1", "-0", "0"},
    {"schedule", "onecycle-linear", "onecycle-linear"},
    {"init", "he_uniform", "he_uniform"},
    {"init", "zeros", "zeros"},
    {"init", "", ""},
    {"monitor", "val_accuracy", "val_accuracy"},
    {"device", "cuda:15", "cuda:15"},
    {"no-reuse", "yes", "true"},
    {"no-reuse", "1", "true"},
    {"no-reuse", "true", "true"},
    {"no-fuse", "no", "false"},
    {"no-fuse", "0", "false"},
    {"no-fuse", "false", "false"},
};

Test(config, values_are_taken_and_told) {
    cug_config c;
    char out[256];
    cug_config_defaults(&c);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        const char *const *t = taken[i];
        cr_expect_eq(cug_config_set(&c, t[0], t[1]), CUG_OK, "%s = %s: %s", t[0], t[1], cug_error());
        cr_expect_str_eq(cug_config_get(&c, t[0], out, sizeof out), t[2], "%s = %s: got %s", t[0], t[1], out);
        cr_expect_eq(cug_config_set(&c, t[0], out), CUG_OK, "what get() says, set() takes: %s", cug_error());
    }
    cr_expect_str_eq(cug_config_get(&c, "no-such", out, sizeof out), "");
    cug_config_free(&c);
}

/* What set() refuses, and a part of the message. */
static const struct {
    const char *key, *value;
    cug_status want;
    const char *says;
} refused[] = {
    {"epochs", "-1", CUG_ECONFIG_VALUE, "from 0 to 1000000"},
    {"epochs", "1000001", CUG_ECONFIG_VALUE, "epochs: '1000001'"},
    {"epochs", "1e3", CUG_ECONFIG_VALUE, "whole number"},
    {"epochs", "5.0", CUG_ECONFIG_VALUE, "whole number"},
    {"epochs", "", CUG_ECONFIG_VALUE, "''"},
    {"epochs", " 5", CUG_ECONFIG_VALUE, "whole number"},
    {"epochs", "+5", CUG_ECONFIG_VALUE, "whole number"},
    {"epochs", "0x5", CUG_ECONFIG_VALUE, "whole number"},
    {"epochs", "--5", CUG_ECONFIG_VALUE, "whole number"},
    {"epochs", "5 ", CUG_ECONFIG_VALUE, "whole number"},
    {"epochs", "99999999999999999999", CUG_ECONFIG_VALUE, "whole number"},
    {"batch", "0", CUG_ECONFIG_VALUE, "from 1 to 65536"},
    {"batch", "65537", CUG_ECONFIG_VALUE, "from 1 to 65536"},
    {"eval-batch", "0", CUG_ECONFIG_VALUE, "from 1"},
    {"val", "-1", CUG_ECONFIG_VALUE, "from 0"},
    {"val", "2147483648", CUG_ECONFIG_VALUE, "2147483647"},
    {"log-every", "0", CUG_ECONFIG_VALUE, "from 1"},
    {"step-epochs", "0", CUG_ECONFIG_VALUE, "from 1"},
    {"threads", "1025", CUG_ECONFIG_VALUE, "1024"},
    {"seed", "-1", CUG_ECONFIG_VALUE, "18446744073709551615"},
    {"seed", "18446744073709551616", CUG_ECONFIG_VALUE, "seed: "},
    {"lr", "0", CUG_ECONFIG_VALUE, "above 0"},
    {"lr", "-0.1", CUG_ECONFIG_VALUE, "above 0"},
    {"lr", "nan", CUG_ECONFIG_VALUE, "'nan'"},
    {"lr", "inf", CUG_ECONFIG_VALUE, "'inf'"},
    {"lr", "1e39", CUG_ECONFIG_VALUE, "up to 1e+38"},
    {"lr", "1e999", CUG_ECONFIG_VALUE, "'1e999'"},
    {"lr", "0x1p-3", CUG_ECONFIG_VALUE, "lr: "},
    {"lr", "0,1", CUG_ECONFIG_VALUE, "'0,1'"},
    {"lr", "1e-3x", CUG_ECONFIG_VALUE, "lr: "},
    {"lr", "1-3", CUG_ECONFIG_VALUE, "lr: "},
    {"lr", ".", CUG_ECONFIG_VALUE, "lr: "},
    {"lr", "", CUG_ECONFIG_VALUE, "lr: "},
    {"lr", " 1", CUG_ECONFIG_VALUE, "lr: "},
    {"momentum", "1", CUG_ECONFIG_VALUE, "below 1"},
    {"muon-momentum", "1", CUG_ECONFIG_VALUE, "below 1"},
    {"muon-lr", "0", CUG_ECONFIG_VALUE, "above 0"},
    {"momentum", "0.99999999999", CUG_ECONFIG_VALUE, "below 1"}, /* 1 in float32 */
    {"momentum", "-1e-9", CUG_ECONFIG_VALUE, "from 0"},
    {"beta1", "1", CUG_ECONFIG_VALUE, "below 1"},
    {"beta2", "1.5", CUG_ECONFIG_VALUE, "below 1"},
    {"eps", "0", CUG_ECONFIG_VALUE, "1e-30"},
    {"smoothing", "1", CUG_ECONFIG_VALUE, "below 1"},
    {"gamma", "0", CUG_ECONFIG_VALUE, "above 0"},
    {"pct", "0", CUG_ECONFIG_VALUE, "above 0"},
    {"pct", "1", CUG_ECONFIG_VALUE, "below 1"},
    {"div", "0.5", CUG_ECONFIG_VALUE, "from 1"},
    {"final-div", "0.5", CUG_ECONFIG_VALUE, "from 1"},
    {"weight-decay", "-1", CUG_ECONFIG_VALUE, "from 0"},
    {"l2", "-1", CUG_ECONFIG_VALUE, "from 0"},
    {"clip-norm", "-1", CUG_ECONFIG_VALUE, "from 0"},
    {"min-delta", "-1", CUG_ECONFIG_VALUE, "from 0"},
    {"scale", "none", CUG_ECONFIG_VALUE, "unit, signed, std"},
    {"optimizer", "Adam", CUG_ECONFIG_VALUE, "sgd, momentum, nesterov, adam, adamw, muon"},
    {"optimizer", "", CUG_ECONFIG_VALUE, "sgd"},
    {"schedule", "gd", CUG_ECONFIG_VALUE, "constant, step, cosine, onecycle, onecycle-linear"},
    {"init", "he", CUG_ECONFIG_VALUE, "he_uniform, he_normal"},
    {"monitor", "loss", CUG_ECONFIG_VALUE, "val_loss, val_accuracy"},
    {"monitor", "", CUG_ECONFIG_VALUE, "val_loss"},
    {"device", "gpu", CUG_ECONFIG_VALUE, "cuda:N"},
    {"device", "cuda:", CUG_ECONFIG_VALUE, "cuda:N"},
    {"device", "cuda:256", CUG_ECONFIG_VALUE, "cuda:N"},
    {"device", "cuda:-1", CUG_ECONFIG_VALUE, "cuda:N"},
    {"no-reuse", "on", CUG_ECONFIG_VALUE, "true or false"},
    {"no-reuse", "", CUG_ECONFIG_VALUE, "true or false"},
    {"model", "input 1x1x1\nlinear 2", CUG_ECONFIG_VALUE, "line break"},
    {"data-dir", "a\x7f", CUG_ECONFIG_VALUE, "control"},
    {"batchsize", "1", CUG_ECONFIG_KEY, "'batch'"},
    {"weight_decay", "1", CUG_ECONFIG_KEY, "'weight-decay'"},
    {"learning-rate", "1", CUG_ECONFIG_KEY, "--help"},
    {"epoch", "1", CUG_ECONFIG_KEY, "'epochs'"},
    {"epcohs", "1", CUG_ECONFIG_KEY, "'epochs'"},
    {"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "1", CUG_ECONFIG_KEY, "no such option"},
    {"", "1", CUG_ECONFIG_KEY, "no such option"},
};

Test(config, wrong_values_are_refused_and_change_nothing) {
    cug_config c, d;
    const char *key;
    cug_config_defaults(&c);
    cug_config_defaults(&d);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        cug_status st = cug_config_set(&c, refused[i].key, refused[i].value);
        cr_expect_eq(st, refused[i].want, "%s = %s: %s", refused[i].key, refused[i].value, cug_status_name(st));
        cr_expect(strstr(cug_error(), refused[i].says), "%s = %s: '%s' not in: %s", refused[i].key, refused[i].value,
                  refused[i].says, cug_error());
        cr_expect(strstr(cug_error(), refused[i].key), "key not named: %s", cug_error());
        cr_assert(same(&c, &d, &key), "%s = %s changed %s", refused[i].key, refused[i].value, key);
    }
    cr_expect_eq(cug_config_set(&c, NULL, "1"), CUG_EINVAL);
    cr_expect_eq(cug_config_set(&c, "lr", NULL), CUG_EINVAL);
    cug_config_free(&c);
    cug_config_free(&d);
}

Test(config, values_that_do_not_fit_together) {
    static const char *const cases[][5] = {
        {"min-lr", "0.5", "lr", "0.1", "min-lr"},
        {"patience", "3", "val", "0", "val"},
        {"warmup", "10", "schedule", "onecycle", "pct"},
        {"warmup", "10", "schedule", "onecycle-linear", "onecycle-linear"},
        {"warmup", "10", "max-steps", "9", "max-steps"},
        {"model", "", "data", "mnist", "model"},
        {"model", "mlp", "data", "", "data"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cug_config c;
        cug_config_defaults(&c);
        for (int k = 0; k < 4; k += 2)
            cr_assert_eq(cug_config_set(&c, cases[i][k], cases[i][k + 1]), CUG_OK, "%s", cug_error());
        cr_expect_eq(cug_config_check(&c), CUG_ECONFIG_VALUE, "%s %s", cases[i][0], cases[i][2]);
        cr_expect(strstr(cug_error(), cases[i][4]), "%s", cug_error());
        cug_config_free(&c);
    }
}

/* A linear congruential generator is enough to reach odd doubles. */
static uint64_t draw(uint64_t *s) { return *s = *s * 6364136223846793005u + 1442695040888963407u; }

/* Every double must come back from its text, under a locale that writes commas as under C. */
static void expect_exact_numbers(const char *under) {
    cug_config c;
    uint64_t s = 1;
    char out[64];
    cug_config_defaults(&c);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = draw(&s) ^ draw(&s) >> 32;
        double v;
        memcpy(&v, &bits, sizeof v);
        v = fabs(v);
        if (!(v <= 1e38) || v == 0) continue;
        c.lr = v;
        cug_config_get(&c, "lr", out, sizeof out);
        c.lr = 0;
        cr_assert_eq(cug_config_set(&c, "lr", out), CUG_OK, "%s: %s: %s", under, out, cug_error());
        cr_assert_eq(c.lr, v, "%s: %a became %a through %s", under, v, c.lr, out);
    }
    cug_config_free(&c);
}

Test(config, numbers_come_back_exactly) { expect_exact_numbers("C"); }

/* A locale with decimal commas, made in the scratch folder: systems rarely have one installed. */
static int enter_commas(void) {
    static const char source[] = "comment_char %\nescape_char /\nLC_NUMERIC\ndecimal_point \",\"\nthousands_sep \".\"\n"
                                 "grouping 3;3\nEND LC_NUMERIC\n";
    char command[1200];
    file_write(scratch_path("source"), source, sizeof source - 1);
    snprintf(command, sizeof command, "localedef -c -i %s %s >/dev/null 2>&1", scratch_path("source"),
             scratch_path("commas"));
    int status = system(command); /* 1 with warnings: most categories are left out */
    setenv("LOCPATH", scratch_path("."), 1);
    return status != -1 && setlocale(LC_NUMERIC, "commas") != NULL;
}

Test(config, locales_change_nothing) {
    char text[32];
    if (!enter_commas()) cr_skip_test("localedef makes no locale with decimal commas here");
    snprintf(text, sizeof text, "%.1f", 0.5);
    cr_assert_str_eq(text, "0,5", "the locale is not what the test needs");
    expect_exact_numbers("commas");
    cug_config c;
    cug_config_defaults(&c);
    cr_expect_eq(cug_config_set(&c, "lr", "0,5"), CUG_ECONFIG_VALUE);
    cr_expect_eq(cug_config_set(&c, "lr", "0.5"), CUG_OK);
    char *printed;
    cr_assert_eq(cug_config_print(&c, &printed), CUG_OK);
    cr_expect(strstr(printed, "\nlr = 0.5 ") && !strstr(printed, "0,5"), "%s", printed);
    free(printed);
    snprintf(text, sizeof text, "%.1f", 0.5);
    cr_expect_str_eq(text, "0,5", "the caller's locale must come back");
    cug_config_free(&c);
}
