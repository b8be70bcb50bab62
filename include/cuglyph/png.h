/* png.h - pictures: reading PNG files of any kind, writing grey and RGB ones. */
#ifndef CUGLYPH_PNG_H
#define CUGLYPH_PNG_H

#include <cuglyph/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CUG_PNG_MAX_SIDE 16384              /* pixels; the largest width and height accepted */
#define CUG_PNG_MAX_PIXELS (1u << 25)       /* width times height */
#define CUG_PNG_MAX_BYTES ((size_t)1 << 28) /* of a file */

typedef struct cug_picture {
    int W, H, C;     /* C: 1 grey, 3 RGB */
    uint8_t *pixels; /* (H, W, C), top row first */
} cug_picture;

/* Reads PNG of every colour type, bit depth and interlacing: palettes resolved, 16 bits rounded to 8, what is
 * transparent laid on white paper (v*a + 255*(255-a), divided by 255 and rounded). Grey files give C = 1, others 3.
 * CUG_EPNG: not PNG, damaged, cut short or larger than the limits above; CUG_ENOENT, CUG_EIO, CUG_ENOMEM. On failure
 * *out is all zero. Free with cug_picture_free. */
CUG_API cug_status cug_png_read(cug_picture *out, const char *path);
/* The same from memory. */
CUG_API cug_status cug_png_parse(cug_picture *out, const void *bytes, size_t n, const char *where);
CUG_API void cug_picture_free(cug_picture *p); /* one that is all zero is safe */

/* 8-bit grey (channels 1) or RGB (3), row-major, top row first. Written to a temporary file, then renamed. */
CUG_API cug_status cug_png_write(const char *path, const uint8_t *pixels, int width, int height, int channels);

#ifdef __cplusplus
}
#endif
#endif
