/* device.c - which device a run uses. */
#include <cuglyph/train.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char note_text[600];

/* "cuda:1" -> backend name "cuda", ordinal 1. */
static cug_status split_name(const char *device, char *name, size_t n, int *ordinal) {
    const char *colon = strchr(device, ':');
    size_t len = colon ? (size_t)(colon - device) : strlen(device);
    *ordinal = 0;
    if (len >= n) len = n - 1;
    memcpy(name, device, len);
    name[len] = 0;
    if (!colon) return CUG_OK;
    char *end;
    long v = strtol(colon + 1, &end, 10);
    if (end == colon + 1 || *end || v < 0 || v > 1023 || strcmp(name, "cuda") != 0)
        return cug_fail(CUG_EINVAL, "device '%s': expected auto, cpu, ref, cuda or cuda:N", device);
    *ordinal = (int)v;
    return CUG_OK;
}

/* cuDNN and cuBLASLt asked for by name, where there is nothing to run them on. */
static cug_status no_library_wanted(const cug_config *c, const char *lead, const char *why) {
    char text[500];
    snprintf(text, sizeof text, "%s%.400s", lead, why);
    if (c->conv == CUG_CHOOSE_LIBRARY) return cug_fail(CUG_ENOTSUP, "conv cudnn needs a GPU: %s", text);
    if (c->gemm == CUG_CHOOSE_LIBRARY) return cug_fail(CUG_ENOTSUP, "gemm cublas needs a GPU: %s", text);
    return CUG_OK;
}

cug_status cug_device_open(const cug_config *c, const cug_backend **be, cug_device **dev, const char **note) {
    cug_device_options opt = {.threads = (int)c->threads,
                              .precision = c->precision,
                              .conv = c->conv,
                              .gemm = c->gemm,
                              .nondeterministic = c->nondeterministic};
    char name[32];
    if (note) *note = "";
    if (strcmp(c->device, "auto") != 0) {
        CUG_TRY(split_name(c->device, name, sizeof name, &opt.ordinal));
        *be = cug_backend_find(name);
        if (!*be && strcmp(name, "cuda") == 0)
            return cug_fail(CUG_ENOTSUP, "device cuda: this build has no CUDA; build with CUDA=1, or use --device cpu");
        if (!*be) return cug_fail(CUG_EINVAL, "device '%s': expected auto, cpu, ref, cuda or cuda:N", c->device);
        if (strcmp(name, "cuda") != 0) CUG_TRY(no_library_wanted(c, "device ", c->device));
        return (*be)->open(dev, &opt);
    }
    const cug_backend *cuda = cug_backend_find("cuda");
    if (cuda) {
        *be = cuda;
        cug_status st = cuda->open(dev, &opt);
        if (st == CUG_ENOENT) return st; /* there is a GPU, but not the library that was asked for */
        if (st == CUG_OK) {
            if (note)
                *note = "the CUDA kernels are proven on an emulated device only, not yet run on a GPU; "
                        "--device cpu is the tried path";
            return CUG_OK;
        }
        snprintf(note_text, sizeof note_text, "%.500s; using the CPU", cug_error());
        if (note) *note = note_text;
    }
    CUG_TRY(no_library_wanted(c, "", cuda ? cug_error() : "this build has no CUDA"));
    if (c->precision != CUG_PREC_FP32) {
        const char *why = cuda ? cug_error() : "this build has no CUDA";
        return cug_fail(CUG_ENOTSUP, "--precision %s needs a GPU (%.400s); the CPU computes in --precision fp32",
                        cug_precision_name(c->precision), why);
    }
    *be = cug_backend_find("cpu");
    return (*be)->open(dev, &opt);
}
