/* host.c - facts of the machine. */
#include "host.h"
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

void host_cpu(char *out, size_t n) {
    static const char *const keys[] = {"model name", "cpu model", "Model"};
    char line[512];
    struct utsname u = {0};
    uname(&u);
    snprintf(out, n, "%s", u.machine);
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

int host_cores(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
}

void host_date(char *out, size_t n) {
    const time_t now = time(NULL);
    struct tm utc;
    strftime(out, n, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
}

void host_system(char *out, size_t n) {
    struct utsname u = {0};
    uname(&u);
    snprintf(out, n, "%s %s %s", u.sysname, u.release, u.machine);
}
