/* product.c - a product's name. */
#include "cuda/product.h"
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(cug_product) == 21 * sizeof(int), "products are compared as bytes: ints alone, no padding");

int cug_product_same(const cug_product *a, const cug_product *b) { return memcmp(a, b, sizeof *a) == 0; }

const char *cug_product_text(const cug_product *p, char out[CUG_PRODUCT_TEXT]) {
    static const char *const roles[] = {"fwd", "dgrad", "wgrad"}, *const precisions[] = {"fp32", "tf32", "bf16"};
    const cug_conv2d_shape *c = &p->conv;
    if (p->is_conv)
        snprintf(out, CUG_PRODUCT_TEXT, "conv2d %s %s N=%d H=%d W=%d C=%d K=%d R=%d S=%d stride=%d,%d pad=%d,%d,%d,%d",
                 roles[p->role], precisions[p->precision], c->N, c->H, c->W, c->C, c->K, c->R, c->S, c->stride_h,
                 c->stride_w, c->pad_top, c->pad_bottom, c->pad_left, c->pad_right);
    else
        snprintf(out, CUG_PRODUCT_TEXT, "linear %s %s N=%d I=%d O=%d", roles[p->role], precisions[p->precision],
                 p->linear.N, p->linear.I, p->linear.O);
    return out;
}
