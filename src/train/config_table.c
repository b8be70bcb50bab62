/* config_table.c - every option of a training run, once: key, help, place, default and range. */
#include "train/config_internal.h"
#include <cuglyph/graph.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *scale_word(int i) { return i <= CUG_SCALE_STD ? cug_scaling_name((cug_scaling)i) : NULL; }
static const char *schedule_word(int i) {
    return i <= CUG_SCHED_ONECYCLE_LINEAR ? cug_schedule_name((cug_schedule_kind)i) : NULL;
}
static const char *optimizer_word(int i) {
    static const char *const words[] = {"sgd", "momentum", "nesterov", "adam", "adamw", "muon"}; /* as cug_opt_kind */
    return i <= CUG_OPT_MUON ? words[i] : NULL;
}
static const char *init_word(int i) {
    return i <= CUG_INIT_ZEROS - CUG_INIT_HE_UNIFORM ? cug_init_name((cug_init_kind)(CUG_INIT_HE_UNIFORM + i)) : NULL;
}
static const char *loader_word(int i) {
    static const char *const words[] = {"auto", "plain", "staged", "resident"};
    return i < 4 ? words[i] : NULL;
}
static const char *precision_word(int i) { return cug_precision_name((cug_precision)i); }
static const char *conv_word(int i) {
    static const char *const words[] = {"own", "cudnn", "auto"}; /* as cug_choice */
    return i <= CUG_CHOOSE_AUTO ? words[i] : NULL;
}
static const char *gemm_word(int i) {
    static const char *const words[] = {"own", "cublas", "auto"};
    return i <= CUG_CHOOSE_AUTO ? words[i] : NULL;
}
static const char *monitor_word(int i) {
    static const char *const words[] = {"val_loss", "val_accuracy"};
    return i < 2 ? words[i] : NULL;
}

_Static_assert(sizeof(cug_scaling) == sizeof(int) && sizeof(cug_schedule_kind) == sizeof(int) &&
                   sizeof(cug_opt_kind) == sizeof(int) && sizeof(cug_choice) == sizeof(int) &&
                   sizeof(cug_precision) == sizeof(int),
               "words are stored through an int");

#define AT(field) offsetof(cug_config, field)
#define TEXT(key, arg, field, def, about)                                                                              \
    { {key, arg, about, GROUP}, CUG_KIND_STRING, AT(field), def, 0, 0, 0, 0, NULL }
#define CHOICE(key, field, def, words, about)                                                                          \
    { {key, "NAME", about, GROUP}, CUG_KIND_STRING, AT(field), def, 0, 0, 0, 0, words }
#define WORD(key, field, def, words, about)                                                                            \
    { {key, "NAME", about, GROUP}, CUG_KIND_WORD, AT(field), def, 0, 0, 0, 0, words }
#define INT(key, field, def, lo, hi, about)                                                                            \
    { {key, "N", about, GROUP}, CUG_KIND_INT, AT(field), def, lo, hi, 0, 0, NULL }
#define SEED(key, field, def, about)                                                                                   \
    { {key, "N", about, GROUP}, CUG_KIND_U64, AT(field), def, 0, 0, 0, 0, NULL }
#define REAL(key, field, def, lo, open_lo, hi, open_hi, about)                                                         \
    { {key, "X", about, GROUP}, CUG_KIND_REAL, AT(field), def, lo, hi, open_lo, open_hi, NULL }
#define FLAG(key, field, about)                                                                                        \
    { {key, NULL, about, GROUP}, CUG_KIND_FLAG, AT(field), "false", 0, 0, 0, 0, NULL }

#define STEPS 1e12
#define OPEN 1

