/* config_number.c - numbers in configs: the same text on every machine, whatever locale the host program has set. */
#include "locale_c.h"
#include "train/config_internal.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cug_parse_real(const char *text, double *v) {
    if (!*text || strspn(text, "0123456789+-.eE") != strlen(text)) return -1; /* no hex, inf, nan, leading blanks */
    cug_locale_c l = cug_locale_enter();
    char *end;
    *v = strtod(text, &end);
    cug_locale_leave(l);
    if (*end || end == text || !isfinite(*v)) return -1;
    if (*v == 0) *v = 0; /* -0 would print as another number */
    return 0;
}

void cug_format_real(double v, char *out, size_t n) {
    cug_locale_c l = cug_locale_enter();
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(out, n, "%.*g", digits, v);
        if (strtod(out, NULL) == v) break;
    }
    cug_locale_leave(l);
}
