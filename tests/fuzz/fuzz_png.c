/* fuzz_png.c - libFuzzer target: any bytes at all go to the PNG reader; what it accepts is then prepared for a model.
 */
#include <cuglyph/prepare.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

volatile uint8_t bytes_read; /* what is read must not be optimised away */

static void require(int truth) {
    if (!truth) abort();
}

static void prepare(const cug_picture *p) {
    uint8_t out[28 * 28];
    for (cug_invert invert = CUG_INVERT_AUTO; invert <= CUG_INVERT_YES; invert++) {
        memset(out, 0, sizeof out);
        if (cug_prepare_digit(out, 28, 28, p, invert) != CUG_OK) continue;
        int most = 0;
        for (size_t i = 0; i < sizeof out; i++) most = out[i] > most ? out[i] : most;
        require(most == 255);
    }
    require(cug_prepare_resize(out, 28, 28, 1, p, CUG_INVERT_NO) == CUG_OK);
}

static void try(const uint8_t *bytes, size_t n) {
    cug_picture p;
    cug_status st = cug_png_parse(&p, bytes, n, "fuzz");
    if (st == CUG_OK) {
        size_t size = (size_t)p.W * (size_t)p.H * (size_t)p.C;
        require(p.W > 0 && p.H > 0 && (p.C == 1 || p.C == 3) && p.pixels);
        for (size_t i = 0; i < size; i++) bytes_read ^= p.pixels[i]; /* every promised byte can be read */
        if (size <= 1 << 12) prepare(&p);                            /* larger ones take the same paths, for longer */
    } else {
        require(!p.pixels && !p.W && !p.H && cug_error()[0] && !strchr(cug_error(), '\n'));
    }
    cug_picture_free(&p);
}

/* Each chunk's checksum made right, so that what is inside the chunks is reached. */
static void fix_checksums(uint8_t *png, size_t n) {
    for (size_t at = 8; at + 12 <= n;) {
        size_t length = (size_t)png[at] << 24 | (size_t)png[at + 1] << 16 | (size_t)png[at + 2] << 8 | png[at + 3];
        if (length > n - at - 12) return;
        uint32_t crc = (uint32_t)crc32(0, png + at + 4, (uInt)(length + 4));
        for (size_t i = 0; i < 4; i++) png[at + 8 + length + i] = (uint8_t)(crc >> (24 - 8 * i));
        at += 12 + length;
    }
}

static uint64_t side(const uint8_t *p) { return (uint64_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    try(bytes, n);
    uint8_t *copy = malloc(n + 8);
    if (!copy) return 0;
    memcpy(copy, bytes, n);
    if (n >= 8) memcpy(copy, signature, 8);
    fix_checksums(copy, n);
    if (n >= 24 && side(copy + 16) * side(copy + 20) <= 1 << 14)
        try(copy, n); /* large claims take time and teach little */
    free(copy);
    return 0;
}
