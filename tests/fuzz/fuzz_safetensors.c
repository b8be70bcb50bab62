/* fuzz_safetensors.c - any bytes: refused with a message, or tensors that lie where they should and write back the
 * same. */
#include "io/safetensors.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(int ok) {
    if (!ok) abort();
}

/* The header written for these tensors and their data, parsed again: names, types and bytes must be the same. */
static void write_back(const cug_st_file *f) {
    char *header;
    size_t header_bytes, total = 0;
    cug_st_file g;
    if (cug_st_find(f, "__metadata__")) abort();
    require(cug_st_header("again", f->tensors, f->n_tensors, f->meta, f->n_meta, &header, &header_bytes) == CUG_OK);
    for (int i = 0; i < f->n_tensors; i++) total += f->tensors[i].bytes;
    header = realloc(header, header_bytes + total);
    char *at = header + header_bytes;
    for (int i = 0; i < f->n_tensors; i++) {
        memcpy(at, f->tensors[i].data, f->tensors[i].bytes);
        at += f->tensors[i].bytes;
    }
    require(cug_st_parse(&g, header, header_bytes + total, "again") == CUG_OK);
    require(g.n_tensors == f->n_tensors && g.n_meta == f->n_meta);
    for (int i = 0; i < f->n_tensors; i++) {
        const cug_st_tensor *a = &f->tensors[i], *b = cug_st_find(&g, a->name);
        require(b && a->dtype == b->dtype && a->ndim == b->ndim && a->bytes == b->bytes);
        require(memcmp(a->dims, b->dims, sizeof a->dims) == 0 && memcmp(a->data, b->data, a->bytes) == 0);
        require((uintptr_t)a->data % CUG_ST_ALIGN == 0);
    }
    for (int i = 0; i < f->n_meta; i++) require(strcmp(cug_st_meta(&g, f->meta[i].key), f->meta[i].value) == 0);
    cug_st_free(&g);
    free(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    cug_st_file f;
    if (cug_st_parse(&f, bytes, n, "fuzz") == CUG_OK)
        write_back(&f);
    else
        require(*cug_error() && !f.tensors && !f.memory && !f.meta);
    cug_st_free(&f);
    return 0;
}
