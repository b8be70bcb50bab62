/* host.h - facts of the machine that figures depend on; nothing that names it, its user or its folders. */
#ifndef CUG_HOST_H
#define CUG_HOST_H

#include <stddef.h>

/* "model name" on x86, "cpu model" and the like elsewhere; the architecture where there is none. */
void host_cpu(char *out, size_t n);
/* Processors this process may run on. */
int host_cores(void);
/* UTC, "2025-01-31T12:00:00Z"; n >= 21. */
void host_date(char *out, size_t n);
/* "Linux 6.1.0 x86_64" */
void host_system(char *out, size_t n);

#endif
