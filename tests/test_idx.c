/* test_idx.c - the IDX reader: what it takes, and that each rule it enforces has its own status and message. */
#include "support/data_files.h"
#include <criterion/criterion.h>
#include <cuglyph/idx.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(idx, .init = tdata_begin, .fini = tdata_end, .timeout = 60);

static uint8_t ramp(size_t i) { return (uint8_t)(i * 31 + i / 256); }

static void check_same(const cug_idx *x, int ndim, const uint32_t *dims) {
    size_t count = 1;
    cr_assert_eq(x->ndim, ndim);
    for (int i = 0; i < ndim; i++) {
        cr_assert_eq(x->dims[i], dims[i]);
        count *= dims[i];
    }
    cr_assert_eq(x->bytes, count);
    for (size_t i = 0; i < count; i++) cr_assert_eq(x->data[i], ramp(i), "element %zu", i);
}

/* Every door to the parser: from memory and from a file. */
static cug_status both(cug_idx *x, const void *bytes, size_t n) {
    const char *path = tdata_path("file");
    cug_idx y;
    tdata_write(path, bytes, n);
    cug_status a = cug_idx_parse(x, bytes, n, path), b = cug_idx_read(&y, path);
    cr_assert_eq(a, b, "from memory %s, from the file %s", cug_status_name(a), cug_status_name(b));
    if (a == CUG_OK) cr_assert(x->bytes == y.bytes && memcmp(x->data, y.data, x->bytes) == 0);
    cug_idx_free(&y);
    return a;
}

Test(idx, reads_plain_and_gzip_of_every_rank) {
    static const struct {
        int ndim;
        uint32_t dims[4];
    } shapes[] = {{1, {1}}, {1, {1000}}, {2, {3, 5}}, {3, {60, 28, 28}}, {4, {2, 3, 4, 3}}, {3, {700, 28, 28}}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t n, zn;
        cug_idx x;
        uint8_t *plain = tdata_idx(shapes[s].ndim, shapes[s].dims, ramp, &n), *gz = tdata_gzip(plain, n, &zn);
        cr_assert_eq(both(&x, plain, n), CUG_OK);
        check_same(&x, shapes[s].ndim, shapes[s].dims);
        cug_idx_free(&x);
        cr_assert_eq(both(&x, gz, zn), CUG_OK);
        check_same(&x, shapes[s].ndim, shapes[s].dims);
        cug_idx_free(&x);
        free(plain);
        free(gz);
    }
}

Test(idx, gzip_members_one_after_another_are_one_file) {
    size_t n, an, bn;
    const uint32_t dims[] = {40, 9, 9};
    uint8_t *plain = tdata_idx(3, dims, ramp, &n), all[16384];
    for (size_t cut = 0; cut <= n; cut += n / 7) { /* also an empty first member, and cuts inside the header */
        uint8_t *a = tdata_gzip(plain, cut, &an), *b = tdata_gzip(plain + cut, n - cut, &bn);
        memcpy(all, a, an);
        memcpy(all + an, b, bn);
        cug_idx x;
        cr_assert_eq(both(&x, all, an + bn), CUG_OK, "%s", cug_error());
        check_same(&x, 3, dims);
        cug_idx_free(&x);
        free(a);
        free(b);
    }
    free(plain);
}

