/* loader.c - the loader alone: the same bytes in every mode, and how fast they come (bench/loading.h). */
#include "../../bench/loading.h"
#include "check.h"

static const int sizes[] = {32, 128, 256, 1024}, small_sizes[] = {3, 32};

static int size_count(const gpu_check *c) {
    return (int)(c->small ? sizeof small_sizes / sizeof *small_sizes : sizeof sizes / sizeof *sizes);
}

static cug_loader loader_of(const gpu_check *c, const cug_images *im, int i) {
    return (cug_loader){
        .images = im, .n = (size_t)im->count, .batch = c->small ? small_sizes[i] : sizes[i], .shuffle = 1, .seed = 1};
}

/* Not a multiple of any of the sizes: epochs end with a short batch. */
static int image_count(const gpu_check *c) { return c->small ? 70 : 20011; }

void check_loader(gpu_check *c) {
    cug_status st = CUG_OK;
    cug_images im = {0};
    if (!gpu_part(c, 30, "loader: every mode's bytes")) return;
    CUG_GOTO(load_images_make(&im, image_count(c)));
    for (int m = 0; m < LOAD_MODES; m++)
        for (int i = 0; i < size_count(c); i++) {
            const cug_loader l = loader_of(c, &im, i);
            CUG_GOTO(load_check(c->be, c->dev, &l, (load_mode)m));
        }
cleanup:
    load_images_free(&im);
    if (st == CUG_OK)
        gpu_end(c, GPU_OK, "two epochs of %d images, %d batch sizes", image_count(c), size_count(c));
    else
        gpu_end(c, GPU_FAILED, "%s", cug_error());
}

static void report(gpu_check *c, load_mode mode, int batch, const load_times *t) {
    const char *name = load_mode_name(mode);
    const double rate = t->bytes / t->seconds, us = 1e6 / (double)t->batches;
    gpu_figure(c, (double)t->images / t->seconds, "images/s", "loader %s, batch %d", name, batch);
    gpu_figure(c, rate * 1e-9, "GB/s", "loader %s, batch %d", name, batch);
    if (mode != LOAD_RESIDENT && c->copy_rate > 0)
        gpu_figure(c, 100 * rate / c->copy_rate, "% of copies", "loader %s, batch %d", name, batch);
    gpu_figure(c, t->host * us, "us", "loader %s, batch %d, host's time a batch", name, batch);
    if (mode != LOAD_STAGED) return;
    gpu_figure(c, t->waited * us, "us", "loader %s, batch %d, waited for a batch", name, batch);
    gpu_figure(c, t->held_up * us, "us", "loader %s, batch %d, thread held up", name, batch);
}

void time_loader(gpu_check *c) {
    cug_status st = CUG_OK;
    cug_images im = {0};
    if (!gpu_part(c, 20, "loader times")) return;
    CUG_GOTO(load_images_make(&im, image_count(c)));
    for (int m = 0; m < LOAD_MODES; m++)
        for (int i = 0; i < size_count(c) && !gpu_late(); i++) {
            const cug_loader l = loader_of(c, &im, i);
            load_times t;
            CUG_GOTO(load_measure(&t, c->be, c->dev, &l, (load_mode)m, c->small ? 1 : 10, 0));
            report(c, (load_mode)m, l.batch, &t);
        }
cleanup:
    load_images_free(&im);
    gpu_end(c, st == CUG_OK ? GPU_OK : GPU_FAILED, "%s",
            st == CUG_OK ? "batches made and sent, no training" : cug_error());
}
