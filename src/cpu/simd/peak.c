/* peak.c - the most multiply-adds this instruction set can do: nothing but them, in registers. */
#include "cpu/simd/vec.h"

/* Hidden from the compiler, or it would work the sum out beforehand. */
CUG_INLINE vf unknown(float x) {
    volatile float seen = x;
    return vset(seen);
}

float CUG_SYM(fma)(int rounds) {
    vf acc[CUG_FMA_CHAINS], a = unknown(0.999f), b = unknown(0.001f), all = {0};
#pragma GCC unroll 12
    for (int i = 0; i < CUG_FMA_CHAINS; i++) acc[i] = unknown((float)i * 0.125f);
    for (int r = 0; r < rounds; r++)
#pragma GCC unroll 12
        for (int i = 0; i < CUG_FMA_CHAINS; i++) acc[i] = acc[i] * a + b; /* goes to 1: no denormals, no overflow */
#pragma GCC unroll 12
    for (int i = 0; i < CUG_FMA_CHAINS; i++) all += acc[i];
    float sum = 0;
    for (int k = 0; k < V; k++) sum += all[k];
    return sum;
}
