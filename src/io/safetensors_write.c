/* safetensors_write.c - the writing half of the container: the same tensors and metadata always give the same bytes. */
#include "io/atomic.h"
#include "io/safetensors.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static cug_status check_tensor(const char *where, const cug_st_tensor *t, const json_t *header) {
    if (!memchr(t->name, 0, sizeof t->name))
        return cug_fail(CUG_EINVAL, "%s: a tensor's name is not terminated", where);
    if (strcmp(t->name, "__metadata__") == 0 || json_object_get(header, t->name))
        return cug_fail(CUG_EINVAL, "%s: tensor '%s': name is reserved or used twice", where, t->name);
    if (t->ndim < 0 || t->ndim > CUG_MAX_DIMS || cug_dtype_size(t->dtype) == 0)
        return cug_fail(CUG_EINVAL, "%s: tensor '%s': rank %d or element type %d is unknown", where, t->name, t->ndim,
                        (int)t->dtype);
    cug_tensor view = {.dtype = t->dtype, .ndim = t->ndim};
    memcpy(view.dims, t->dims, sizeof view.dims);
    if (cug_tensor_bytes(&view) != t->bytes || t->bytes > CUG_ST_MAX_DATA || (t->bytes && !t->data))
        return cug_fail(CUG_EINVAL, "%s: tensor '%s': %zu bytes do not fit its extents", where, t->name, t->bytes);
    return CUG_OK;
}

static cug_status add_tensor(const char *where, json_t *header, const cug_st_tensor *t, uint64_t *offset) {
    CUG_TRY(check_tensor(where, t, header));
    json_t *shape = json_array();
    for (int i = 0; i < t->ndim; i++)
        if (json_array_append_new(shape, json_integer(t->dims[i])) != 0)
            return json_decref(shape), cug_fail(CUG_ENOMEM, "%s: out of memory", where);
    uint64_t end = *offset + t->bytes;
    if (end > CUG_ST_MAX_DATA) {
        json_decref(shape);
        return cug_fail(CUG_EINVAL, "%s: more than %llu bytes of tensors", where, (unsigned long long)CUG_ST_MAX_DATA);
    }
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", cug_dtype_name(t->dtype), "shape", shape, "data_offsets",
                              (json_int_t)*offset, (json_int_t)end);
    if (!entry) return cug_fail(CUG_ENOMEM, "%s: out of memory", where);
    if (json_object_set_new(header, t->name, entry) != 0)
        return cug_fail(CUG_EINVAL, "%s: tensor '%s': name is not valid UTF-8, or memory is used up", where, t->name);
    *offset = end;
    return CUG_OK;
}

static cug_status add_meta(const char *where, json_t *header, const cug_st_pair *meta, int n_meta) {
    if (n_meta == 0) return CUG_OK;
    json_t *object = json_object();
    if (!object || json_object_set_new(header, "__metadata__", object) != 0)
        return cug_fail(CUG_ENOMEM, "%s: out of memory", where);
    for (int i = 0; i < n_meta; i++) {
        if (!meta[i].key || !meta[i].value || json_object_get(object, meta[i].key))
            return cug_fail(CUG_EINVAL, "%s: metadata key '%s' is used twice or has no value", where,
                            meta[i].key ? meta[i].key : "");
        if (json_object_set_new(object, meta[i].key, json_string(meta[i].value)) != 0)
            return cug_fail(CUG_EINVAL, "%s: metadata '%s' is not valid UTF-8, or memory is used up", where,
                            meta[i].key);
    }
    return CUG_OK;
}

cug_status cug_st_header(const char *where, const cug_st_tensor *tensors, int n_tensors, const cug_st_pair *meta,
                         int n_meta, char **bytes, size_t *n) {
    cug_status st = CUG_OK;
    uint64_t offset = 0;
    json_t *header = json_object();
    *bytes = NULL;
    if (!header) return cug_fail(CUG_ENOMEM, "%s: out of memory", where);
    CUG_GOTO(add_meta(where, header, meta, n_meta));
    for (int i = 0; i < n_tensors; i++) CUG_GOTO(add_tensor(where, header, &tensors[i], &offset));

    size_t json = json_dumpb(header, NULL, 0, JSON_COMPACT), padded = (json + 7) / 8 * 8;
    if (json == 0) {
        st = cug_fail(CUG_ENOMEM, "%s: out of memory", where);
        goto cleanup;
    }
    if (padded > CUG_ST_MAX_HEADER) {
        st = cug_fail(CUG_EINVAL, "%s: header of %zu bytes is over the format's limit of %u", where, json,
                      CUG_ST_MAX_HEADER);
        goto cleanup;
    }
    *bytes = malloc(8 + padded);
    if (!*bytes) {
        st = cug_fail(CUG_ENOMEM, "%s: out of memory", where);
        goto cleanup;
    }
    memset(*bytes + 8, ' ', padded);
    if (json_dumpb(header, *bytes + 8, json, JSON_COMPACT) != json) { /* it needs memory of its own */
        free(*bytes);
        *bytes = NULL;
        st = cug_fail(CUG_ENOMEM, "%s: out of memory", where);
        goto cleanup;
    }
    memcpy(*bytes, &(uint64_t){padded}, 8);
    *n = 8 + padded;
cleanup:
    json_decref(header);
    return st;
}

cug_status cug_st_write(const char *path, const cug_st_tensor *tensors, int n_tensors, const cug_st_pair *meta,
                        int n_meta) {
    cug_status st = CUG_OK;
    cug_atomic a = {.fd = -1};
    char *header = NULL;
    size_t n = 0;
    if (!path || n_tensors < 0 || n_meta < 0 || (n_tensors && !tensors) || (n_meta && !meta))
        return cug_fail(CUG_EINVAL, "cug_st_write: path, tensors or metadata missing");
    CUG_TRY(cug_st_header(path, tensors, n_tensors, meta, n_meta, &header, &n));
    CUG_GOTO(cug_atomic_open(&a, path, "checkpoint"));
    CUG_GOTO(cug_atomic_write(&a, header, n));
    for (int i = 0; i < n_tensors; i++) CUG_GOTO(cug_atomic_write(&a, tensors[i].data, tensors[i].bytes));
    CUG_GOTO(cug_atomic_commit(&a));
cleanup:
    cug_atomic_close(&a);
    free(header);
    return st;
}
