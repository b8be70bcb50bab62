/* test_step.c - the step table and the gathered batch on every backend, against what they say they do. */
#include <criterion/criterion.h>
#include <cuglyph/backend.h>
#include <stdlib.h>
#include <string.h>

#include "cases/step.h"

typedef struct world {
    const cug_backend *be;
    cug_exec ex;
} world;

static void *put(const world *w, const void *host, size_t bytes) {
    void *p = NULL;
    cr_assert(w->be->alloc(w->ex.device, &p, bytes) == CUG_OK, "%s", cug_error());
    cr_assert(w->be->upload(w->ex.device, p, host, bytes, NULL) == CUG_OK, "%s", cug_error());
    return p;
}

static void get(const world *w, void *host, const void *p, size_t bytes) {
    cr_assert(w->be->download(w->ex.device, host, p, bytes, NULL) == CUG_OK, "%s", cug_error());
}

static void check_advance(const world *w) {
    cug_step table[3] = {{.seed = 1, .step = 40, .valid = 8, .lr = 0.5f, .bias_corr1 = 0.25f, .bias_corr2 = 0.125f},
                         {.seed = 1, .step = 41, .valid = 8, .lr = 0.25f, .nonfinite = 1, .grad_norm = 9},
                         {.seed = 1, .step = 42, .valid = 3}};
    cug_step now = {.grad_norm = 7};
    cug_cursor at = {.rows = 2, .sample = 16, .next_sample = 16};
    cug_step *step = put(w, &now, sizeof now), *rows = put(w, table, sizeof table);
    cug_cursor *cursor = put(w, &at, sizeof at);
    for (uint64_t i = 0; i < 2; i++) {
        cr_assert(w->be->step->advance(step, cursor, rows, &w->ex) == CUG_OK, "%s", cug_error());
        get(w, &now, step, sizeof now);
        get(w, &at, cursor, sizeof at);
        cr_expect(now.step == 40 + i && now.seed == 1 && now.valid == 8 && now.lr == table[i].lr &&
                  now.bias_corr1 == table[i].bias_corr1 && now.bias_corr2 == table[i].bias_corr2);
        cr_expect(now.nonfinite == 0 && now.grad_norm == 7, "these are the step's own");
        cr_expect(at.row == i + 1 && at.rows == 2 && at.sample == 16 + 8 * i && at.next_sample == 24 + 8 * i);
    }
    for (int i = 0; i < 2; i++) { /* past the table; then with the flag up and a row there */
        cr_assert(w->be->step->advance(step, cursor, rows, &w->ex) == CUG_OK, "%s", cug_error());
        get(w, &now, step, sizeof now);
        cr_expect(now.nonfinite == 1 && now.step == 41);
        get(w, &at, cursor, sizeof at);
        cr_expect(at.row == 2 && at.sample == 24 && at.next_sample == 32);
        at.rows = 3;
        cr_assert(w->be->upload(w->ex.device, cursor, &at, sizeof at, NULL) == CUG_OK);
    }
    w->be->free(w->ex.device, step);
    w->be->free(w->ex.device, rows);
    w->be->free(w->ex.device, cursor);
}

