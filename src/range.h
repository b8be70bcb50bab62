/* range.h - names stretches of the host's work for a profiler, where the backend can show them (backend.h). Every push
 * has its pop on the same thread, also when the work between them failed. */
#ifndef CUG_RANGE_H
#define CUG_RANGE_H

#include <cuglyph/backend.h>

static inline void range_push(const cug_backend *be, const char *name) {
    if (be->range_push) be->range_push(name);
}

static inline void range_pop(const cug_backend *be) {
    if (be->range_pop) be->range_pop();
}

#endif
