/* fuzz_idx.c - libFuzzer target: any bytes at all go to the IDX reader, which must refuse or return what it promises.
 *   clang -g -O1 -Iinclude -Isrc -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
 *       tests/fuzz/fuzz_idx.c src/data/idx.c src/data/inflate.c src/status.c -lz -o build/fuzz_idx
 *   mkdir -p build/corpus && build/fuzz_idx -max_total_time=120 -max_len=4096 build/corpus tests/fuzz/corpus/idx */
#include <cuglyph/idx.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

volatile uint8_t bytes_read; /* what is read must not be optimised away */

static void require(int truth) {
    if (!truth) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    cug_idx x;
    cug_status st = cug_idx_parse(&x, bytes, n, "fuzz");
    if (st == CUG_OK) {
        size_t product = 1;
        require(x.ndim >= 1 && x.ndim <= CUG_IDX_MAX_DIMS && x.data);
        for (int i = 0; i < x.ndim; i++) product *= x.dims[i];
        require(product == x.bytes && product > 0);
        for (size_t i = 0; i < x.bytes; i++) bytes_read ^= x.data[i]; /* every promised byte can be read */
    } else {
        require(x.data == NULL && x.bytes == 0 && cug_error()[0] && !strchr(cug_error(), '\n'));
    }
    cug_idx_free(&x);
    return 0;
}