static void check_gather(const world *w, const cug_gather_shape *s) {
    size_t F = (size_t)s->F, N = (size_t)s->N;
    uint8_t *all = malloc(s->count * F), *pixels = malloc(N * F);
    int32_t *labels = malloc(s->count * sizeof *labels), *order = malloc(s->order * sizeof *order);
    int32_t *got = calloc(N, 2 * sizeof *got);
    for (size_t i = 0; i < s->count * F; i++) all[i] = (uint8_t)(i * 7 + 1);
    for (size_t i = 0; i < s->count; i++) labels[i] = (int32_t)(i % 3);
    for (size_t i = 0; i < s->order; i++) order[i] = (int32_t)((i * 5 + 2) % s->count);
    order[s->order - 1] = (int32_t)s->count; /* no such sample */
    const cug_cursor at = {.sample = s->order - (s->order + 1) / 2};
    memset(pixels, 0xEE, N * F);
    void *d[] = {put(w, pixels, N * F),
                 put(w, got, N * sizeof *got),
                 put(w, got, N * sizeof *got),
                 put(w, all, s->count * F),
                 put(w, labels, s->count * sizeof *labels),
                 put(w, order, s->order * sizeof *order),
                 put(w, &at, sizeof at)};
    cr_assert(w->be->step->gather(d[0], d[1], d[2], d[3], d[4], d[5], d[6], s, &w->ex) == CUG_OK, "%s", cug_error());
    get(w, pixels, d[0], N * F);
    get(w, got, d[1], N * sizeof *got);
    get(w, got + N, d[2], N * sizeof *got);
    for (size_t n = 0; n < N; n++) {
        size_t k = (size_t)at.sample + n;
        int32_t i = k < s->order ? order[k] : -1;
        int there = i >= 0 && (uint64_t)i < s->count, same = 1;
        for (size_t f = 0; f < F; f++) same &= pixels[n * F + f] == (there ? all[(size_t)i * F + f] : 0);
        cr_expect(same && got[n] == (there ? labels[i] : -1) && got[N + n] == (there ? i : -1),
                  "%s: sample %zu of N %d, F %d", w->be->name, n, s->N, s->F);
    }
    for (size_t i = 0; i < sizeof d / sizeof *d; i++) w->be->free(w->ex.device, d[i]);
    free(all), free(pixels), free(labels), free(order), free(got);
}

static void check_shift(const world *w, const cug_shift_shape *s) {
    size_t F = (size_t)s->H * (size_t)s->W * (size_t)s->C, N = (size_t)s->N;
    uint8_t *in = malloc(N * F), *out = malloc(N * F), *want = malloc(F);
    int32_t *shifts = malloc(s->order * sizeof *shifts);
    for (size_t i = 0; i < N * F; i++) in[i] = (uint8_t)(i * 11 + 1);
    for (size_t i = 0; i < s->order; i++)
        shifts[i] =
            CUG_SHIFT_PACK((int)(i * 7 % (2 * (size_t)s->H + 1)) - s->H, (int)(i * 5 % (2 * (size_t)s->W + 1)) - s->W);
    const cug_cursor at = {.sample = s->order - (s->order + 1) / 2};
    memset(out, 0xEE, N * F);
    void *d[] = {put(w, out, N * F), put(w, in, N * F), put(w, shifts, s->order * sizeof *shifts),
                 put(w, &at, sizeof at)};
    cr_assert(w->be->step->shift(d[0], d[1], d[2], d[3], s, &w->ex) == CUG_OK, "%s", cug_error());
    get(w, out, d[0], N * F);
    for (size_t n = 0; n < N; n++) {
        size_t k = (size_t)at.sample + n;
        int dy = 0, dx = 0;
        if (k < s->order) {
            dy = (int)(k * 7 % (2 * (size_t)s->H + 1)) - s->H;
            dx = (int)(k * 5 % (2 * (size_t)s->W + 1)) - s->W;
        }
        for (int y = 0; y < s->H; y++)
            for (int x = 0; x < s->W; x++)
                for (int c = 0; c < s->C; c++) {
                    int inside = y - dy >= 0 && y - dy < s->H && x - dx >= 0 && x - dx < s->W;
                    want[(y * s->W + x) * s->C + c] =
                        inside ? in[n * F + (size_t)(((y - dy) * s->W + x - dx) * s->C + c)] : 0;
                }
        cr_expect_eq(memcmp(out + n * F, want, F), 0, "%s: sample %zu of %dx%dx%d by %d, %d", w->be->name, n, s->H,
                     s->W, s->C, dy, dx);
    }
    for (size_t i = 0; i < sizeof d / sizeof *d; i++) w->be->free(w->ex.device, d[i]);
    free(in), free(out), free(want), free(shifts);
}

Test(step, table_and_gather_on_every_backend) {
    for (int b = 0; cug_backend_at(b); b++) {
        world w = {.be = cug_backend_at(b)};
        if (w.be->open(&w.ex.device, NULL) != CUG_OK) continue;
        check_advance(&w);
        for (int i = 0; i < STEP_CASES; i++) check_gather(&w, &step_cases[i]);
        for (int i = 0; i < SHIFT_CASES; i++) check_shift(&w, &shift_cases[i]);
        w.be->close(w.ex.device);
    }
}
