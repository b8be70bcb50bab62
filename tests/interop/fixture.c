/* fixture.c - reads a file of samples: gzip, safetensors, JSON. */
#include "interop.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* The whole file, unpacked; NULL when that fails. */
static unsigned char *unpack(const char *path, size_t *n) {
    gzFile in = gzopen(path, "rb");
    unsigned char *bytes = NULL;
    size_t cap = 0;
    int got = in ? 1 : -1;
    for (*n = 0; got > 0; *n += (size_t)got) {
        if (cap - *n < 65536) {
            unsigned char *more = realloc(bytes, cap = 2 * cap + 65536);
            if (!more) break;
            bytes = more;
        }
        got = gzread(in, bytes + *n, 65536);
        if (got < 0) break;
    }
    if (in && gzclose(in) != Z_OK) got = -1;
    if (got == 0) return bytes;
    free(bytes);
    return NULL;
}

static json_t *description(const fixture *f, const char *key) {
    const char *text = cug_st_meta(&f->st, key);
    return text ? json_loads(text, 0, NULL) : NULL;
}

static size_t elements(const cug_st_tensor *t) { return t ? t->bytes / cug_dtype_size(t->dtype) : 0; }

int fixture_read(fixture *f, const char *path, FILE *log) {
    *f = (fixture){.item = NULL};
    size_t n;
    unsigned char *bytes = unpack(path, &n);
    cug_status st = bytes ? cug_st_parse(&f->st, bytes, n, path) : CUG_EIO;
    free(bytes);
    if (st != CUG_OK) {
        fprintf(log, "%s: %s\n", path, st == CUG_EIO ? "cannot be read" : cug_error());
        return -1;
    }
    const cug_st_tensor *narrow = cug_st_find(&f->st, "f"), *real = cug_st_find(&f->st, "d"),
                        *whole = cug_st_find(&f->st, "i");
    f->item = cug_st_meta(&f->st, "item");
    const char *wide = cug_st_meta(&f->st, "wide");
    f->samples = description(f, "samples");
    f->not_applicable = description(f, "not_applicable");
    f->counts[0] = elements(narrow), f->counts[1] = elements(real), f->counts[2] = elements(whole);
    f->narrow = malloc((f->counts[0] + 1) * sizeof *f->narrow);
    if (!f->item || !wide || !json_is_array(f->samples) || !json_is_object(f->not_applicable) || !f->narrow) {
        fprintf(log, "%s: not a file of samples\n", path);
        fixture_free(f);
        return -1;
    }
    f->wide = *wide == '1';
    for (size_t i = 0; i < f->counts[0]; i++) f->narrow[i] = (double)((const float *)narrow->data)[i];
    f->real = real ? real->data : NULL;
    f->whole = whole ? whole->data : NULL;
    return 0;
}

void fixture_free(fixture *f) {
    json_decref(f->samples);
    json_decref(f->not_applicable);
    free(f->narrow);
    cug_st_free(&f->st);
}

int sample_call_read(sample_call *c, const fixture *f, const json_t *json, const char *name) {
    const json_t *shape = json_object_get(json, "shape");
    *c = (sample_call){.f = f, .json = json, .name = name, .n_shape = (int)json_array_size(shape)};
    c->op = json_string_value(json_object_get(json, "op"));
    c->slope = json_number_value(json_object_get(json, "slope"));
    if (!c->op || c->n_shape < 1 || c->n_shape > (int)(sizeof c->shape / sizeof *c->shape)) return -1;
    for (int i = 0; i < c->n_shape; i++) c->shape[i] = (int)json_integer_value(json_array_get(shape, (size_t)i));
    return 0;
}

/* Finds [pool, first, count] and checks it against the pool's size. */
static const json_t *place(const sample_call *c, const char *part, const char *name, size_t *first, size_t *n) {
    const json_t *at = json_object_get(json_object_get(c->json, part), name);
    const json_t *pool = json_array_get(at, 0);
    if (!json_is_string(pool)) return NULL;
    const char *pools = "fdi", *which = strchr(pools, *json_string_value(pool));
    *first = (size_t)json_integer_value(json_array_get(at, 1));
    *n = (size_t)json_integer_value(json_array_get(at, 2));
    size_t have = which && *which ? c->f->counts[which - pools] : 0;
    return *n <= have && *first <= have - *n ? pool : NULL;
}

const double *sample_reals(const sample_call *c, const char *part, const char *name, size_t *n) {
    size_t first, count;
    const json_t *pool = place(c, part, name, &first, &count);
    if (!pool || *json_string_value(pool) == 'i') return NULL;
    if (n) *n = count;
    return (*json_string_value(pool) == 'f' ? c->f->narrow : c->f->real) + first;
}

const int32_t *sample_integers(const sample_call *c, const char *part, const char *name, size_t *n) {
    size_t first, count;
    const json_t *pool = place(c, part, name, &first, &count);
    if (!pool || *json_string_value(pool) != 'i') return NULL;
    if (n) *n = count;
    return c->f->whole + first;
}
