/* graph_segment.c - the border between memory order (KRSC, HWC-flattened) and file order (OIHW, CHW-flattened). */
#include <cuglyph/graph.h>
#include <string.h>

/* Both layouts are a stack of `outer` matrices whose rows (pixels) and columns (channels) swap places in the file. */
static void matrices(const cug_segment *s, size_t *outer, size_t *pixels, size_t *channels) {
    if (s->layout == CUG_LAYOUT_KRSC) {
        *outer = (size_t)s->dims[0];
        *pixels = (size_t)s->dims[1] * (size_t)s->dims[2];
        *channels = (size_t)s->dims[3];
    } else if (s->layout == CUG_LAYOUT_O_HWC) {
        *outer = (size_t)s->dims[0];
        *pixels = (size_t)s->H * (size_t)s->W;
        *channels = (size_t)s->C;
    } else {
        *outer = 1;
        *pixels = s->count;
        *channels = 1;
    }
}

/* dst[o][c][r] = src[o][r][c] */
static void transpose(char *dst, const char *src, size_t outer, size_t rows, size_t columns, size_t elem_size) {
    if (rows == 1 || columns == 1) {
        memcpy(dst, src, outer * rows * columns * elem_size);
        return;
    }
    for (size_t o = 0; o < outer; o++)
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < columns; c++)
                memcpy(dst + ((o * columns + c) * rows + r) * elem_size,
                       src + ((o * rows + r) * columns + c) * elem_size, elem_size);
}

void cug_segment_to_file(const cug_segment *s, void *dst, const void *src, size_t elem_size) {
    size_t outer, pixels, channels;
    matrices(s, &outer, &pixels, &channels);
    transpose(dst, src, outer, pixels, channels, elem_size);
}

void cug_segment_from_file(const cug_segment *s, void *dst, const void *src, size_t elem_size) {
    size_t outer, pixels, channels;
    matrices(s, &outer, &pixels, &channels);
    transpose(dst, src, outer, channels, pixels, elem_size);
}

int cug_segment_file_dims(const cug_segment *s, int dims[CUG_MAX_DIMS]) {
    for (int i = 0; i < CUG_MAX_DIMS; i++) dims[i] = i < s->ndim ? s->dims[i] : 1;
    if (s->layout == CUG_LAYOUT_KRSC) {
        dims[1] = s->dims[3];
        dims[2] = s->dims[1];
        dims[3] = s->dims[2];
    }
    return s->ndim;
}
