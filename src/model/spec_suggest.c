/* spec_suggest.c - "did you mean": the nearest known word. */
#include <stdio.h>
#include <string.h>

#include "model/spec.h"

enum { LONGEST = 24 };

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

static int min3(int a, int b, int c) {
    int m = a < b ? a : b;
    return m < c ? m : c;
}

/* Insertions, deletions, replacements and swaps of neighbours that make a of b, letter case aside. */
static int distance(const char *a, int n, const char *b, int m) {
    int rows[3][LONGEST + 1];
    int *before = rows[0], *last = rows[1], *now = rows[2];
    for (int j = 0; j <= m; j++) last[j] = j;
    for (int i = 1; i <= n; i++) {
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            int differ = lower(a[i - 1]) != lower(b[j - 1]);
            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + differ);
            int swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
            if (swapped && before[j - 2] + 1 < now[j]) now[j] = before[j - 2] + 1;
        }
        int *t = before;
        before = last;
        last = now;
        now = t;
    }
    return last[m];
}

/* What other programs call our layers. */
static const char *synonym(const token *t) {
    static const char *const pairs[][2] = {
        {"dense", "linear"},         {"fc", "linear"},          {"fully_connected", "linear"},
        {"convolution", "conv"},     {"pool", "maxpool"},       {"max_pool", "maxpool"},
        {"maxpooling2d", "maxpool"}, {"avg_pool", "avgpool"},   {"maxpool2d", "maxpool"},
        {"avgpool2d", "avgpool"},    {"max_pool2d", "maxpool"}, {"skip", "residual"},
        {"leakyrelu", "leaky_relu"}, {"reshape", "flatten"},    {"parallel", "branch"},
        {"sequential", "sequence"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if ((size_t)t->len == strlen(pairs[i][0]) && distance(t->s, t->len, pairs[i][0], t->len) == 0)
            return pairs[i][1];
    return 0;
}

const char *spec_nearest(const token *t, const char *const *words) {
    const char *best = 0;
    if (t->len > LONGEST) return 0;
    int limit = t->len <= 3 ? 1 : t->len <= 5 ? 2 : 3, best_distance = limit + 1;
    const char *other = synonym(t);
    for (; *words; words++) {
        int m = (int)strlen(*words);
        if (other && strcmp(other, *words) == 0) return *words;
        if (m > LONGEST) continue;
        int d = distance(t->s, t->len, *words, m);
        if (d < best_distance && d < m) {
            best_distance = d;
            best = *words;
        }
    }
    return best;
}

const char *spec_did_you_mean(char buf[96], const token *t, const char *const *words) {
    const char *w = spec_nearest(t, words);
    buf[0] = 0;
    if (w) snprintf(buf, 96, "; did you mean '%s'?", w);
    return buf;
}
