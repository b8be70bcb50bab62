/* run_environment.c - RUN/environment.json: what the figures of a run depend on besides its config. Nothing that names
 * the machine, its user or its folders. */
#include "train/run_internal.h"
#include <cuglyph/checkpoint.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#ifdef CUG_HAVE_CUDA
#define BUILT_WITH_CUDA 1
#else
#define BUILT_WITH_CUDA 0
#endif

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* "model name" on x86, "cpu model" and the like elsewhere; the architecture where there is none. */
static void cpu_model(char *out, size_t n, const char *fallback) {
    static const char *const keys[] = {"model name", "cpu model", "Model"};
    char line[512];
    snprintf(out, n, "%s", fallback);
    FILE *f = fopen("/proc/cpuinfo", "re");
    if (!f) return;
    for (int found = 0; !found && fgets(line, sizeof line, f);)
        for (int k = 0; k < 3 && !found; k++) {
            char *colon = strchr(line, ':');
            if (!colon || strncmp(line, keys[k], strlen(keys[k])) != 0) continue;
            colon += 1 + strspn(colon + 1, " \t");
            colon[strcspn(colon, "\n")] = 0;
            snprintf(out, n, "%s", colon);
            found = 1;
        }
    fclose(f);
}

static int usable_cores(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
}

static json_t *describe(const char *device_line) {
    struct utsname u = {0};
    char os[256], cpu[256], date[32];
    time_t now = time(NULL);
    struct tm utc;
    uname(&u);
    snprintf(os, sizeof os, "%s %s %s", u.sysname, u.release, u.machine);
    cpu_model(cpu, sizeof cpu, u.machine);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    json_int_t memory = (json_int_t)sysconf(_SC_PHYS_PAGES) * (json_int_t)sysconf(_SC_PAGESIZE);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:s, s:b}", "version", CUG_VERSION, "date", date, "compiler",
                     COMPILER, "os", os, "cpu", cpu, "cores", usable_cores(), "memory_bytes", memory, "device",
                     device_line, "cuda", BUILT_WITH_CUDA);
}

cug_status cug_run_environment(cug_run *r, const char *device_line) {
    char path[CUG_RUN_PATH];
    if (!r || r->lock < 0) return cug_fail(CUG_EINVAL, "cug_run_environment: the run is not open for writing");
    json_t *facts = describe(device_line ? device_line : "");
    char *text = facts ? json_dumps(facts, JSON_INDENT(2)) : NULL;
    json_decref(facts);
    if (!text) return cug_fail(CUG_ENOMEM, "%s: out of memory for a description of this machine", r->path);
    size_t n = strlen(text);
    text[n] = '\n'; /* in place of the terminator: the file ends in a line break */
    cug_status st = cug_write_atomic(cug_run_file(r, "environment.json", path, sizeof path), text, n + 1);
    free(text);
    return st;
}
