/* random.c - Philox4x32-10 and what is drawn from it on the host. */
#include <cuglyph/random.h>
#include <math.h>

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

/* One Feistel round's function: a Philox word of (half, round, epoch, purpose). */
static uint32_t feistel(uint64_t seed, cug_rng_purpose purpose, uint32_t epoch, uint32_t round, uint32_t half) {
    uint32_t out[4];
    cug_philox(seed, (const uint32_t[4]){half, round, epoch, (uint32_t)purpose}, out);
    return out[0];
}

uint32_t cug_permute(uint64_t seed, cug_rng_purpose purpose, uint32_t epoch, uint32_t n, uint32_t i) {
    int half = 1; /* the network permutes 2 * half bits: the smallest even width that holds n values */
    while (half < 16 && (uint64_t)1 << (2 * half) < n) half++;
    uint32_t mask = (1u << half) - 1, l, r;
    do { /* walk the cycle until back inside 0..n-1: at most 4 steps on average */
        l = i >> half, r = i & mask;
        for (uint32_t round = 0; round < 7; round++) {
            uint32_t t = l ^ (feistel(seed, purpose, epoch, round, r) & mask);
            l = r;
            r = t;
        }
        i = l << half | r;
    } while (i >= n);
    return i;
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
