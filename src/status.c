/* status.c - the one place where messages are kept. */
#include "locale_c.h"
#include <cuglyph/status.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#undef cug_fail
#undef cug_fail_at

static _Thread_local char message[1024] = "";

static const char *const names[] = {
#define NAME(name, text) #name,
    CUG_STATUS_LIST(NAME)
#undef NAME
};
static const char *const texts[] = {
#define TEXT(name, text) text,
    CUG_STATUS_LIST(TEXT)
#undef TEXT
};

const char *cug_status_name(cug_status s) { return (unsigned)s < CUG_STATUS_COUNT ? names[s] : "?"; }
const char *cug_status_text(cug_status s) { return (unsigned)s < CUG_STATUS_COUNT ? texts[s] : "unknown status"; }
const char *cug_error(void) { return message; }

static void one_line(char *s) {
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f) *s = ' ';
}

cug_status cug_fail(cug_status s, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    cug_locale_c l = cug_locale_enter();
    vsnprintf(message, sizeof message, fmt, ap);
    cug_locale_leave(l);
    va_end(ap);
    one_line(message);
    return s;
}

cug_status cug_fail_at(cug_status s, const char *fmt, ...) {
    char old[sizeof message];
    memcpy(old, message, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    cug_locale_c l = cug_locale_enter();
    int n = vsnprintf(message, sizeof message, fmt, ap);
    cug_locale_leave(l);
    va_end(ap);
    if (n < 0) n = 0;
    if ((size_t)n + 2 < sizeof message)
        snprintf(message + n, sizeof message - (size_t)n, ": %.*s", (int)sizeof message - n - 3, old);
    one_line(message);
    return s;
}
