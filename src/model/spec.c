/* spec.c - reads a spec from top to bottom: statements, blocks in braces, the first and the last line.
 * Blocks are kept on a stack of their own, so that no text can exhaust the program's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "locale_c.h"
#include "model/spec.h"

/* Names the layer at hand by the word it begins with, until it has a name. */
static void at_word(spec_parser *p, const token *t) {
    int n = t->len < SPEC_MAX_USER_NAME ? t->len : SPEC_MAX_USER_NAME;
    memcpy(p->layer, t->s, (size_t)n);
    p->layer[n] = 0;
}

static cug_status add_argument(spec_parser *p, statement *st, const token *word) {
    if (st->n_attrs)
        return spec_fail(p, CUG_ESPEC_SYNTAX, word->line, "'%.*s' must come before the key=value pairs",
                         TOKEN_SHOW(word));
    if (st->n_args == SPEC_MAX_ARGS)
        return spec_fail(p, CUG_ESPEC_LIMIT, word->line, "more than %d arguments", SPEC_MAX_ARGS);
    st->args[st->n_args++] = *word;
    return CUG_OK;
}

/* After KEY, at '='. */
static cug_status add_attribute(spec_parser *p, statement *st, const token *key) {
    CUG_TRY(spec_advance(p));
    if (p->next.kind != TOK_WORD)
        return spec_fail(p, CUG_ESPEC_SYNTAX, key->line, "'%.*s=' lacks its value", TOKEN_SHOW(key));
    for (int i = 0; i < st->n_attrs; i++)
        if (st->keys[i].len == key->len && memcmp(st->keys[i].s, key->s, (size_t)key->len) == 0)
            return spec_fail(p, CUG_ESPEC_SYNTAX, key->line, "'%.*s=' is given twice", TOKEN_SHOW(key));
    if (st->n_attrs == SPEC_MAX_ATTRS)
        return spec_fail(p, CUG_ESPEC_LIMIT, key->line, "more than %d attributes", SPEC_MAX_ATTRS);
    st->keys[st->n_attrs] = *key;
    st->values[st->n_attrs++] = p->next;
    return spec_advance(p);
}

/* `as NAME`, at "as"; nothing may follow on the line. */
static cug_status read_as(spec_parser *p, token *as) {
    CUG_TRY(spec_advance(p));
    if (p->next.kind != TOK_WORD) return spec_fail(p, CUG_ESPEC_SYNTAX, p->line, "a name is missing after `as`");
    *as = p->next;
    CUG_TRY(spec_advance(p));
    if (p->next.kind == TOK_WORD || p->next.kind == TOK_EQUALS)
        return spec_fail(p, CUG_ESPEC_SYNTAX, p->next.line, "'%.*s' after the name; `as NAME` ends the line",
                         TOKEN_SHOW(&p->next));
    return CUG_OK;
}

static cug_status read_statement(spec_parser *p, statement *st) {
    *st = (statement){.word = p->next};
    at_word(p, &st->word);
    CUG_TRY(spec_advance(p));
    while (p->next.kind == TOK_WORD || p->next.kind == TOK_EQUALS) {
        if (p->next.kind == TOK_EQUALS)
            return spec_fail(p, CUG_ESPEC_SYNTAX, p->next.line, "'=' stands alone; write key=value");
        if (token_is(&p->next, "as")) return read_as(p, &st->as);
        token word = p->next;
        CUG_TRY(spec_advance(p));
        CUG_TRY(p->next.kind == TOK_EQUALS ? add_attribute(p, st, &word) : add_argument(p, st, &word));
    }
    return CUG_OK;
}

