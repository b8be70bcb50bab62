/* test_cuda_faults.c - each CUDA call of the driver fails in turn (the emulator's EMU_FAIL): the failure comes back as
 * a status that names the call, nothing crashes or hangs, and nothing is left allocated (the emulator's leak report
 * ends the process with status 70). Every fault has a process of its own. */
#include "cuda/ring.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if CUG_HAVE_CUDA
#include <cuglyph/cuda.h>

enum { FINE = 0, CRASHED = 1, TOLD = 10, TOLD_WITHOUT_NAME = 11, NOT_EMULATED = 12 };

static cug_status fill_batch(void *user, uint64_t seq, uint8_t *pixels, int32_t *labels, int32_t *ids, int *n) {
    (void)user;
    *n = seq < 6 ? 2 : 0;
    for (int i = 0; i < *n; i++) pixels[i] = 1, labels[i] = ids[i] = (int32_t)seq;
    return CUG_OK;
}

static cug_status use_ring(cug_device *dev) {
    cug_cuda_ring *r = NULL;
    cug_cuda_ring_batch b = {.n = 1};
    cug_status st = CUG_OK;
    CUG_TRY(
        cug_cuda_ring_open(&r, dev, &(cug_cuda_ring_options){.max_batch = 2, .pixel_bytes = 1, .fill = fill_batch}));
    while (b.n) {
        CUG_GOTO(cug_cuda_ring_next(r, &b, NULL));
        if (b.n) CUG_GOTO(cug_cuda_ring_release(r, NULL));
    }
cleanup:
    cug_cuda_ring_close(r);
    return st;
}

static cug_status use_memory(const cug_backend *cuda, cug_device *dev) {
    static char host[3 << 20];
    void *a = NULL, *b = NULL;
    cug_status st = CUG_OK;
    CUG_GOTO(cuda->alloc(dev, &a, sizeof host));
    CUG_GOTO(cuda->alloc(dev, &b, sizeof host));
    CUG_GOTO(cuda->fill(dev, a, 1, sizeof host, NULL));
    CUG_GOTO(cuda->upload(dev, b, host, sizeof host, NULL));
    CUG_GOTO(cuda->copy(dev, a, b, sizeof host, NULL));
    CUG_GOTO(cuda->download(dev, host, a, sizeof host, NULL));
    CUG_GOTO(cuda->sync(dev, NULL));
cleanup:
    cuda->free(dev, a);
    cuda->free(dev, b);
    return st;
}

static cug_status use_everything(void) {
    const cug_backend *cuda = cug_backend_find("cuda");
    cug_device *dev = NULL;
    cug_cuda_report report;
    CUG_TRY(cuda->open(&dev, &(cug_device_options){0}));
    cug_status st = use_memory(cuda, dev);
    if (st == CUG_OK) st = use_ring(dev);
    cuda->close(dev);
    return st == CUG_OK ? cug_cuda_report_read(&report, 0) : st;
}

static int emulated(void) {
    const cug_backend *cuda = cug_backend_find("cuda");
    cug_device *dev = NULL;
    if (cuda->open(&dev, &(cug_device_options){0}) != CUG_OK) return NOT_EMULATED;
    int found = strstr(cuda->describe(dev), "emulated") != NULL;
    cuda->close(dev);
    return found ? FINE : NOT_EMULATED;
}

/* In a child: what became of the fault; NULL asks whether the device is the emulated one. */
static int in_child(const char *call, int nth) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        char fault[96];
        alarm(30); /* a hang is a failure */
        if (!call) exit(emulated());
        snprintf(fault, sizeof fault, "%s:%d", call, nth);
        setenv("EMU_FAIL", fault, 1);
        cug_status st = use_everything();
        exit(st == CUG_OK ? FINE : strstr(cug_error(), call) ? TOLD : TOLD_WITHOUT_NAME);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return CRASHED;
    return WIFEXITED(status) ? WEXITSTATUS(status) : CRASHED;
}

Test(cuda_faults, every_call_in_turn, .timeout = 120) {
    static const struct {
        const char *call;
        int most; /* how many of its calls to fail */
    } calls[] = {{"cudaGetDeviceCount", 1},
                 {"cudaSetDevice", 9},
                 {"cudaMalloc", 5},
                 {"cudaHostAlloc", 3},
                 {"cudaMemcpyAsync", 12},
                 {"cudaMemsetAsync", 2},
                 {"cudaEventRecord", 12},
                 {"cudaEventSynchronize", 9},
                 {"cudaStreamWaitEvent", 4},
                 {"cudaMemGetInfo", 1},
                 {"cudaStreamSynchronize", 2},
                 {"cudaGetDeviceProperties", 1},
                 {"cudaEventElapsedTime", 1},
                 {"cudaDeviceGetAttribute", 1},
                 {"cudaDriverGetVersion", 1},
                 {"cudaRuntimeGetVersion", 1},
                 {"cudaEventCreateWithFlags", 7},
                 {"cudaStreamCreateWithFlags", 2}};
    if (in_child(NULL, 0) != FINE) return;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const char *call = calls[i].call;
        int told = 0, refusable = !strcmp(call, "cudaHostAlloc"); /* pinned memory: done without */
        for (int nth = 1; nth <= calls[i].most; nth++) {
            int got = in_child(call, nth);
            told += got == TOLD;
            cr_expect(got == TOLD || got == FINE, "%s, call %d: ended with %d", call, nth, got);
        }
        cr_expect(refusable ? !told : told > 0, "%s: %d failures were told", call, told);
    }
}

#endif
