/* job.c - opens data, model and device as a config says, and runs a part of the data through a net. */
#include "train/job.h"
#include "train/config_internal.h"
#include <stdlib.h>
#include <string.h>

static cug_status apply_freeze(cug_graph *g, const char *list) {
    char *copy = strdup(list), *save = 0;
    if (!copy) return cug_fail(CUG_ENOMEM, "out of memory");
    cug_status st = CUG_OK;
    for (char *name = strtok_r(copy, ", ", &save); name && st == CUG_OK; name = strtok_r(0, ", ", &save))
        st = cug_graph_freeze(g, name);
    free(copy);
    return st;
}

static cug_status open_model(job *j, const cug_config *c) {
    CUG_TRY(cug_model_load(&j->g, c->model));
    if (*c->freeze) CUG_TRY(apply_freeze(j->g, c->freeze));
    return *c->init ? cug_graph_override_init(j->g, c->init) : CUG_OK;
}

static cug_status check_fit(const job *j) {
    const cug_value *in = &j->g->values[0], *out = &j->g->values[j->g->output];
    const cug_images *im = &j->d->train;
    int same = in->flat ? in->C == im->H * im->W * im->C : in->H == im->H && in->W == im->W && in->C == im->C;
    if (!same)
        return cug_fail(CUG_EDATA_SHAPE, "model %s takes %dx%dx%d, but %s has images of %dx%dx%d", j->g->name, in->H,
                        in->W, in->C, j->d->name, im->H, im->W, im->C);
    if (out->C != j->d->classes && !(out->C == 1 && j->d->classes == 2))
        return cug_fail(
            CUG_EDATA_SHAPE,
            "model %s has %d output%s, but %s has %d classes; change the last layer, or choose classes with --classes",
            j->g->name, out->C, out->C == 1 ? "" : "s", j->d->name, j->d->classes);
    return CUG_OK;
}

static cug_status read_data(job *j, const cug_config *c) {
    CUG_TRY(cug_dataset_open(&j->d, c->data, *c->data_dir ? c->data_dir : 0));
    return *c->classes ? cug_dataset_keep_classes(j->d, c->classes) : CUG_OK;
}

/* Of a data set that is cropped already: its parts, and how pixels become numbers. */
static cug_status divide(job *j, const cug_config *c) {
    cug_images *tr = &j->d->train;
    if (c->limit > 0 && c->limit < tr->count) tr->count = (int)c->limit;
    if (c->val >= tr->count)
        return cug_fail(CUG_ECONFIG_VALUE, "val = %lld: only %d training images; hold out fewer with --val N",
                        (long long)c->val, tr->count);
    if (c->shift >= tr->H || c->shift >= tr->W)
        return cug_fail(CUG_ECONFIG_VALUE, "shift = %lld: images of %dx%d would be moved out of sight; take less",
                        (long long)c->shift, tr->H, tr->W);
    CUG_TRY(check_fit(j));
    CUG_TRY(cug_split_stratified(tr, (size_t)c->val, c->seed, &j->train_ids, &j->n_train, &j->val_ids, &j->n_val));
    cug_images_stats(tr, j->train_ids, j->n_train, &j->mean, &j->sd);
    cug_scaling_factors(c->scale, j->mean, j->sd, &j->scale, &j->shift);
    j->train = (cug_loader){tr, j->train_ids, j->n_train, (int)c->batch, 1, c->seed, (int)c->shift};
    j->val = (cug_loader){tr, j->val_ids, j->n_val, (int)c->eval_batch, 0, c->seed, 0};
    j->test = (cug_loader){&j->d->test, 0, (size_t)j->d->test.count, (int)c->eval_batch, 0, c->seed, 0};
    return CUG_OK;
}

cug_status job_open(job *j, const cug_config *c) {
    memset(j, 0, sizeof *j);
    CUG_TRY(cug_config_whole(c));
    CUG_TRY(open_model(j, c));
    CUG_TRY(read_data(j, c));
    CUG_TRY(cug_images_crop(&j->d->train, (int)c->crop));
    if (j->d->test.count) CUG_TRY(cug_images_crop(&j->d->test, (int)c->crop));
    CUG_TRY(divide(j, c));
    return cug_device_open(c, &j->be, &j->dev, &j->device_note);
}

