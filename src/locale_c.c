/* locale_c.c - the C locale for the calling thread, for as long as numbers are read or written. */
#include "locale_c.h"
#include <stdarg.h>
#include <stdio.h>

cug_locale_c cug_locale_enter(void) {
    cug_locale_c l = {newlocale(LC_ALL_MASK, "C", (locale_t)0), (locale_t)0};
    if (l.c) l.host = uselocale(l.c);
    return l;
}

void cug_locale_leave(cug_locale_c l) {
    if (!l.c) return;
    uselocale(l.host);
    freelocale(l.c);
}

int cug_print(char *out, size_t n, const char *fmt, ...) {
    cug_locale_c l = cug_locale_enter();
    va_list ap;
    va_start(ap, fmt);
    int r = vsnprintf(out, n, fmt, ap);
    va_end(ap);
    cug_locale_leave(l);
    return r;
}
