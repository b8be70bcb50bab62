/* prepare.c - a picture of a digit into an image as MNIST's were made. */
#include <cuglyph/prepare.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_CONTRAST = 16, MAX_SIDE = 4096 };

/* BT.601; a grey pixel keeps its value, the weights' sum being 1000. */
static uint8_t luma(const uint8_t *p, int C) {
    return C == 1 ? p[0] : (uint8_t)((299u * p[0] + 587u * p[1] + 114u * p[2] + 500u) / 1000u);
}

/* One plane of a picture seen through a table: channel c, or the luma (c = -1). */
typedef struct plane {
    const cug_picture *p;
    int c;
    int x0, y0, w, h; /* the part of it */
    double level[256];
} plane;

static double at(const plane *s, int y, int x) {
    const uint8_t *px = s->p->pixels + ((size_t)(s->y0 + y) * (size_t)s->p->W + (size_t)(s->x0 + x)) * (size_t)s->p->C;
    return s->level[s->c < 0 ? luma(px, s->p->C) : px[s->p->C == 1 ? 0 : s->c]];
}

/* How much of source cell i lies in target cell k, when n cells become m. */
static double overlap(int k, int i, int n, int m) {
    double lo = (double)k * n / m, hi = (double)(k + 1) * n / m;
    double a = lo > i ? lo : i, b = hi < i + 1 ? hi : i + 1;
    return b > a ? b - a : 0;
}

static int first_cell(int k, int n, int m) { return (int)((int64_t)k * n / m); }
static int last_cell(int k, int n, int m) { return (int)(((int64_t)(k + 1) * n - 1) / m); }

/* out (m_h, m_w): the mean of the plane over each cell's area. First along rows, then down: tmp (h, m_w). */
static void resample(double *out, int m_h, int m_w, double *tmp, const plane *s) {
    for (int y = 0; y < s->h; y++)
        for (int k = 0; k < m_w; k++) {
            double sum = 0;
            for (int x = first_cell(k, s->w, m_w); x <= last_cell(k, s->w, m_w); x++)
                sum += overlap(k, x, s->w, m_w) * at(s, y, x);
            tmp[(size_t)y * (size_t)m_w + (size_t)k] = sum * m_w / s->w;
        }
    for (int k = 0; k < m_h; k++)
        for (int x = 0; x < m_w; x++) {
            double sum = 0;
            for (int y = first_cell(k, s->h, m_h); y <= last_cell(k, s->h, m_h); y++)
                sum += overlap(k, y, s->h, m_h) * tmp[(size_t)y * (size_t)m_w + (size_t)x];
            out[(size_t)k * (size_t)m_w + (size_t)x] = sum * m_h / s->h;
        }
}

/* Twice the median of the outermost pixels, so that two middle ones can be averaged exactly. */
static int paper2(const cug_picture *p) {
    size_t count[256] = {0}, n = 0;
    for (int y = 0; y < p->H; y++)
        for (int x = 0; x < p->W; x++) {
            if (y > 0 && y < p->H - 1 && x > 0 && x < p->W - 1) x = p->W - 1; /* on to the right edge */
            count[luma(p->pixels + ((size_t)y * (size_t)p->W + (size_t)x) * (size_t)p->C, p->C)]++;
            n++;
        }
    int low = -1, high = 0;
    for (size_t seen = 0; high < 256; high++) {
        seen += count[high];
        if (low < 0 && 2 * seen >= n) low = high;
        if (2 * seen > n) break;
    }
    return low + high;
}

/* The table from grey level to ink in [0, 1], and the box of what is ink. */
static cug_status find_ink(plane *s, cug_invert invert) {
    const cug_picture *p = s->p;
    size_t count[256] = {0}, pixels = (size_t)p->W * (size_t)p->H;
    for (size_t i = 0; i < pixels; i++) count[luma(p->pixels + i * (size_t)p->C, p->C)]++;
    int paper = paper2(p);
    double above = 0, below = 0, most = 0;
    for (int v = 0; v < 256; v++)
        if (2 * v > paper)
            above += (double)count[v] * (2 * v - paper);
        else
            below += (double)count[v] * (paper - 2 * v);
    int sign = invert == CUG_INVERT_YES || (invert == CUG_INVERT_AUTO && below > above) ? -1 : 1;
    for (int v = 0; v < 256; v++)
        if (count[v] && sign * (2 * v - paper) / 2.0 > most) most = sign * (2 * v - paper) / 2.0;
    if (most < LEAST_CONTRAST)
        return cug_fail(CUG_EBLANK, "nothing is drawn on it: ink and paper differ by %g of 255 grey levels%s", most,
                        invert == CUG_INVERT_AUTO ? "" : "; is --invert right?");
    for (int v = 0; v < 256; v++) {
        double ink = sign * (2 * v - paper) / 2.0 / most;
        s->level[v] = ink < 0.125 ? 0 : ink > 1 ? 1 : ink;
    }
    int x0 = p->W, y0 = p->H, x1 = -1, y1 = -1;
    for (int y = 0; y < p->H; y++)
        for (int x = 0; x < p->W; x++) {
            if (at(s, y, x) <= 0) continue;
            if (x < x0) x0 = x;
            if (x > x1) x1 = x;
            if (y < y0) y0 = y;
            y1 = y;
        }
    s->x0 = x0, s->y0 = y0, s->w = x1 - x0 + 1, s->h = y1 - y0 + 1;
    return CUG_OK;
}

