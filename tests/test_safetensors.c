/* test_safetensors.c - the container: every rule of the format has a file that breaks it, and files are replaced whole.
 */
#include "support/scratch.h"
#include <criterion/criterion.h>
#include <cuglyph/checkpoint.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(safetensors, .init = scratch_setup, .fini = scratch_remove);

#define F4 "\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]"
#define NAME16 "abcdefghijklmnop"
#define NAME112 NAME16 NAME16 NAME16 NAME16 NAME16 NAME16 NAME16
#define NAME127 NAME112 "abcdefghijklmno"

typedef struct file_case {
    const char *about, *header;
    size_t data; /* bytes after the header */
    cug_status want;
    const char *says; /* part of the message, besides the file's name */
} file_case;

static const file_case bad[] = {
    {"no header", "", 0, CUG_ECKPT_HEADER, "'{'"},
    {"blank first", " {}", 0, CUG_ECKPT_HEADER, "'{'"},
    {"array first", "[]", 0, CUG_ECKPT_HEADER, "'{'"},
    {"half a header", "{\"a\":", 0, CUG_ECKPT_HEADER, "header"},
    {"more after the object", "{} {}", 0, CUG_ECKPT_HEADER, "header"},
    {"not UTF-8", "{\"\xff\":{" F4 "}}", 16, CUG_ECKPT_HEADER, "decode byte"},
    {"zero in a name", "{\"a\\u0000b\":{" F4 "}}", 16, CUG_ECKPT_HEADER, "NUL"},
    {"tensor twice", "{\"a\":{" F4 "},\"a\":{" F4 "}}", 16, CUG_ECKPT_HEADER, "duplicate"},
    {"dtype twice", "{\"a\":{\"dtype\":\"F32\"," F4 "}}", 16, CUG_ECKPT_HEADER, "duplicate"},
    {"metadata key twice", "{\"__metadata__\":{\"k\":\"1\",\"k\":\"1\"}}", 0, CUG_ECKPT_HEADER, "duplicate"},
    {"metadata is no object", "{\"__metadata__\":[]}", 0, CUG_ECKPT_HEADER, "__metadata__"},
    {"metadata holds a number", "{\"__metadata__\":{\"k\":1}}", 0, CUG_ECKPT_HEADER, "'k'"},
    {"metadata holds null", "{\"__metadata__\":{\"k\":null}}", 0, CUG_ECKPT_HEADER, "'k'"},
    {"offset over 64 bits", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,18446744073709551632]}}", 16,
     CUG_ECKPT_HEADER, "header"},

    {"entry is no object", "{\"a\":[]}", 0, CUG_ECKPT_TENSOR, "'a'"},
    {"no dtype", "{\"a\":{\"shape\":[4],\"data_offsets\":[0,16]}}", 16, CUG_ECKPT_TENSOR, "'a': dtype"},
    {"dtype is a number", "{\"a\":{\"dtype\":1,\"shape\":[4],\"data_offsets\":[0,16]}}", 16, CUG_ECKPT_TENSOR, "dtype"},
    {"unknown dtype", "{\"a\":{\"dtype\":\"F16\",\"shape\":[8],\"data_offsets\":[0,16]}}", 16, CUG_ECKPT_TENSOR,
     "'F16'"},
    {"dtype in small letters", "{\"a\":{\"dtype\":\"f32\",\"shape\":[4],\"data_offsets\":[0,16]}}", 16,
     CUG_ECKPT_TENSOR, "'f32'"},
    {"no shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,16]}}", 16, CUG_ECKPT_TENSOR, "shape"},
    {"shape is a number", "{\"a\":{\"dtype\":\"F32\",\"shape\":4,\"data_offsets\":[0,16]}}", 16, CUG_ECKPT_TENSOR,
     "shape"},
    {"negative dimension", "{\"a\":{\"dtype\":\"F32\",\"shape\":[-4],\"data_offsets\":[0,16]}}", 16, CUG_ECKPT_TENSOR,
     "dimension 0"},
    {"two negative dimensions", "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2,-2],\"data_offsets\":[0,16]}}", 16,
     CUG_ECKPT_TENSOR, "dimension 0"},
    {"dimension 4.0", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4.0],\"data_offsets\":[0,16]}}", 16, CUG_ECKPT_TENSOR,
     "dimension 0"},
    {"dimension \"4\"", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,\"4\"],\"data_offsets\":[0,16]}}", 16, CUG_ECKPT_TENSOR,
     "dimension 1"},
    {"dimension over int", "{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967312],\"data_offsets\":[0,16]}}", 16,
     CUG_ECKPT_TENSOR, "dimension 0"},
    {"five dimensions", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,4],\"data_offsets\":[0,16]}}", 16,
     CUG_ECKPT_TENSOR, "5 dimensions"},
    {"product overflows",
     "{\"a\":{\"dtype\":\"U8\",\"shape\":[2147483647,2147483647,2147483647],\"data_offsets\":[0,16]}}", 16,
     CUG_ECKPT_TENSOR, "overflows"},
    {"product times size overflows",
     "{\"a\":{\"dtype\":\"F32\",\"shape\":[1073741824,1073741824,4,1],\"data_offsets\":[0,0]}}", 0, CUG_ECKPT_TENSOR,
     "overflows"},
    {"no offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4]}}", 16, CUG_ECKPT_TENSOR, "data_offsets"},
    {"offsets are a number", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":16}}", 16, CUG_ECKPT_TENSOR,
     "data_offsets"},
    {"one offset", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0]}}", 16, CUG_ECKPT_TENSOR,
     "data_offsets"},
    {"three offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16,16]}}", 16, CUG_ECKPT_TENSOR,
     "data_offsets"},
    {"negative offset", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[-16,0]}}", 16, CUG_ECKPT_TENSOR,
     "data_offsets"},
    {"offset 16.0", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16.0]}}", 16, CUG_ECKPT_TENSOR,
     "data_offsets"},
    {"name of 128 bytes", "{\"" NAME112 NAME16 "\":{" F4 "}}", 16, CUG_ECKPT_TENSOR, "name of 128 bytes"},

    {"offsets turned round", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[16,0]}}", 16, CUG_ECKPT_RANGE,
     "'a'"},
    {"data cut short", "{\"a\":{" F4 "}}", 15, CUG_ECKPT_RANGE, "cut short"},
    {"offsets give too little", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,12]}}", 12,
     CUG_ECKPT_RANGE, "16 bytes"},
    {"offsets give too much", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,20]}}", 20, CUG_ECKPT_RANGE,
     "16 bytes"},
    {"overlap", "{\"a\":{" F4 "},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[12,16]}}", 16, CUG_ECKPT_RANGE,
     "'b': overlaps"},
    {"two on one place", "{\"a\":{" F4 "},\"b\":{" F4 "}}", 16, CUG_ECKPT_RANGE, "'b': overlaps"},
    {"hole at the start", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[4,20]}}", 20, CUG_ECKPT_RANGE,
     "'a': leaves a hole"},
    {"hole between", "{\"a\":{" F4 "},\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[17,18]}}", 18,
     CUG_ECKPT_RANGE, "'b': leaves a hole"},
    {"bytes after the last", "{\"a\":{" F4 "}}", 17, CUG_ECKPT_RANGE, "1 bytes after"},
    {"data without tensors", "{}", 1, CUG_ECKPT_RANGE, "1 bytes after"},
};

