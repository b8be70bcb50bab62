// bugs_mma.cu - the emulator held against bugs it must find: those of tensor cores. One warp multiplies a (16 x K) by
// b (K x 8), with a K that is no multiple of an instruction's.
#include "bugs.h"

constexpr int kTerms = 20, kTile = 16, kTiles = 2;

// Element k of a row, or what stands for it past the end.
__device__ float factor_of(const float *row, int k, int bug) {
    if (bug == 3) return row[k < 2 * kTerms ? k : 0]; // runs on into the next row
    return k < kTerms ? row[k] : 0.0f;
}

__device__ uint32_t tf32_of(float x, int bug) { return bug == 4 ? __float_as_uint(x) : cug_to_tf32(x); }

__global__ void tf32_kernel(float *y, const float *a, const float *b, int bug) {
    const int l = static_cast<int>(threadIdx.x), g = l / 4, t = l % 4;
    float d[4] = {};
    for (int k = 0; k < kTiles * kTile; k += 8) {
        uint32_t fa[4], fb[2];
        for (int i = 0; i < 4; i++) {
            const int from = bug == 1 && i % 3 ? 3 - i : i; // bug 1: registers 1 and 2 exchanged
            fa[i] = tf32_of(factor_of(a + (g + from % 2 * 8) * kTerms, k + t + from / 2 * 4, bug), bug);
        }
        for (int i = 0; i < 2; i++) // bug 2: b's registers exchanged
            fb[i] = tf32_of(factor_of(b + g * kTerms, k + t + (bug == 2 ? 1 - i : i) * 4, bug), bug);
        if (bug == 5 && g == 7) return; // four lanes leave before an operation of all
        cug_mma_tf32(d, fa, fb);
    }
    for (int i = 0; i < 4; i++) // bug 6: results where the other half's belong
        y[(g + (bug == 6 ? 1 - i / 2 : i / 2) * 8) * 8 + t * 2 + i % 2] = d[i];
}

__global__ void bf16_kernel(float *y, const float *a, const float *b, int bug) {
    const int l = static_cast<int>(threadIdx.x), g = l / 4, t = l % 4 * 2;
    float d[4] = {};
    for (int k = 0; k < kTiles * kTile; k += 16) {
        uint32_t fa[4], fb[2];
        for (int i = 0; i < 4; i++) {
            const float *row = a + (g + i % 2 * 8) * kTerms;
            const int c = k + t + i / 2 * 8;
            const float low = factor_of(row, c, bug), high = factor_of(row, c + 1, bug);
            fa[i] = bug == 1 ? cug_pack_bf16(high, low) : cug_pack_bf16(low, high);
            if (bug == 4) fa[i] = __float_as_uint(low) >> 16 | (__float_as_uint(high) & 0xffff0000u); // cut off
        }
        for (int i = 0; i < 2; i++) {
            const int c = k + t + (bug == 2 ? 1 - i : i) * 8;
            fb[i] = cug_pack_bf16(factor_of(b + g * kTerms, c, bug), factor_of(b + g * kTerms, c + 1, bug));
        }
        if (bug == 5 && l >= 16) // half of the warp in an instruction of its own
            cug_mma_bf16(d, fa, fb);
        else
            cug_mma_bf16(d, fa, fb);
    }
    for (int i = 0; i < 4; i++) y[(g + i / 2 * 8) * 8 + t + i % 2] = d[i];
}

// a[i][k] = b[i][k] = 1 + i + k, a little less than half a step of the precision above it: rounded, whole numbers.
static float *matrix(int rows, float excess) {
    float *p = device_floats((rows + 1) * kTerms), h[17 * kTerms]; // a row more, for what runs past the end
    for (int i = 0; i <= rows; i++)
        for (int k = 0; k < kTerms; k++)
            h[i * kTerms + k] = static_cast<float>(1 + i + k) * (i < rows ? 1 + excess : 0);
    OK(cudaMemcpy(p, h, sizeof(float) * static_cast<size_t>((rows + 1) * kTerms), cudaMemcpyHostToDevice));
    return p;
}

static int product(void (*kernel)(float *, const float *, const float *, int), float excess, int bug) {
    float *a = matrix(16, excess), *b = matrix(8, excess), *y = device_floats(16 * 8);
    OK(CUG_LAUNCH(kernel, 1, 32, 0, nullptr, y, a, b, bug));
    OK(cudaDeviceSynchronize());
    OK(cudaFree(a));
    OK(cudaFree(b));
    return differ(y, 16 * 8, [](int i) {
        int sum = 0;
        for (int k = 0; k < kTerms; k++) sum += (1 + i / 8 + k) * (1 + i % 8 + k);
        return static_cast<float>(sum);
    });
}

int tensor_cores_tf32(int bug) { return product(tf32_kernel, 0x1p-13f, bug); }
// bug 4: cut off, not rounded: numbers a little below a whole one show it
int tensor_cores_bf16(int bug) { return product(bf16_kernel, -0x1p-10f, bug); }
