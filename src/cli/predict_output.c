/* predict_output.c - answers as text, as JSON, and as the pictures that the net saw. */
#include "cli/cli.h"
#include "cli/picture.h"
#include "cli/predict.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DIGITS (JSON_INDENT(2) | JSON_REAL_PRECISION(7)) /* 7 tell float32 probabilities apart */

cug_status predict_output_open(predict_output *out, const predict_options *o, const cug_predictor_info *about) {
    *out = (predict_output){.o = o, .about = about};
    if (o->save && mkdir(o->save, 0777) != 0 && errno != EEXIST)
        return cug_fail(CUG_EIO, "%s: cannot be made: %s", o->save, strerror(errno));
    if (o->json && !(out->all = json_array())) return cug_fail(CUG_ENOMEM, "out of memory");
    return CUG_OK;
}

/* The most probable class not yet taken. */
static int next_class(const float *p, int classes, const unsigned char *taken) {
    int best = -1;
    for (int k = 0; k < classes; k++)
        if (!taken[k] && (best < 0 || p[k] > p[best])) best = k;
    return best;
}

static void print_text(const predict_output *out, const answer *a) {
    unsigned char taken[CUG_MAX_CLASSES] = {0};
    const cug_predictor_info *m = out->about;
    printf("%s", a->file);
    if (a->image >= 0) printf("[%lld]", (long long)a->image);
    printf(": %s  %.1f%%", m->class_names[a->predicted], 100 * (double)a->p[a->predicted]);
    taken[a->predicted] = 1;
    for (int i = 0; i < out->o->top && i + 1 < m->classes; i++) {
        int k = next_class(a->p, m->classes, taken);
        taken[k] = 1;
        printf("%s%s %.1f%%", i ? ", " : "  (then ", m->class_names[k], 100 * (double)a->p[k]);
    }
    printf("%s\n", out->o->top > 0 && m->classes > 1 ? ")" : "");
}

static void show(const predict_output *out, const answer *a) {
    const picture_set set = {a->pixels, out->about->H, out->about->W, out->about->C};
    for (int y = 0; y < set.H; y += 2) {
        picture_line(&set, 0, y);
        putchar('\n');
    }
}

/* DIR/001-seven.png, DIR/002-t10k-images-idx3-ubyte-17.png: the number keeps two files of one name apart. */
static cug_status save(predict_output *out, const answer *a) {
    const cug_predictor_info *m = out->about;
    const char *slash = strrchr(a->file, '/'), *name = slash ? slash + 1 : a->file, *dot = strrchr(name, '.');
    char path[4400], image[32] = "";
    if (m->C != 1 && m->C != 3) return cug_fail(CUG_EINVAL, "images of %d channels cannot be saved as PNG", m->C);
    if (a->image >= 0) snprintf(image, sizeof image, "-%lld", (long long)a->image);
    int n = snprintf(path, sizeof path, "%s/%03d-%.*s%s.png", out->o->save, ++out->saved,
                     (int)(dot && dot > name ? (size_t)(dot - name) : strlen(name)), name, image);
    if (n < 0 || (size_t)n >= sizeof path) return cug_fail(CUG_EINVAL, "%.80s...: path is too long", path);
    return cug_png_write(path, a->pixels, m->W, m->H, m->C);
}

/* JSON is UTF-8, file names are bytes: what is none is shown as '?'. */
static json_t *name_of(const char *file) {
    json_t *s = json_string(file);
    if (s) return s;
    char *copy = strdup(file);
    for (char *c = copy; c && *c; c++)
        if ((unsigned char)*c >= 0x80) *c = '?';
    s = copy ? json_string(copy) : NULL;
    free(copy);
    return s;
}

static cug_status add_json(predict_output *out, const answer *a) {
    json_t *p = json_array(), *o = json_pack("{s:o}", "file", name_of(a->file));
    int bad = !p || !o;
    for (int k = 0; k < out->about->classes; k++) {
        double v = (double)a->p[k];
        bad |= json_array_append_new(p, v == v ? json_real(v) : json_null());
    }
    if (a->image >= 0) bad |= json_object_set_new(o, "image", json_integer(a->image));
    bad |= json_object_set_new(o, "prediction", json_integer(a->predicted));
    bad |= json_object_set_new(o, "class", json_string(out->about->class_names[a->predicted]));
    bad |= json_object_set(o, "probability", json_array_get(p, (size_t)a->predicted));
    bad |= json_object_set_new(o, "probabilities", p);
    bad |= json_array_append_new(out->all, o);
    return bad ? cug_fail(CUG_ENOMEM, "out of memory for the answers") : CUG_OK;
}

cug_status predict_output_add(predict_output *out, const answer *a) {
    if (out->o->save) CUG_TRY(save(out, a));
    if (out->all) return add_json(out, a);
    print_text(out, a);
    if (out->o->show) show(out, a);
    return CUG_OK;
}

void predict_output_failed(predict_output *out, const char *file, cug_status st) {
    fflush(stdout); /* lines of both in the order of the files */
    cli_fail(st);
    if (!out->all) return;
    json_t *why = name_of(cug_error());
    json_array_append_new(out->all, json_pack("{s:o s:o}", "file", name_of(file), "error", why));
}

cug_status predict_output_close(predict_output *out) {
    if (!out->all) return CUG_OK;
    char *text = json_dumps(out->all, DIGITS);
    json_decref(out->all);
    out->all = NULL;
    if (!text) return cug_fail(CUG_ENOMEM, "out of memory for the answers");
    puts(text);
    free(text);
    return CUG_OK;
}
