/* cases.c - all benchmarks of ops, one family after the other. */
#include "bench/op.h"
#include <string.h>

int bench_case_next(bench_cursor *at, bench_case *c) {
    static bench_family *const families[] = {bench_conv2d,  bench_conv_block, bench_linear,     bench_pool2d,
                                             bench_bias,    bench_batch_norm, bench_activation, bench_dropout,
                                             bench_add,     bench_concat,     bench_loss,       bench_normalize,
                                             bench_metrics, bench_gather,     bench_grad_norm,  bench_update};
    for (; at->family < (int)(sizeof families / sizeof *families); at->family++, at->i = 0) {
        memset(c, 0, sizeof *c);
        c->batch = at->batch;
        if (families[at->family](c, at->i++)) return 1;
    }
    return 0;
}
