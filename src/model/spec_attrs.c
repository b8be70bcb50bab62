/* spec_attrs.c - the key=value attributes that several layers share. */
#include <string.h>

#include "model/spec.h"

const token *spec_attr(const statement *st, const char *key) {
    for (int i = 0; i < st->n_attrs; i++)
        if (token_is(&st->keys[i], key)) return &st->values[i];
    return 0;
}

cug_status spec_attr_stride(spec_parser *p, const statement *st, window *w) {
    const token *t = spec_attr(st, "stride");
    return t ? spec_pair(p, t, "stride", 1, &w->stride_h, &w->stride_w) : CUG_OK;
}

cug_status spec_attr_pad(spec_parser *p, const statement *st, window *w) {
    const token *t = spec_attr(st, "pad");
    w->pad = PAD_VALID;
    if (!t || token_is(t, "valid")) return CUG_OK;
    w->pad = PAD_SAME;
    if (token_is(t, "same")) return CUG_OK;
    if (t->s[0] < '0' || t->s[0] > '9')
        return spec_fail(p, CUG_ESPEC_VALUE, t->line,
                         "pad: '%.*s' is unknown; write same, valid, a number, or two "
                         "like 2x1",
                         TOKEN_SHOW(t));
    CUG_TRY(spec_pair(p, t, "pad", 0, &w->pad_h, &w->pad_w));
    w->pad = w->pad_h || w->pad_w ? PAD_GIVEN : PAD_VALID;
    return CUG_OK;
}

cug_status spec_attr_bias(spec_parser *p, const statement *st, int *out) {
    const token *t = spec_attr(st, "bias");
    *out = 1;
    if (!t || token_is(t, "yes")) return CUG_OK;
    *out = 0;
    if (token_is(t, "no")) return CUG_OK;
    return spec_fail(p, CUG_ESPEC_VALUE, t->line, "bias: '%.*s' is unknown; write yes or no", TOKEN_SHOW(t));
}

cug_status spec_attr_init(spec_parser *p, const statement *st, cug_init_kind *out) {
    const token *t = spec_attr(st, "init");
    *out = CUG_INIT_AUTO;
    if (!t || cug_init_find(t->s, (size_t)t->len, out)) return CUG_OK;
    return spec_fail(p, CUG_ESPEC_VALUE, t->line, "init: '%.*s' is unknown; take one of auto, " CUG_INIT_WORDS,
                     TOKEN_SHOW(t));
}