/* A header alone, and what is wrong with it. */
#define H(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
static const struct {
    const char *what;
    const uint8_t *bytes;
    size_t n;
    cug_status want;
    const char *says;
} rejected[] = {
    {"empty file", (const uint8_t *)"", 0, CUG_EIDX_SHORT_HEADER, "0 of 4"},
    {"two bytes", H(0, 0), CUG_EIDX_SHORT_HEADER, "2 of 4"},
    {"extents missing", H(0, 0, 8, 3, 0, 0, 0, 1, 0, 0), CUG_EIDX_SHORT_HEADER, "10 of 16"},
    {"first byte", H(1, 0, 8, 1, 0, 0, 0, 1, 5), CUG_EIDX_MAGIC, "01 00"},
    {"second byte", H(0, 1, 8, 1, 0, 0, 0, 1, 5), CUG_EIDX_MAGIC, "00 01"},
    {"web page", (const uint8_t *)"<!DOCTYPE html>", 15, CUG_EIDX_MAGIC, "web page"},
    {"int32 elements", H(0, 0, 0x0C, 1, 0, 0, 0, 1, 0, 0, 0, 0), CUG_EIDX_TYPE, "32-bit integer"},
    {"float elements", H(0, 0, 0x0D, 1, 0, 0, 0, 1, 0, 0, 0, 0), CUG_EIDX_TYPE, "float"},
    {"unknown type", H(0, 0, 0x07, 1, 0, 0, 0, 1, 0), CUG_EIDX_TYPE, "0x07"},
    {"rank 0", H(0, 0, 8, 0, 7), CUG_EIDX_RANK, "rank 0"},
    {"rank 5", H(0, 0, 8, 5, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 7), CUG_EIDX_RANK, "rank 5"},
    {"rank 255", H(0, 0, 8, 255), CUG_EIDX_RANK, "rank 255"},
    {"no images", H(0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28), CUG_EIDX_ZERO_DIM, "dimension 1"},
    {"no columns", H(0, 0, 8, 2, 0, 0, 0, 5, 0, 0, 0, 0), CUG_EIDX_ZERO_DIM, "dimension 2"},
    /* zero behind a product that overflows is still zero's fault */
    {"zero behind large", H(0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0), CUG_EIDX_ZERO_DIM, "3"},
    {"just over the limit", H(0, 0, 8, 2, 0, 0, 0x80, 1, 0, 2, 0, 0), CUG_EIDX_TOO_LARGE, "4294967296"},
    {"product is 2^64: 0 modulo the word", H(0, 0, 8, 2, 0x80, 0, 0, 0, 0x80, 0, 0, 0), CUG_EIDX_TOO_LARGE, ""},
    {"product is 2^96", H(0, 0, 8, 4, 128, 0, 0, 0, 128, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 8), CUG_EIDX_TOO_LARGE, ""},
    {"no data", H(0, 0, 8, 1, 0, 0, 0, 3), CUG_EIDX_SHORT_DATA, "0 of 3"},
    {"one byte short", H(0, 0, 8, 1, 0, 0, 0, 3, 1, 2), CUG_EIDX_SHORT_DATA, "2 of 3"},
    {"one byte too many", H(0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3, 4), CUG_EIDX_TRAILING, "3"},
};

Test(idx, each_rule_has_its_own_status_and_message) {
    for (size_t i = 0; i < sizeof rejected / sizeof *rejected; i++) {
        for (int gz = 0; gz < 2; gz++) {
            size_t n = rejected[i].n;
            uint8_t *packed = gz ? tdata_gzip(rejected[i].bytes, n, &n) : NULL;
            cug_idx x;
            memset(&x, 0xAA, sizeof x);
            cug_status st = both(&x, gz ? packed : rejected[i].bytes, n);
            cr_expect_eq(st, rejected[i].want, "%s: %s (%s)", rejected[i].what, cug_status_name(st), cug_error());
            cr_expect(strstr(cug_error(), tdata_path("file")), "%s: no file name in: %s", rejected[i].what,
                      cug_error());
            cr_expect(strstr(cug_error(), rejected[i].says), "%s: says: %s", rejected[i].what, cug_error());
            cr_expect(!strchr(cug_error(), '\n'));
            cr_expect(x.data == NULL && x.bytes == 0 && x.ndim == 0, "%s: out is not zeroed", rejected[i].what);
            free(packed);
        }
    }
}

Test(idx, every_cut_of_a_plain_file_is_told) {
    size_t n;
    cug_idx x;
    uint8_t *b = tdata_idx(3, (const uint32_t[]){3, 4, 5}, ramp, &n);
    for (size_t k = 0; k < n; k++)
        cr_assert_eq(cug_idx_parse(&x, b, k, "cut"), k < 16 ? CUG_EIDX_SHORT_HEADER : CUG_EIDX_SHORT_DATA, "at %zu", k);
    free(b);
}

