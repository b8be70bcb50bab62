/* spec.h - inside of the spec parser: text -> tokens -> statements -> calls of the graph builder. */
#ifndef CUG_MODEL_SPEC_H
#define CUG_MODEL_SPEC_H

#include "model/graph_build.h"

#define SPEC_MAX_TEXT ((size_t)1 << 20)
#define SPEC_MAX_DEPTH 64
#define SPEC_MAX_ARGS 16
#define SPEC_MAX_ATTRS 8
#define SPEC_MAX_USER_NAME 48 /* leaves room for ".weight" in CUG_NAME_MAX */

typedef enum { TOK_WORD, TOK_OPEN, TOK_CLOSE, TOK_EQUALS, TOK_EOL, TOK_END } token_kind;

/* A stretch of the text; `s` is not terminated. */
typedef struct token {
    token_kind kind;
    const char *s;
    int len, line;
} token;

/* `%.*s` arguments for a token, clipped so that a message stays one readable line. */
#define TOKEN_SHOW(t) ((t)->len < 40 ? (t)->len : 40), (t)->s

/* One layer as written: WORD ARG... KEY=VALUE... [as NAME]. */
typedef struct statement {
    token word;
    int n_args, n_attrs;
    token args[SPEC_MAX_ARGS];
    token keys[SPEC_MAX_ATTRS], values[SPEC_MAX_ATTRS];
    token as; /* len 0: none */
} statement;

typedef enum { BLOCK_RESIDUAL, BLOCK_BRANCH, BLOCK_ALTERNATIVE, BLOCK_SEQUENCE } block_kind;

/* An open brace. */
typedef struct block {
    block_kind kind;
    int line;
    int in;                           /* value at the opening brace */
    int n_outs, outs[CUG_MAX_INPUTS]; /* BRANCH: what its alternatives ended with */
} block;

typedef struct spec_parser {
    const char *where;
    const char *at; /* next character */
    int line;       /* of a text without line breaks: the number of the piece between ';' */
    int one_line;
    token next; /* one token of look-ahead */
    builder b;
    char layer[CUG_NAME_MAX]; /* the layer at hand, for messages: its name, or the word it begins with */
    int layer_line;
    int current; /* value that the next layer reads */
    int has_input, has_loss;
    int softmax_line; /* of a softmax layer, refused once the loss is known; 0: none */
    int softmax_outputs;
    int depth;
    block blocks[SPEC_MAX_DEPTH];
    /* the canonical text */
    char *text;
    size_t text_len, text_cap;
    int text_current; /* value that the next layer reads, for whoever reads the canonical text */
} spec_parser;

/* spec_lex.c */
cug_status spec_advance(spec_parser *p); /* p->next becomes the token after it */
int token_is(const token *t, const char *word);
/* A whole number >= lo. ESPEC_SYNTAX when it is none, ESPEC_VALUE below lo, ESPEC_LIMIT from 2^31 on. */
cug_status spec_int(spec_parser *p, const token *t, const char *what, int lo, int *out);
/* "3x5" -> 3, 5; "3" -> 3, 3. */
cug_status spec_pair(spec_parser *p, const token *t, const char *what, int lo, int *a, int *b);
cug_status spec_real(spec_parser *p, const token *t, const char *what, double *out);
/* "WHERE:LINE: LAYER: " and the message. */
cug_status spec_fail(spec_parser *p, cug_status s, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* spec_suggest.c */
/* The word of a NULL-terminated list that is nearest to t, or NULL when none is near. */
const char *spec_nearest(const token *t, const char *const *words);
/* "; did you mean 'conv'?" or "", in buf; returns buf. */
const char *spec_did_you_mean(char buf[96], const token *t, const char *const *words);

/* spec_layers.c */
extern const char *const spec_words[]; /* every word that may begin a line, NULL-terminated */
/* Builds the layer that the statement describes, prints it to the canonical text and makes its output current. */
cug_status spec_layer(spec_parser *p, const statement *st);

/* spec_names.c */
/* Name for a new node: the one after `as`, checked, or the stem's next free number. Becomes p->layer. */
cug_status spec_name(spec_parser *p, const token *as, const char *stem);
/* The node called t, -1 for "input". ESPEC_NAME when there is none. */
cug_status spec_find_node(spec_parser *p, const token *t, int *node);
/* The output of the node called t. */
cug_status spec_find_value(spec_parser *p, const token *t, int *value);

/* spec_attrs.c: values of attributes; `*out` keeps its default when the attribute is absent */
const token *spec_attr(const statement *st, const char *key);
cug_status spec_attr_stride(spec_parser *p, const statement *st, window *w);
cug_status spec_attr_pad(spec_parser *p, const statement *st, window *w);
cug_status spec_attr_bias(spec_parser *p, const statement *st, int *out);
cug_status spec_attr_init(spec_parser *p, const statement *st, cug_init_kind *out);

/* spec_print.c: the canonical text */
/* `from NAME` where whoever reads the text would go on from another value than the parser. */
cug_status spec_print_from(spec_parser *p);
/* Before a layer or block: that, and the separator. */
cug_status spec_print_start(spec_parser *p);
cug_status spec_print(spec_parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
