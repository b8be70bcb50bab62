/* png.h - writing pictures. */
#ifndef CUGLYPH_PNG_H
#define CUGLYPH_PNG_H

#include <cuglyph/status.h>
#include <stdint.h>

/* 8-bit grey (channels 1) or RGB (3), row-major, top row first. Written to a temporary file, then renamed. */
CUG_API cug_status cug_png_write(const char *path, const uint8_t *pixels, int width, int height, int channels);

#endif
