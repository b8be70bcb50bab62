/* fuzz_config.c - any text: refused with its line, or a config that prints to text which reads back the same. */
#include <cuglyph/config.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(int ok) {
    if (!ok) abort();
}

static void print_and_read(const cug_config *c) {
    char *text, *again;
    cug_config d;
    cug_config_defaults(&d);
    require(cug_config_print(c, &text) == CUG_OK);
    require(cug_config_parse(&d, text, strlen(text), "printed") == CUG_OK);
    require(cug_config_print(&d, &again) == CUG_OK && strcmp(text, again) == 0);
    require(strcmp(c->model, d.model) == 0 && strcmp(c->freeze, d.freeze) == 0 && c->lr == d.lr && c->seed == d.seed);
    cug_config_check(&d);
    free(text);
    free(again);
    cug_config_free(&d);
}

/* The same text as words of a command line. */
static void as_arguments(const uint8_t *bytes, size_t n) {
    char *argv[16], *words = malloc(n + 1);
    int argc = 0, used;
    cug_config c;
    if (n) memcpy(words, bytes, n);
    words[n] = 0;
    for (char *save, *w = strtok_r(words, " \n", &save); w && argc < 16; w = strtok_r(NULL, " \n", &save))
        argv[argc++] = w;
    cug_config_defaults(&c);
    for (int i = 0; i < argc; i += used) {
        if (cug_config_arg(&c, argc - i, argv + i, &used) != CUG_OK) used = 1;
        require(i + used <= argc);
    }
    cug_config_free(&c);
    free(words);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    cug_config c;
    cug_config_defaults(&c);
    if (cug_config_parse(&c, (const char *)bytes, n, "fuzz") == CUG_OK)
        print_and_read(&c);
    else
        require(strncmp(cug_error(), "fuzz:", 5) == 0);
    cug_config_free(&c);
    as_arguments(bytes, n);
    return 0;
}
