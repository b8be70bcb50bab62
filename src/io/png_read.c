/* png_read.c - PNG files from anywhere: every size is checked before memory is taken, and libpng's errors, which come
 * by longjmp, leave here as statuses. */
#include <cuglyph/png.h>
#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_CHUNKS = 256, MAX_CHUNK_BYTES = 8 << 20 };

/* Everything that must survive a longjmp lives here, not in locals. */
typedef struct reader {
    png_structp png;
    png_infop info;
    const uint8_t *at, *end;
    png_uint_32 W, H;
    int channels; /* as decoded: 2 grey and alpha, 4 RGB and alpha */
    uint8_t *raw; /* (H, W, channels) */
    png_bytep *rows;
    int no_memory;
    char why[128];
} reader;

static void on_error(png_structp png, png_const_charp text) {
    reader *r = png_get_error_ptr(png);
    snprintf(r->why, sizeof r->why, "%s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) { (void)png, (void)text; }

static void on_read(png_structp png, png_bytep out, size_t n) {
    reader *r = png_get_io_ptr(png);
    if (n > (size_t)(r->end - r->at)) png_error(png, "the file is cut short");
    memcpy(out, r->at, n);
    r->at += n;
}

static void take_memory(reader *r) {
    size_t row = (size_t)r->W * (size_t)r->channels;
    r->raw = malloc(row * r->H);
    r->rows = malloc(r->H * sizeof *r->rows);
    r->no_memory = !r->raw || !r->rows;
    if (r->no_memory) png_error(r->png, "out of memory");
    for (size_t y = 0; y < r->H; y++) r->rows[y] = r->raw + y * row;
}

/* All that may longjmp; its own function, so that no local of the caller is at risk. 0 on success. */
static int decode(reader *r) {
    if (setjmp(png_jmpbuf(r->png))) return -1;
    png_set_user_limits(r->png, CUG_PNG_MAX_SIDE, CUG_PNG_MAX_SIDE);
    png_set_chunk_cache_max(r->png, MAX_CHUNKS);
    png_set_chunk_malloc_max(r->png, MAX_CHUNK_BYTES);
    png_set_read_fn(r->png, r, on_read);
    png_read_info(r->png, r->info);
    r->W = png_get_image_width(r->png, r->info);
    r->H = png_get_image_height(r->png, r->info);
    if (r->H > CUG_PNG_MAX_PIXELS / r->W) png_error(r->png, "too many pixels");
    png_set_expand(r->png); /* palettes and fewer than 8 bits to 8, a transparent colour to alpha */
    png_set_scale_16(r->png);
    png_set_add_alpha(r->png, 255, PNG_FILLER_AFTER);
    png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    r->channels = png_get_channels(r->png, r->info);
    if ((r->channels != 2 && r->channels != 4) ||
        png_get_rowbytes(r->png, r->info) != (size_t)r->W * (size_t)r->channels)
        png_error(r->png, "an unknown kind of pixels");
    take_memory(r);
    png_read_image(r->png, r->rows);
    png_read_end(r->png, NULL);
    return 0;
}

/* On white paper. */
static cug_status lay_down(cug_picture *out, const reader *r) {
    size_t n = (size_t)r->W * (size_t)r->H, C = (size_t)r->channels - 1;
    out->pixels = malloc(n * C);
    if (!out->pixels) return cug_fail(CUG_ENOMEM, "out of memory for %zu pixels", n);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *from = r->raw + i * (C + 1);
        unsigned a = from[C];
        for (size_t c = 0; c < C; c++) out->pixels[i * C + c] = (uint8_t)((from[c] * a + 255 * (255 - a) + 127) / 255);
    }
    out->W = (int)r->W;
    out->H = (int)r->H;
    out->C = (int)C;
    return CUG_OK;
}

cug_status cug_png_parse(cug_picture *out, const void *bytes, size_t n, const char *where) {
    reader r = {.at = bytes, .end = (const uint8_t *)bytes + n};
    cug_status st = CUG_OK;
    memset(out, 0, sizeof *out);
    if (n < 8 || png_sig_cmp(bytes, 0, 8) != 0)
        return cug_fail(CUG_EPNG, "%s: not a PNG picture; save it as PNG", where);
    r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
    r.info = r.png ? png_create_info_struct(r.png) : NULL;
    if (!r.info)
        st = cug_fail(CUG_ENOMEM, "%s: out of memory for libpng", where);
    else if (decode(&r) != 0)
        st = r.no_memory ? cug_fail(CUG_ENOMEM, "%s: out of memory for %u x %u pixels", where, r.W, r.H)
                         : cug_fail(CUG_EPNG, "%s: PNG that cannot be read: %s (at most %d pixels a side, %u in all)",
                                    where, r.why, CUG_PNG_MAX_SIDE, CUG_PNG_MAX_PIXELS);
    else if ((st = lay_down(out, &r)) != CUG_OK)
        cug_fail_at(st, "%s", where);
    png_destroy_read_struct(&r.png, &r.info, NULL);
    free(r.raw);
    free(r.rows);
    return st;
}

static cug_status read_file(FILE *f, const char *path, uint8_t **bytes, size_t *n) {
    struct stat sb;
    if (fstat(fileno(f), &sb) == 0 && S_ISDIR(sb.st_mode))
        return cug_fail(CUG_EINVAL, "%s: a folder; name the pictures in it", path);
    size_t room = 0;
    for (*n = 0;; *n += fread(*bytes + *n, 1, room - *n, f)) {
        if (ferror(f)) return cug_fail(CUG_EIO, "%s: reading failed: %s", path, strerror(errno));
        if (feof(f)) return CUG_OK;
        if (*n < room) continue;
        if (room >= CUG_PNG_MAX_BYTES) return cug_fail(CUG_EPNG, "%s: larger than %zu bytes", path, CUG_PNG_MAX_BYTES);
        room = room ? 2 * room : 1 << 16;
        uint8_t *more = realloc(*bytes, room);
        if (!more) return cug_fail(CUG_ENOMEM, "%s: out of memory for a file of over %zu bytes", path, *n);
        *bytes = more;
    }
}

cug_status cug_png_read(cug_picture *out, const char *path) {
    uint8_t *bytes = NULL;
    size_t n = 0;
    memset(out, 0, sizeof *out);
    FILE *f = fopen(path, "rbe");
    if (!f) return cug_fail(errno == ENOENT ? CUG_ENOENT : CUG_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    cug_status st = read_file(f, path, &bytes, &n);
    fclose(f);
    if (st == CUG_OK) st = cug_png_parse(out, bytes, n, path);
    free(bytes);
    return st;
}

void cug_picture_free(cug_picture *p) {
    free(p->pixels);
    memset(p, 0, sizeof *p);
}
