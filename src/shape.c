/* shape.c - what op shapes have in common on every backend: derived extents, limits, small conversions. */
#include <cuglyph/backend.h>
#include <math.h>

#define ELEMENTS_MAX ((int64_t)1 << 31) /* exclusive: an element's index fits an int */

/* Output extent of a window of `r` moving by `stride` over `h` pixels padded by a and b; 0 when it does not fit. */
static int64_t extent(int64_t h, int64_t r, int64_t stride, int64_t a, int64_t b) {
    int64_t room = h + a + b - r;
    return room < 0 ? 0 : room / stride + 1;
}

static int product_fits(int64_t a, int64_t b, int64_t c, int64_t d) {
    int64_t n = a;
    return !__builtin_mul_overflow(n, b, &n) && !__builtin_mul_overflow(n, c, &n) &&
           !__builtin_mul_overflow(n, d, &n) && n < ELEMENTS_MAX;
}

cug_status cug_conv2d_shape_init(cug_conv2d_shape *s) {
    if (!s) return cug_fail(CUG_EINVAL, "conv2d: shape is NULL");
    if (s->N < 1 || s->H < 1 || s->W < 1 || s->C < 1 || s->K < 1 || s->R < 1 || s->S < 1)
        return cug_fail(CUG_EINVAL, "conv2d: every extent must be at least 1, got N %d H %d W %d C %d K %d R %d S %d",
                        s->N, s->H, s->W, s->C, s->K, s->R, s->S);
    if (s->stride_h < 1 || s->stride_w < 1)
        return cug_fail(CUG_EINVAL, "conv2d: strides must be at least 1, got %d,%d", s->stride_h, s->stride_w);
    if (s->pad_top < 0 || s->pad_bottom < 0 || s->pad_left < 0 || s->pad_right < 0)
        return cug_fail(CUG_EINVAL, "conv2d: pads must not be negative, got top %d bottom %d left %d right %d",
                        s->pad_top, s->pad_bottom, s->pad_left, s->pad_right);
    int64_t p = extent(s->H, s->R, s->stride_h, s->pad_top, s->pad_bottom);
    int64_t q = extent(s->W, s->S, s->stride_w, s->pad_left, s->pad_right);
    if (p < 1 || q < 1)
        return cug_fail(CUG_EINVAL, "conv2d: a %dx%d filter does not fit the padded %dx%d image", s->R, s->S, s->H,
                        s->W);
    if (!product_fits(s->N, s->H, s->W, s->C) || !product_fits(s->K, s->R, s->S, s->C) ||
        !product_fits(s->N, p, q, s->K))
        return cug_fail(CUG_EINVAL, "conv2d: input, filters and output must each stay under 2^31 elements");
    s->P = (int)p;
    s->Q = (int)q;
    return CUG_OK;
}

cug_status cug_pool2d_shape_init(cug_pool2d_shape *s) {
    if (!s) return cug_fail(CUG_EINVAL, "pool2d: shape is NULL");
    if (s->kind != CUG_POOL_MAX && s->kind != CUG_POOL_AVG)
        return cug_fail(CUG_EINVAL, "pool2d: unknown kind %d", (int)s->kind);
    if (s->N < 1 || s->H < 1 || s->W < 1 || s->C < 1)
        return cug_fail(CUG_EINVAL, "pool2d: every extent must be at least 1, got N %d H %d W %d C %d", s->N, s->H,
                        s->W, s->C);
    if (s->R < 1 || s->S < 1 || s->R > 15 || s->S > 15)
        return cug_fail(CUG_EINVAL, "pool2d: the window must be 1 to 15 on each side, got %dx%d", s->R, s->S);
    if (s->stride_h < 1 || s->stride_w < 1)
        return cug_fail(CUG_EINVAL, "pool2d: strides must be at least 1, got %d,%d", s->stride_h, s->stride_w);
    if (s->pad_top < 0 || s->pad_bottom < 0 || s->pad_left < 0 || s->pad_right < 0 || s->pad_top >= s->R ||
        s->pad_bottom >= s->R || s->pad_left >= s->S || s->pad_right >= s->S)
        return cug_fail(CUG_EINVAL, "pool2d: pads must be 0 or more and smaller than the %dx%d window", s->R, s->S);
    int64_t p = extent(s->H, s->R, s->stride_h, s->pad_top, s->pad_bottom);
    int64_t q = extent(s->W, s->S, s->stride_w, s->pad_left, s->pad_right);
    if (p < 1 || q < 1)
        return cug_fail(CUG_EINVAL, "pool2d: a %dx%d window does not fit the padded %dx%d image", s->R, s->S, s->H,
                        s->W);
    if (!product_fits(s->N, s->H, s->W, s->C) || !product_fits(s->N, p, q, s->C))
        return cug_fail(CUG_EINVAL, "pool2d: input and output must each stay under 2^31 elements");
    s->P = (int)p;
    s->Q = (int)q;
    return CUG_OK;
}

cug_status cug_linear_shape_init(cug_linear_shape *s) {
    if (!s) return cug_fail(CUG_EINVAL, "linear: shape is NULL");
    if (s->N < 1 || s->I < 1 || s->O < 1)
        return cug_fail(CUG_EINVAL, "linear: every extent must be at least 1, got N %d I %d O %d", s->N, s->I, s->O);
    if (!product_fits(s->N, s->I, 1, 1) || !product_fits(s->N, s->O, 1, 1) || !product_fits(s->O, s->I, 1, 1))
        return cug_fail(CUG_EINVAL, "linear: input, weights and output must each stay under 2^31 elements");
    return CUG_OK;
}

uint32_t cug_dropout_threshold(double p) {
    double t = round(p * 0x1p32);
    if (!(t > 0)) return 0;
    return t < 0x1p32 ? (uint32_t)t : UINT32_MAX; /* p just under 1 rounds up to 2^32 */
}

int cug_opt_state_count(cug_opt_kind kind) {
    switch (kind) {
    case CUG_OPT_SGD:
        return 0;
    case CUG_OPT_MOMENTUM:
    case CUG_OPT_NESTEROV:
        return 1;
    case CUG_OPT_ADAM:
    case CUG_OPT_ADAMW:
    case CUG_OPT_MUON:
        return 2;
    }
    return 0;
}
