/* safetensors.c - the reading half of the container: nothing of a file is believed before it is checked. */
#include "io/safetensors.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where a file's bytes come from: memory or a descriptor. */
typedef struct source {
    const char *where;
    const unsigned char *bytes; /* NULL: fd */
    int fd;
    uint64_t size;
} source;

static cug_status fetch(const source *s, uint64_t offset, void *out, size_t n) {
    if (s->bytes) {
        memcpy(out, s->bytes + offset, n);
        return CUG_OK;
    }
    char *p = out;
    while (n > 0) {
        ssize_t r = pread(s->fd, p, n, (off_t)offset);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return cug_fail(CUG_EIO, "%s: reading failed: %s", s->where, strerror(errno));
        if (r == 0) return cug_fail(CUG_EIO, "%s: became shorter while it was read", s->where);
        p += r;
        n -= (size_t)r;
        offset += (uint64_t)r;
    }
    return CUG_OK;
}

static cug_status read_header(const source *s, json_t **header, uint64_t *data_at) {
    uint64_t n;
    cug_status st = CUG_OK;
    json_error_t err;
    if (s->size < 8)
        return cug_fail(CUG_ECKPT_HEADER, "%s: %" PRIu64 " bytes are too few for a safetensors file", s->where,
                        s->size);
    CUG_TRY(fetch(s, 0, &n, 8));
    if (n > CUG_ST_MAX_HEADER || n > s->size - 8)
        return cug_fail(CUG_ECKPT_HEADER,
                        "%s: header length %" PRIu64 " is over %s: not a safetensors file, or cut short", s->where, n,
                        n > CUG_ST_MAX_HEADER ? "the limit of 100 MB" : "the file's own size");
    char *text = malloc(n + 1);
    if (!text) return cug_fail(CUG_ENOMEM, "%s: out of memory for a header of %" PRIu64 " bytes", s->where, n);
    CUG_GOTO(fetch(s, 8, text, n));
    if (n == 0 || text[0] != '{') {
        st = cug_fail(CUG_ECKPT_HEADER, "%s: header does not begin with '{': not a safetensors file", s->where);
        goto cleanup;
    }
    *header = json_loadb(text, n, JSON_REJECT_DUPLICATES, &err);
    if (!*header && (!*err.text || json_error_code(&err) == json_error_out_of_memory))
        st = cug_fail(CUG_ENOMEM, "%s: out of memory for its header", s->where);
    else if (!*header)
        st = cug_fail(CUG_ECKPT_HEADER, "%s: header: %s (byte %d)", s->where, err.text, err.position);
    *data_at = 8 + n;
cleanup:
    free(text);
    return st;
}

static int find_dtype(const char *name) {
    for (int t = CUG_F32; t <= CUG_I64; t++)
        if (strcmp(name, cug_dtype_name((cug_dtype)t)) == 0) return t;
    return -1;
}

/* An entry's type and shape; *bytes is what they need. */
static cug_status read_type(cug_st_tensor *t, const json_t *entry, const char *where) {
    const json_t *dtype = json_object_get(entry, "dtype"), *shape = json_object_get(entry, "shape");
    const char *word = json_string_value(dtype);
    if (!word) return cug_fail(CUG_ECKPT_TENSOR, "%s: tensor '%s': dtype is missing or no string", where, t->name);
    int code = find_dtype(word);
    if (code < 0)
        return cug_fail(CUG_ECKPT_TENSOR, "%s: tensor '%s': dtype '%.32s' is not one of F32 F64 BF16 U8 I32 I64", where,
                        t->name, word);
    t->dtype = (cug_dtype)code;
    if (!json_is_array(shape))
        return cug_fail(CUG_ECKPT_TENSOR, "%s: tensor '%s': shape is missing or no array", where, t->name);
    size_t rank = json_array_size(shape);
    if (rank > CUG_MAX_DIMS)
        return cug_fail(CUG_ECKPT_TENSOR, "%s: tensor '%s': %zu dimensions, at most %d are known", where, t->name, rank,
                        CUG_MAX_DIMS);
    t->ndim = (int)rank;
    for (size_t i = 0; i < CUG_MAX_DIMS; i++) t->dims[i] = 1;
    for (size_t i = 0; i < rank; i++) {
        const json_t *v = json_array_get(shape, i);
        json_int_t d = json_integer_value(v);
        if (!json_is_integer(v) || d < 0 || d > INT_MAX)
            return cug_fail(CUG_ECKPT_TENSOR, "%s: tensor '%s': dimension %zu is not a whole number from 0 to %d",
                            where, t->name, i, INT_MAX);
        t->dims[i] = (int)d;
    }
    cug_tensor view = {.dtype = t->dtype, .ndim = t->ndim};
    memcpy(view.dims, t->dims, sizeof view.dims);
    t->bytes = cug_tensor_bytes(&view);
    if (t->bytes == SIZE_MAX)
        return cug_fail(CUG_ECKPT_TENSOR, "%s: tensor '%s': the product of its dimensions overflows", where, t->name);
    return CUG_OK;
}

