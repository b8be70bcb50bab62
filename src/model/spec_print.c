/* spec_print.c - the canonical one-line text, written while the spec is read. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/spec.h"

cug_status spec_print(spec_parser *p, const char *fmt, ...) {
    char piece[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(piece, sizeof piece, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof piece) return cug_fail(CUG_ESPEC_LIMIT, "%s: a layer is too long", p->where);
    if (p->text_len + (size_t)n + 1 > p->text_cap) {
        size_t cap = 2 * p->text_cap + (size_t)n + 256;
        char *t = realloc(p->text, cap);
        if (!t) return cug_fail(CUG_ENOMEM, "no memory for the spec's text");
        p->text = t;
        p->text_cap = cap;
    }
    memcpy(p->text + p->text_len, piece, (size_t)n + 1);
    p->text_len += (size_t)n;
    return CUG_OK;
}

static cug_status separator(spec_parser *p) {
    if (!p->text_len) return CUG_OK;
    return spec_print(p, p->text[p->text_len - 1] == '{' ? " " : "; ");
}

cug_status spec_print_from(spec_parser *p) {
    if (p->current == p->text_current) return CUG_OK;
    p->text_current = p->current;
    CUG_TRY(separator(p));
    return spec_print(p, "from %s", p->b.g->values[p->current].name);
}

cug_status spec_print_start(spec_parser *p) {
    CUG_TRY(spec_print_from(p));
    return separator(p);
}
