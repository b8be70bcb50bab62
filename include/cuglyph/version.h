/* version.h - the library's version, and the mark of what it exports. */
#ifndef CUGLYPH_VERSION_H
#define CUGLYPH_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

#define CUG_VERSION "0.1.0" /* the Makefile reads it here */

/* Every function and variable declared in these headers; the rest of the library is built hidden. */
#if defined(__GNUC__)
#define CUG_API __attribute__((visibility("default")))
#else
#define CUG_API
#endif

/* CUG_VERSION of the library that is linked, which need not be that of the headers. */
CUG_API const char *cug_version(void);

#ifdef __cplusplus
}
#endif
#endif