/* A tensor and its first byte within the data. */
typedef struct place {
    cug_st_tensor tensor;
    uint64_t begin;
    size_t order; /* in the header */
} place;

static cug_status read_entry(place *p, const char *name, const json_t *entry, uint64_t data_size, const char *where) {
    cug_st_tensor *t = &p->tensor;
    size_t n = strlen(name);
    if (n >= sizeof t->name)
        return cug_fail(CUG_ECKPT_TENSOR, "%s: tensor '%.40s...': name of %zu bytes, at most %zu are known", where,
                        name, n, sizeof t->name - 1);
    memcpy(t->name, name, n + 1);
    if (!json_is_object(entry)) return cug_fail(CUG_ECKPT_TENSOR, "%s: tensor '%s': entry is no object", where, name);
    CUG_TRY(read_type(t, entry, where));
    const json_t *span = json_object_get(entry, "data_offsets");
    const json_t *a = json_array_get(span, 0), *b = json_array_get(span, 1);
    if (json_array_size(span) != 2 || !json_is_integer(a) || !json_is_integer(b) || json_integer_value(a) < 0 ||
        json_integer_value(b) < 0)
        return cug_fail(CUG_ECKPT_TENSOR, "%s: tensor '%s': data_offsets is not two whole numbers from 0", where, name);
    uint64_t begin = (uint64_t)json_integer_value(a), end = (uint64_t)json_integer_value(b);
    if (begin > end || end > data_size)
        return cug_fail(CUG_ECKPT_RANGE,
                        "%s: tensor '%s': data_offsets [%" PRIu64 ", %" PRIu64 "] lie outside the %" PRIu64
                        " bytes of data: is the file cut short?",
                        where, name, begin, end, data_size);
    if (end - begin != t->bytes)
        return cug_fail(CUG_ECKPT_RANGE, "%s: tensor '%s': its extents need %zu bytes, data_offsets give %" PRIu64,
                        where, name, t->bytes, end - begin);
    p->begin = begin;
    return CUG_OK;
}

static cug_status read_meta(cug_st_file *out, json_t *meta, const char *where) {
    if (!json_is_object(meta)) return cug_fail(CUG_ECKPT_HEADER, "%s: __metadata__ is no object", where);
    out->meta = calloc(json_object_size(meta) + 1, sizeof *out->meta);
    if (!out->meta) return cug_fail(CUG_ENOMEM, "%s: out of memory", where);
    const char *key;
    json_t *value;
    json_object_foreach(meta, key, value) {
        if (!json_is_string(value))
            return cug_fail(CUG_ECKPT_HEADER, "%s: __metadata__ '%.64s' is no string", where, key);
        cug_st_pair *p = &out->meta[out->n_meta++];
        p->key = strdup(key);
        p->value = strdup(json_string_value(value));
        if (!p->key || !p->value) return cug_fail(CUG_ENOMEM, "%s: out of memory", where);
    }
    return CUG_OK;
}

static int by_offset(const void *a, const void *b) {
    const place *p = a, *q = b;
    if (p->begin != q->begin) return p->begin < q->begin ? -1 : 1;
    if (p->tensor.bytes != q->tensor.bytes) return p->tensor.bytes < q->tensor.bytes ? -1 : 1; /* empty ones first */
    return p->order < q->order ? -1 : p->order > q->order;
}

/* Sorted places must follow one another from the first byte of the data to the last. */
static cug_status check_cover(const place *places, size_t n, uint64_t data_size, const char *where) {
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const place *p = &places[i];
        if (p->begin != at)
            return cug_fail(CUG_ECKPT_RANGE, "%s: tensor '%s': %s byte %" PRIu64 " of the data", where, p->tensor.name,
                            p->begin < at ? "overlaps the one before it at" : "leaves a hole before it from",
                            p->begin < at ? p->begin : at);
        at += p->tensor.bytes;
    }
    if (at != data_size)
        return cug_fail(CUG_ECKPT_RANGE, "%s: %" PRIu64 " bytes after the last tensor belong to none", where,
                        data_size - at);
    return CUG_OK;
}