static const file_case good[] = {
    {"nothing at all", "{}", 0, CUG_OK, NULL},
    {"one tensor", "{\"a\":{" F4 "}}", 16, CUG_OK, NULL},
    {"padding", "{\"a\":{" F4 "}}     ", 16, CUG_OK, NULL},
    {"a scalar", "{\"a\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]}}", 8, CUG_OK, NULL},
    {"longest name", "{\"" NAME127 "\":{" F4 "}}", 16, CUG_OK, NULL},
    {"name of no letters", "{\"\":{" F4 "}}", 16, CUG_OK, NULL},
    {"a key of the future", "{\"a\":{\"compressed\":false," F4 "}}", 16, CUG_OK, NULL},
    {"empty tensors at both ends and between",
     "{\"z\":{\"dtype\":\"U8\",\"shape\":[0,7],\"data_offsets\":[4,4]},"
     "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
     "\"y\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},"
     "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]},"
     "\"x\":{\"dtype\":\"I64\",\"shape\":[0],\"data_offsets\":[8,8]}}",
     8, CUG_OK, NULL},
    {"metadata alone", "{\"__metadata__\":{\"k\":\"\"}}", 0, CUG_OK, NULL},
};

/* Length, header, data bytes 0 1 2 ...; free() it. */
static unsigned char *file_bytes(const char *header, size_t data, size_t *n) {
    uint64_t length = strlen(header);
    unsigned char *b = malloc(*n = 8 + length + data);
    memcpy(b, &length, 8);
    memcpy(b + 8, header, length);
    for (size_t i = 0; i < data; i++) b[8 + length + i] = (unsigned char)i;
    return b;
}