/* Where `n` cells of these masses begin on an axis of `size`, their centre of mass in pixel size/2. */
static int place(const double *mass, int n, int size) {
    int middle = size / 2;
    double sum = 0, moment = 0;
    for (int i = 0; i < n; i++) {
        sum += mass[i];
        moment += mass[i] * i;
    }
    int from = (int)floor(middle - moment / sum + 0.5);
    return from < 0 ? 0 : from > size - n ? size - n : from;
}

static void put_digit(uint8_t *out, int H, int W, const double *ink, int h, int w) {
    double most = 0, rows[MAX_SIDE] = {0}, columns[MAX_SIDE] = {0};
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            double v = ink[(size_t)y * (size_t)w + (size_t)x];
            if (v > most) most = v;
            rows[y] += v;
            columns[x] += v;
        }
    int top = place(rows, h, H), left = place(columns, w, W);
    memset(out, 0, (size_t)H * (size_t)W);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            out[(size_t)(top + y) * (size_t)W + (size_t)(left + x)] =
                (uint8_t)(255 * ink[(size_t)y * (size_t)w + (size_t)x] / most + 0.5);
}

static int in_proportion(int side, int longer, int box) {
    int n = (int)((double)side * box / longer + 0.5);
    return n < 1 ? 1 : n;
}

static cug_status check(const cug_picture *p, int H, int W, int least) {
    if (!p->pixels || p->W < 1 || p->H < 1 || (p->C != 1 && p->C != 3))
        return cug_fail(CUG_EINVAL, "a picture of %d x %d with %d channels cannot be prepared", p->W, p->H, p->C);
    if (H < least || W < least || H > MAX_SIDE || W > MAX_SIDE)
        return cug_fail(CUG_EINVAL, "a picture cannot be made into %dx%d: each side must be %d to %d", H, W, least,
                        MAX_SIDE);
    return CUG_OK;
}

cug_status cug_prepare_digit(uint8_t *out, int H, int W, const cug_picture *p, cug_invert invert) {
    plane s = {.p = p, .c = -1};
    CUG_TRY(check(p, H, W, 4));
    CUG_TRY(find_ink(&s, invert));
    int box = (int)((H < W ? H : W) * 20 / 28.0 + 0.5), longer = s.w > s.h ? s.w : s.h;
    int h = in_proportion(s.h, longer, box), w = in_proportion(s.w, longer, box);
    double *ink = malloc((size_t)h * (size_t)w * sizeof *ink), *tmp = calloc((size_t)s.h * (size_t)w, sizeof *tmp);
    cug_status st = CUG_OK;
    if (ink && tmp) {
        resample(ink, h, w, tmp, &s);
        put_digit(out, H, W, ink, h, w);
    } else {
        st = cug_fail(CUG_ENOMEM, "out of memory for a picture of %d x %d pixels", p->W, p->H);
    }
    free(ink);
    free(tmp);
    return st;
}

cug_status cug_prepare_resize(uint8_t *out, int H, int W, int C, const cug_picture *p, cug_invert invert) {
    CUG_TRY(check(p, H, W, 1));
    if (C != 1 && C != 3) return cug_fail(CUG_EINVAL, "a picture cannot be made into %d channels, only 1 or 3", C);
    size_t n = (size_t)H * (size_t)W;
    double *mean = malloc(n * sizeof *mean), *tmp = calloc((size_t)p->H * (size_t)W, sizeof *tmp);
    cug_status st = CUG_OK;
    if (!mean || !tmp) st = cug_fail(CUG_ENOMEM, "out of memory for a picture of %d x %d pixels", p->W, p->H);
    for (int c = 0; c < C && st == CUG_OK; c++) {
        plane s = {.p = p, .c = C == 1 ? -1 : c, .w = p->W, .h = p->H};
        for (int v = 0; v < 256; v++) s.level[v] = invert == CUG_INVERT_YES ? 255 - v : v;
        resample(mean, H, W, tmp, &s);
        for (size_t i = 0; i < n; i++) out[i * (size_t)C + (size_t)c] = (uint8_t)(mean[i] + 0.5);
    }
    free(mean);
    free(tmp);
    return st;
}
