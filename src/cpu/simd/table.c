/* table.c - the finished table of this instruction set. */
#include "cpu/simd/vec.h"

const cug_simd CUG_PASTE(cug_simd, CUG_ISA) = {
#if defined CUG_ISA_avx512
    .name = "AVX-512",
#elif defined CUG_ISA_avx2
    .name = "AVX2",
#else
    .name = "base",
#endif
    .lanes = V,
    .tile_px = CUG_REGISTERS == 32 ? 12 : 6,
    .pool_windows = CUG_REGISTERS == 32 ? 3 : 1,
    .tile = CUG_SYM(tile),
    .tile_pool = CUG_SYM(tile_pool),
    .tile_pool_pairs = CUG_SYM(tile_pool_pairs),
    .spans = CUG_SYM(spans),
    .axpy1 = CUG_SYM(axpy1),
    .axpy = CUG_SYM(axpy),
    .sum = CUG_SYM(sum),
    .add_row = CUG_SYM(add_row),
    .normalize = CUG_SYM(normalize),
    .normalize_images = CUG_SYM(normalize_images),
    .act_fwd = CUG_SYM(act_fwd),
    .act_bwd = CUG_SYM(act_bwd),
    .exps = CUG_SYM(exps),
    .sum_squares = CUG_SYM(sum_squares),
    .update = CUG_SYM(update),
    .pool_max = CUG_SYM(pool_max),
    .pool_max_bwd = CUG_SYM(pool_max_bwd),
    .lists_by_channel = CUG_SYM(lists_by_channel),
    .lists_by_pixel = CUG_SYM(lists_by_pixel),
    .quads = CUG_SYM(quads),
    .tap_sums = CUG_SYM(tap_sums),
    .pack = CUG_SYM(pack),
    .pack_transposed = CUG_SYM(pack_transposed),
    .wino_input = CUG_SYM(wino_input),
    .wino_filter = CUG_SYM(wino_filter),
    .wino_pool = CUG_SYM(wino_pool),
    .moments = CUG_SYM(moments),
    .comoments = CUG_SYM(comoments),
    .affine = CUG_SYM(affine),
    .affine2 = CUG_SYM(affine2),
    .sum_rows = CUG_SYM(sum_rows),
    .fma = CUG_SYM(fma),
    .fma_chains = CUG_FMA_CHAINS,
};
