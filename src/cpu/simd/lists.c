/* lists.c - turning output gradients into the lists of terms that spans.c sums. No branch depends on the data: a term
 * is always written, and kept only by moving on when its factor is not zero. */
#include "cpu/simd/vec.h"

void CUG_SYM(lists_by_channel)(cug_term *terms, cug_term_list *lists, const float *g, const uint8_t *arg,
                               const int32_t *where, const int32_t *way, int pixels, int K) {
    for (int k = 0; k < K; k++) {
        lists[k].begin = k * (pixels + 1);
        lists[k].count = 0;
    }
    for (int i = 0; i < pixels; i++) {
        const float *gi = g + (size_t)i * (size_t)K;
        const uint8_t *ai = arg ? arg + (size_t)i * (size_t)K : NULL;
        for (int k = 0; k < K; k++) {
            int32_t off = where[i] + way[ai ? ai[k] : 0];
            terms[lists[k].begin + lists[k].count] = (cug_term){gi[k], off};
            lists[k].count += gi[k] != 0;
        }
    }
}

void CUG_SYM(lists_by_pixel)(cug_term *terms, cug_term_list *lists, const float *g, const uint8_t *arg,
                             const int32_t *where, const int32_t *way, int ways, int pixels, int K, int len) {
    int32_t end = 0;
    for (int i = 0; i < pixels; i++, lists += ways) {
        const float *gi = g + (size_t)i * (size_t)K;
        const uint8_t *ai = arg ? arg + (size_t)i * (size_t)K : NULL;
        for (int a = 0; a < ways; a++) lists[a] = (cug_term_list){0, 0, where[i] + way[a]};
        if (!ai) {
            lists->begin = end;
            for (int k = 0; k < K; k++) {
                terms[end] = (cug_term){gi[k], k * len};
                end += gi[k] != 0;
            }
            lists->count = end - lists->begin;
            continue;
        }
        int32_t at[5] = {0}; /* zeros are put after the four lists and overwritten by the next pixel */
        for (int k = 0; k < K; k++) at[gi[k] != 0 ? ai[k] : 4]++;
        for (int a = 0; a < 5; a++) {
            int32_t n = at[a];
            at[a] = end;
            if (a == 4) break;
            lists[a].begin = end;
            lists[a].count = n;
            end += n;
        }
        for (int k = 0; k < K; k++) terms[at[gi[k] != 0 ? ai[k] : 4]++] = (cug_term){gi[k], k * len};
    }
}