/* The file must be refused, or taken, from memory and from disk alike. */
static void expect(const char *about, const unsigned char *bytes, size_t n, cug_status want, const char *says) {
    const char *path = scratch_path("case.safetensors");
    file_write(path, bytes, n);
    for (int from_disk = 0; from_disk < 2; from_disk++) {
        cug_st_file f;
        memset(&f, 0xee, sizeof f);
        cug_status st = from_disk ? cug_st_read(&f, path) : cug_st_parse(&f, bytes, n, path);
        cr_expect_eq(st, want, "%s: %s instead of %s (%s)", about, cug_status_name(st), cug_status_name(want),
                     cug_error());
        if (st == CUG_OK) {
            cug_st_free(&f);
            continue;
        }
        cr_expect(f.n_tensors == 0 && !f.tensors && !f.memory && !f.meta, "%s: something left in the result", about);
        cr_expect(strstr(cug_error(), path), "%s: file not named: %s", about, cug_error());
        cr_expect(!says || strstr(cug_error(), says), "%s: '%s' not in: %s", about, says, cug_error());
    }
}

Test(safetensors, broken_files_are_refused) {
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t n;
        unsigned char *b = file_bytes(bad[i].header, bad[i].data, &n);
        expect(bad[i].about, b, n, bad[i].want, bad[i].says);
        free(b);
    }
}

Test(safetensors, unusual_files_are_taken) {
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        size_t n;
        unsigned char *b = file_bytes(good[i].header, good[i].data, &n);
        expect(good[i].about, b, n, CUG_OK, NULL);
        free(b);
    }
}

Test(safetensors, header_length_is_checked) {
    static const struct {
        uint64_t length;
        const char *says;
    } cases[] = {
        {100000001, "limit"}, {UINT64_MAX, "limit"}, {(uint64_t)1 << 63, "limit"}, {20, "own size"}, {0, "'{'"}};
    size_t n;
    unsigned char *b = file_bytes("{}                 ", 0, &n); /* 19 bytes */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(b, &cases[i].length, 8);
        expect("length", b, n, CUG_ECKPT_HEADER, cases[i].says);
    }
    for (size_t k = 0; k < 8; k++) expect("no length", b, k, CUG_ECKPT_HEADER, "too few");
    free(b);
}

Test(safetensors, what_is_no_file_is_refused) {
    cug_st_file f;
    cr_expect_eq(cug_st_read(&f, scratch_path("absent")), CUG_ENOENT);
    cr_expect_eq(cug_st_read(&f, scratch_path("")), CUG_EIO);
    cr_assert_eq(mkfifo(scratch_path("fifo"), 0600), 0);
    cr_expect_eq(cug_st_read(&f, scratch_path("fifo")), CUG_EIO);
    cr_expect_eq(cug_st_read(&f, "/dev/zero"), CUG_EIO);
    cr_expect_eq(cug_st_read(&f, NULL), CUG_EINVAL);
}

Test(safetensors, tensors_come_sorted_and_aligned) {
    size_t n;
    unsigned char *b = file_bytes("{\"w\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[3,11]},"
                                  "\"__metadata__\":{\"who\":\"\\u00e9\"},"
                                  "\"u\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}",
                                  11, &n);
    cug_st_file f;
    cr_assert_eq(cug_st_parse(&f, b, n, "x"), CUG_OK);
    free(b); /* the result is a copy */
    cr_assert_eq(f.n_tensors, 2);
    cr_expect_str_eq(f.tensors[0].name, "u");
    const cug_st_tensor *w = cug_st_find(&f, "w");
    cr_assert_eq(w, &f.tensors[1]);
    cr_expect(w->dtype == CUG_F32 && w->ndim == 2 && w->dims[0] == 2 && w->dims[1] == 1 && w->bytes == 8);
    for (int i = 0; i < 2; i++) cr_expect_eq((uintptr_t)f.tensors[i].data % 64, 0, "tensor %d is not aligned", i);
    for (int i = 0; i < 8; i++) cr_expect_eq(((const unsigned char *)w->data)[i], 3 + i);
    cr_expect_str_eq(cug_st_meta(&f, "who"), "\xc3\xa9");
    cr_expect_null(cug_st_find(&f, "v"));
    cr_expect_null(cug_st_meta(&f, "what"));
    cug_st_free(&f);
}

/* Fills a tensor of n floats, all of them v; data is the caller's. */
static cug_st_tensor floats(const char *name, float *data, int n, float v) {
    cug_st_tensor t = {.dtype = CUG_F32, .ndim = 1, .dims = {n}, .data = data, .bytes = (size_t)n * 4};
    snprintf(t.name, sizeof t.name, "%s", name);
    for (int i = 0; i < n; i++) data[i] = v;
    return t;
}

