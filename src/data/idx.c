/* idx.c - the IDX reader: a parser that takes bytes as they come, so that nothing in a header is believed before the
 * data it promises is there. */
#include "data/inflate.h"
#include "data/large_alloc.h"
#include <cuglyph/idx.h>
#include <stdlib.h>
#include <string.h>

enum { FIXED_HEAD = 4, TYPE_UINT8 = 0x08, FIRST_ALLOCATION = 64 * 1024 };

typedef struct parser {
    cug_idx idx;
    uint8_t head[FIXED_HEAD + 4 * CUG_IDX_MAX_DIMS];
    size_t head_have, head_need;
    size_t have, capacity; /* of idx.data */
    const char *where;
} parser;

static const char *type_name(int type) {
    switch (type) {
    case 0x09:
        return "signed byte";
    case 0x0B:
        return "16-bit integer";
    case 0x0C:
        return "32-bit integer";
    case 0x0D:
        return "float";
    case 0x0E:
        return "double";
    default:
        return "unknown";
    }
}

static cug_status check_fixed_head(parser *p) {
    const uint8_t *h = p->head;
    if (h[0] || h[1])
        return cug_fail(CUG_EIDX_MAGIC, "%s: not an IDX file (begins %02x %02x, not 00 00)%s", p->where, h[0], h[1],
                        h[0] == '<' ? "; it looks like a web page: get the file again" : "; check the path");
    if (h[2] != TYPE_UINT8)
        return cug_fail(CUG_EIDX_TYPE, "%s: IDX element type 0x%02x (%s) is not supported; store unsigned bytes (0x08)",
                        p->where, h[2], type_name(h[2]));
    if (h[3] < 1 || h[3] > CUG_IDX_MAX_DIMS)
        return cug_fail(CUG_EIDX_RANK, "%s: IDX rank %d is not supported; it must be 1 to %d", p->where, h[3],
                        CUG_IDX_MAX_DIMS);
    p->idx.ndim = h[3];
    p->head_need = FIXED_HEAD + 4 * (size_t)h[3];
    return CUG_OK;
}

static cug_status check_extents(parser *p) {
    size_t total = 1;
    for (int i = 0; i < p->idx.ndim; i++) {
        const uint8_t *b = p->head + FIXED_HEAD + 4 * i;
        uint32_t d = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        if (d == 0)
            return cug_fail(CUG_EIDX_ZERO_DIM, "%s: IDX dimension %d is zero; the file holds no data", p->where, i + 1);
        p->idx.dims[i] = d;
    }
    for (int i = 0; i < p->idx.ndim; i++) {
        if (total > CUG_IDX_MAX_BYTES / p->idx.dims[i])
            return cug_fail(CUG_EIDX_TOO_LARGE, "%s: IDX header promises more than %zu bytes; split the file", p->where,
                            CUG_IDX_MAX_BYTES);
        total *= p->idx.dims[i];
    }
    p->idx.bytes = total;
    return CUG_OK;
}

/* Room for n more bytes of data: doubling, never past what the header promises. */
static cug_status grow(parser *p, size_t n) {
    if (n <= p->capacity - p->have) return CUG_OK;
    size_t want = p->capacity ? p->capacity : FIRST_ALLOCATION;
    while (want - p->have < n) want = want > CUG_IDX_MAX_BYTES / 2 ? CUG_IDX_MAX_BYTES : want * 2;
    if (want > p->idx.bytes) want = p->idx.bytes;
    uint8_t *data = cug_large_alloc(want);
    if (!data) return cug_fail(CUG_ENOMEM, "%s: out of memory for %zu bytes", p->where, want);
    if (p->have) memcpy(data, p->idx.data, p->have);
    free(p->idx.data);
    p->idx.data = data;
    p->capacity = want;
    return CUG_OK;
}

static cug_status push(void *user, const uint8_t *bytes, size_t n) {
    parser *p = user;
    while (p->head_have < p->head_need) {
        if (n == 0) return CUG_OK;
        p->head[p->head_have++] = *bytes++;
        n--;
        if (p->head_have == FIXED_HEAD)
            CUG_TRY(check_fixed_head(p));
        else if (p->head_have == p->head_need)
            CUG_TRY(check_extents(p));
    }
    if (n == 0) return CUG_OK;
    if (n > p->idx.bytes - p->have)
        return cug_fail(CUG_EIDX_TRAILING, "%s: bytes left over after the %zu that its IDX header promises", p->where,
                        p->idx.bytes);
    CUG_TRY(grow(p, n));
    memcpy(p->idx.data + p->have, bytes, n);
    p->have += n;
    return CUG_OK;
}

static cug_status check_complete(const parser *p) {
    if (p->head_have < p->head_need)
        return cug_fail(CUG_EIDX_SHORT_HEADER, "%s: IDX header cut short (%zu of %zu bytes); get the file again",
                        p->where, p->head_have, p->head_need);
    if (p->have < p->idx.bytes)
        return cug_fail(CUG_EIDX_SHORT_DATA, "%s: IDX data cut short (%zu of %zu bytes); get the file again", p->where,
                        p->have, p->idx.bytes);
    return CUG_OK;
}

/* Hands the result over, or cleans up. */
static cug_status deliver(cug_idx *out, parser *p, cug_status st) {
    if (st == CUG_OK) st = check_complete(p);
    if (st == CUG_OK)
        *out = p->idx;
    else
        free(p->idx.data);
    return st;
}

cug_status cug_idx_read(cug_idx *out, const char *path) {
    memset(out, 0, sizeof *out);
    parser p = {.head_need = FIXED_HEAD, .where = path};
    return deliver(out, &p, cug_inflate_file(path, push, &p));
}

cug_status cug_idx_parse(cug_idx *out, const void *bytes, size_t n, const char *where) {
    memset(out, 0, sizeof *out);
    parser p = {.head_need = FIXED_HEAD, .where = where};
    cug_inflate f;
    cug_inflate_begin(&f, where, push, &p);
    cug_status st = cug_inflate_feed(&f, bytes, n);
    if (st == CUG_OK) st = cug_inflate_finish(&f);
    cug_inflate_end(&f);
    return deliver(out, &p, st);
}

void cug_idx_free(cug_idx *idx) {
    free(idx->data);
    memset(idx, 0, sizeof *idx);
}
