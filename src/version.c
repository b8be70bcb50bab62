/* version.c - which library this is. */
#include <cuglyph/version.h>

const char *cug_version(void) { return CUG_VERSION; }
