/* picture.h - images in the terminal, and as a grid in a PNG. */
#ifndef CUG_CLI_PICTURE_H
#define CUG_CLI_PICTURE_H

#include <cuglyph/status.h>
#include <stddef.h>
#include <stdint.h>

/* count images of H x W pixels and C bytes each; what is not RGB shows its first channel as grey. */
typedef struct picture_set {
    const uint8_t *pixels; /* (count, H, W, C) */
    int H, W, C;
} picture_set;

/* Prints rows y and y+1 of an image as one line of text, W columns wide, without a line break: half blocks in colour on
 * a terminal that takes them, else shades of ASCII. */
void picture_line(const picture_set *set, int image, int y);

/* Columns of a grid of n pictures in `rows` rows; rows 0: as square as it gets. */
size_t picture_columns(size_t n, size_t rows);
/* Writes images ids[0..n-1] (NULL: 0..n-1), each pixel `scale` pixels wide, row by row with a line between them. The
 * picture's size comes back where not NULL. */
cug_status picture_grid(const char *path, const picture_set *set, const int32_t *ids, size_t n, size_t columns,
                        size_t scale, size_t *width, size_t *height);

#endif
