/* door_check.c - the kernels of door.cu against what the host computes. */
#include "check.h"
#include "door.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef uint32_t want_fn(int k, int t, const uint32_t *in);

static uint32_t bits_of(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static float float_of(uint32_t u) {
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static uint32_t want_warp(int k, int t, const uint32_t *in) {
    const uint32_t *lane = in + (t & ~31);
    uint32_t sum = 0, most = 0;
    for (int i = 0; i < 32; i++) {
        uint32_t v = lane[i] & 0xffff;
        sum += v;
        if (v > most) most = v;
    }
    const uint32_t want[] = {sum, sum + 16, most, t / 32 == 3};
    return want[k];
}

static uint32_t want_block(int k, int t, const uint32_t *in) {
    uint32_t few = 0, wide = 0;
    (void)t;
    for (int i = 0; i < DOOR_THREADS; i++) few += in[i] & 0xfff, wide += in[i] & 0xffff;
    const uint32_t want[] = {few, few + DOOR_THREADS, wide, 0};
    return want[k];
}

static uint32_t want_shuffle(int k, int t, const uint32_t *in) {
    const uint32_t *warp = in + (t & ~31);
    int l = t & 31;
    const int from[] = {(t * 7 + 3) & 31, l ^ 21, (l & 15) >= 3 ? l - 3 : l, l + 5 < 32 ? l + 5 : l};
    return warp[from[k]];
}

static uint32_t want_vote(int k, int t, const uint32_t *in) {
    uint32_t ballot = 0, count = 0;
    for (int i = 0; i < 32; i++) ballot |= (in[(t & ~31) + i] & 1) << i;
    for (int i = 0; i < DOOR_THREADS; i++) count += in[i] & 1;
    const uint32_t want[] = {ballot, (t / 32 == 1) + 2u * (t >= 64), count, 1};
    return want[k];
}

static uint32_t want_barrier(int k, int t, const uint32_t *in) {
    const uint32_t want[] = {in[t ^ 1], in[DOOR_THREADS - 1 - t], in[(t - 100 + DOOR_THREADS) % DOOR_THREADS] + 1, 0};
    return want[k];
}

static uint32_t want_copy(int k, int t, const uint32_t *in) {
    int word = k % 2 ? 3 * DOOR_THREADS + t : t, chunk = word / 4;
    if (k < 2) return chunk % 3 ? in[word] : 0;
    return in[4 * DOOR_THREADS + 4 * (DOOR_THREADS - 1 - chunk) + word % 4];
}

static uint32_t want_dynamic(int k, int t, const uint32_t *in) {
    int n = DOOR_SHARED / 4, i = n - 1 - (t * 61 + k * 4099) % n;
    return in[i % DOOR_IN] + (uint32_t)i;
}

static uint32_t want_fma(int k, int t, const uint32_t *in) {
    float e = (float)(1 + (in[t] & 0xff)) * 0x1p-20f, v = (float)t - 100;
    const uint32_t want[] = {bits_of(fmaf(1 + e, 1 - e, -1.0f)), 3, bits_of(v > 3 ? v : 3), bits_of(fmaf(v, 3, e))};
    return want[k];
}

static uint32_t want_ieee(int k, int t, const uint32_t *in) {
    float a = (float)(1 + (in[t] & 0xffff)), b = (float)(3 + (in[t] >> 20)), tiny = a * 0x1p-140f;
    const uint32_t want[] = {bits_of(a / b), bits_of(sqrtf(a)), bits_of(tiny), bits_of(tiny * b)};
    return want[k];
}

static uint32_t want_atomic(int k, int t, const uint32_t *in) {
    uint32_t sum = 0;
    int most = -0x8000, least = 0x8000;
    (void)t;
    for (int i = 0; i < DOOR_THREADS; i++) {
        int v = (int)(in[i] & 0xffff) - 0x8000;
        sum += in[i];
        if (v > most) most = v;
        if (v < least) least = v;
    }
    const uint32_t want[] = {sum, 0xfffff + (7u << 24), (uint32_t)(most * 3 + least), DOOR_THREADS};
    return want[k];
}

static uint32_t want_bits(int k, int t, const uint32_t *in) {
    uint32_t x = in[t] >> (t % 31), popc = 0, clz = 0, ffs = 0;
    for (uint32_t u = in[t]; u; u &= u - 1) popc++;
    while (clz < 32 && !(x >> (31 - clz) & 1)) clz++;
    for (uint32_t i = 0; i < 32 && !ffs; i++)
        if (x >> i & 1) ffs = i + 1;
    const uint32_t want[] = {popc + 64 * clz + 4096 * ffs, (uint32_t)((uint64_t)in[t] * in[t + 1] >> 32),
                             bits_of(float_of(0x3f800000u + (in[t] & 0xffff)) + 1), in[DOOR_IN - 1 - t]};
    return want[k];
}

static uint32_t number(uint32_t u) {
    const uint32_t ties[] = {0, 0x1000, 0x8000, 0xfff}, bits = (u & 0x807fffffu) | (120 + (u >> 23 & 15)) << 23;
    return u >> 27 & 1 ? (bits & ~0xffffu) | (bits & 0x1e000u) | ties[u >> 28 & 3] : bits;
}

/* The nearest number with its last `drop` bits zero, found among the two there are. */
static uint32_t nearest(uint32_t bits, int drop, int ties_to_even) {
    uint32_t low = bits >> drop << drop, high = low + (1u << drop);
    double x = (double)float_of(bits & 0x7fffffff), below = x - (double)float_of(low & 0x7fffffff);
    double above = ldexp(1, ilogb((double)float_of((low & 0x7fffffff) | 1u << drop)) - 23 + drop);
    if ((low & 0x7f800000) == 0) above = ldexp(1, -149 + drop); /* denormal: all spaced alike */
    above -= below;
    int up = below > above || (below == above && (!ties_to_even || (low >> drop & 1)));
    return up ? high : low;
}

static uint32_t want_tf32(int k, int t, const uint32_t *in) {
    const uint32_t want[] = {nearest(number(in[t]), 13, 0), t & 1 ? 0xff800000u : 0x7f7fe000u,
                             nearest(in[t] & 0x807fffffu, 13, 0), 1};
    return want[k];
}

static uint32_t want_bf16(int k, int t, const uint32_t *in) {
    const uint32_t want[] = {nearest(number(in[t]), 16, 1) >> 16 | (nearest(number(in[t + 1]), 16, 1) & 0xffff0000u),
                             0xff7f7f80u, nearest(in[t] & 0x807fffffu, 16, 1) >> 16, 1};
    return want[k];
}

static int factor(const uint32_t *in, int row, int column) { return (int)(in[row * 16 + column] & 15) - 8; }

/* Register k of thread t is element (row, column) of a 16 x 8 matrix. */
static uint32_t want_mma(int k, int t, const uint32_t *in, int terms) {
    const uint32_t *a = in + t / 32, *b = in + 1024 + t / 32;
    int l = t % 32, row = l / 4 + k / 2 * 8, column = l % 4 * 2 + k % 2, sum = l * 4 + k;
    for (int i = 0; i < terms; i++) sum += factor(a, row, i) * factor(b, column, i);
    return bits_of((float)sum);
}
static uint32_t want_mma_tf32(int k, int t, const uint32_t *in) { return want_mma(k, t, in, 8); }
static uint32_t want_mma_bf16(int k, int t, const uint32_t *in) { return want_mma(k, t, in, 16); }

static const struct {
    const char *name;
    want_fn *want;
} doors[DOOR_COUNT] = {
    [DOOR_WARP] = {"warp sum and maximum", want_warp},
    [DOOR_BLOCK] = {"block sum", want_block},
    [DOOR_SHUFFLE] = {"shuffles", want_shuffle},
    [DOOR_VOTE] = {"votes", want_vote},
    [DOOR_BARRIER] = {"barriers", want_barrier},
    [DOOR_COPY] = {"asynchronous copies", want_copy},
    [DOOR_DYNAMIC] = {"dynamic shared memory", want_dynamic},
    [DOOR_FMA] = {"fused multiply-add, NaN maximum", want_fma},
    [DOOR_IEEE] = {"IEEE division, root, denormals", want_ieee},
    [DOOR_ATOMIC] = {"integer atomics", want_atomic},
    [DOOR_BITS] = {"bits", want_bits},
    [DOOR_TF32] = {"rounding to TF32", want_tf32},
    [DOOR_BF16] = {"rounding to bfloat16", want_bf16},
    [DOOR_MMA_TF32] = {"matrix products in TF32", want_mma_tf32},
    [DOOR_MMA_BF16] = {"matrix products in bfloat16", want_mma_bf16},
};

enum { WORDS = DOOR_OUT * DOOR_THREADS };

int gpu_has_mma(void) {
    int major = 0;
    return cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0) == cudaSuccess && major >= 8;
}

static void check_door(gpu_check *c, door_kind kind, uint32_t *out, const uint32_t *in, const uint32_t *host_in) {
    static uint32_t got[WORDS];
    if (!gpu_part(c, 20, "door: %s", doors[kind].name)) return;
    if (kind >= DOOR_TF32 && !gpu_has_mma()) {
        gpu_end(c, GPU_SKIPPED, "needs compute capability 8.0");
        return;
    }
    cug_status st = c->be->fill(c->dev, out, 0xa5, sizeof got, NULL);
    cudaError_t err = door_run(kind, out, in, gpu_stream(c));
    if (st == CUG_OK) st = c->be->download(c->dev, got, out, sizeof got, NULL);
    if (err != cudaSuccess || st != CUG_OK) {
        gpu_end(c, GPU_FAILED, "%s", err != cudaSuccess ? cudaGetErrorString(err) : cug_error());
        return;
    }
    int wrong = 0;
    for (int i = 0; i < WORDS; i++) {
        uint32_t want = doors[kind].want(i / DOOR_THREADS, i % DOOR_THREADS, host_in);
        if (got[i] == want) continue;
        if (wrong++ < 10)
            fprintf(c->log, "  result %d of thread %d: %08x instead of %08x\n", i / DOOR_THREADS, i % DOOR_THREADS,
                    (unsigned)got[i], (unsigned)want);
    }
    gpu_end(c, wrong ? GPU_FAILED : GPU_OK, "%d words, %d wrong", WORDS, wrong);
}

static void check_refusal(gpu_check *c, uint32_t *out, const uint32_t *in) {
    if (!gpu_part(c, 20, "door: a launch that must be refused")) return;
    cudaError_t err = door_refused(out, in, gpu_stream(c)), left = cudaGetLastError();
    cug_status st = c->be->sync(c->dev, NULL);
    gpu_end(c, err != cudaSuccess && left == cudaSuccess && st == CUG_OK ? GPU_OK : GPU_FAILED,
            "1 MB of shared memory: %s; left behind: %s", cudaGetErrorName(err), cudaGetErrorName(left));
}

void check_doors(gpu_check *c) {
    static uint32_t host[DOOR_IN];
    void *out = NULL, *in = NULL;
    for (int i = 0; i < DOOR_IN; i++) host[i] = gpu_random(&c->seed);
    if (c->be->alloc(c->dev, &out, WORDS * sizeof(uint32_t)) == CUG_OK &&
        c->be->alloc(c->dev, &in, sizeof host) == CUG_OK &&
        c->be->upload(c->dev, in, host, sizeof host, NULL) == CUG_OK) {
        for (int k = 0; k < DOOR_COUNT; k++) check_door(c, (door_kind)k, out, in, host);
        check_refusal(c, out, in);
    } else if (gpu_part(c, 20, "door: memory")) {
        gpu_end(c, GPU_FAILED, "%s", cug_error());
    }
    c->be->free(c->dev, out);
    c->be->free(c->dev, in);
}
