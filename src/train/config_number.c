/* config_number.c - numbers in configs: the same text on every machine, whatever locale the host program has set. */
#include "train/config_internal.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parsing and printing run under the C locale of the calling thread; the old one is put back. */
static locale_t enter_c(locale_t *old) {
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    *old = c ? uselocale(c) : (locale_t)0;
    return c;
}

static void leave_c(locale_t c, locale_t old) {
    if (!c) return;
    uselocale(old);
    freelocale(c);
}

int cug_parse_real(const char *text, double *v) {
    if (!*text || strspn(text, "0123456789+-.eE") != strlen(text)) return -1; /* no hex, inf, nan, leading blanks */
    locale_t old, c = enter_c(&old);
    char *end;
    *v = strtod(text, &end);
    leave_c(c, old);
    if (*end || end == text || !isfinite(*v)) return -1;
    if (*v == 0) *v = 0; /* -0 would print as another number */
    return 0;
}

void cug_format_real(double v, char *out, size_t n) {
    locale_t old, c = enter_c(&old);
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(out, n, "%.*g", digits, v);
        if (strtod(out, NULL) == v) break;
    }
    leave_c(c, old);
}
