/* loader.c - the training loader alone: how fast batches reach the device in each mode, and who waits for whom.
 *   make bench-loader                        on the GPU of this machine, else the host's half alone
 *   build/bench/loader [images [passes [step_us]]]
 *                                            60000 images, 8 epochs; step_us: a pause after each batch, as of a step
 * GB/s are of pixels, labels and sample numbers; "of copies" is their share of the measured bandwidth of pinned copies.
 */
#include "loading.h"
#include "seconds.h"
#include <stdio.h>
#include <stdlib.h>
#if CUG_HAVE_CUDA
#include <cuglyph/cuda.h>
#endif

#define CHECK(e)                                                                                                       \
    do {                                                                                                               \
        if ((e) != CUG_OK) return fprintf(stderr, "loader: %s\n", cug_error()), 1;                                     \
    } while (0)

static const int sizes[] = {32, 128, 256, 1024};
enum { SIZES = sizeof sizes / sizeof *sizes };

static cug_loader loader_of(const cug_images *im, int batch) {
    return (cug_loader){.images = im, .n = (size_t)im->count, .batch = batch, .shuffle = 1, .seed = 1};
}

static void print_row(load_mode mode, int batch, const load_times *t, double bandwidth) {
    const double rate = t->bytes / t->seconds, per = 1e6 / (double)t->batches;
    printf("%-9s %6d %12.0f %8.2f", load_mode_name(mode), batch, (double)t->images / t->seconds, rate * 1e-9);
    if (mode != LOAD_RESIDENT && bandwidth > 0)
        printf(" %9.1f%%", 100 * rate / bandwidth);
    else
        printf(" %10s", "-"); /* nothing crosses the bus but the order */
    printf(" %12.1f", t->host * per);
    if (mode == LOAD_STAGED)
        printf(" %12.1f %12.1f\n", t->waited * per, t->held_up * per);
    else
        printf(" %12s %12s\n", "-", "-");
}

static int on_device(const cug_backend *be, cug_device *dev, const cug_images *im, int passes, int step_us) {
    double bandwidth = 0;
    puts(be->describe(dev));
#if CUG_HAVE_CUDA
    cug_cuda_report r;
    CHECK(cug_cuda_report_read(&r, 0));
    bandwidth = r.pinned_upload > 0 ? r.pinned_upload : r.pageable_upload;
    printf("copies to the device: pinned %.2f GB/s, pageable %.2f GB/s\n", r.pinned_upload * 1e-9,
           r.pageable_upload * 1e-9);
#endif
    for (int m = 0; m < LOAD_MODES; m++)
        for (int i = 0; i < SIZES; i++) {
            const cug_loader l = loader_of(im, sizes[i]);
            CHECK(load_check(be, dev, &l, (load_mode)m));
        }
    printf("every batch of two epochs is the same bytes in all modes\n\n%-9s %6s %12s %8s %10s %12s %12s %12s\n",
           "mode", "batch", "images/s", "GB/s", "of copies", "host us", "waited us", "held up us");
    for (int m = 0; m < LOAD_MODES; m++)
        for (int i = 0; i < SIZES; i++) {
            const cug_loader l = loader_of(im, sizes[i]);
            load_times t;
            CHECK(load_measure(&t, be, dev, &l, (load_mode)m, passes, step_us));
            print_row((load_mode)m, sizes[i], &t, bandwidth);
        }
    puts("\nhost: in the loader's calls; waited: for a batch; held up: the loader's thread, for room; each a batch");
    return 0;
}

/* What the host does for every mode but the resident one, and the pixels made numbers on the CPU besides. */
static int host_half(const cug_images *im, int passes) {
    const cug_backend *be = &cug_backend_cpu;
    cug_device *dev = NULL;
    CHECK(be->open(&dev, &(cug_device_options){0}));
    printf("%s: the host's half alone, batches gathered into pageable memory and normalized there\n",
           be->describe(dev));
    printf("%6s %12s %8s %12s %14s\n", "batch", "images/s", "GB/s", "gather us", "normalize us");
    for (int i = 0; i < SIZES; i++) {
        const cug_loader l = loader_of(im, sizes[i]);
        const size_t F = (size_t)im->H * (size_t)im->W * (size_t)im->C, most = (size_t)sizes[i];
        const size_t batches = cug_loader_batches(&l);
        uint8_t *u = malloc(most * F);
        int32_t *labels = malloc(2 * most * sizeof *labels);
        float *x = malloc(most * F * sizeof *x);
        double gather = 0, normalize = 0;
        size_t images = 0, done = 0;
        if (!u || !labels || !x) return fprintf(stderr, "loader: out of memory\n"), 1;
        const cug_exec ex = {.device = dev};
        for (int p = 0; p <= passes; p++)
            for (size_t b = 0; b < batches; b++) {
                int n = 0;
                const double start = seconds_now();
                cug_loader_batch(&l, (uint32_t)p, b, labels + most, u, labels, &n);
                const double between = seconds_now();
                const cug_tensor pixels = cug_tensor1(u, CUG_U8, n * (int)F), out = cug_tensor1(x, CUG_F32, n * (int)F);
                const cug_normalize_shape s = {(size_t)n * F, 1 / 255.0f, 0};
                CHECK(be->normalize->fwd(&out, &pixels, &s, &ex));
                if (p == 0) continue; /* warms up */
                gather += between - start;
                normalize += seconds_now() - between;
                images += (size_t)n;
                done++;
            }
        const double seconds = gather + normalize;
        printf("%6d %12.0f %8.2f %12.1f %14.1f\n", sizes[i], (double)images / seconds,
               (double)images * (double)(F + 2 * sizeof *labels) / seconds * 1e-9, gather * 1e6 / (double)done,
               normalize * 1e6 / (double)done);
        free(u), free(labels), free(x);
    }
    be->close(dev);
    return 0;
}

int main(int argc, char **argv) {
    const int count = argc > 1 ? atoi(argv[1]) : 60000, passes = argc > 2 ? atoi(argv[2]) : 8;
    const int step_us = argc > 3 ? atoi(argv[3]) : 0;
    const cug_backend *cuda = cug_backend_find("cuda");
    cug_device *dev = NULL;
    cug_images im;
    if (count < 1 || passes < 1 || step_us < 0 || argc > 4)
        return fprintf(stderr, "usage: loader [images [passes [step_us]]]\n"), 2;
    CHECK(load_images_make(&im, count));
    int rc;
    if (cuda && cuda->open(&dev, &(cug_device_options){0}) == CUG_OK) {
        rc = on_device(cuda, dev, &im, passes, step_us);
        cuda->close(dev);
    } else {
        puts(cuda ? cug_error() : "no CUDA device: this build has no CUDA");
        rc = host_half(&im, passes);
    }
    load_images_free(&im);
    return rc;
}
