/* init.c - initial weights, drawn in memory order from (seed, segment number, element number) alone.
 * He et al. 2015; Glorot and Bengio 2010; LeCun et al. 1998. */
#include <cuglyph/random.h>
#include <math.h>
#include <string.h>

#include "model/graph_build.h"

/* Half width of the uniform law, or standard deviation of the normal one; 0 for zeros. */
static double spread(const cug_segment *s) {
    double in = s->fan_in, both = in + s->fan_out;
    switch (s->init) {
    case CUG_INIT_HE_UNIFORM:
        return sqrt(6.0 / in);
    case CUG_INIT_HE_NORMAL:
        return sqrt(2.0 / in);
    case CUG_INIT_AUTO: /* resolved when the graph is built */
    case CUG_INIT_GLOROT_UNIFORM:
        return sqrt(6.0 / both);
    case CUG_INIT_GLOROT_NORMAL:
        return sqrt(2.0 / both);
    case CUG_INIT_LECUN_UNIFORM:
        return sqrt(3.0 / in);
    case CUG_INIT_LECUN_NORMAL:
        return sqrt(1.0 / in);
    case CUG_INIT_ZEROS:
    case CUG_INIT_ONES:
        break;
    }
    return 0;
}

static int is_normal(cug_init_kind init) {
    return init == CUG_INIT_HE_NORMAL || init == CUG_INIT_GLOROT_NORMAL || init == CUG_INIT_LECUN_NORMAL;
}

void cug_graph_init(const cug_graph *g, uint64_t seed, float *flat) {
    memset(flat, 0, g->flat_count * sizeof *flat);
    for (int i = 0; i < g->n_segments; i++) {
        const cug_segment *s = &g->segments[i];
        float a = (float)spread(s), *w = flat + s->offset;
        for (size_t j = 0; s->init == CUG_INIT_ONES && j < s->count; j++) w[j] = 1;
        if (a == 0) continue;
        for (size_t j = 0; j < s->count; j++)
            w[j] = is_normal(s->init) ? a * cug_normal(seed, CUG_RNG_INIT, (uint32_t)i, j)
                                      : a * (2 * cug_uniform(seed, CUG_RNG_INIT, (uint32_t)i, j) - 1);
    }
}

int cug_init_find(const char *word, size_t n, cug_init_kind *out) {
    static const struct {
        const char *name;
        cug_init_kind kind;
    } short_forms[] = {
        {"he", CUG_INIT_HE_UNIFORM}, {"glorot", CUG_INIT_GLOROT_UNIFORM}, {"lecun", CUG_INIT_LECUN_UNIFORM}};
    for (size_t i = 0; i < sizeof short_forms / sizeof *short_forms; i++)
        if (strlen(short_forms[i].name) == n && memcmp(word, short_forms[i].name, n) == 0) {
            *out = short_forms[i].kind;
            return 1;
        }
    for (cug_init_kind k = CUG_INIT_AUTO; k <= CUG_INIT_ZEROS; k++)
        if (strlen(cug_init_name(k)) == n && memcmp(word, cug_init_name(k), n) == 0) {
            *out = k;
            return 1;
        }
    return 0;
}

cug_status cug_graph_override_init(cug_graph *g, const char *init) {
    cug_init_kind kind;
    if (!cug_init_find(init, strlen(init), &kind))
        return cug_fail(CUG_ESPEC_VALUE, "init: '%.40s' is unknown; take one of " CUG_INIT_WORDS, init);
    for (int i = 0; i < g->n_segments; i++) {
        cug_segment *s = &g->segments[i];
        if (s->is_weight && !s->init_given && kind != CUG_INIT_AUTO) s->init = kind;
    }
    return CUG_OK;
}
