/* checkpoint.c - one model in training as one safetensors file; memory order and file order meet here only. */
#include <cuglyph/checkpoint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN 256 /* of a snapshot's buffers: what the backends ask of flat buffers */

static const char *const reserved[] = {"format", "version", "spec"};
enum { N_RESERVED = sizeof reserved / sizeof *reserved };

static int is_reserved(const char *key) {
    for (int i = 0; i < N_RESERVED; i++)
        if (strcmp(key, reserved[i]) == 0) return 1;
    return 0;
}

/* Buffer 0 is the parameters, the others are optimizer state. */
static void *buffer_of(const cug_snapshot *s, int b) { return b == 0 ? s->params : s->state[b - 1]; }

static void tensor_name(char out[128], const cug_segment *seg, int b) {
    if (b == 0)
        snprintf(out, 128, "%s", seg->name);
    else
        snprintf(out, 128, "optimizer.%d.%s", b - 1, seg->name);
}

static void *aligned_zeros(size_t bytes) {
    void *p = NULL;
    if (posix_memalign(&p, ALIGN, bytes ? bytes : 1) != 0) return NULL;
    return memset(p, 0, bytes);
}

static cug_status check_snapshot(const char *path, const cug_graph *g, const cug_snapshot *s) {
    if (!path || !g || !s) return cug_fail(CUG_EINVAL, "cug_checkpoint_save: path, graph or snapshot missing");
    if (s->real != CUG_F32 && s->real != CUG_F64)
        return cug_fail(CUG_EINVAL, "%s: a snapshot holds F32 or F64, not %s", path, cug_dtype_name(s->real));
    if (s->n_state < 0 || s->n_state > CUG_MAX_STATE || s->n_meta < 0 || (s->n_meta && !s->meta))
        return cug_fail(CUG_EINVAL, "%s: %d state buffers or %d metadata pairs make no sense", path, s->n_state,
                        s->n_meta);
    for (int b = 0; b <= s->n_state; b++)
        if (!buffer_of(s, b) && g->flat_count) return cug_fail(CUG_EINVAL, "%s: snapshot buffer %d is NULL", path, b);
    return CUG_OK;
}

/* Tensors in file order, their data one after another in *data. */
static void gather(const cug_graph *g, const cug_snapshot *s, cug_st_tensor *tensors, char *data) {
    size_t size = cug_dtype_size(s->real);
    for (int b = 0; b <= s->n_state; b++)
        for (int i = 0; i < g->n_segments; i++) {
            const cug_segment *seg = &g->segments[i];
            cug_st_tensor *t = tensors++;
            tensor_name(t->name, seg, b);
            t->dtype = s->real;
            t->ndim = cug_segment_file_dims(seg, t->dims);
            t->data = data;
            t->bytes = seg->count * size;
            cug_segment_to_file(seg, data, (const char *)buffer_of(s, b) + seg->offset * size, size);
            data += t->bytes;
        }
}

cug_status cug_checkpoint_save(const char *path, const cug_graph *g, const cug_snapshot *s) {
    CUG_TRY(check_snapshot(path, g, s));
    cug_status st = CUG_OK;
    size_t n_buffers = (size_t)s->n_state + 1, n_tensors = n_buffers * (size_t)g->n_segments, count = 0;
    for (int i = 0; i < g->n_segments; i++) count += g->segments[i].count;
    cug_st_tensor *tensors = calloc(n_tensors + 1, sizeof *tensors);
    char *data = aligned_zeros(n_buffers * count * cug_dtype_size(s->real));
    cug_st_pair *meta = calloc((size_t)s->n_meta + N_RESERVED, sizeof *meta);
    if (!tensors || !data || !meta) {
        st = cug_fail(CUG_ENOMEM, "%s: out of memory", path);
        goto cleanup;
    }
    char version[16];
    snprintf(version, sizeof version, "%d", CUG_CHECKPOINT_VERSION);
    char *values[N_RESERVED] = {"cuglyph", version, g->spec};
    int n_meta = 0;
    for (; n_meta < N_RESERVED; n_meta++) meta[n_meta] = (cug_st_pair){(char *)reserved[n_meta], values[n_meta]};
    for (int i = 0; i < s->n_meta; i++) /* a loaded snapshot brings the reserved ones along */
        if (!s->meta[i].key || !is_reserved(s->meta[i].key)) meta[n_meta++] = s->meta[i];
    gather(g, s, tensors, data);
    st = cug_st_write(path, tensors, (int)n_tensors, meta, n_meta);
cleanup:
    free(tensors);
    free(data);
    free(meta);
    return st;
}

static cug_status check_version(const cug_st_file *f, const char *path) {
    const char *format = cug_st_meta(f, "format"), *version = cug_st_meta(f, "version");
    if (!format || strcmp(format, "cuglyph") != 0)
        return cug_fail(CUG_ECKPT_VERSION, "%s: a safetensors file, but not cuglyph's (metadata format is %s%.32s%s)",
                        path, format ? "'" : "", format ? format : "missing", format ? "'" : "");
    char known[16];
    snprintf(known, sizeof known, "%d", CUG_CHECKPOINT_VERSION);
    if (!version || strcmp(version, known) != 0)
        return cug_fail(CUG_ECKPT_VERSION,
                        "%s: checkpoint version '%.32s', this program reads version %s: update cuglyph", path,
                        version ? version : "", known);
    if (!cug_st_meta(f, "spec")) return cug_fail(CUG_ECKPT_HEADER, "%s: metadata has no 'spec'", path);
    return CUG_OK;
}

