/* backend.c - the list of backends in this build. */
#include <cuglyph/backend.h>
#include <string.h>

#if CUG_HAVE_CUDA
extern const cug_backend cug_backend_cuda;
#endif

static const cug_backend *const backends[] = {
    &cug_backend_ref,
    &cug_backend_cpu,
#if CUG_HAVE_CUDA
    &cug_backend_cuda,
#endif
};

#define BACKENDS ((int)(sizeof backends / sizeof *backends))

const cug_backend *cug_backend_at(int i) { return i >= 0 && i < BACKENDS ? backends[i] : NULL; }

const cug_backend *cug_backend_find(const char *name) {
    for (int i = 0; name && i < BACKENDS; i++)
        if (!strcmp(backends[i]->name, name)) return backends[i];
    return NULL;
}