Test(safetensors, what_is_written_is_read) {
    const char *path = scratch_path("w.safetensors");
    int64_t ints[3] = {INT64_MIN, -1, INT64_MAX};
    float data[5];
    uint8_t one = 200;
    char k1[] = "a \"key\"", v1[] = "line\nbreak", k2[] = "b", v2[] = "";
    cug_st_tensor t[3] = {floats("w", data, 5, 1.5f),
                          {.name = "scalar", .dtype = CUG_U8, .ndim = 0, .data = &one, .bytes = 1},
                          {.name = "i", .dtype = CUG_I64, .ndim = 2, .dims = {3, 1}, .data = ints, .bytes = 24}};
    cug_st_pair meta[2] = {{k1, v1}, {k2, v2}};
    cr_assert_eq(cug_st_write(path, t, 3, meta, 2), CUG_OK, "%s", cug_error());
    cug_st_file f;
    cr_assert_eq(cug_st_read(&f, path), CUG_OK, "%s", cug_error());
    cr_assert_eq(f.n_tensors, 3);
    for (int i = 0; i < 3; i++) {
        cr_expect_str_eq(f.tensors[i].name, t[i].name);
        cr_expect(f.tensors[i].dtype == t[i].dtype && f.tensors[i].ndim == t[i].ndim &&
                  f.tensors[i].bytes == t[i].bytes);
        cr_expect_eq(memcmp(f.tensors[i].data, t[i].data, t[i].bytes), 0);
    }
    cr_assert_eq(f.n_meta, 2);
    cr_expect_str_eq(f.meta[0].key, k1);
    cr_expect_str_eq(f.meta[0].value, v1);
    cr_expect_str_eq(cug_st_meta(&f, "b"), "");
    cug_st_free(&f);

    size_t n, m;
    char *first = file_read(path, &n);
    uint64_t length;
    memcpy(&length, first, 8);
    cr_expect_eq(length % 8, 0, "header of %llu bytes is not padded", (unsigned long long)length);
    cr_assert_eq(cug_st_write(path, t, 3, meta, 2), CUG_OK);
    char *second = file_read(path, &m);
    cr_expect(n == m && memcmp(first, second, n) == 0, "two writes of the same gave different bytes");
    free(first);
    free(second);
}

Test(safetensors, writer_refuses_what_no_reader_takes) {
    const char *path = scratch_path("r.safetensors");
    float data[4];
    char k[] = "k", v[] = "v", not_utf8[] = "\xff";
    cug_st_tensor t = floats("w", data, 4, 1), twins[2] = {t, t}, wrong;
    cug_st_pair twice[2] = {{k, v}, {k, v}}, no_value = {k, NULL}, no_text = {k, not_utf8};
    cr_expect_eq(cug_st_write(path, twins, 2, NULL, 0), CUG_EINVAL);
    cr_expect_eq(cug_st_write(path, &t, 1, twice, 2), CUG_EINVAL);
    cr_expect_eq(cug_st_write(path, &t, 1, &no_value, 1), CUG_EINVAL);
    cr_expect_eq(cug_st_write(path, &t, 1, &no_text, 1), CUG_EINVAL);
    wrong = t, strcpy(wrong.name, "__metadata__");
    cr_expect_eq(cug_st_write(path, &wrong, 1, NULL, 0), CUG_EINVAL);
    wrong = t, strcpy(wrong.name, not_utf8);
    cr_expect_eq(cug_st_write(path, &wrong, 1, NULL, 0), CUG_EINVAL);
    wrong = t, memset(wrong.name, 'x', sizeof wrong.name);
    cr_expect_eq(cug_st_write(path, &wrong, 1, NULL, 0), CUG_EINVAL);
    wrong = t, wrong.bytes = 15;
    cr_expect_eq(cug_st_write(path, &wrong, 1, NULL, 0), CUG_EINVAL);
    wrong = t, wrong.data = NULL;
    cr_expect_eq(cug_st_write(path, &wrong, 1, NULL, 0), CUG_EINVAL);
    wrong = t, wrong.dims[0] = -4;
    cr_expect_eq(cug_st_write(path, &wrong, 1, NULL, 0), CUG_EINVAL);
    wrong = t, wrong.ndim = 5;
    cr_expect_eq(cug_st_write(path, &wrong, 1, NULL, 0), CUG_EINVAL);
    cr_expect_eq(cug_st_write(scratch_path("no/such/folder"), &t, 1, NULL, 0), CUG_ENOENT);
    cr_expect_eq(cug_st_write(scratch_path(""), &t, 1, NULL, 0), CUG_EINVAL);
    cr_expect_eq(folder_count(scratch_path("."), NULL), 0, "a refused write left something behind");
}
