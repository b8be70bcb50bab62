/* test_status_tensor.c - messages and tensor sizes. */
#include <criterion/criterion.h>
#include <cuglyph/status.h>
#include <cuglyph/tensor.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

Test(status, names_and_texts) {
    for (int i = 0; i < CUG_STATUS_COUNT; i++) {
        cr_expect_not_null(cug_status_name((cug_status)i));
        cr_expect(strlen(cug_status_text((cug_status)i)) > 3);
        for (int j = 0; j < i; j++) cr_expect_str_neq(cug_status_name((cug_status)i), cug_status_name((cug_status)j));
    }
    cr_expect_str_eq(cug_status_name(CUG_OK), "OK");
    cr_expect_str_eq(cug_status_name(CUG_EIDX_MAGIC), "EIDX_MAGIC");
    cr_expect_not_null(cug_status_name(CUG_STATUS_COUNT));
    cr_expect_not_null(cug_status_text((cug_status)-1));
}

Test(status, message_is_one_line) {
    cr_expect_eq(cug_fail(CUG_EIO, "cannot read %s: %d\nsecond\tline\x7f", "a file", 7), CUG_EIO);
    cr_expect_str_eq(cug_error(), "cannot read a file: 7 second line ");
    cr_expect_eq(cug_fail_at(CUG_EIO, "line %d", 3), CUG_EIO);
    cr_expect_str_eq(cug_error(), "line 3: cannot read a file: 7 second line ");
}

Test(status, long_messages_are_cut) {
    char big[5000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    cug_fail(CUG_EINVAL, "%s", big);
    size_t n = strlen(cug_error());
    cr_expect(n > 500 && n < sizeof big);
    cug_fail_at(CUG_EINVAL, "place");
    cr_expect_eq(strncmp(cug_error(), "place: xxx", 10), 0);
    cug_fail_at(CUG_EINVAL, "%s", big);
    cr_expect(strlen(cug_error()) < sizeof big);
    cug_fail(CUG_EINVAL, "short");
    cr_expect_str_eq(cug_error(), "short");
}

static void *other_thread(void *seen) {
    strcpy(seen, cug_error());
    cug_fail(CUG_EIO, "the other's");
    return NULL;
}

Test(status, messages_belong_to_their_thread) {
    char seen[64] = "untouched";
    pthread_t t;
    cug_fail(CUG_EINVAL, "mine");
    cr_assert_eq(pthread_create(&t, NULL, other_thread, seen), 0);
    cr_assert_eq(pthread_join(t, NULL), 0);
    cr_expect_str_eq(seen, "");
    cr_expect_str_eq(cug_error(), "mine");
}

static cug_status tries(cug_status s, int *after) {
    CUG_TRY(s);
    *after = 1;
    return CUG_OK;
}

Test(status, try_leaves_early) {
    int after = 0;
    cr_expect_eq(tries(CUG_ENOMEM, &after), CUG_ENOMEM);
    cr_expect_eq(after, 0);
    cr_expect_eq(tries(CUG_OK, &after), CUG_OK);
    cr_expect_eq(after, 1);
}

Test(tensor, sizes) {
    float x[24];
    cug_tensor t = cug_tensor4(x, CUG_F32, 2, 3, 4, 1);
    cr_expect_eq(cug_tensor_count(&t), 24);
    cr_expect_eq(cug_tensor_bytes(&t), 96);
    t = cug_tensor2(x, CUG_BF16, 3, 5);
    cr_expect_eq(cug_tensor_bytes(&t), 30);
    cr_expect_eq(t.ndim, 2);
    cr_expect_eq(t.dims[2], 1);
    t = cug_tensor1(x, CUG_I64, 0);
    cr_expect_eq(cug_tensor_count(&t), 0);
    cr_expect_eq(cug_tensor_bytes(&t), 0);
    t.ndim = 0;
    cr_expect_eq(cug_tensor_count(&t), 1);
}

Test(tensor, overflow_is_seen) {
    cug_tensor t = cug_tensor4(NULL, CUG_F32, INT_MAX, INT_MAX, INT_MAX, INT_MAX);
    cr_expect_eq(cug_tensor_count(&t), SIZE_MAX);
    cr_expect_eq(cug_tensor_bytes(&t), SIZE_MAX);
    t = cug_tensor2(NULL, CUG_U8, 4, -1);
    cr_expect_eq(cug_tensor_count(&t), SIZE_MAX);
    t = cug_tensor4(NULL, CUG_F64, INT_MAX, INT_MAX, 2, 1); /* the count fits, its bytes do not */
    cr_expect_neq(cug_tensor_count(&t), SIZE_MAX);
    cr_expect_eq(cug_tensor_bytes(&t), SIZE_MAX);
}

Test(tensor, is) {
    float x[6];
    cug_tensor t = cug_tensor2(x, CUG_F32, 2, 3), none = cug_tensor2(NULL, CUG_F32, 2, 3);
    cr_expect(cug_tensor_is(&t, CUG_F32, 6));
    cr_expect_not(cug_tensor_is(&t, CUG_F32, 5));
    cr_expect_not(cug_tensor_is(&t, CUG_I32, 6));
    cr_expect_not(cug_tensor_is(&none, CUG_F32, 6));
    cr_expect_not(cug_tensor_is(NULL, CUG_F32, 6));
}

Test(tensor, dtypes) {
    static const struct {
        cug_dtype t;
        size_t size;
        const char *name;
    } all[] = {{CUG_F32, 4, "F32"}, {CUG_F64, 8, "F64"}, {CUG_BF16, 2, "BF16"},
               {CUG_U8, 1, "U8"},   {CUG_I32, 4, "I32"}, {CUG_I64, 8, "I64"}};
    for (int i = 0; i < 6; i++) {
        cr_expect_eq(cug_dtype_size(all[i].t), all[i].size);
        cr_expect_str_eq(cug_dtype_name(all[i].t), all[i].name);
    }
    cr_expect_eq(cug_dtype_size((cug_dtype)99), 0);
    cr_expect_not_null(cug_dtype_name((cug_dtype)99));
}
