// mma.cpp - the twins of device.cuh's tensor-core wrappers: rounding, and products of 16 x k by k x 8 matrices that the
// lanes of a warp hold in pieces. Layouts: PTX ISA, "Matrix fragments for mma.m16n8k8" and "mma.m16n8k16".
//
// An element takes 4 (TF32) or 8 (bfloat16) products at a time, in ascending k: they are added to it exactly, and what
// float32 has no room for is cut off, not rounded. The maker of the hardware does not document its order and rounding;
// that it cuts off, and in such blocks, is what others measured (Fasi, Higham, Mikaitis and Pranesh, "Numerical
// behavior of NVIDIA tensor cores", 2021), and is the harder case for whoever relies on the sums.
#include "core.h"

namespace emu {
namespace {
struct Fragments {
    float *d;
    const uint32_t *a, *b;
    Site site;
};

void need_sm80(Site s) {
    if (arch() < 80) fail("%s:%d: %s needs sm_80", s.file, s.line, s.op);
}

// A factor in TF32: what was never rounded would lose its last 13 bits to the hardware.
float from_tf32(uint32_t bits, int lane, Site s) {
    const float x = __uint_as_float(bits);
    if ((bits & 0x1fff) && x == x)
        fail("%s:%d: %s: lane %d gives the factor %.9g, which is not rounded to TF32", s.file, s.line, s.op, lane,
             static_cast<double>(x));
    return x;
}

float from_bf16(uint32_t pair, int half) { return __uint_as_float(half ? pair & 0xffff0000u : pair << 16); }

// Row and column of register i of d, and of a and b where a column is a register (t + 4 for the second).
int row_of(int lane, int i) { return lane / 4 + (i & 2 ? 8 : 0); }

// x towards zero in float32; past the largest there is, infinite.
float cut(double x) {
    const float f = static_cast<float>(x);
    const bool away = std::fabs(static_cast<double>(f)) > std::fabs(x) && std::fabs(f) <= 3.402823466e38f;
    return away ? __uint_as_float(__float_as_uint(f) - 1) : f;
}

template <int K> bool all_zero(const float (&row)[K]) {
    for (float x : row)
        if (x != 0.0f) return false;
    return true;
}

template <int K> void multiply(void **arg, const float (&a)[16][K], const float (&b)[K][8]) {
    double d[16][8], wide[K][8];
    bool finite = true;
    for (int l = 0; l < 32; l++)
        for (int i = 0; i < 4; i++)
            d[row_of(l, i)][l % 4 * 2 + (i & 1)] = static_cast<double>(static_cast<Fragments *>(arg[l])->d[i]);
    for (int k = 0; k < K; k++)
        for (int j = 0; j < 8; j++) {
            wide[k][j] = static_cast<double>(b[k][j]);
            finite = finite && std::isfinite(b[k][j]);
        }
    for (int i = 0; i < 16; i++) {
        if (finite && all_zero(a[i])) continue; // past the last row, as a rule: nothing is added
        for (int k = 0; k < K; k++) {
            const double factor = static_cast<double>(a[i][k]);
            for (int j = 0; j < 8; j++) d[i][j] += factor * wide[k][j];
            if ((k + 1) % (K / 2) == 0)
                for (int j = 0; j < 8; j++) d[i][j] = static_cast<double>(cut(d[i][j]));
        }
    }
    for (int l = 0; l < 32; l++)
        for (int i = 0; i < 4; i++)
            static_cast<Fragments *>(arg[l])->d[i] = static_cast<float>(d[row_of(l, i)][l % 4 * 2 + (i & 1)]);
}

const Fragments &of_lane(void **arg, int l) {
    if (!arg[l]) fail("a matrix product without lane %d, which has exited", l);
    return *static_cast<const Fragments *>(arg[l]);
}

void product_tf32(void **arg, unsigned) {
    float a[16][8], b[8][8];
    for (int l = 0; l < 32; l++) {
        const Fragments &f = of_lane(arg, l);
        const int g = l / 4, t = l % 4;
        for (int i = 0; i < 4; i++) a[g + i % 2 * 8][t + i / 2 * 4] = from_tf32(f.a[i], l, f.site);
        for (int i = 0; i < 2; i++) b[t + i * 4][g] = from_tf32(f.b[i], l, f.site);
    }
    multiply<8>(arg, a, b);
}

void product_bf16(void **arg, unsigned) {
    float a[16][16], b[16][8];
    for (int l = 0; l < 32; l++) {
        const Fragments &f = of_lane(arg, l);
        const int g = l / 4, t = l % 4;
        for (int h = 0; h < 2; h++) {
            for (int i = 0; i < 4; i++) a[g + i % 2 * 8][t * 2 + i / 2 * 8 + h] = from_bf16(f.a[i], h);
            for (int i = 0; i < 2; i++) b[t * 2 + i * 8 + h][g] = from_bf16(f.b[i], h);
        }
    }
    multiply<16>(arg, a, b);
}

bool is_nan(uint32_t bits) { return (bits & 0x7fffffff) > 0x7f800000; }
} // namespace

uint32_t to_tf32(float x, Site s) {
    need_sm80(s);
    const uint32_t bits = __float_as_uint(x); // a carry may well make it infinite
    return (is_nan(bits) ? bits : bits + 0x1000) & ~0x1fffu;
}

uint32_t pack_bf16(float low, float high, Site s) {
    need_sm80(s);
    uint32_t half[2] = {__float_as_uint(low), __float_as_uint(high)};
    for (uint32_t &h : half) h = is_nan(h) ? 0x7fffu : (h + 0x7fff + (h >> 16 & 1)) >> 16;
    return half[0] | half[1] << 16;
}

void mma_tf32(float *d, const uint32_t *a, const uint32_t *b, Site s) {
    need_sm80(s);
    Fragments mine{d, a, b, s};
    warp_collective(0xffffffffu, &mine, product_tf32, s);
}

void mma_bf16(float *d, const uint32_t *a, const uint32_t *b, Site s) {
    need_sm80(s);
    Fragments mine{d, a, b, s};
    warp_collective(0xffffffffu, &mine, product_bf16, s);
}
} // namespace emu
