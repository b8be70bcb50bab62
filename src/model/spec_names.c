/* spec_names.c - names of layers: given, automatic, looked up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/spec.h"

static int letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

static int is_name(const token *t) {
    if (!letter(t->s[0])) return 0;
    for (int i = 1; i < t->len; i++)
        if (!letter(t->s[i]) && !(t->s[i] >= '0' && t->s[i] <= '9')) return 0;
    return 1;
}

/* Node of this name, -1 for none. */
static int lookup(const cug_graph *g, const char *name, size_t len) {
    for (int i = g->n_nodes - 1; i >= 0; i--)
        if (strncmp(g->nodes[i].name, name, len) == 0 && !g->nodes[i].name[len]) return i;
    return -1;
}

/* The next free "stem1", "stem2" ... */
static void automatic(const cug_graph *g, const char *stem, char out[CUG_NAME_MAX]) {
    int number = 1;
    size_t n = strlen(stem);
    for (int i = g->n_nodes - 1; i >= 0 && number == 1; i--) { /* go on after the last one of this stem */
        const char *name = g->nodes[i].name;
        if (strncmp(name, stem, n) == 0 && name[n] >= '1' && name[n] <= '9' && strlen(name + n) <= 4)
            number = (int)strtol(name + n, 0, 10) + 1;
    }
    do snprintf(out, CUG_NAME_MAX, "%s%d", stem, number++);
    while (lookup(g, out, strlen(out)) >= 0);
}

cug_status spec_name(spec_parser *p, const token *as, const char *stem) {
    const cug_graph *g = p->b.g;
    if (!as->len) {
        automatic(g, stem, p->layer);
        return CUG_OK;
    }
    if (as->len > SPEC_MAX_USER_NAME)
        return spec_fail(p, CUG_ESPEC_LIMIT, as->line, "the name '%.*s...' is longer than %d characters",
                         TOKEN_SHOW(as), SPEC_MAX_USER_NAME);
    if (!is_name(as) || token_is(as, "as"))
        return spec_fail(p, CUG_ESPEC_NAME, as->line,
                         "'%.*s' cannot be a name; use letters, digits and '_', beginning with a letter",
                         TOKEN_SHOW(as));
    int taken = lookup(g, as->s, (size_t)as->len);
    if (taken >= 0)
        return spec_fail(p, CUG_ESPEC_NAME, as->line,
                         "the name '%.*s' is taken by the layer of line %d; choose another", TOKEN_SHOW(as),
                         g->nodes[taken].line);
    if (token_is(as, "input"))
        return spec_fail(p, CUG_ESPEC_NAME, as->line, "the name 'input' is the model's input; choose another");
    memcpy(p->layer, as->s, (size_t)as->len);
    p->layer[as->len] = 0;
    return CUG_OK;
}

cug_status spec_find_node(spec_parser *p, const token *t, int *node) {
    const cug_graph *g = p->b.g;
    *node = lookup(g, t->s, (size_t)t->len);
    if (*node >= 0 || token_is(t, "input")) return CUG_OK;
    const char *names[CUG_MAX_NODES + 2];
    int n = 0;
    char hint[96];
    for (int i = 0; i < g->n_nodes; i++) names[n++] = g->nodes[i].name;
    names[n++] = "input";
    names[n] = 0;
    spec_did_you_mean(hint, t, names);
    return spec_fail(p, CUG_ESPEC_NAME, t->line, "no layer before this one is called '%.*s'%s", TOKEN_SHOW(t),
                     hint[0] ? hint : "; name it with `as` where it is made");
}

cug_status spec_find_value(spec_parser *p, const token *t, int *value) {
    int node;
    CUG_TRY(spec_find_node(p, t, &node));
    *value = node < 0 ? 0 : p->b.g->nodes[node].out;
    return CUG_OK;
}