cug_status job_open_source(job *j, const cug_config *c) {
    memset(j, 0, sizeof *j);
    CUG_TRY(cug_config_whole(c));
    CUG_TRY(read_data(j, c));
    return cug_device_open(c, &j->be, &j->dev, &j->device_note);
}

cug_status job_open_on(job *j, const cug_config *c, const job *source) {
    memset(j, 0, sizeof *j);
    CUG_TRY(cug_config_whole(c));
    j->borrowed = 1;
    j->be = source->be, j->dev = source->dev;
    CUG_TRY(open_model(j, c));
    CUG_TRY(cug_dataset_copy(&j->d, source->d, (int)c->crop));
    return divide(j, c);
}

/* The batch sizes in which a loader hands out n samples: the full one and the last. */
static void add_sizes(size_t n, int batch, int *sizes) {
    size_t full = n / (size_t)batch, rest = n % (size_t)batch;
    const int want[2] = {full ? batch : 0, (int)rest};
    for (int w = 0; w < 2; w++) {
        if (!want[w]) continue;
        int i = 0;
        while (i < CUG_NET_MAX_SIZES && sizes[i] && sizes[i] != want[w]) i++;
        if (i < CUG_NET_MAX_SIZES) sizes[i] = want[w];
    }
}

static cug_status choose_loader(job *j, const cug_config *c) {
    if (strcmp(c->loader, "auto") == 0)
        j->loader = j->be->ring_open ? JOB_STAGED : JOB_PLAIN;
    else
        j->loader = *c->loader == 'p' ? JOB_PLAIN : *c->loader == 's' ? JOB_STAGED : JOB_RESIDENT;
    if (j->loader != JOB_PLAIN && !j->be->ring_open)
        return cug_fail(CUG_ENOTSUP, "loader = %s: %s reads batches where they lie; use plain or auto", c->loader,
                        j->be->name);
    return CUG_OK;
}

cug_net_options job_net_options(const job *j, const cug_config *c, int training, int batch, int eval_batch) {
    cug_net_options o = {.plan_flags = (c->no_reuse ? CUG_PLAN_NO_REUSE : 0u) | (c->no_fuse ? CUG_PLAN_NO_FUSE : 0u),
                         .no_graph = c->no_graph,
                         .scale = j->scale,
                         .shift = j->shift,
                         .smoothing = (float)c->smoothing,
                         .classes = j->d->classes,
                         .seed = c->seed,
                         .opt = {.kind = c->optimizer,
                                 .momentum = (float)(c->optimizer == CUG_OPT_MUON ? c->muon_momentum : c->momentum),
                                 .matrix_lr_scale = (float)(c->muon_lr / c->lr),
                                 .beta1 = (float)c->beta1,
                                 .beta2 = (float)c->beta2,
                                 .eps = (float)c->eps,
                                 .weight_decay = (float)c->weight_decay,
                                 .l1 = (float)c->l1,
                                 .l2 = (float)c->l2,
                                 .clip_value = (float)c->clip_value,
                                 .clip_norm = (float)c->clip_norm}};
    if (training)
        add_sizes(j->train.n, batch, o.train_sizes);
    else /* any part may be asked for */
        add_sizes(j->train.n, eval_batch, o.eval_sizes);
    add_sizes(j->val.n, eval_batch, o.eval_sizes);
    add_sizes(j->test.n, eval_batch, o.eval_sizes);
    return o;
}

/* What training takes of the device's memory besides the net. The ring is opened later, when the run's folder is
 * there; that it will fit is asked now. */
static cug_status room_for_data(job *j) {
    const cug_images *im = j->train.images;
    size_t free_bytes = 0, total = 0, ring;
    int most = j->train.batch > j->test.batch ? j->train.batch : j->test.batch;
    if (j->loader == JOB_RESIDENT) return cug_net_hold(j->net, im->pixels, im->labels, (size_t)im->count, j->train.n);
    if (j->loader != JOB_STAGED || !j->be->memory) return CUG_OK;
    CUG_TRY(j->be->memory(j->dev, &free_bytes, &total));
    ring = j->be->ring_bytes(most, cug_value_count(&j->g->values[0]));
    if (ring <= free_bytes) return CUG_OK;
    return cug_fail(CUG_ENOMEM, "out of memory for the staged loader: %zu bytes needed, %zu of %zu free", ring,
                    free_bytes, total);
}

