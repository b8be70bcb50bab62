/* synthetic.c - writes the small data set. */
#include "support/synthetic.h"
#include <criterion/criterion.h>
#include <cuglyph/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put32(FILE *f, uint32_t v) {
    for (int s = 24; s >= 0; s -= 8) fputc((int)(v >> s & 0xFF), f);
}

static void write_part(const char *dir, const char *name, uint32_t n, uint32_t stream) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s-images", dir, name);
    FILE *x = fopen(path, "wb");
    snprintf(path, sizeof path, "%s/%s-labels", dir, name);
    FILE *y = fopen(path, "wb");
    cr_assert(x && y, "cannot write %s", path);
    put32(x, 0x803), put32(x, n), put32(x, SYNTHETIC_SIDE), put32(x, SYNTHETIC_SIDE);
    put32(y, 0x801), put32(y, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t label = i * 7 % SYNTHETIC_CLASSES;
        fputc((int)label, y);
        for (uint32_t r = 0; r < SYNTHETIC_SIDE; r++)
            for (uint32_t c = 0; c < SYNTHETIC_SIDE; c++) {
                uint32_t quarter = (r >= SYNTHETIC_SIDE / 2) * 2 + (c >= SYNTHETIC_SIDE / 2);
                float u = cug_uniform(99, CUG_RNG_TEST, stream, (i * SYNTHETIC_SIDE + r) * SYNTHETIC_SIDE + c);
                fputc((int)(u * 140) + (quarter == label ? 60 : 0), x);
            }
    }
    cr_assert(fclose(x) == 0 && fclose(y) == 0);
}

void synthetic_make(synthetic *s) {
    strcpy(s->dir, "/tmp/cuglyph-test-XXXXXX");
    cr_assert_not_null(mkdtemp(s->dir));
    write_part(s->dir, "train", SYNTHETIC_TRAIN, 1);
    write_part(s->dir, "test", SYNTHETIC_TEST, 2);
    snprintf(s->data, sizeof s->data, "idx:%s/train-images,%s/train-labels,%s/test-images,%s/test-labels", s->dir,
             s->dir, s->dir, s->dir);
}

void synthetic_remove(synthetic *s) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", s->dir);
    cr_expect(system(command) == 0);
}

void synthetic_config(const synthetic *s, cug_config *c) {
    const char *const set[][2] = {{"data", s->data}, {"model", SYNTHETIC_MODEL}, {"val", "60"},  {"epochs", "3"},
                                  {"batch", "32"},   {"eval-batch", "64"},       {"lr", "0.01"}, {"device", "cpu"},
                                  {"threads", "2"},  {"log-every", "5"},         {"seed", "7"}};
    cug_config_defaults(c);
    for (size_t i = 0; i < sizeof set / sizeof *set; i++)
        cr_assert(cug_config_set(c, set[i][0], set[i][1]) == CUG_OK, "%s", cug_error());
}

char *slurp(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    cr_assert_not_null(f, "cannot read %s", path);
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    char *p = malloc((size_t)size + 1);
    cr_assert(p && fread(p, 1, (size_t)size, f) == (size_t)size);
    fclose(f);
    p[size] = 0;
    if (n) *n = (size_t)size;
    return p;
}
