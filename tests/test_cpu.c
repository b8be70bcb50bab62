/* test_cpu.c - what the cpu backend promises besides its ops: how it is opened, and that bits do not depend on which
 * thread happens to do a part. */
#include "cpu/simd.h"
#include <criterion/criterion.h>
#include <cuglyph/backend.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static cug_status open_cpu(cug_device **dev, const char *isa, int threads) {
    if (isa)
        setenv("CUGLYPH_CPU_ISA", isa, 1);
    else
        unsetenv("CUGLYPH_CPU_ISA");
    return cug_backend_cpu.open(dev, &(cug_device_options){.threads = threads});
}

Test(cpu, instruction_set) {
    cug_device *dev = NULL;
    cr_assert_eq(open_cpu(&dev, "base", 1), CUG_OK, "%s", cug_error());
    cr_expect_str_eq(cug_backend_cpu.describe(dev), "cpu, 1 thread, base");
    cug_backend_cpu.close(dev);
    dev = (cug_device *)1;
    cr_expect_eq(open_cpu(&dev, "sse9", 1), CUG_EINVAL);
    cr_expect_null(dev);
    cr_expect(strstr(cug_error(), "CUGLYPH_CPU_ISA=sse9") && strstr(cug_error(), "base"), "%s", cug_error());
    cr_assert_eq(open_cpu(&dev, "", 1), CUG_OK, "empty is unset: %s", cug_error());
    cug_backend_cpu.close(dev);
}

Test(cpu, threads) {
    cug_device *dev = NULL;
    cr_expect_eq(open_cpu(&dev, NULL, -1), CUG_EINVAL);
    cr_expect_eq(open_cpu(&dev, NULL, 1000000), CUG_EINVAL);
    cr_expect_null(dev);
    cr_assert_eq(open_cpu(&dev, NULL, 0), CUG_OK, "%s", cug_error());
    cug_backend_cpu.close(dev);
    cug_backend_cpu.close(NULL);
    for (int i = 0; i < 50; i++) { /* workers that have not begun to wait are stopped as well */
        cr_assert_eq(open_cpu(&dev, NULL, 5), CUG_OK, "%s", cug_error());
        cug_backend_cpu.close(dev);
    }
}

/* From 0 past the end of the normal numbers; neighbours differ, so a lane in the wrong place shows. */
Test(cpu, exponentials_of_the_losses) {
    static const cug_simd *const tables[] = {
        &cug_simd_base
#if defined __x86_64__
        ,
        &cug_simd_avx2,
        &cug_simd_avx512
#endif
    };
    static const char *const words[] = {"base", "avx2", "avx512"};
    enum { COUNT = 20011 };
    static double x[COUNT], y[COUNT + 1];
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        cug_device *dev = NULL;
        if (open_cpu(&dev, words[t], 1) != CUG_OK) continue; /* not this processor's */
        cug_backend_cpu.close(dev);
        for (int i = 0; i < COUNT; i++) x[i] = -ldexp(i * (1 + i / 7.0), -16);
        x[5] = -INFINITY, x[6] = NAN, x[7] = -708.5, x[8] = -1e300;
        y[COUNT] = 7;
        memcpy(y, x, sizeof x);
        tables[t]->exps(y, COUNT);
        cr_expect_eq(y[COUNT], 7);
        for (int i = 0; i < COUNT; i++) {
            double want = x[i] < -708 ? 0 : exp(x[i]);
            cr_expect(isnan(x[i]) ? isnan(y[i]) : fabs(y[i] - want) <= 0x1p-51 * want, "%s: exp(%.17g) is %.17g",
                      words[t], x[i], y[i]);
        }
        for (size_t n = 0; n < 40; n++) { /* every length */
            memcpy(y, x + 9, sizeof x - 9 * sizeof *x);
            tables[t]->exps(y, n);
            for (size_t i = 0; i < n; i++) cr_expect(fabs(y[i] - exp(x[i + 9])) <= 0x1p-51);
            cr_expect_eq(y[n], x[n + 9], "%s: %zu", words[t], n);
        }
    }
}

static atomic_int busy = 1;

static void *hog(void *arg) {
    while (atomic_load(&busy)) continue;
    return arg;
}

enum { N = 64, I = 1000, O = 200 };

/* dw, then dx, of one linear layer. */
static void backward(cug_device *dev, float *out) {
    static float x[N * I], w[O * I], dy[N * O];
    for (int i = 0; i < N * I; i++) x[i] = (float)(i * 37 % 101 - 50) / 7;
    for (int i = 0; i < O * I; i++) w[i] = (float)(i * 53 % 97 - 48) / 9;
    for (int i = 0; i < N * O; i++) dy[i] = (float)(i * 71 % 89 - 44) / 11;
    cug_linear_shape s = {N, I, O};
    cug_exec ex = {.device = dev, .workspace_bytes = cug_backend_cpu.linear->workspace(dev, &s, CUG_BWD)};
    cr_assert_eq(cug_backend_cpu.alloc(dev, &ex.workspace, ex.workspace_bytes), CUG_OK);
    cug_tensor tx = cug_tensor2(x, CUG_F32, N, I), tw = cug_tensor2(w, CUG_F32, O, I),
               tdy = cug_tensor2(dy, CUG_F32, N, O);
    cug_tensor dw = cug_tensor2(out, CUG_F32, O, I), dx = cug_tensor2(out + O * I, CUG_F32, N, I);
    cug_status st = cug_backend_cpu.linear->bwd(&dx, &dw, NULL, &tdy, &tx, &tw, &s, 0, &ex);
    cug_backend_cpu.free(dev, ex.workspace);
    cr_assert_eq(st, CUG_OK, "%s", cug_error());
}

/* Every wake and sleep of the pool, with more threads than cores and the cores taken: no hang, no lost part. */
Test(cpu, same_bits_on_a_busy_machine, .timeout = 120) {
    static float first[O * I + N * I], again[O * I + N * I];
    cug_device *dev = NULL;
    pthread_t hogs[2];
    cr_assert_eq(open_cpu(&dev, NULL, 4), CUG_OK, "%s", cug_error());
    backward(dev, first);
    for (int i = 0; i < 2; i++) cr_assert_eq(pthread_create(&hogs[i], NULL, hog, NULL), 0);
    int different = 0;
    for (int i = 0; i < 100; i++) {
        memset(again, 0xff, sizeof again);
        backward(dev, again);
        different += memcmp(first, again, sizeof first) != 0;
    }
    atomic_store(&busy, 0);
    for (int i = 0; i < 2; i++) pthread_join(hogs[i], NULL);
    cug_backend_cpu.close(dev);
    cr_expect_eq(different, 0, "%d of 100 runs differ", different);
}

/* Parts are kept in words of 64 bits. A dense layer's bits do not depend on their number. */
Test(cpu, same_bits_with_more_threads_than_a_word_has_bits, .timeout = 120) {
    static float one[O * I + N * I], many[O * I + N * I];
    cug_device *dev = NULL;
    cr_assert_eq(open_cpu(&dev, NULL, 1), CUG_OK, "%s", cug_error());
    backward(dev, one);
    cug_backend_cpu.close(dev);
    for (int threads = 128; threads <= 130; threads += 2) {
        cr_assert_eq(open_cpu(&dev, NULL, threads), CUG_OK, "%s", cug_error());
        for (int i = 0; i < 5; i++) {
            memset(many, 0xff, sizeof many);
            backward(dev, many);
            cr_assert_arr_eq(many, one, sizeof one, "%d threads, run %d", threads, i);
        }
        cug_backend_cpu.close(dev);
    }
}
