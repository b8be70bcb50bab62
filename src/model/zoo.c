/* zoo.c - the models known by name, and MODEL as the command line takes it. */
#include <cuglyph/graph.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model/spec.h"

#define CONV32_POOL "conv 32 3x3; relu; maxpool 2x2; "
#define CONV64_POOL "conv 64 3x3; relu; maxpool 2x2; "

static const cug_zoo_entry zoo[] = {
    {"mlp", "784-128-10; calibrated with batch 128: 5 epochs 97.2-97.5 %, 10 epochs 97.7 %",
     "input 28x28x1; flatten; linear 128; relu; linear 10"},
    {"cnn-a", "conv32 pool conv64 pool fc10; calibrated with batch 32: 5 epochs 98.7 %",
     "input 28x28x1; " CONV32_POOL CONV64_POOL "flatten; linear 10"},
    {"cnn-b", "conv32 pool fc64 fc10; calibrated with batch 32: 10 epochs 98.3 %",
     "input 28x28x1; " CONV32_POOL "flatten; linear 64; relu; linear 10"},
    {"cnn-c", "conv32 pool conv64 pool fc64 fc10; calibrated with batch 32: 5 epochs 99.0 %",
     "input 28x28x1; " CONV32_POOL CONV64_POOL "flatten; linear 64; relu; linear 10"},
    {"cnn-d", "conv32 pool conv64 pool fc128 fc10; calibrated with batch 128: 10 epochs 99.1 %",
     "input 28x28x1; " CONV32_POOL CONV64_POOL "flatten; linear 128; relu; linear 10"},
    {"cnn-e", "conv16 conv16 pool pool fc128 fc10, same padding; calibrated with batch 128: 5 epochs 98.7 %",
     "input 28x28x1; conv 16 3x3 pad=same; relu; conv 16 3x3 pad=same; relu; maxpool 2x2; maxpool 2x2; flatten; "
     "linear 128; relu; linear 10"},
    {"lenet-5", "LeCun et al. 1998, with tanh and average pooling; the classic; not calibrated",
     "input 28x28x1; conv 6 5x5 pad=2; tanh; avgpool 2x2; conv 16 5x5; tanh; avgpool 2x2; flatten; linear 120; tanh; "
     "linear 84; tanh; linear 10"},
    {"sprint",
     "conv5x5 24 pool conv3x3 32 pool fc256 fc10; calibrated with batch 256, Adam lr .01 betas .7 .9, "
     "one-cycle: 1 epoch 99.04 %",
     "input 28x28x1; conv 24 5x5; relu; maxpool 2x2; conv 32 3x3; relu; maxpool 2x2; flatten; linear 256; relu; linear "
     "10"},
    {"cifar-cnn", "conv32 pool conv64 pool conv64 fc64 fc10 on 32x32x3; not calibrated",
     "input 32x32x3; " CONV32_POOL CONV64_POOL "conv 64 3x3; relu; flatten; linear 64; relu; linear 10"},
    {"logistic", "one sigmoid unit for a pair of classes; batch 128: 99 % on 0 against 1",
     "input 28x28x1; flatten; linear 1; loss bce_logits"},
};
enum { N_ZOO = sizeof zoo / sizeof *zoo };

const cug_zoo_entry *cug_zoo_at(int i) { return i >= 0 && i < N_ZOO ? &zoo[i] : 0; }

const cug_zoo_entry *cug_zoo_find(const char *name) {
    for (int i = 0; i < N_ZOO; i++)
        if (strcmp(zoo[i].name, name) == 0) return &zoo[i];
    return 0;
}

static cug_status from_file(cug_graph **out, const char *path) {
    cug_status st = CUG_OK;
    char *text = 0;
    FILE *f = fopen(path, "rb");
    if (!f) return cug_fail(CUG_EIO, "%.256s: cannot be opened: %s", path, strerror(errno));
    size_t cap = SPEC_MAX_TEXT + 2;
    text = malloc(cap);
    if (!text) {
        st = cug_fail(CUG_ENOMEM, "%.256s: no memory to read it", path);
        goto cleanup;
    }
    size_t n = fread(text, 1, cap - 1, f);
    text[n] = 0;
    if (ferror(f)) {
        st = cug_fail(CUG_EIO, "%.256s: reading failed: %s", path, strerror(errno));
        goto cleanup;
    }
    if (memchr(text, 0, n)) {
        st = cug_fail(CUG_ESPEC_SYNTAX, "%.256s:1: holds a zero byte, so it is no text; give a spec file", path);
        goto cleanup;
    }
    CUG_GOTO(cug_spec_parse(out, text, path));
cleanup:
    free(text);
    fclose(f);
    return st;
}

/* A text that spells out a model of the zoo (as a run's config does) gets its name. */
static void recognise(cug_graph *g) {
    for (int i = 0; i < N_ZOO; i++) {
        cug_graph *known = 0;
        if (cug_spec_parse(&known, zoo[i].spec, zoo[i].name) != CUG_OK) continue;
        int same = strcmp(known->spec, g->spec) == 0;
        cug_graph_free(known);
        if (!same) continue;
        snprintf(g->name, sizeof g->name, "%s", zoo[i].name);
        return;
    }
}

cug_status cug_model_load(cug_graph **out, const char *model) {
    struct stat info;
    *out = 0;
    const cug_zoo_entry *e = cug_zoo_find(model);
    if (e) {
        CUG_TRY(cug_spec_parse(out, e->spec, e->name));
        snprintf((*out)->name, sizeof(*out)->name, "%s", e->name);
        return CUG_OK;
    }
    if (stat(model, &info) == 0) {
        if (S_ISDIR(info.st_mode)) return cug_fail(CUG_EINVAL, "'%.256s' is a folder; give a spec file", model);
        return from_file(out, model);
    }
    if (strpbrk(model, " ;\n")) {
        CUG_TRY(cug_spec_parse(out, model, "spec"));
        recognise(*out);
        return CUG_OK;
    }
    const char *names[N_ZOO + 1] = {0};
    for (int i = 0; i < N_ZOO; i++) names[i] = zoo[i].name;
    char hint[96];
    token t = {.kind = TOK_WORD, .s = model, .len = (int)strnlen(model, 1000)};
    return cug_fail(CUG_ENOENT, "no model and no file called '%.64s'%s (`cuglyph info` lists the models)", model,
                    spec_did_you_mean(hint, &t, names));
}
