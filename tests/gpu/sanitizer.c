/* sanitizer.c - this same program with small shapes under each tool of compute-sanitizer. */
#include "check.h"
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOOL_SECONDS 60
#define FOUND_ERRORS 99 /* exit status that we ask the tool for */

/* On PATH, under $CUDA_HOME, or where the compiler was. */
static int find_tool(char *out, size_t n) {
    const char *path = getenv("PATH"), *home = getenv("CUDA_HOME");
    for (const char *p = path ? path : ""; *p; p += strcspn(p, ":"), p += *p == ':') {
        snprintf(out, n, "%.*s/compute-sanitizer", (int)strcspn(p, ":"), p);
        if (access(out, X_OK) == 0) return 1;
    }
    const char *const homes[] = {home && *home ? home : GPU_CUDA_HOME, GPU_CUDA_HOME, "/usr/local/cuda"};
    for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
        snprintf(out, n, "%s/bin/compute-sanitizer", homes[i]);
        if (access(out, X_OK) == 0) return 1;
    }
    return 0;
}

/* Lines in which the tool reports an error; its banner and its summary are none. */
static int count_reports(const char *path) {
    char line[512];
    int n = 0;
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        n += strncmp(line, "========= ", 10) == 0 && line[10] != ' ' && !strstr(line, "COMPUTE-SANITIZER") &&
             !strstr(line, "SUMMARY") && !strstr(line, "Target application returned an error");
    if (f) fclose(f);
    return n;
}

/* Did the program end itself, a part of it being too slow under the tool? */
static int gave_up(const char *path) {
    char line[512];
    int found = 0;
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) found |= strstr(line, "still running: the program ends here") != NULL;
    if (f) fclose(f);
    return found;
}

static void run_tool(gpu_check *c, const char *sanitizer, const char *tool) {
    char command[4096], log[1024];
    if (!gpu_part(c, TOOL_SECONDS + 10, "compute-sanitizer %s", tool)) return;
    if (!*sanitizer) {
        gpu_end(c, GPU_SKIPPED, "compute-sanitizer is neither on PATH nor under CUDA_HOME");
        return;
    }
    snprintf(log, sizeof log, "%s/%s.txt", c->out, tool);
    /* Errors of calls are the library's own business, and one of our checks makes one. */
    snprintf(command, sizeof command,
             "timeout -k 5 %d '%s' --tool %s %s --error-exitcode %d '%s' --small --times 0 --out '%s/%s' > '%s' 2>&1",
             TOOL_SECONDS, sanitizer, tool, strcmp(tool, "memcheck") == 0 ? "--report-api-errors no" : "", FOUND_ERRORS,
             c->program, c->out, tool, log);
    fflush(NULL);
    int status = system(command), reports = count_reports(log);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code == 0)
        gpu_end(c, GPU_OK, "no errors");
    else if (code == FOUND_ERRORS || reports)
        gpu_end(c, GPU_FAILED, "%d reports, in %s", reports, log);
    else if (code == 124 || code == 137 || gave_up(log))
        gpu_end(c, GPU_SKIPPED, "not through in %d s, no errors until then", TOOL_SECONDS);
    else
        gpu_end(c, GPU_FAILED, "ended with status %d, see %s", code, log);
}

void check_sanitizer(gpu_check *c) {
    static const char *const tools[] = {"memcheck", "racecheck", "initcheck", "synccheck"};
    char path[1024];
    if (!find_tool(path, sizeof path)) *path = 0;
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) run_tool(c, path, tools[i]);
}