Test(idx, every_cut_of_a_gzip_file_is_told) {
    size_t n, zn;
    cug_idx x;
    uint8_t *b = tdata_idx(3, (const uint32_t[]){30, 4, 5}, ramp, &n), *z = tdata_gzip(b, n, &zn);
    for (size_t k = 1; k < zn; k++) cr_assert_eq(cug_idx_parse(&x, z, k, "cut"), CUG_EIDX_GZIP, "at %zu", k);
    free(b);
    free(z);
}

/* zlib checks a sum over the data, so no single changed bit may give other pixels. The first 10 bytes hold free fields
 * (time, system, flags that only add a name). */
Test(idx, no_changed_bit_in_gzip_gives_other_data) {
    size_t n, zn;
    cug_idx x;
    const uint32_t dims[] = {30, 4, 5};
    uint8_t *b = tdata_idx(3, dims, ramp, &n), *z = tdata_gzip(b, n, &zn);
    for (size_t k = 10; k < zn; k++)
        for (int bit = 0; bit < 8; bit++) {
            z[k] ^= (uint8_t)(1 << bit);
            cr_assert_neq(cug_idx_parse(&x, z, zn, "flipped"), CUG_OK, "byte %zu bit %d", k, bit);
            z[k] ^= (uint8_t)(1 << bit);
        }
    z[zn - 8] ^= 1; /* the sum itself: the data before it is right */
    cr_assert_eq(cug_idx_parse(&x, z, zn, "sum"), CUG_EIDX_GZIP);
    cr_assert(strstr(cug_error(), "corrupt gzip"));
    z[zn - 8] ^= 1;
    z[zn - 1] ^= 1; /* the length */
    cr_assert_eq(cug_idx_parse(&x, z, zn, "length"), CUG_EIDX_GZIP);
    free(b);
    free(z);
}

Test(idx, bytes_after_the_gzip_stream_are_told) {
    size_t n, zn;
    cug_idx x;
    uint8_t *b = tdata_idx(1, (const uint32_t[]){9}, ramp, &n), *z = tdata_gzip(b, n, &zn);
    z = realloc(z, zn + 1);
    cr_assert(z);
    z[zn] = 'x';
    cr_assert_eq(both(&x, z, zn + 1), CUG_EIDX_TRAILING);
    z[zn] = 0x1f; /* the first byte of a member that does not follow */
    cr_assert_eq(both(&x, z, zn + 1), CUG_EIDX_GZIP);
    free(b);
    free(z);
}

Test(idx, places_that_are_no_files) {
    cug_idx x;
    cr_assert_eq(cug_idx_read(&x, tdata_path("nothing")), CUG_ENOENT);
    cr_assert(strstr(cug_error(), "nothing"));
    cr_assert_eq(cug_idx_read(&x, tdata_dir), CUG_EIO);
    cr_assert(strstr(cug_error(), "folder"));
    tdata_write(tdata_path("f"), "x", 1);
    cr_assert_eq(cug_idx_read(&x, tdata_path("f/below")), CUG_ENOENT);
    chmod(tdata_path("f"), 0);
    if (geteuid() != 0) cr_assert_eq(cug_idx_read(&x, tdata_path("f")), CUG_EIO);
    cr_assert(x.data == NULL);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(PLAIN_CRITERION_H) /* which reserve terabytes of addresses */
Test(idx, a_lying_header_costs_no_memory) {
    static const uint8_t header[] = {0, 0, 8, 2, 0, 1, 0, 0, 0, 1, 0, 0, 1, 2, 3}; /* 2^32 bytes, the most accepted */
    struct rlimit limit = {(rlim_t)512 << 20, (rlim_t)512 << 20};
    cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
    cug_idx x;
    cr_assert_eq(cug_idx_parse(&x, header, sizeof header, "liar"), CUG_EIDX_SHORT_DATA, "%s", cug_error());
}
#endif