/* Element type and number of state buffers, as the file has them; checked tensor by tensor afterwards. */
static void survey(const cug_st_file *f, const cug_graph *g, cug_snapshot *out) {
    const cug_st_tensor *first = g->n_segments ? cug_st_find(f, g->segments[0].name) : NULL;
    out->real = first ? first->dtype : CUG_F32;
    for (int i = 0; i < f->n_tensors; i++)
        for (int k = 0; k < CUG_MAX_STATE; k++) {
            char prefix[32];
            int n = snprintf(prefix, sizeof prefix, "optimizer.%d.", k);
            if (strncmp(f->tensors[i].name, prefix, (size_t)n) == 0 && k >= out->n_state) out->n_state = k + 1;
        }
}

/* The tensor of segment seg in buffer b, which must be there in the type and shape that the spec gives it. */
static cug_status find_tensor(const cug_st_tensor **found, const cug_st_file *f, const cug_segment *seg, int b,
                              cug_dtype real, const char *path) {
    char name[128];
    int dims[CUG_MAX_DIMS], ndim = cug_segment_file_dims(seg, dims);
    tensor_name(name, seg, b);
    const cug_st_tensor *t = cug_st_find(f, name);
    if (!t) return cug_fail(CUG_ECKPT_MISMATCH, "%s: tensor '%s' of its own spec is missing", path, name);
    if (t->dtype != real || (real != CUG_F32 && real != CUG_F64))
        return cug_fail(CUG_ECKPT_MISMATCH, "%s: tensor '%s' is %s: all must be F32, or all F64", path, name,
                        cug_dtype_name(t->dtype));
    int same = t->ndim == ndim && t->bytes == seg->count * cug_dtype_size(real);
    for (int i = 0; same && i < ndim; i++) same = dims[i] == t->dims[i];
    if (!same) return cug_fail(CUG_ECKPT_MISMATCH, "%s: tensor '%s' has not the shape its spec gives it", path, name);
    *found = t;
    return CUG_OK;
}

/* Everything is checked before memory is asked for: a false spec must not claim more than the file holds. */
static cug_status fill(cug_snapshot *out, const cug_st_file *f, const cug_graph *g, const char *path) {
    const cug_st_tensor *t = NULL;
    int n_wanted = (out->n_state + 1) * g->n_segments;
    for (int b = 0; b <= out->n_state; b++)
        for (int i = 0; i < g->n_segments; i++) CUG_TRY(find_tensor(&t, f, &g->segments[i], b, out->real, path));
    if (f->n_tensors != n_wanted) /* each was found and names are unique, so these are tensors nothing would use */
        return cug_fail(CUG_ECKPT_MISMATCH, "%s: holds %d tensors where its spec needs %d", path, f->n_tensors,
                        n_wanted);
    size_t size = cug_dtype_size(out->real);
    for (int b = 0; b <= out->n_state; b++) {
        char *buffer = aligned_zeros(g->flat_count * size);
        if (!buffer) return cug_fail(CUG_ENOMEM, "%s: out of memory", path);
        if (b == 0)
            out->params = buffer;
        else
            out->state[b - 1] = buffer;
        for (int i = 0; i < g->n_segments; i++) {
            const cug_segment *seg = &g->segments[i];
            CUG_TRY(find_tensor(&t, f, seg, b, out->real, path));
            cug_segment_from_file(seg, buffer + seg->offset * size, t->data, size);
        }
    }
    return CUG_OK;
}

cug_status cug_checkpoint_load(const char *path, cug_graph **g, cug_snapshot *out) {
    cug_status st = CUG_OK;
    cug_st_file f = {0};
    if (!path || !g || !out) return cug_fail(CUG_EINVAL, "cug_checkpoint_load: path or place for the result missing");
    *g = NULL;
    *out = (cug_snapshot){0};
    CUG_GOTO(cug_st_read(&f, path));
    CUG_GOTO(check_version(&f, path));
    st = cug_spec_parse(g, cug_st_meta(&f, "spec"), "spec");
    if (st != CUG_OK) {
        cug_fail_at(st, "%s", path);
        goto cleanup;
    }
    survey(&f, *g, out);
    CUG_GOTO(fill(out, &f, *g, path));
    out->meta = f.meta; /* handed over */
    out->n_meta = f.n_meta;
    f.meta = NULL;
    f.n_meta = 0;
cleanup:
    cug_st_free(&f);
    if (st != CUG_OK && out) {
        cug_snapshot_free(out);
        cug_graph_free(*g);
        *g = NULL;
    }
    return st;
}

void cug_snapshot_free(cug_snapshot *s) {
    if (!s) return;
    for (int i = 0; i < s->n_meta; i++) {
        free(s->meta[i].key);
        free(s->meta[i].value);
    }
    free(s->meta);
    free(s->params);
    for (int k = 0; k < CUG_MAX_STATE; k++) free(s->state[k]);
    *s = (cug_snapshot){0};
}

const char *cug_snapshot_meta(const cug_snapshot *s, const char *key) {
    for (int i = 0; i < s->n_meta; i++)
        if (strcmp(s->meta[i].key, key) == 0) return s->meta[i].value;
    return NULL;
}
