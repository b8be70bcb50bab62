/* device.c - cuglyph info --device: the CPU and the GPUs that a model can be trained on here. */
#include <cuglyph/backend.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

#if CUG_HAVE_CUDA
#include <cuglyph/cuda.h>

static void print_gpu(const cug_cuda_report *r) {
    printf("cuda:%d  %s\n", r->ordinal, r->name);
    printf("  %-20s %d.%d (this build has %s)\n", "compute capability", r->major, r->minor, r->architectures);
    printf("  %-20s %d\n", "multiprocessors", r->sms);
    printf("  %-20s %.2f of %.2f GB free\n", "memory", (double)r->memory_free / 1e9, (double)r->memory_total / 1e9);
    printf("  %-20s %.1f MB\n", "L2 cache", (double)r->l2 / 1e6);
    printf("  %-20s driver up to %d.%d, built with %d.%d\n", "CUDA", r->driver / 1000, r->driver % 1000 / 10,
           r->runtime / 1000, r->runtime % 1000 / 10);
    if (r->pinned_upload > 0)
        printf("  %-20s %.1f GB/s to the GPU, %.1f GB/s back\n", "copies, pinned", r->pinned_upload / 1e9,
               r->pinned_download / 1e9);
    else
        printf("  %-20s pinned memory was refused\n", "copies, pinned");
    printf("  %-20s %.1f GB/s to the GPU, %.1f GB/s back\n", "copies, pageable", r->pageable_upload / 1e9,
           r->pageable_download / 1e9);
}

static json_t *gpu_json(const cug_cuda_report *r) {
    return json_pack("{s:i, s:s, s:s, s:i, s:i, s:i, s:I, s:I, s:I, s:i, s:i, s:b, s:f, s:f, s:f, s:f}", "ordinal",
                     r->ordinal, "name", r->name, "built_for", r->architectures, "major", r->major, "minor", r->minor,
                     "multiprocessors", r->sms, "memory_free", (json_int_t)r->memory_free, "memory_total",
                     (json_int_t)r->memory_total, "l2", (json_int_t)r->l2, "driver", r->driver, "runtime", r->runtime,
                     "pinned", r->pinned_upload > 0, "pinned_upload_bytes_per_s", r->pinned_upload,
                     "pinned_download_bytes_per_s", r->pinned_download, "pageable_upload_bytes_per_s",
                     r->pageable_upload, "pageable_download_bytes_per_s", r->pageable_download);
}

/* Every GPU, into `all` when that is not NULL, else printed. */
static cug_status show_gpus(json_t *all) {
    int count = 0;
    CUG_TRY(cug_cuda_count(&count));
    for (int i = 0; i < count; i++) {
        cug_cuda_report r;
        CUG_TRY(cug_cuda_report_read(&r, i));
        if (all)
            json_array_append_new(all, gpu_json(&r));
        else
            print_gpu(&r);
    }
    return CUG_OK;
}
#else
static cug_status show_gpus(json_t *all) {
    (void)all;
    return cug_fail(CUG_ENOTSUP, "no CUDA device: this build has no CUDA; build with CUDA=1");
}
#endif

/* A machine without a GPU is no failure of this command: it says so and succeeds. A GPU that fails is one. */
int info_devices(int argc, char **argv) {
    cug_device *dev = 0;
    int as_json = argc == 2 && strcmp(argv[1], "--json") == 0, bad = 0;
    if (argc > 1 && !as_json) return cli_usage("info", "--device takes --json alone, not '%s'", argv[1]);
    cug_status st = cug_backend_cpu.open(&dev, &(cug_device_options){0});
    if (st != CUG_OK) return cli_fail(st);
    json_t *gpus = as_json ? json_array() : 0;
    if (!as_json) printf("%s\n", cug_backend_cpu.describe(dev));
    st = show_gpus(gpus);
    if (!as_json && st == CUG_ENOTSUP) printf("%s\n", cug_error());
    if (as_json) {
        json_t *o = json_pack("{s:s, s:o}", "cpu", cug_backend_cpu.describe(dev), "cuda", gpus);
        if (o && st == CUG_ENOTSUP) json_object_set_new(o, "cuda_reason", json_string(cug_error()));
        bad = !o || json_dumpf(o, stdout, JSON_INDENT(2)) || putchar('\n') == EOF;
        json_decref(o);
    }
    cug_backend_cpu.close(dev);
    if (bad) return cli_fail(cug_fail(CUG_EIO, "writing JSON failed"));
    return st == CUG_OK || st == CUG_ENOTSUP ? 0 : cli_fail(st);
}
