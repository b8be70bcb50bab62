/* loading.h - the training loader by itself, in each of its modes: batches arrive in backend memory and nobody trains
 * on them. For bench/loader.c and gpu-check. */
#ifndef BENCH_LOADING_H
#define BENCH_LOADING_H

#include <cuglyph/backend.h>
#include <cuglyph/dataset.h>

typedef enum {
    LOAD_PLAIN,    /* gathered on the host, then copied by the caller */
    LOAD_STAGED,   /* gathered and sent ahead by a thread of its own */
    LOAD_RESIDENT, /* the data set lies in backend memory and is gathered there */
    LOAD_MODES
} load_mode;

const char *load_mode_name(load_mode m);

typedef struct load_times {
    size_t batches, images;
    double seconds;         /* until the last batch had arrived */
    double bytes;           /* of pixels, labels and sample numbers */
    double host;            /* seconds that the caller spent in the loader, its waits included */
    double waited, held_up; /* staged: seconds that the caller waited for a batch, that the thread waited for room */
} load_times;

/* Every batch of two epochs in `mode`, byte for byte what cug_loader_batch makes; else CUG_EMISMATCH. */
cug_status load_check(const cug_backend *be, cug_device *dev, const cug_loader *l, load_mode mode);

/* `passes` epochs, after one that does not count. step_us: how long the caller stays away between two batches, as if it
 * had a step to do. */
cug_status load_measure(load_times *out, const cug_backend *be, cug_device *dev, const cug_loader *l, load_mode mode,
                        int passes, int step_us);

/* A data set of noise, images of 28x28; free it. */
cug_status load_images_make(cug_images *im, int count);
void load_images_free(cug_images *im);

#endif
