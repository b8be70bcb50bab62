/* config.h - every option of a training run, in one table that serves the command line, --help and RUN/config. */
#ifndef CUGLYPH_CONFIG_H
#define CUGLYPH_CONFIG_H

#include <cuglyph/dataset.h>
#include <cuglyph/exec.h>
#include <cuglyph/optimizer.h>
#include <cuglyph/schedule.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cug_config {
    /* what to train on */
    char *model;       /* zoo name, file or one-line spec; RUN/config holds the canonical one-line spec */
    char *data;        /* "mnist" */
    char *data_dir;    /* "" = look in CUGLYPH_DATA, then the cache */
    char *classes;     /* "" = all */
    cug_scaling scale; /* unit */
    int64_t val;       /* validation images held out of the training part; 5000 */
    int64_t limit;     /* use only the first N training images (0 = all) */
    /* how long, in what pieces */
    int64_t epochs;     /* 5 */
    int64_t max_steps;  /* 0 = no limit: stop after this many optimizer steps in all */
    int64_t batch;      /* 128 */
    int64_t eval_batch; /* 256 */
    uint64_t seed;      /* 1 */
    /* optimizer */
    cug_opt_kind optimizer;       /* adam; words: sgd (alias gd) momentum nesterov adam adamw muon */
    double lr;                    /* 0.001 */
    double momentum;              /* 0.9 */
    double muon_lr;               /* 0.02; the schedule scales it as it scales lr */
    double muon_momentum;         /* 0.95 */
    double beta1, beta2, eps;     /* 0.9 0.999 1e-8 */
    double weight_decay;          /* 0.01, used by adamw and muon only */
    double l1, l2;                /* 0 */
    double clip_value, clip_norm; /* 0 = off */
    /* schedule */
    cug_schedule_kind schedule; /* constant */
    double min_lr;              /* 0 */
    double gamma;               /* 0.1 */
    int64_t step_epochs;        /* 1 */
    double pct, div, final_div; /* 0.3 25 1e4 */
    int64_t warmup;             /* steps, 0 */
    /* loss and regularisation */
    double smoothing; /* 0 */
    int64_t crop;     /* 0: pixels taken off each side of every image, of whatever part */
    int64_t shift;    /* 0: pixels, each training image moved at random by up to so many each way */
    char *init;       /* "" = each layer's own; else he_uniform ... for all layers without their own init= */
    char *freeze;     /* "" or "conv1,conv2*" */
    /* stopping and saving */
    int64_t patience;         /* 0 = off: stop after this many epochs without improvement, restore the best weights */
    double min_delta;         /* 0 */
    char *monitor;            /* "val_loss" (or "val_accuracy") */
    int64_t checkpoint_every; /* steps between extra "last" checkpoints; 0 = at epoch ends only */
    int64_t log_every;        /* steps between log lines; 100 */
    /* where to run */
    char *device;            /* "auto": cuda if there is one, else cpu; or cpu, ref, cuda, cuda:N */
    int64_t threads;         /* 0 = one a core */
    cug_precision precision; /* fp32; words: fp32 tf32 bf16 */
    char *loader;            /* "auto": staged where there is a GPU, else plain; or plain, staged, resident */
    cug_choice conv, gemm;   /* own: the project's kernels; or cudnn (cublas), auto */
    int nondeterministic;    /* flag: 0 */
    int no_graph;            /* flag: 0 */
    int no_reuse;            /* flag: 0 */
    int no_fuse;             /* flag: 0 */
} cug_config;

/* Strings are allocated; without memory one is NULL, which cug_config_check and cug_train report. */
CUG_API void cug_config_defaults(cug_config *c);
CUG_API void cug_config_free(cug_config *c);

typedef struct cug_option {
    const char *key;   /* "weight-decay": --weight-decay X on the command line, "weight-decay = X" in a file */
    const char *arg;   /* what the value is, for --help: "N", "X", "NAME"; NULL for a flag */
    const char *about; /* one line */
    const char *group; /* heading in --help */
} cug_option;

/* The i-th option, NULL past the end; the default as text through cug_config_get on a default config. */
CUG_API const cug_option *cug_option_at(int i);
/* CUG_ECONFIG_KEY (with the nearest known key as a suggestion), CUG_ECONFIG_VALUE (with the values allowed). */
CUG_API cug_status cug_config_set(cug_config *c, const char *key, const char *value);
/* The value as text that set() takes back exactly (%.17g shortened); returns out. */
CUG_API const char *cug_config_get(const cug_config *c, const char *key, char *out, size_t n);
/* Values that do not fit together (min_lr > lr, patience without val ...): CUG_ECONFIG_VALUE. */
CUG_API cug_status cug_config_check(const cug_config *c);

/* "key = value" lines, blank lines, '#' comments (at a line's start or after a blank); a value in double quotes keeps
 * blanks and '#' (\" and \\ inside). A repeated key is an error. "WHERE:LINE: ..." in messages; options before the bad
 * line are set. CUG_ECONFIG_SYNTAX, CUG_ECONFIG_KEY, CUG_ECONFIG_VALUE. */
CUG_API cug_status cug_config_parse(cug_config *c, const char *text, size_t n, const char *where);
CUG_API cug_status cug_config_read(cug_config *c, const char *path);
/* The whole config as such text, grouped, with comments; free() it. */
CUG_API cug_status cug_config_print(const cug_config *c, char **text);

/* The command line: takes the option at argv[0], "--key VALUE", "--key=VALUE" or "--flag"; *used is 1 or 2. The last
 * one given wins. A separate VALUE does not begin with "--". CUG_ECONFIG_KEY, CUG_ECONFIG_VALUE: *used is 0. */
CUG_API cug_status cug_config_arg(cug_config *c, int argc, char **argv, int *used);
/* All options by group with their defaults, at most 100 columns. */
CUG_API void cug_config_help(FILE *f);

#ifdef __cplusplus
}
#endif
#endif
