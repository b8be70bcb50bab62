/* shift.c - random shifts of training images: how far, and the moved pixels. */
#include <cuglyph/dataset.h>
#include <cuglyph/random.h>
#include <string.h>

/* [-most, most] from 32 random bits, by the high part of a product: each value within 2^-32 of equally likely. */
static int spread(uint32_t r, int most) { return (int)(((uint64_t)r * (uint64_t)(2 * most + 1)) >> 32) - most; }

void cug_shift_draw(uint64_t seed, uint32_t epoch, int32_t id, int most, int *dy, int *dx) {
    const uint32_t counter[4] = {0, (uint32_t)id, epoch, CUG_RNG_SHIFT};
    uint32_t r[4];
    cug_philox(seed, counter, r);
    *dy = spread(r[0], most);
    *dx = spread(r[1], most);
}

void cug_shift_image(uint8_t *out, const uint8_t *in, int H, int W, int C, int dy, int dx) {
    size_t row = (size_t)W * (size_t)C, from = dx < 0 ? (size_t)-dx : 0, to = dx > 0 ? (size_t)dx : 0;
    size_t keep = from + to < (size_t)W ? ((size_t)W - from - to) * (size_t)C : 0;
    for (int y = 0; y < H; y++, out += row) {
        int source = y - dy;
        memset(out, 0, row);
        if (source >= 0 && source < H && keep)
            memcpy(out + to * (size_t)C, in + (size_t)source * row + from * (size_t)C, keep);
    }
}