cug_status job_open_net(job *j, const cug_config *c, int training) {
    const cug_net_options o = job_net_options(j, c, training, (int)c->batch, (int)c->eval_batch);
    if (training) CUG_TRY(choose_loader(j, c));
    cug_status st = cug_net_create(&j->net, j->g, j->be, j->dev, &o);
    if (st == CUG_OK && training) st = room_for_data(j);
    if (st != CUG_OK) return job_out_of_memory(j, c, training, st);

    size_t n = (size_t)(c->batch > c->eval_batch ? c->batch : c->eval_batch);
    j->pixels = malloc(n * cug_value_count(&j->g->values[0]));
    j->labels = malloc(n * sizeof *j->labels);
    j->ids = malloc(n * sizeof *j->ids);
    return j->pixels && j->labels && j->ids ? CUG_OK : cug_fail(CUG_ENOMEM, "out of memory for a batch of %zu", n);
}

void job_close(job *j) {
    cug_net_free(j->net);
    if (j->be && !j->borrowed) j->be->close(j->dev);
    cug_graph_free(j->g);
    cug_dataset_free(j->d);
    free(j->train_ids);
    free(j->val_ids);
    free(j->pixels);
    free(j->labels);
    free(j->ids);
    memset(j, 0, sizeof *j);
}

cug_batch job_batch(job *j, const cug_loader *l, uint32_t epoch, size_t b) {
    int in_place = !l->shift && cug_net_lend(j->net, l->images->pixels, (size_t)l->images->count);
    cug_batch batch = {0, in_place ? 0 : j->pixels, j->labels, j->ids};
    cug_loader_batch(l, epoch, b, j->ids, in_place ? 0 : j->pixels, j->labels, &batch.n);
    return batch;
}

/* Room for a batch's outputs on the host. */
typedef struct outputs {
    double *z, *loss;
    int32_t *predicted;
    size_t K;
} outputs;

static cug_status open_outputs(outputs *o, const job *j, int batch) {
    size_t n = (size_t)batch;
    o->K = cug_value_count(&j->g->values[j->g->output]);
    o->z = malloc(n * o->K * sizeof *o->z);
    o->loss = malloc(n * sizeof *o->loss);
    o->predicted = malloc(n * sizeof *o->predicted);
    return o->z && o->loss && o->predicted ? CUG_OK
                                           : cug_fail(CUG_ENOMEM, "out of memory for a batch of %d outputs", batch);
}

static cug_status add_samples(const job *j, outputs *o, const cug_batch *b, cug_sample_scores *samples) {
    CUG_TRY(cug_net_outputs(j->net, b->n, o->z, o->loss, o->predicted));
    for (size_t i = 0; i < (size_t)b->n; i++) {
        cug_sample s = {.id = b->ids[i], .label = b->labels[i], .predicted = o->predicted[i], .loss = o->loss[i]};
        CUG_TRY(cug_sample_outputs(&s, j->g->loss, o->z + i * o->K, (int)o->K));
        CUG_TRY(cug_sample_scores_add(samples, &s));
    }
    return CUG_OK;
}

cug_status job_evaluate(job *j, const cug_loader *part, cug_evaluation *e, cug_sample_scores *samples,
                        void (*on_batch)(void *user, uint64_t done, uint64_t of), void *user) {
    size_t classes = (size_t)j->d->classes, batches = cug_loader_batches(part);
    cug_metrics m;
    outputs o = {0};
    cug_status st = CUG_OK;
    int64_t *confusion = malloc(classes * classes * sizeof *confusion);
    if (!confusion) return cug_fail(CUG_ENOMEM, "out of memory for a confusion matrix of %zu classes", classes);
    if (samples) CUG_GOTO(open_outputs(&o, j, part->batch));
    CUG_GOTO(cug_net_metrics_reset(j->net));
    for (size_t b = 0; b < batches; b++) {
        cug_batch batch = job_batch(j, part, 0, b);
        CUG_GOTO(cug_net_eval_step(j->net, &batch));
        if (samples) CUG_GOTO(add_samples(j, &o, &batch, samples));
        if (on_batch) on_batch(user, b + 1, batches);
    }
    CUG_GOTO(cug_net_metrics_read(j->net, &m, confusion));
    st = cug_evaluation_make(e, &m, confusion, j->d->classes);
cleanup:
    free(o.z);
    free(o.loss);
    free(o.predicted);
    free(confusion);
    return st;
}
