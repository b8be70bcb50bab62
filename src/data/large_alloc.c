/* large_alloc.c - memory for images, in pages of megabytes where the system has them. */
#include "data/large_alloc.h"
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE ((size_t)2 << 20)

void *cug_large_alloc(size_t bytes) {
    if (bytes < 2 * PAGE || bytes > SIZE_MAX - PAGE) return malloc(bytes);
    size_t whole = (bytes + PAGE - 1) / PAGE * PAGE;
    void *p = aligned_alloc(PAGE, whole);
#ifdef MADV_HUGEPAGE
    if (p) (void)madvise(p, whole, MADV_HUGEPAGE); /* refused: pages as they are */
#endif
    return p;
}
