/* locale_c.h - numbers are read and written with a point, whatever locale the host program has set. The C locale holds
 * for the calling thread between enter and leave; the host's own code (a callback) must not run in between. */
#ifndef CUG_LOCALE_C_H
#define CUG_LOCALE_C_H

#include <locale.h>
#include <stddef.h>

typedef struct cug_locale_c {
    locale_t c, host;
} cug_locale_c;

cug_locale_c cug_locale_enter(void); /* out of memory: the host's locale stays */
void cug_locale_leave(cug_locale_c l);

/* snprintf in the C locale. */
int cug_print(char *out, size_t n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