/* clang-format off */
static const cug_row rows[] = {
#define GROUP "model and data"
    TEXT("model", "MODEL", model, "cnn-d", "a model of the zoo, a spec file, or a spec in one line"),
    TEXT("data", "NAME", data, "mnist", "mnist, fashion-mnist or idx:IMAGES,LABELS[,IMAGES,LABELS]"),
    TEXT("data-dir", "DIR", data_dir, "", "folder of its files; empty: $CUGLYPH_DATA, then the cache"),
    TEXT("classes", "LIST", classes, "", "only these classes (\"0,1\"); empty: all"),
    WORD("scale", scale, "unit", scale_word, "pixels to [0,1] (unit), [-1,1] (signed) or mean 0, sd 1 (std)"),
    INT("val", val, "5000", 0, 2147483647, "images of the training part held out for validation"),
    INT("limit", limit, "0", 0, 2147483647, "only the first N training images; 0: all"),
#undef GROUP
#define GROUP "length"
    INT("epochs", epochs, "5", 0, 1e6, "passes over the training images"),
    INT("max-steps", max_steps, "0", 0, STEPS, "stop after this many optimizer steps in all; 0: no limit"),
    INT("batch", batch, "128", 1, 65536, "images in a training step"),
    INT("eval-batch", eval_batch, "256", 1, 65536, "images at once in evaluation"),
    SEED("seed", seed, "1", "seed of initial weights, order, split and dropout"),
#undef GROUP
#define GROUP "optimizer"
    WORD("optimizer", optimizer, "adam", optimizer_word, "sgd (or gd), momentum, nesterov, adam, adamw, muon"),
    REAL("lr", lr, "0.001", 0, OPEN, 1e38, 0, "learning rate; of a schedule, its peak"),
    REAL("momentum", momentum, "0.9", 0, 0, 1, OPEN, "momentum and nesterov"),
    REAL("muon-lr", muon_lr, "0.02", 0, OPEN, 1e6, 0, "muon: rate of hidden layers' weights; the rest is adamw's, with lr"),
    REAL("muon-momentum", muon_momentum, "0.95", 0, 0, 1, OPEN, "muon: momentum of those weights"),
    REAL("beta1", beta1, "0.9", 0, 0, 1, OPEN, "adam, adamw, muon: decay of the mean of gradients"),
    REAL("beta2", beta2, "0.999", 0, 0, 1, OPEN, "adam, adamw, muon: decay of the mean of their squares"),
    REAL("eps", eps, "1e-08", 1e-30, 0, 1, 0, "adam, adamw, muon: added to the denominator"),
    REAL("weight-decay", weight_decay, "0.01", 0, 0, 1e3, 0, "adamw, muon: decoupled decay of weights"),
    REAL("l1", l1, "0", 0, 0, 1e6, 0, "L1 penalty on weights"),
    REAL("l2", l2, "0", 0, 0, 1e6, 0, "L2 penalty on weights"),
    REAL("clip-value", clip_value, "0", 0, 0, 1e30, 0, "largest absolute gradient; 0: off"),
    REAL("clip-norm", clip_norm, "0", 0, 0, 1e30, 0, "largest norm of all gradients; 0: off"),
#undef GROUP
#define GROUP "schedule"
    WORD("schedule", schedule, "constant", schedule_word, "constant, step, cosine, onecycle, onecycle-linear"),
    REAL("min-lr", min_lr, "0", 0, 0, 1e38, 0, "cosine: where it ends"),
    REAL("gamma", gamma, "0.1", 0, OPEN, 1, 0, "step: factor"),
    INT("step-epochs", step_epochs, "1", 1, 1e6, "step: epochs between factors"),
    REAL("pct", pct, "0.3", 0, OPEN, 1, OPEN, "onecycle: part of the steps that climbs"),
    REAL("div", div, "25", 1, 0, 1e9, 0, "onecycle: starts at lr / div"),
    REAL("final-div", final_div, "10000", 1, 0, 1e12, 0, "onecycle: ends at lr / (div * final-div)"),
    INT("warmup", warmup, "0", 0, STEPS, "steps of linear climb to lr; not for onecycle"),
#undef GROUP
#define GROUP "loss and regularisation"
    REAL("smoothing", smoothing, "0", 0, 0, 1, OPEN, "label smoothing"),
    INT("crop", crop, "0", 0, 255, "N pixels off each side of every image; the model takes what stays"),
    INT("shift", shift, "0", 0, 255, "training images moved at random by up to N pixels each way"),
    CHOICE("init", init, "", init_word, "initial weights of layers without init=; empty: fits the activation"),
    TEXT("freeze", "LIST", freeze, "", "layers whose weights stay (\"conv1,conv2*\")"),
#undef GROUP
#define GROUP "stopping and saving"
    INT("patience", patience, "0", 0, 1e6, "stop after N epochs without improvement, keep the best; 0: off"),
    REAL("min-delta", min_delta, "0", 0, 0, 1e6, 0, "smallest change that counts as improvement"),
    CHOICE("monitor", monitor, "val_loss", monitor_word, "what improves: val_loss or val_accuracy"),
    INT("checkpoint-every", checkpoint_every, "0", 0, STEPS, "steps between extra checkpoints; 0: at epoch ends only"),
    INT("log-every", log_every, "100", 1, STEPS, "steps between log lines"),
#undef GROUP
#define GROUP "machine"
    TEXT("device", "NAME", device, "auto", "auto (cuda if there is one, else cpu), cpu, ref, cuda or cuda:N"),
    INT("threads", threads, "0", 0, 1024, "CPU threads; 0: one for each core"),
    WORD("precision", precision, "fp32", precision_word, "GPU: factors of products in fp32, tf32 or bf16; sums in fp32"),
    CHOICE("loader", loader, "auto", loader_word, "training batches: auto, plain, staged (sent ahead), resident"),
    WORD("conv", conv, "own", conv_word, "GPU: whose convolutions: own, cudnn, auto (the faster, timed once)"),
    WORD("gemm", gemm, "own", gemm_word, "GPU: whose dense layers: own, cublas, auto"),
    FLAG("nondeterministic", nondeterministic, "GPU: a library may give other bits on another run"),
    FLAG("no-graph", no_graph, "GPU: launch every op of a step, no CUDA graphs (for finding faults)"),
    FLAG("no-reuse", no_reuse, "every tensor in memory of its own (for finding faults)"),
    FLAG("no-fuse", no_fuse, "one op for each layer"),
#undef GROUP
};
/* clang-format on */

