/* run_environment.c - RUN/environment.json: what the figures of a run depend on besides its config. Nothing that names
 * the machine, its user or its folders. */
#include "host.h"
#include "train/run_internal.h"
#include <cuglyph/checkpoint.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static json_t *describe(const char *device_line) {
    char os[256], cpu[256], date[32];
    host_system(os, sizeof os);
    host_cpu(cpu, sizeof cpu);
    host_date(date, sizeof date);
    json_int_t memory = (json_int_t)sysconf(_SC_PHYS_PAGES) * (json_int_t)sysconf(_SC_PAGESIZE);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:s, s:b}", "version", CUG_VERSION, "date", date, "compiler",
                     COMPILER, "os", os, "cpu", cpu, "cores", host_cores(), "memory_bytes", memory, "device",
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
