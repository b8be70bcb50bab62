/* main.c - gpu-check's parts in their order: what is wrong comes before what is slow. */
#include "check.h"
#include <cuglyph/cuda.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int usage(FILE *f) {
    fputs("usage: gpu-check [--small] [--times N] [--spent SECONDS] [--out FOLDER]\n"
          "  --small      small shapes alone, no sanitizer, no MNIST\n"
          "  --times N    repetitions of each timing (11; 0: no timings)\n"
          "  --spent S    seconds gone already of the nine minutes, by building\n"
          "  --out FOLDER of log.txt and results.json ($OUT, else build/gpu-check)\n",
          f);
    return f == stdout ? 0 : 2;
}

static int make_folders(const char *path) {
    char part[1024];
    snprintf(part, sizeof part, "%s", path);
    for (char *p = part + 1;; p++) {
        char c = *p;
        if (c && c != '/') continue;
        *p = 0;
        if (mkdir(part, 0777) != 0 && errno != EEXIST) {
            fprintf(stderr, "gpu-check: %s: %s\n", part, strerror(errno));
            return -1;
        }
        if (!c) return 0;
        *p = c;
    }
}

static void report_device(gpu_check *c, const cug_cuda_report *r) {
    if (!gpu_part(c, 20, "device report")) return;
    gpu_fact(c, "device", "%s", r->name);
    gpu_fact(c, "compute capability", "%d.%d", r->major, r->minor);
    gpu_fact(c, "SMs", "%d", r->sms);
    gpu_fact(c, "memory", "%.2f of %.2f GB free", (double)r->memory_free * 1e-9, (double)r->memory_total * 1e-9);
    gpu_fact(c, "L2", "%.1f MB", (double)r->l2 / 0x1p20);
    gpu_fact(c, "CUDA of the driver", "%d.%d", r->driver / 1000, r->driver % 1000 / 10);
    gpu_fact(c, "CUDA of this build", "%d.%d", r->runtime / 1000, r->runtime % 1000 / 10);
    gpu_fact(c, "kernels for", "%s", r->architectures);
    gpu_fact(c, "pinned memory", "%s", r->pinned_upload > 0 ? "yes" : "refused");
    gpu_fact(c, "pinned copies", "%.2f GB/s to the device, %.2f GB/s back", r->pinned_upload * 1e-9,
             r->pinned_download * 1e-9);
    gpu_fact(c, "pageable copies", "%.2f GB/s to the device, %.2f GB/s back", r->pageable_upload * 1e-9,
             r->pageable_download * 1e-9);
    gpu_end(c, GPU_OK, "%s", c->be->describe(c->dev));
}

static int parse(gpu_check *c, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--small") == 0)
            c->small = 1;
        else if (strcmp(argv[i], "--times") == 0 && value)
            c->times = atoi(argv[++i]);
        else if (strcmp(argv[i], "--spent") == 0 && value)
            c->spent = atof(argv[++i]);
        else if (strcmp(argv[i], "--out") == 0 && value)
            c->out = argv[++i];
        else
            return -1;
    }
    return c->times < 0 || c->times > 1000 ? -1 : 0;
}

static void run(gpu_check *c) {
    check_doors(c);
    check_ops(c);
    check_gradients(c);
    check_libraries(c);
    check_loader(c);
    check_repeats(c);
    check_steps(c);
    if (!c->small) check_sanitizer(c);
    if (c->times > 0) {
        time_ops(c);
        time_kernels(c);
        time_libraries(c);
        time_loader(c);
        time_training(c);
    }
    if (!c->small) check_mnist(c);
}

int main(int argc, char **argv) {
    const char *out = getenv("OUT");
    gpu_check c = {.program = argv[0],
                   .out = out && *out ? out : "build/gpu-check",
                   .times = 11,
                   .be = cug_backend_find("cuda"),
                   .seed = 1};
    cug_cuda_report device;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return usage(stdout);
    if (parse(&c, argc, argv) != 0) return usage(stderr);
    if (cug_cuda_report_read(&device, 0) != CUG_OK || c.be->open(&c.dev, &(cug_device_options){0}) != CUG_OK) {
        fprintf(stderr, "gpu-check: nothing was checked: %s\n", cug_error());
        return 1;
    }
    if (make_folders(c.out) != 0) return 1;
    if (gpu_report_open(&c) != 0) {
        fprintf(stderr, "gpu-check: %s\n", cug_error());
        return 1;
    }
    c.device = device.name;
    c.copy_rate = device.pinned_upload > 0 ? device.pinned_upload : device.pageable_upload;
    report_device(&c, &device);
    run(&c);
    int failed = gpu_report_close(&c);
    c.be->close(c.dev);
    fclose(c.log);
    return failed ? 1 : 0;
}
