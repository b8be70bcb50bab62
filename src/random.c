/* random.c - Philox4x32-10 and what is drawn from it on the host. */
#include <cuglyph/random.h>
#include <math.h>
#include <string.h>

void cug_philox(uint64_t seed, const uint32_t counter[4], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(b >> 32) ^ c1 ^ k0, n2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)b;
        c3 = (uint32_t)a;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

/* Places are worked out side by side: a Philox word is a chain of products, and one chain alone mostly waits. */
#define LANES 16

/* One Feistel round's function: a Philox word of (half, round, epoch, purpose) for each lane. */
static void feistel(uint64_t seed, cug_rng_purpose purpose, uint32_t epoch, uint32_t round, const uint32_t half[LANES],
                    uint32_t out[LANES]) {
    uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES];
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int i = 0; i < LANES; i++) c0[i] = half[i], c1[i] = round, c2[i] = epoch, c3[i] = (uint32_t)purpose;
    for (int r = 0; r < 10; r++) {
        for (int i = 0; i < LANES; i++) {
            uint64_t a = (uint64_t)0xD2511F53u * c0[i], b = (uint64_t)0xCD9E8D57u * c2[i];
            c0[i] = (uint32_t)(b >> 32) ^ c1[i] ^ k0;
            c2[i] = (uint32_t)(a >> 32) ^ c3[i] ^ k1;
            c1[i] = (uint32_t)b;
            c3[i] = (uint32_t)a;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    memcpy(out, c0, sizeof c0);
}

void cug_permute_many(uint64_t seed, cug_rng_purpose purpose, uint32_t epoch, uint32_t n, uint32_t first, size_t count,
                      uint32_t *out) {
    int half = 1; /* the network permutes 2 * half bits: the smallest even width that holds n values */
    while (half < 16 && (uint64_t)1 << (2 * half) < n) half++;
    const uint32_t mask = (1u << half) - 1;
    uint32_t l[LANES] = {0}, r[LANES] = {0}, f[LANES];
    size_t place[LANES], next = 0; /* where the lane's result goes; the first that is in no lane yet */
    for (int used = 0;;) {
        for (; used < LANES && next < count; used++, next++) {
            uint32_t i = first + (uint32_t)next;
            place[used] = next, l[used] = i >> half, r[used] = i & mask;
        }
        if (!used) return;
        for (uint32_t round = 0; round < 7; round++) {
            feistel(seed, purpose, epoch, round, r, f);
            for (int i = 0; i < LANES; i++) {
                uint32_t t = l[i] ^ (f[i] & mask);
                l[i] = r[i];
                r[i] = t;
            }
        }
        int left = 0; /* outside 0..n-1 the cycle is walked on: at most 4 steps on average */
        for (int i = 0; i < used; i++) {
            out[place[i]] = l[i] << half | r[i];
            if (out[place[i]] < n) continue;
            place[left] = place[i], l[left] = l[i], r[left++] = r[i];
        }
        used = left;
    }
}

uint32_t cug_permute(uint64_t seed, cug_rng_purpose purpose, uint32_t epoch, uint32_t n, uint32_t i) {
    uint32_t out = 0;
    cug_permute_many(seed, purpose, epoch, n, i, 1, &out);
    return out;
}

float cug_uniform(uint64_t seed, cug_rng_purpose purpose, uint32_t stream, uint64_t index) {
    uint32_t out[4];
    uint64_t block = index / 4;
    cug_philox(seed, (const uint32_t[4]){(uint32_t)block, (uint32_t)(block >> 32), stream, (uint32_t)purpose}, out);
    return cug_u01(out[index % 4]);
}

float cug_normal(uint64_t seed, cug_rng_purpose purpose, uint32_t stream, uint64_t index) {
    uint32_t out[4];
    uint64_t block = index / 2;
    cug_philox(seed, (const uint32_t[4]){(uint32_t)block, (uint32_t)(block >> 32), stream, (uint32_t)purpose}, out);
    double u = ((double)out[0] + 0.5) * 0x1p-32, v = ((double)out[1] + 0.5) * 0x1p-32; /* open interval */
    double radius = sqrt(-2.0 * log(u)), angle = 6.283185307179586 * v;
    return (float)(radius * (index % 2 ? sin(angle) : cos(angle)));
}