/* input HxWxC | input N */
static cug_status do_input(spec_parser *p, const statement *st) {
    int dims[3], n = 0;
    if (p->has_input)
        return spec_fail(p, CUG_ESPEC_SYNTAX, st->word.line, "there is an input already; a model has one, first line");
    if (st->n_args != 1 || st->n_attrs || st->as.len)
        return spec_fail(p, CUG_ESPEC_SYNTAX, st->word.line, "the form is `input HEIGHTxWIDTHxCHANNELS` or `input N`");
    token rest = st->args[0];
    while (n < 3) {
        token one = rest;
        const char *x = memchr(rest.s, 'x', (size_t)rest.len);
        if (x) one.len = (int)(x - rest.s);
        CUG_TRY(spec_int(p, &one, "size", 1, &dims[n++]));
        if (!x) {
            rest.len = 0;
            break;
        }
        rest.s += one.len + 1;
        rest.len -= one.len + 1;
    }
    if (rest.len || n == 2)
        return spec_fail(p, CUG_ESPEC_VALUE, st->word.line,
                         "'%.*s' must have three extents (28x28x1) for an image or one (784) for flat numbers",
                         TOKEN_SHOW(&st->args[0]));
    cug_status s = n == 1 ? build_begin(&p->b, 1, 1, 1, dims[0]) : build_begin(&p->b, 0, dims[0], dims[1], dims[2]);
    if (s != CUG_OK) return spec_fail(p, s, st->word.line, "%s", cug_error());
    p->has_input = 1;
    return n == 1 ? spec_print(p, "input %d", dims[0]) : spec_print(p, "input %dx%dx%d", dims[0], dims[1], dims[2]);
}

static cug_status do_loss(spec_parser *p, const statement *st) {
    const char *const names[] = {"softmax_xent", "bce_logits", "mse", 0};
    char hint[96];
    if (p->depth)
        return spec_fail(p, CUG_ESPEC_SYNTAX, st->word.line, "stands inside a block; it is the spec's last line");
    if (st->n_args != 1 || st->n_attrs || st->as.len)
        return spec_fail(p, CUG_ESPEC_SYNTAX, st->word.line, "the form is `loss softmax_xent|bce_logits|mse`");
    for (int i = 0; names[i]; i++)
        if (token_is(&st->args[0], names[i])) {
            p->b.g->loss = (cug_loss_kind)i;
            p->has_loss = 1;
            return CUG_OK;
        }
    return spec_fail(p, CUG_ESPEC_UNKNOWN, st->word.line, "unknown loss '%.*s'%s; take softmax_xent, bce_logits or mse",
                     TOKEN_SHOW(&st->args[0]), spec_did_you_mean(hint, &st->args[0], names));
}

static cug_status do_from(spec_parser *p, const statement *st) {
    if (st->n_args != 1 || st->n_attrs || st->as.len)
        return spec_fail(p, CUG_ESPEC_SYNTAX, st->word.line, "the form is `from NAME`");
    return spec_find_value(p, &st->args[0], &p->current);
}

static cug_status push(spec_parser *p, block_kind kind, int line) {
    if (p->depth == SPEC_MAX_DEPTH)
        return spec_fail(p, CUG_ESPEC_LIMIT, line, "blocks nest deeper than %d", SPEC_MAX_DEPTH);
    p->blocks[p->depth++] = (block){.kind = kind, .line = line, .in = p->current};
    return CUG_OK;
}

/* residual|branch|sequence {, at what follows the word. */
static cug_status open_block(spec_parser *p, block_kind kind, const statement *st) {
    if (st->n_args || st->n_attrs || st->as.len)
        return spec_fail(p, CUG_ESPEC_SYNTAX, st->word.line,
                         "takes no arguments; write `{ ... }`, and a name after the closing brace");
    while (p->next.kind == TOK_EOL) CUG_TRY(spec_advance(p));
    if (p->next.kind != TOK_OPEN) return spec_fail(p, CUG_ESPEC_BRACE, st->word.line, "'{' is missing after it");
    CUG_TRY(push(p, kind, st->word.line));
    CUG_TRY(spec_advance(p));
    if (kind == BLOCK_SEQUENCE) return CUG_OK;
    CUG_TRY(spec_print_start(p));
    return spec_print(p, kind == BLOCK_RESIDUAL ? "residual {" : "branch {");
}

static const char *block_word(const block *k) {
    static const char *const words[] = {"residual", "branch", "branch", "sequence"};
    return words[k->kind];
}

