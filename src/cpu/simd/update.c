/* update.c - one pass over parameters, gradients and optimizer state. */
#include "cpu/simd/vec.h"
#include <math.h>

/* The gradient as the rule sees it: clipped, with L2 and L1 terms. NaN passes through. */
CUG_INLINE float shaped(float g, float w, const cug_update *u) {
    g *= u->scale;
    g = g > u->clip_value ? u->clip_value : g;
    g = g < -u->clip_value ? -u->clip_value : g;
    float sign = (w > 0 ? 1.0f : 0.0f) - (w < 0 ? 1.0f : 0.0f);
    return g + u->l2 * w + u->l1 * sign;
}

CUG_INLINE void adam(float *restrict w, float *restrict m, float *restrict v, const float *restrict g, cug_update u,
                     size_t n, int plain) {
    float b1 = u.beta1, b2 = u.beta2, rest1 = 1 - b1, rest2 = 1 - b2;
    for (size_t i = 0; i < n; i++) {
        float d = plain ? g[i] : shaped(g[i], w[i], &u);
        float mi = b1 * m[i] + rest1 * d, vi2 = b2 * v[i] + rest2 * (d * d);
        m[i] = mi;
        v[i] = vi2;
        w[i] = u.keep * w[i] - u.lr1 * mi / (sqrtf(vi2 * u.inv2) + u.eps);
    }
}

CUG_INLINE void momentum(float *restrict w, float *restrict m, const float *restrict g, cug_update u, size_t n,
                         int nesterov) {
    for (size_t i = 0; i < n; i++) {
        float d = shaped(g[i], w[i], &u), mi = u.momentum * m[i] + d;
        m[i] = mi;
        w[i] -= u.lr * (nesterov ? d + u.momentum * mi : mi);
    }
}

/* Nesterov's direction for Muon: w is only read, the direction goes to u_out. */
CUG_INLINE void ahead(const float *restrict w, float *restrict m, float *restrict u_out, const float *restrict g,
                      cug_update u, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float d = shaped(g[i], w[i], &u), mi = u.momentum * m[i] + d;
        m[i] = mi;
        u_out[i] = d + u.momentum * mi;
    }
}

void CUG_SYM(update)(float *restrict w, float *restrict m, float *restrict v, const float *restrict g,
                     const cug_update *u, size_t n) {
    int plain = u->scale == 1 && isinf(u->clip_value) && u->l1 == 0 && u->l2 == 0;
    switch (u->kind) {
    case CUG_OPT_SGD: {
        cug_update c = *u;
        for (size_t i = 0; i < n; i++) w[i] -= c.lr * shaped(g[i], w[i], &c);
        break;
    }
    case CUG_OPT_MOMENTUM:
        momentum(w, m, g, *u, n, 0);
        break;
    case CUG_OPT_NESTEROV:
        momentum(w, m, g, *u, n, 1);
        break;
    case CUG_OPT_ADAM:
    case CUG_OPT_ADAMW:
        if (plain)
            adam(w, m, v, g, *u, n, 1);
        else
            adam(w, m, v, g, *u, n, 0);
        break;
    case CUG_OPT_MUON:
        ahead(w, m, v, g, *u, n);
        break;
    }
}
