/* fuzz_choices.c - any text: refused with its line, or a file of choices that prints to text which reads back the same.
 */
#include "io/choices.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(int ok) {
    if (!ok) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    cug_choice_file f, g;
    char *text, *again;
    if (cug_choices_parse(&f, (const char *)bytes, n, "fuzz") != CUG_OK) {
        require(strncmp(cug_error(), "fuzz:", 5) == 0 && f.n == 0 && !f.rows);
        return 0;
    }
    require(f.machine[0] && f.n <= CUG_CHOICES_MOST);
    require(cug_choices_print(&f, &text) == CUG_OK);
    require(strlen(text) == n && memcmp(text, bytes, n) == 0); /* one way to write it */
    require(cug_choices_parse(&g, text, strlen(text), "printed") == CUG_OK);
    require(cug_choices_print(&g, &again) == CUG_OK && strcmp(text, again) == 0);
    for (int i = 0; i < f.n; i++) require(cug_choices_find(&g, f.rows[i].name, f.rows[i].product) == &g.rows[i]);
    free(text);
    free(again);
    cug_choices_free(&f);
    cug_choices_free(&g);
    return 0;
}
