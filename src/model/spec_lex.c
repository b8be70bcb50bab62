/* spec_lex.c - tokens, numbers and the form of every message. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/spec.h"

cug_status spec_fail(spec_parser *p, cug_status s, int line, const char *fmt, ...) {
    char text[640];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return cug_fail(s, "%.256s:%d: %s%s%s", p->where, line, p->layer, p->layer[0] ? ": " : "", text);
}

static int is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
static int is_word(char c) { return c > ' ' && c < 0x7f && !strchr("{}=;#", c); }

cug_status spec_advance(spec_parser *p) {
    while (is_blank(*p->at)) p->at++;
    if (*p->at == '#')
        while (*p->at && *p->at != '\n') p->at++;
    token *t = &p->next;
    *t = (token){.s = p->at, .len = 1, .line = p->line};
    switch (*p->at) {
    case 0:
        t->kind = TOK_END;
        t->len = 0;
        return CUG_OK;
    case '\n':
    case ';':
        p->line += *p->at == '\n' || p->one_line;
        t->kind = TOK_EOL;
        break;
    case '{':
        t->kind = TOK_OPEN;
        break;
    case '}':
        t->kind = TOK_CLOSE;
        break;
    case '=':
        t->kind = TOK_EQUALS;
        break;
    default:
        t->kind = TOK_WORD;
        if (!is_word(*p->at)) {
            p->layer[0] = 0;
            return spec_fail(p, CUG_ESPEC_SYNTAX, p->line,
                             "byte 0x%02x cannot stand here; use plain ASCII (anything goes after '#')",
                             (unsigned)(unsigned char)*p->at);
        }
        for (t->len = 0; is_word(*p->at); t->len++) p->at++;
        return CUG_OK;
    }
    p->at++;
    return CUG_OK;
}

int token_is(const token *t, const char *word) {
    return t->kind == TOK_WORD && (size_t)t->len == strlen(word) && memcmp(t->s, word, (size_t)t->len) == 0;
}

/* Digits s[0..n) as a number; -1: not digits only, -2: 2^31 or more. */
static int digits(const char *s, int n) {
    int64_t v = 0;
    if (n < 1) return -1;
    for (int i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') return -1;
        if (v <= INT32_MAX) v = v * 10 + (s[i] - '0');
    }
    return v > INT32_MAX ? -2 : (int)v;
}

static cug_status check_int(spec_parser *p, const token *t, const char *what, int lo, int v) {
    if (v == -2) return spec_fail(p, CUG_ESPEC_LIMIT, t->line, "%s: %.*s is too large", what, TOKEN_SHOW(t));
    if (v < lo)
        return spec_fail(p, CUG_ESPEC_VALUE, t->line, "%s: '%.*s' is too small; it must be at least %d", what,
                         TOKEN_SHOW(t), lo);
    return CUG_OK;
}

static cug_status not_a_number(spec_parser *p, const token *t, const char *what, const char *form) {
    int negative = t->len > 1 && t->s[0] == '-' && digits(t->s + 1, t->len - 1) != -1;
    return spec_fail(p, negative ? CUG_ESPEC_VALUE : CUG_ESPEC_SYNTAX, t->line, "%s: '%.*s' is not %s", what,
                     TOKEN_SHOW(t), form);
}

cug_status spec_int(spec_parser *p, const token *t, const char *what, int lo, int *out) {
    int v = digits(t->s, t->len);
    if (v == -1) return not_a_number(p, t, what, "a whole number");
    CUG_TRY(check_int(p, t, what, lo, v));
    *out = v;
    return CUG_OK;
}

cug_status spec_pair(spec_parser *p, const token *t, const char *what, int lo, int *a, int *b) {
    const char *x = memchr(t->s, 'x', (size_t)t->len);
    int first = x ? (int)(x - t->s) : t->len;
    int v = digits(t->s, first), w = x ? digits(x + 1, t->len - first - 1) : v;
    if (v == -1 || w == -1) return not_a_number(p, t, what, "a whole number or two like 3x3");
    CUG_TRY(check_int(p, t, what, lo, v));
    CUG_TRY(check_int(p, t, what, lo, w));
    *a = v;
    *b = w;
    return CUG_OK;
}

cug_status spec_real(spec_parser *p, const token *t, const char *what, double *out) {
    char buf[48], *end = buf;
    int plain = t->len < (int)sizeof buf; /* "nan", "inf" and hexadecimal are not numbers here */
    for (int i = 0; plain && i < t->len; i++) plain = t->s[i] && strchr("0123456789.eE+-", t->s[i]);
    if (plain) {
        memcpy(buf, t->s, (size_t)t->len);
        buf[t->len] = 0;
        *out = strtod(buf, &end);
        plain = end != buf && !*end;
    }
    if (!plain) return spec_fail(p, CUG_ESPEC_SYNTAX, t->line, "%s: '%.*s' is not a number", what, TOKEN_SHOW(t));
    return CUG_OK;
}