static cug_status read_entries(cug_st_file *out, place **places, json_t *header, uint64_t data_size,
                               const char *where) {
    const char *name;
    json_t *entry;
    size_t n = 0;
    *places = calloc(json_object_size(header) + 1, sizeof **places);
    if (!*places) return cug_fail(CUG_ENOMEM, "%s: out of memory", where);
    json_object_foreach(header, name, entry) {
        if (strcmp(name, "__metadata__") == 0) {
            CUG_TRY(read_meta(out, entry, where));
            continue;
        }
        CUG_TRY(read_entry(&(*places)[n], name, entry, data_size, where));
        (*places)[n].order = n;
        n++;
    }
    qsort(*places, n, sizeof **places, by_offset);
    out->n_tensors = (int)n; /* the header's limit keeps it far below INT_MAX */
    return check_cover(*places, n, data_size, where);
}

/* Brings every tensor's bytes to an aligned place of its own. */
static cug_status read_data(cug_st_file *out, const place *places, const source *s, uint64_t data_at) {
    size_t n = (size_t)out->n_tensors, total = CUG_ST_ALIGN;
    for (size_t i = 0; i < n; i++) total += (places[i].tensor.bytes + CUG_ST_ALIGN - 1) / CUG_ST_ALIGN * CUG_ST_ALIGN;
    out->tensors = calloc(n + 1, sizeof *out->tensors);
    if (posix_memalign(&out->memory, CUG_ST_ALIGN, total) != 0) out->memory = NULL;
    if (!out->tensors || !out->memory)
        return cug_fail(CUG_ENOMEM, "%s: out of memory for %zu bytes of tensors", s->where, total);
    char *at = out->memory;
    for (size_t i = 0; i < n; i++) {
        size_t bytes = places[i].tensor.bytes;
        CUG_TRY(fetch(s, data_at + places[i].begin, at, bytes));
        out->tensors[i] = places[i].tensor;
        out->tensors[i].data = at;
        at += (bytes + CUG_ST_ALIGN - 1) / CUG_ST_ALIGN * CUG_ST_ALIGN;
    }
    return CUG_OK;
}

static cug_status read_source(cug_st_file *out, const source *s) {
    cug_status st = CUG_OK;
    json_t *header = NULL;
    place *places = NULL;
    uint64_t data_at = 0;
    CUG_GOTO(read_header(s, &header, &data_at));
    if (s->size - data_at > CUG_ST_MAX_DATA) {
        st = cug_fail(CUG_ECKPT_RANGE, "%s: more than %llu bytes of data", s->where,
                      (unsigned long long)CUG_ST_MAX_DATA);
        goto cleanup;
    }
    CUG_GOTO(read_entries(out, &places, header, s->size - data_at, s->where));
    CUG_GOTO(read_data(out, places, s, data_at));
cleanup:
    if (st != CUG_OK) cug_st_free(out);
    free(places);
    json_decref(header);
    return st;
}

cug_status cug_st_parse(cug_st_file *out, const void *bytes, size_t n, const char *where) {
    if (!out) return cug_fail(CUG_EINVAL, "cug_st_parse: no place for the result");
    *out = (cug_st_file){0};
    if (!bytes && n) return cug_fail(CUG_EINVAL, "cug_st_parse: no bytes");
    return read_source(out, &(source){where ? where : "safetensors", bytes ? bytes : (const void *)"", -1, n});
}

cug_status cug_st_read(cug_st_file *out, const char *path) {
    if (!out) return cug_fail(CUG_EINVAL, "cug_st_read: no place for the result");
    *out = (cug_st_file){0};
    if (!path || !*path) return cug_fail(CUG_EINVAL, "cug_st_read: no path");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
    if (fd < 0)
        return cug_fail(errno == ENOENT || errno == ENOTDIR ? CUG_ENOENT : CUG_EIO, "%s: cannot be opened: %s", path,
                        strerror(errno));
    struct stat sb;
    cug_status st;
    if (fstat(fd, &sb) != 0 || !S_ISREG(sb.st_mode))
        st = cug_fail(CUG_EIO, "%s: not a regular file", path);
    else
        st = read_source(out, &(source){path, NULL, fd, (uint64_t)sb.st_size});
    close(fd);
    return st;
}

void cug_st_free(cug_st_file *f) {
    if (!f) return;
    for (int i = 0; i < f->n_meta; i++) {
        free(f->meta[i].key);
        free(f->meta[i].value);
    }
    free(f->meta);
    free(f->tensors);
    free(f->memory);
    *f = (cug_st_file){0};
}

const cug_st_tensor *cug_st_find(const cug_st_file *f, const char *name) {
    for (int i = 0; i < f->n_tensors; i++)
        if (strcmp(f->tensors[i].name, name) == 0) return &f->tensors[i];
    return NULL;
}

const char *cug_st_meta(const cug_st_file *f, const char *key) {
    for (int i = 0; i < f->n_meta; i++)
        if (strcmp(f->meta[i].key, key) == 0) return f->meta[i].value;
    return NULL;
}
