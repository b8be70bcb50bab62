/* test_cuda_step.c - the kernels that no op's table reaches: the step record's advance and the resident loader's
 * gather. */
#include <criterion/criterion.h>

#if CUG_HAVE_CUDA
#include "../kernels/launch.h"
#include <cuglyph/backend.h>
#include <string.h>

enum { SAMPLES = 11, ORDER = 10, STEPS = 4, BATCH = 4 };

/* Batches of 4, 4, 2 and, past the order array, 4 more. */
static const uint32_t valid[STEPS] = {4, 4, 2, 4};
static const int32_t order[ORDER] = {7, 0, 10, 3, 3, 9, -1, 11, 2, 5}; /* two entries lead outside the data set */

static void *device_memory(const void *from, size_t bytes) {
    void *p = NULL;
    cr_assert_eq(cudaMalloc(&p, bytes), cudaSuccess);
    cr_assert_eq(cudaMemcpy(p, from, bytes, cudaMemcpyHostToDevice), cudaSuccess);
    return p;
}

static void read_back(void *to, const void *from, size_t bytes) {
    cr_assert_eq(cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost), cudaSuccess);
}

/* A GPU, or none and nothing to test. */
static int device_there(void) {
    int count = 0;
    return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

Test(cuda_step, walks_through_the_table_and_stops_at_its_end) {
    if (!device_there()) return;
    cug_step table[STEPS], start = {.lr = -1}, got;
    memset(table, 0, sizeof table);
    for (int i = 0; i < STEPS; i++) {
        table[i].seed = 42;
        table[i].step = (uint64_t)i + 5;
        table[i].valid = valid[i];
        table[i].lr = 0.5f / (float)(i + 1);
        table[i].bias_corr1 = 0.25f * (float)i;
        table[i].grad_norm = 99; /* not taken over */
    }
    cug_cuda_cursor cursor = {0, 0, 0};
    cug_step *d_table = device_memory(table, sizeof table), *d_step = device_memory(&start, sizeof start);
    cug_cuda_cursor *d_cursor = device_memory(&cursor, sizeof cursor);
    uint64_t sample = 0;
    for (int i = 0; i < STEPS; i++) {
        if (i == 2) { /* raised by a step: stays */
            read_back(&got, d_step, sizeof got);
            got.nonfinite = 1;
            got.grad_norm = 3;
            cr_assert_eq(cudaMemcpy(d_step, &got, sizeof got, cudaMemcpyHostToDevice), cudaSuccess);
        }
        cr_assert_eq(cug_cuda_step_advance(d_step, d_cursor, d_table, STEPS, NULL), cudaSuccess);
        read_back(&got, d_step, sizeof got);
        read_back(&cursor, d_cursor, sizeof cursor);
        cug_step want = table[i];
        want.nonfinite = i >= 2;
        want.grad_norm = i >= 2 ? 3 : 0;
        cr_expect_eq(memcmp(&got, &want, sizeof got), 0, "step %d", i);
        cr_expect_eq(cursor.row, (uint64_t)i + 1);
        cr_expect_eq(cursor.sample, sample);
        cr_expect_eq(cursor.next_sample, sample + valid[i]);
        sample += valid[i];
    }
    got.nonfinite = 0;
    cr_assert_eq(cudaMemcpy(d_step, &got, sizeof got, cudaMemcpyHostToDevice), cudaSuccess);
    cr_assert_eq(cug_cuda_step_advance(d_step, d_cursor, d_table, STEPS, NULL), cudaSuccess);
    read_back(&got, d_step, sizeof got);
    read_back(&cursor, d_cursor, sizeof cursor);
    cr_expect_eq(got.nonfinite, 1u);
    cr_expect_eq(got.step, table[STEPS - 1].step);
    cr_expect_eq(cursor.row, (uint64_t)STEPS);
    cudaFree(d_table), cudaFree(d_step), cudaFree(d_cursor);
}

/* One batch of n samples of F bytes that starts at `first` of the order array. */
static void gather_once(int n, int F, uint64_t first) {
    static uint8_t all[SAMPLES * 784], got[BATCH * 784];
    int32_t all_labels[SAMPLES], labels[BATCH] = {0}, ids[BATCH] = {0};
    for (int i = 0; i < SAMPLES * F; i++) all[i] = (uint8_t)(1 + i * 7 % 251);
    for (int i = 0; i < SAMPLES; i++) all_labels[i] = 100 + i;
    memset(got, 0xee, sizeof got);
    cug_cuda_cursor cursor = {0, first, 0};
    const cug_cuda_gather_shape s = {n, F, SAMPLES, ORDER};
    uint8_t *d_all = device_memory(all, (size_t)SAMPLES * (size_t)F), *d_got = device_memory(got, sizeof got);
    int32_t *d_all_labels = device_memory(all_labels, sizeof all_labels), *d_order = device_memory(order, sizeof order);
    int32_t *d_labels = device_memory(labels, sizeof labels), *d_ids = device_memory(ids, sizeof ids);
    cug_cuda_cursor *d_cursor = device_memory(&cursor, sizeof cursor);
    cr_assert_eq(cug_cuda_gather(d_got, d_labels, d_ids, d_all, d_all_labels, d_order, d_cursor, &s, NULL),
                 cudaSuccess);
    read_back(got, d_got, sizeof got);
    read_back(labels, d_labels, sizeof labels);
    read_back(ids, d_ids, sizeof ids);
    for (int i = 0; i < n; i++) {
        int32_t want = first + (uint64_t)i < ORDER ? order[first + (uint64_t)i] : -1;
        if (want >= SAMPLES) want = -1;
        cr_expect_eq(ids[i], want, "F %d, first %d, sample %d", F, (int)first, i);
        cr_expect_eq(labels[i], want < 0 ? -1 : 100 + want);
        for (int j = 0; j < F; j++)
            cr_assert_eq(got[i * F + j], want < 0 ? 0 : all[want * F + j], "F %d, sample %d, byte %d", F, i, j);
    }
    for (size_t j = (size_t)n * (size_t)F; j < sizeof got; j++) cr_assert_eq(got[j], 0xee, "past the batch");
    cudaFree(d_all), cudaFree(d_got), cudaFree(d_all_labels), cudaFree(d_order);
    cudaFree(d_labels), cudaFree(d_ids), cudaFree(d_cursor);
}

Test(cuda_step, gather_takes_the_samples_in_order) {
    if (!device_there()) return;
    static const int bytes[] = {1, 3, 16, 37, 784};
    for (size_t f = 0; f < sizeof bytes / sizeof *bytes; f++)
        for (uint64_t first = 0; first < ORDER + 2; first++)
            for (int n = 1; n <= BATCH; n++) gather_once(n, bytes[f], first);
}
#endif