/* The sum or join that ends a block. */
static cug_status join(spec_parser *p, const block *k, const token *as) {
    int residual = k->kind == BLOCK_RESIDUAL;
    CUG_TRY(spec_name(p, as, block_word(k)));
    if (residual && p->current == k->in)
        return spec_fail(p, CUG_ESPEC_VALUE, k->line,
                         "the block hands its input through, so the sum would double it; "
                         "put layers between the braces");
    if (!residual && k->n_outs < 2)
        return spec_fail(p, CUG_ESPEC_VALUE, k->line, "has %d alternative%s; it needs two to %d, each in braces",
                         k->n_outs, k->n_outs == 1 ? "" : "s", CUG_MAX_INPUTS);
    cug_status s = residual ? build_add(&p->b, p->layer, k->line, (int[]){p->current, k->in}, 2, &p->current)
                            : build_concat(&p->b, p->layer, k->line, k->outs, k->n_outs, &p->current);
    if (s != CUG_OK) return spec_fail(p, s, k->line, "%s", cug_error());
    CUG_TRY(spec_print(p, " }"));
    if (as->len) CUG_TRY(spec_print(p, " as %.*s", as->len, as->s));
    p->text_current = p->current;
    return CUG_OK;
}

/* At '}'. */
static cug_status close_block(spec_parser *p) {
    token as = {.len = 0};
    if (!p->depth) {
        p->layer[0] = 0;
        return spec_fail(p, CUG_ESPEC_BRACE, p->next.line, "'}' closes nothing; remove it");
    }
    block *k = &p->blocks[--p->depth];
    memcpy(p->layer, block_word(k), strlen(block_word(k)) + 1);
    CUG_TRY(spec_advance(p));
    if (token_is(&p->next, "as")) {
        if (k->kind == BLOCK_SEQUENCE || k->kind == BLOCK_ALTERNATIVE)
            return spec_fail(p, CUG_ESPEC_SYNTAX, p->next.line, "%s cannot be named; name its last layer instead",
                             k->kind == BLOCK_SEQUENCE ? "a sequence" : "an alternative");
        CUG_TRY(read_as(p, &as));
    }
    if (k->kind == BLOCK_SEQUENCE) return CUG_OK;
    if (k->kind == BLOCK_BRANCH) return join(p, k, &as);
    CUG_TRY(spec_print_from(p));
    if (k->kind == BLOCK_RESIDUAL) return join(p, k, &as);
    block *branch = &p->blocks[p->depth - 1];
    branch->outs[branch->n_outs++] = p->current;
    p->current = p->text_current = branch->in;
    return spec_print(p, " }");
}

/* Directly inside `branch { }`, where alternatives stand and nothing else. */
static cug_status in_branch(spec_parser *p, const block *branch) {
    memcpy(p->layer, "branch", 7);
    if (p->next.kind != TOK_OPEN)
        return spec_fail(p, CUG_ESPEC_BRACE, p->next.line,
                         "'%.*s' stands between the alternatives; put each of them "
                         "in braces of its own",
                         TOKEN_SHOW(&p->next));
    if (branch->n_outs == CUG_MAX_INPUTS)
        return spec_fail(p, CUG_ESPEC_LIMIT, p->next.line, "more than %d alternatives", CUG_MAX_INPUTS);
    CUG_TRY(push(p, BLOCK_ALTERNATIVE, p->next.line));
    CUG_TRY(spec_print(p, " {"));
    return spec_advance(p);
}

static cug_status do_statement(spec_parser *p) {
    statement st;
    CUG_TRY(read_statement(p, &st));
    if (!p->has_input && !token_is(&st.word, "input"))
        return spec_fail(p, CUG_ESPEC_SYNTAX, st.word.line,
                         "the spec must begin with its input, as in `input 28x28x1`");
    if (p->has_loss)
        return spec_fail(p, CUG_ESPEC_SYNTAX, st.word.line, "comes after the loss, which is the last line");
    if (token_is(&st.word, "residual")) return open_block(p, BLOCK_RESIDUAL, &st);
    if (token_is(&st.word, "branch")) return open_block(p, BLOCK_BRANCH, &st);
    if (token_is(&st.word, "sequence")) return open_block(p, BLOCK_SEQUENCE, &st);
    if (p->next.kind == TOK_OPEN)
        return spec_fail(p, CUG_ESPEC_BRACE, p->next.line,
                         "'{' cannot stand here; blocks begin with residual, branch or sequence");
    if (token_is(&st.word, "input")) return do_input(p, &st);
    if (token_is(&st.word, "loss")) return do_loss(p, &st);
    if (token_is(&st.word, "from")) return do_from(p, &st);
    return spec_layer(p, &st);
}

