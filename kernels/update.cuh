// update.cuh - what the kernels of the optimizers make of a gradient first.
#ifndef CUG_KERNELS_UPDATE_CUH
#define CUG_KERNELS_UPDATE_CUH

#include "common.cuh"

constexpr int kNormBlocks = 256; // blocks of a sum of squares

// clip_norm's factor.
__device__ __forceinline__ float clip_scale(const cug_opt_params &o, const cug_step *step) {
    return o.clip_norm > 0 ? (float)fmin(1.0, (double)o.clip_norm / (step->grad_norm + 1e-6)) : 1.0f;
}

// The gradient as the update sees it: clipped, then with the pull of l2 and l1. `scale` is clip_scale.
__device__ __forceinline__ float effective(float g, float w, const cug_opt_params &o, bool decay, float scale) {
    g *= scale;
    if (o.clip_value > 0) g = fminf(fmaxf(g, -o.clip_value), o.clip_value);
    if (decay) g += o.l2 * w + o.l1 * (float)((w > 0) - (w < 0));
    return g;
}

#endif
