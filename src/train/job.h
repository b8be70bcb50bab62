/* job.h - what training and evaluation both need open: data, model, device, net. */
#ifndef CUG_TRAIN_JOB_H
#define CUG_TRAIN_JOB_H

#include <cuglyph/train.h>

typedef struct job {
    const cug_backend *be;
    cug_device *dev;
    int borrowed;            /* the device is another job's */
    const char *device_note; /* "" or a line for the user */
    cug_graph *g;
    cug_dataset *d;
    int32_t *train_ids, *val_ids;
    size_t n_train, n_val;
    double mean, sd; /* of the training part's pixels/255 */
    float scale, shift;
    cug_loader train, val, test;
    cug_net *net;
    enum { JOB_PLAIN, JOB_STAGED, JOB_RESIDENT } loader; /* of training batches */
    /* one batch on the host */
    uint8_t *pixels;
    int32_t *labels, *ids;
} job;

/* Opens what the config asks for, in the order: model, data (split, scaling), device. */
cug_status job_open(job *j, const cug_config *c);
/* The data set as it was read, and the device; then, as often as wanted, jobs with their own copy of that data. */
cug_status job_open_source(job *j, const cug_config *c);
cug_status job_open_on(job *j, const cug_config *c, const job *source);
/* Makes the net; training plans only with `training`. */
cug_status job_open_net(job *j, const cug_config *c, int training);
/* What the net of a job is made with, for batches of any size. */
cug_net_options job_net_options(const job *j, const cug_config *c, int training, int batch, int eval_batch);
/* The status to end with after the net was refused with `why`: for want of device memory, one line with the bytes
 * needed and free and the batch that would fit; the net is freed. fit.c. */
cug_status job_out_of_memory(job *j, const cug_config *c, int training, cug_status why);
void job_close(job *j);

/* Next batch of a loader into the job's host buffers. */
cug_batch job_batch(job *j, const cug_loader *l, uint32_t epoch, size_t b);

/* The whole part through the net; e is made (free it). samples (opened) gets each sample, or is NULL; on_batch may be
 * NULL. */
cug_status job_evaluate(job *j, const cug_loader *part, cug_evaluation *e, cug_sample_scores *samples,
                        void (*on_batch)(void *user, uint64_t done, uint64_t of), void *user);

#endif
