/* test_cuda_device.c - the CUDA device: what is said when there is none, its report, its copies, its errors. */
#include <criterion/criterion.h>
#include <cuglyph/backend.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if CUG_HAVE_CUDA
#include <cuglyph/cuda.h>

/* NULL, after checking the one line that says why, where there is no GPU. */
static cug_device *open_device(const cug_backend *cuda) {
    cug_device *dev = (cug_device *)1;
    if (cuda->open(&dev, &(cug_device_options){0}) == CUG_OK) return dev;
    cr_expect_null(dev);
    cr_expect_eq(strncmp(cug_error(), "no CUDA device", 14), 0, "%s", cug_error());
    return NULL;
}

Test(cuda_device, there_or_one_line_why) {
    const cug_backend *cuda = cug_backend_find("cuda");
    cug_device *dev = open_device(cuda);
    int count = -1;
    cr_expect_eq(cug_cuda_count(&count) == CUG_OK, dev != NULL);
    cr_expect_eq(count > 0, dev != NULL);
    cug_device *none = (cug_device *)1;
    cr_expect_eq(cuda->open(&none, &(cug_device_options){.ordinal = 1023}), CUG_ENOTSUP);
    cr_expect_null(none);
    if (!dev) return;
    cr_expect_eq(strncmp(cuda->describe(dev), "cuda:0, ", 8), 0, "%s", cuda->describe(dev));
    cuda->close(dev);
}

Test(cuda_device, report) {
    cug_cuda_report r;
    cug_status st = cug_cuda_report_read(&r, 0);
    if (st != CUG_OK) {
        cr_expect_eq(st, CUG_ENOTSUP, "%s", cug_error());
        return;
    }
    cr_expect(r.name[0] && r.architectures[0]);
    cr_expect_geq(r.major * 10 + r.minor, 75);
    cr_expect_gt(r.sms, 0);
    cr_expect_geq(r.driver, r.runtime / 1000 * 1000);
    cr_expect_gt(r.memory_free, (size_t)0);
    cr_expect_leq(r.memory_free, r.memory_total);
    cr_expect(r.pageable_upload > 0 && r.pageable_download > 0);
    cr_expect_eq(r.pinned_upload > 0, r.pinned_download > 0);
    cr_expect_gt(r.l2, (size_t)0);
    cr_expect_eq(cug_cuda_report_read(&r, 1023), CUG_ENOTSUP);
}

/* A pattern that no piece of a copy shares with another. */
static uint8_t byte_at(size_t k) { return (uint8_t)(k * 7 + k / 4096 + (k >> 20) * 13); }

/* Larger than the pieces that copies go through, and the host's memory overwritten as soon as the call returns. */
Test(cuda_device, copies_of_any_size) {
    const cug_backend *cuda = cug_backend_find("cuda");
    cug_device *dev = open_device(cuda);
    if (!dev) return;
    static const size_t sizes[] = {1, 255, 1 << 20, (1 << 20) + 1, (5 << 20) + 77};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i];
        void *a = NULL, *b = NULL;
        uint8_t *in = malloc(n), *out = calloc(n, 1);
        cr_assert_eq(cuda->alloc(dev, &a, n), CUG_OK);
        cr_assert_eq(cuda->alloc(dev, &b, n), CUG_OK);
        for (size_t k = 0; k < n; k++) in[k] = byte_at(k);
        cr_assert_eq(cuda->upload(dev, a, in, n, NULL), CUG_OK);
        memset(in, 0, n);
        cr_assert_eq(cuda->copy(dev, b, a, n, NULL), CUG_OK);
        cr_assert_eq(cuda->fill(dev, a, 0x55, n, NULL), CUG_OK);
        cr_assert_eq(cuda->download(dev, out, b, n, NULL), CUG_OK);
        size_t bad = 0;
        for (size_t k = 0; k < n; k++) bad += out[k] != byte_at(k);
        cr_expect_eq(bad, (size_t)0, "%zu of %zu bytes differ", bad, n);
        cuda->free(dev, a);
        cuda->free(dev, b);
        free(in);
        free(out);
    }
    cr_expect_eq(cuda->upload(dev, NULL, sizes, 4, NULL), CUG_EINVAL);
    cr_expect_eq(cuda->download(dev, NULL, sizes, 4, NULL), CUG_EINVAL);
    cr_expect_eq(cuda->sync(dev, NULL), CUG_OK);
    cuda->close(dev);
}

Test(cuda_device, out_of_memory_says_how_much) {
    const cug_backend *cuda = cug_backend_find("cuda");
    cug_device *dev = open_device(cuda);
    void *p = (void *)1;
    if (!dev) return;
    cr_expect_eq(cuda->alloc(dev, &p, (size_t)1 << 60), CUG_ENOMEM);
    cr_expect_null(p);
    cr_expect(strstr(cug_error(), "1152921504606846976 bytes needed") && strstr(cug_error(), "smaller batch"), "%s",
              cug_error());
    cr_expect_eq(cuda->sync(dev, NULL), CUG_OK, "a refused allocation is over: %s", cug_error());
    cuda->close(dev);
}

/* Two devices at a time, on the same GPU, share nothing. */
Test(cuda_device, opened_twice) {
    const cug_backend *cuda = cug_backend_find("cuda");
    cug_device *a = open_device(cuda), *b = open_device(cuda);
    void *p = NULL, *q = NULL;
    int in = 5, out = 0;
    if (!a || !b) return;
    cr_assert_eq(cuda->alloc(a, &p, 4), CUG_OK);
    cr_assert_eq(cuda->alloc(b, &q, 4), CUG_OK);
    cuda->free(a, p);
    cuda->close(a);
    cr_expect_eq(cuda->upload(b, q, &in, 4, NULL), CUG_OK);
    cr_expect_eq(cuda->download(b, &out, q, 4, NULL), CUG_OK);
    cr_expect_eq(out, 5);
    cuda->free(b, q);
    cuda->close(b);
}

#endif
