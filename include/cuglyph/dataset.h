/* dataset.h - labelled images in memory, where they are found, and how they are split and ordered. */
#ifndef CUGLYPH_DATASET_H
#define CUGLYPH_DATASET_H

#include <cuglyph/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CUG_MAX_CLASSES 256

typedef struct cug_images {
    int count, H, W, C;
    uint8_t *pixels; /* (count, H, W, C) */
    int32_t *labels; /* (count), each in [0, classes) */
} cug_images;

typedef struct cug_dataset {
    char name[64];   /* "mnist", "fashion-mnist", "idx" */
    char where[512]; /* the folder or file it came from, for a person */
    int classes;
    char class_names[CUG_MAX_CLASSES][32]; /* "7", "Sneaker" */
    cug_images train, test;
} cug_dataset;

/* Opens NAME ("mnist", "fashion-mnist") from the first of these that holds all four of its files, gzip or plain:
 * data_dir (if not NULL: then only there), $CUGLYPH_DATA, the cache folder ($XDG_CACHE_HOME or ~/.cache, /cuglyph).
 * Inside each, first its sub-folder NAME, then the folder itself (all known sets use the same file names). Or NAME is
 * "idx:IMAGES,LABELS[,IMAGES,LABELS]": any pair by path, training then test (no test part: empty).
 * Not found: CUG_ENOENT, with the places looked at and the command that fetches it. One known set lying under another's
 * name: CUG_EINVAL (seen by its first labels; checksums are cug_sha256_raw's work). */
CUG_API cug_status cug_dataset_open(cug_dataset **out, const char *name, const char *data_dir);
CUG_API void cug_dataset_free(cug_dataset *d); /* NULL is safe */

/* Keeps only the listed classes ("0,1"), in that order, as classes 0..n-1. */
CUG_API cug_status cug_dataset_keep_classes(cug_dataset *d, const char *list);

/* Takes n pixels off each side of every image, in place. CUG_EINVAL: nothing would stay. */
CUG_API cug_status cug_images_crop(cug_images *im, int n);
/* A data set of its own, its images without `crop` pixels of each side. */
CUG_API cug_status cug_dataset_copy(cug_dataset **out, const cug_dataset *d, int crop);

/* Mean and standard deviation of pixels/255 over the images named by idx (NULL: all); exact integer sums. */
CUG_API void cug_images_stats(const cug_images *im, const int32_t *idx, size_t n, double *mean, double *sd);

typedef enum { CUG_SCALE_UNIT, CUG_SCALE_SIGNED, CUG_SCALE_STD } cug_scaling;
/* Factors for normalize.h: x/255; (x/255 - .5)/.5; (x/255 - mean)/sd (sd 0 counts as 1). */
CUG_API void cug_scaling_factors(cug_scaling s, double mean, double sd, float *scale, float *shift);
CUG_API const char *cug_scaling_name(cug_scaling s);
CUG_API int cug_scaling_find(const char *name); /* -1: no such */

/* Training part divided in two, stratified: class c gives floor(n_c * n_val / n), the largest remainders one more, so
 * that n_val is met exactly; chosen by CUG_RNG_SPLIT of seed. Each list ascends. Free each with free(). */
CUG_API cug_status cug_split_stratified(const cug_images *im, size_t n_val, uint64_t seed, int32_t **train,
                                        size_t *n_train, int32_t **val, size_t *n_val_out);

/* Labels as dense targets: out (n, classes) = (1-smoothing) * [k == label] + smoothing / classes. */
CUG_API void cug_one_hot(const int32_t *labels, size_t n, int classes, float smoothing, float *out);

/* Which images, in which order, in which batches. Random access: any epoch can be entered anywhere. */
typedef struct cug_loader {
    const cug_images *images;
    const int32_t *ids; /* the part's sample numbers; NULL: all, in order */
    size_t n;
    int batch;
    int shuffle; /* 0: in order */
    uint64_t seed;
    int shift; /* each image moved by up to so many pixels each way, anew each epoch (cug_shift_draw); 0: none */
} cug_loader;

/* How far the sample `id` is moved in an epoch: dy down and dx to the right, each of -most..most equally likely; a
 * function of its arguments alone (random.h, CUG_RNG_SHIFT), so the same for any batch, order, thread and device. */
CUG_API void cug_shift_draw(uint64_t seed, uint32_t epoch, int32_t id, int most, int *dy, int *dx);
/* out[y,x,:] = in[y-dy,x-dx,:], 0 where that lies outside; (H, W, C) both, no aliasing. */
CUG_API void cug_shift_image(uint8_t *out, const uint8_t *in, int H, int W, int C, int dy, int dx);

CUG_API size_t cug_loader_batches(const cug_loader *l); /* the last may be short and is used */

/* Batch b of an epoch: writes the samples' numbers to ids and, where not NULL, pixels (n,H,W,C) and labels;
 * *n = samples in it. b is in [0, batches). */
CUG_API void cug_loader_batch(const cug_loader *l, uint32_t epoch, size_t b, int32_t *ids, uint8_t *pixels,
                              int32_t *labels, int *n);

#ifdef __cplusplus
}
#endif
#endif
