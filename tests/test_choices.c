/* test_choices.c - the file of choices: written, read back, and refused with its line. */
#include "io/choices.h"
#include "support/scratch.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define HEAD "cuglyph-choices 1\nmachine a GPU, sm_90\n"

Test(choices, read_back_what_was_written) {
    cug_choice_file f = {.machine = "a GPU, sm_90"}, g;
    char name[32];
    scratch_make();
    for (int i = 0; i < 100; i++) {
        cug_choice_row r = {.library = i % 2, .own_us = i + 0.125, .library_us = 1e6 / (i + 1), .name = "cudnn-91900"};
        snprintf(r.product, sizeof r.product, "linear fwd fp32 N=%d I=2 O=3", i);
        cr_assert_eq(cug_choices_put(&f, &r), CUG_OK);
    }
    cug_choice_row again = f.rows[7];
    again.own_us = 2.5;
    cr_assert_eq(cug_choices_put(&f, &again), CUG_OK);
    cr_expect_eq(f.n, 100, "the same product twice");
    cr_assert_eq(cug_choices_write(&f, scratch_path("choices")), CUG_OK, "%s", cug_error());
    cr_assert_eq(cug_choices_read(&g, scratch_path("choices")), CUG_OK, "%s", cug_error());
    cr_expect_str_eq(g.machine, f.machine);
    cr_assert_eq(g.n, 100);
    for (int i = 0; i < 100; i++) {
        const cug_choice_row *r = cug_choices_find(&g, "cudnn-91900", f.rows[i].product);
        cr_assert(r);
        cr_expect(r->library == f.rows[i].library && r->own_us == f.rows[i].own_us, "row %d", i);
        cr_expect_float_eq(r->library_us, f.rows[i].library_us, 5.1e-4);
    }
    cr_expect_eq(g.rows[7].own_us, 2.5);
    snprintf(name, sizeof name, "cudnn-91800");
    cr_expect_null(cug_choices_find(&g, name, f.rows[0].product), "another version has not been timed");
    cug_choices_free(&f);
    cug_choices_free(&g);
    cr_expect_eq(cug_choices_read(&g, scratch_path("none")), CUG_ENOENT);
    scratch_remove();
}

Test(choices, refused_with_the_line) {
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "f: no file of choices"},
        {"cuglyph-choices 1\n", "f: no file of choices"},
        {"cuglyph-choices 2\nmachine x\n", "f:1: the first line is not"},
        {"cuglyph-choices 1\nmachine \n", "f:2: the machine"},
        {HEAD "own 1.000 2.000 cudnn-1 p", "f:3: cut short"},
        {HEAD "mine 1.000 2.000 cudnn-1 p\n", "f:3: a row begins"},
        {HEAD "own 1.0 2.000 cudnn-1 p\n", "f:3: two times"},
        {HEAD "own -1.000 2.000 cudnn-1 p\n", "f:3: two times"},
        {HEAD "own nan 2.000 cudnn-1 p\n", "f:3: two times"},
        {HEAD "own 1.000 12345678901234.000 cudnn-1 p\n", "f:3: two times"},
        {HEAD "own 1.000 2.000 cudnn-1\n", "f:3: a library and a product"},
        {HEAD "own 1.000 2.000 cudnn-1 \n", "f:3: a library and a product"},
        {HEAD "own 1.000 2.000 cudnn-1 p\nown 1.000 2.000 cudnn-1 p\n", "f:4: a row twice"},
        {HEAD "own 1.000 2.000 cudnn-1 p\tq\n", "f:3: not a text file"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cug_choice_file f;
        cr_expect_eq(cug_choices_parse(&f, bad[i].text, strlen(bad[i].text), "f"), CUG_EINVAL, "text %zu", i);
        cr_expect_eq(strncmp(cug_error(), bad[i].says, strlen(bad[i].says)), 0, "text %zu: %s", i, cug_error());
        cr_expect(f.n == 0 && !f.rows);
    }
    cug_choice_file f;
    cr_expect_eq(
        cug_choices_parse(&f, HEAD "own 1.000\0002.000 c p\n", sizeof HEAD "own 1.000\0002.000 c p\n" - 1, "f"),
        CUG_EINVAL);
}
