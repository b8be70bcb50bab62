/* test_backend.c - the list of backends, and the memory of each. */
#include <criterion/criterion.h>
#include <cuglyph/backend.h>
#include <string.h>

Test(backend, list) {
    cr_expect_eq(cug_backend_find("ref"), &cug_backend_ref);
    cr_expect_eq(cug_backend_find("cpu"), &cug_backend_cpu);
    cr_expect_null(cug_backend_find("tpu"));
    cr_expect_null(cug_backend_find(""));
    cr_expect_null(cug_backend_find(NULL));
    int n = 0;
    for (; cug_backend_at(n); n++) cr_expect_eq(cug_backend_find(cug_backend_at(n)->name), cug_backend_at(n));
    cr_expect_geq(n, 2);
    cr_expect_null(cug_backend_at(n));
    cr_expect_null(cug_backend_at(-1));
}

/* Memory of every backend whose device opens: aligned, writable, copied and filled as told; NULL and empty are safe. */
Test(backend, memory) {
    for (int i = 0; cug_backend_at(i); i++) {
        const cug_backend *be = cug_backend_at(i);
        cug_device *dev = NULL;
        if (be->open(&dev, &(cug_device_options){0}) != CUG_OK) continue;
        cr_expect(strlen(be->describe(dev)) > 3);
        for (size_t bytes = 0; bytes < 100000; bytes = bytes * 3 + 1) {
            void *a = NULL, *b = NULL;
            unsigned char in[256], out[256];
            for (int k = 0; k < 256; k++) in[k] = (unsigned char)(k * 7);
            cr_assert_eq(be->alloc(dev, &a, bytes), CUG_OK);
            cr_assert_eq(be->alloc(dev, &b, bytes), CUG_OK);
            cr_expect_eq((uintptr_t)a % 256, 0u, "%s: %zu bytes at %p", be->name, bytes, a);
            size_t n = bytes < 256 ? bytes : 256;
            memset(out, 0, sizeof out);
            cr_expect_eq(be->fill(dev, b, 0xAB, bytes, NULL), CUG_OK);
            cr_expect_eq(be->upload(dev, a, in, n, NULL), CUG_OK);
            if (n > 2) cr_expect_eq(be->copy(dev, (char *)b + 1, a, n - 2, NULL), CUG_OK);
            cr_expect_eq(be->download(dev, out, b, n, NULL), CUG_OK);
            cr_expect_eq(be->sync(dev, NULL), CUG_OK);
            for (size_t k = 0; k < n; k++) {
                unsigned char want = n > 2 && k > 0 && k < n - 1 ? in[k - 1] : 0xAB;
                cr_expect_eq(out[k], want, "%s: byte %zu of %zu is %d, not %d", be->name, k, n, out[k], want);
            }
            be->free(dev, a);
            be->free(dev, b);
        }
        be->free(dev, NULL);
        be->close(dev);
        be->close(NULL);
    }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(PLAIN_CRITERION_H) /* sanitizers stop the program instead */
Test(backend, too_much_memory_is_an_error) {
    for (int i = 0; cug_backend_at(i); i++) {
        const cug_backend *be = cug_backend_at(i);
        cug_device *dev = NULL;
        void *p = NULL;
        if (be->open(&dev, &(cug_device_options){0}) != CUG_OK) continue;
        cr_expect_neq(be->alloc(dev, &p, SIZE_MAX - 100), CUG_OK, "%s", be->name);
        cr_expect_neq(be->alloc(dev, &p, SIZE_MAX / 4), CUG_OK, "%s", be->name);
        be->close(dev);
    }
}
#endif
