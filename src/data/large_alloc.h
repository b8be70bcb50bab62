/* large_alloc.h - memory that is read at random, in few pages: to find the page of a shuffled image costs as much as to
 * read it. */
#ifndef CUG_DATA_LARGE_ALLOC_H
#define CUG_DATA_LARGE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

/* As malloc; free with free(). */
void *cug_large_alloc(size_t bytes);

#endif