static cug_status read_all(spec_parser *p) {
    CUG_TRY(spec_advance(p));
    while (p->next.kind != TOK_END) {
        const block *k = p->depth ? &p->blocks[p->depth - 1] : 0;
        if (p->next.kind == TOK_EOL)
            CUG_TRY(spec_advance(p));
        else if (p->next.kind == TOK_CLOSE)
            CUG_TRY(close_block(p));
        else if (k && k->kind == BLOCK_BRANCH)
            CUG_TRY(in_branch(p, k));
        else if (p->next.kind == TOK_WORD)
            CUG_TRY(do_statement(p));
        else {
            p->layer[0] = 0;
            return spec_fail(p, p->next.kind == TOK_OPEN ? CUG_ESPEC_BRACE : CUG_ESPEC_SYNTAX, p->next.line,
                             "'%.*s' at the beginning of a line; write residual, branch or sequence before a '{'",
                             TOKEN_SHOW(&p->next));
        }
    }
    return CUG_OK;
}

static cug_status refuse_softmax(spec_parser *p, cug_loss_kind loss) {
    memcpy(p->layer, "softmax", 8);
    if (loss == CUG_LOSS_SOFTMAX_XENT)
        return spec_fail(p, CUG_ESPEC_LOSS, p->softmax_line,
                         "loss softmax_xent applies the softmax itself, so it would be applied twice and with %d "
                         "outputs the loss could never fall below %.4f; remove this layer",
                         p->softmax_outputs, log(exp(1.0) + p->softmax_outputs - 1) - 1);
    return spec_fail(p, CUG_ESPEC_LOSS, p->softmax_line,
                     "softmax is part of the loss softmax_xent and no layer; remove it and use `loss softmax_xent`");
}

static cug_status finish(spec_parser *p) {
    int bad_node = -1;
    cug_loss_kind loss = p->b.g->loss;
    if (p->depth) {
        const block *k = &p->blocks[p->depth - 1];
        memcpy(p->layer, block_word(k), strlen(block_word(k)) + 1);
        return spec_fail(p, CUG_ESPEC_BRACE, k->line, "its '{' is never closed; add '}'");
    }
    if (p->softmax_line) return refuse_softmax(p, loss);
    CUG_TRY(spec_print_from(p));
    if (loss != CUG_LOSS_SOFTMAX_XENT) CUG_TRY(spec_print(p, "; loss %s", cug_loss_name(loss)));
    cug_status s = build_finish(&p->b, p->current, loss, &bad_node);
    if (s == CUG_OK) return CUG_OK;
    const cug_node *n = bad_node < 0 ? 0 : &p->b.g->nodes[bad_node];
    memcpy(p->layer, n ? n->name : "input", strlen(n ? n->name : "input") + 1);
    return spec_fail(p, s, n ? n->line : p->line, "%s", cug_error());
}

static cug_status parse(cug_graph **out, const char *text, const char *where) {
    cug_status st;
    spec_parser *p = 0;
    p = calloc(1, sizeof *p);
    if (!p) return cug_fail(CUG_ENOMEM, "no memory to read a spec");
    p->where = where ? where : "spec";
    p->at = text;
    p->line = 1;
    p->one_line = !strchr(text, '\n');
    if (strnlen(text, SPEC_MAX_TEXT + 1) > SPEC_MAX_TEXT) {
        st = spec_fail(p, CUG_ESPEC_LIMIT, 1, "the text is longer than 1 MiB");
        goto cleanup;
    }
    if (strncmp(text, "\xEF\xBB\xBF", 3) == 0) p->at += 3; /* some editors begin files so */
    CUG_GOTO(read_all(p));
    if (!p->has_input) {
        st = spec_fail(p, CUG_ESPEC_SYNTAX, p->line,
                       "the spec is empty; begin it with its input, as in `input 28x28x1`");
        goto cleanup;
    }
    CUG_GOTO(finish(p));
    p->b.g->spec = p->text;
    p->text = 0;
    *out = p->b.g;
    p->b.g = 0;
cleanup:
    cug_graph_free(p->b.g);
    free(p->b.origins);
    free(p->text);
    free(p);
    return st;
}

cug_status cug_spec_parse(cug_graph **out, const char *text, const char *where) {
    *out = 0;
    if (!text) return cug_fail(CUG_EINVAL, "cug_spec_parse: text is NULL");
    cug_locale_c l = cug_locale_enter();
    cug_status st = parse(out, text, where);
    cug_locale_leave(l);
    return st;
}