enum { N_ROWS = sizeof rows / sizeof *rows };
_Static_assert(N_ROWS <= CUG_CONFIG_MAX_OPTIONS, "raise CUG_CONFIG_MAX_OPTIONS");

const cug_row *cug_config_row(int i) { return i >= 0 && i < N_ROWS ? &rows[i] : NULL; }
const cug_option *cug_option_at(int i) { return i >= 0 && i < N_ROWS ? &rows[i].option : NULL; }

int cug_config_find(const char *key) {
    for (int i = 0; i < N_ROWS; i++)
        if (*rows[i].option.key == *key && strcmp(rows[i].option.key, key) == 0) return i;
    return -1;
}

/* Levenshtein's distance, where '_' is as good as '-'; keys are short, longer ones are near none. Past the limit it is
 * some number above it: the rest of the table cannot lower a row's least entry. */
static int distance(const char *a, const char *b, int limit) {
    enum { MOST = 32 };
    int row[MOST + 1];
    size_t na = strlen(a), nb = strlen(b);
    if (na > MOST || nb > MOST) return MOST;
    if (abs((int)na - (int)nb) > limit) return limit + 1;
    for (size_t j = 0; j <= nb; j++) row[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int diagonal = row[0], least = row[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            char x = a[i - 1] == '_' ? '-' : a[i - 1];
            int best = diagonal + (x != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
            if (best < least) least = best;
        }
        if (least > limit) return least;
    }
    return row[nb];
}

const char *cug_config_nearest(const char *key) {
    const char *best = NULL;
    int least = 1 + (int)(strlen(key) < 32 ? strlen(key) : 32) / 3; /* more would be another word */
    for (int i = 0; i < N_ROWS; i++) {
        int d = distance(key, rows[i].option.key, least);
        if (d < least || (!best && d == least)) {
            least = d;
            best = rows[i].option.key;
        }
    }
    return best;
}

cug_status cug_config_unknown(const char *shown, const char *key) {
    const char *near = cug_config_nearest(key);
    if (near) {
        const char *dashes = *shown == '-' ? "--" : "";
        return cug_fail(CUG_ECONFIG_KEY, "%.80s: no such option: did you mean '%s%s'?", shown, dashes, near);
    }
    return cug_fail(CUG_ECONFIG_KEY, "%.80s: no such option: see cuglyph train --help", shown);
}
