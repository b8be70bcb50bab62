/* report.c - an evaluation's tables as JSON. */
#include "train/report.h"
#include <math.h>
#include <stdio.h>

json_t *report_real(double v) { return isfinite(v) ? json_real(v) : json_null(); }

/* "macro_precision", "macro_recall", "macro_f1" */
static int add_averages(json_t *o, const char *kind, const cug_averages *a) {
    static const char *const names[] = {"precision", "recall", "f1"};
    const double v[] = {a->precision, a->recall, a->f1};
    char key[32];
    int bad = 0;
    for (int i = 0; i < 3; i++) {
        snprintf(key, sizeof key, "%s_%s", kind, names[i]);
        bad |= json_object_set_new(o, key, json_real(v[i]));
    }
    return bad;
}

int report_scores(json_t *o, const cug_evaluation *e, const char (*class_names)[32]) {
    json_t *rows = json_array(), *classes = json_array();
    int bad = 0;
    for (int r = 0; r < e->classes; r++) {
        json_t *row = json_array();
        for (int c = 0; c < e->classes; c++)
            bad |= json_array_append_new(row, json_integer((json_int_t)e->confusion[r * e->classes + c]));
        bad |= json_array_append_new(rows, row);
        const cug_class_score *s = &e->per_class[r];
        bad |= json_array_append_new(classes, json_pack("{s:s s:I s:f s:f s:f}", "name", class_names[r], "support",
                                                        (json_int_t)s->support, "precision", s->precision, "recall",
                                                        s->recall, "f1", s->f1));
    }
    bad |= add_averages(o, "macro", &e->macro);
    bad |= add_averages(o, "micro", &e->micro);
    bad |= add_averages(o, "weighted", &e->weighted);
    bad |= json_object_set_new(o, "classes", classes);
    bad |= json_object_set_new(o, "confusion", rows);
    return bad ? -1 : 0;
}

static json_t *calibration(const cug_sample_scores *s) {
    json_t *bins = json_array();
    int bad = !bins;
    for (int m = 0; m < CUG_CALIBRATION_BINS; m++) {
        const cug_calibration_bin *b = &s->bins[m];
        double n = (double)b->count;
        bad |= json_array_append_new(
            bins, json_pack("{s:f s:f s:I s:o s:o}", "from", (double)m / CUG_CALIBRATION_BINS, "to",
                            (double)(m + 1) / CUG_CALIBRATION_BINS, "images", (json_int_t)b->count, "accuracy",
                            report_real((double)b->correct / n), "confidence", report_real(b->confidence_sum / n)));
    }
    if (!bad) return bins;
    json_decref(bins);
    return 0;
}

static json_t *worst(const cug_sample_scores *s, const char (*class_names)[32]) {
    json_t *rows = json_array();
    int bad = !rows;
    for (int i = 0; i < s->n_worst; i++) {
        const cug_sample *w = &s->worst[i];
        bad |= json_array_append_new(
            rows, json_pack("{s:i s:s s:s s:o s:o s:o}", "index", w->id, "label", class_names[w->label], "prediction",
                            class_names[w->predicted], "probability", report_real((double)w->p_predicted),
                            "label_probability", report_real((double)w->p_label), "loss", report_real(w->loss)));
    }
    if (!bad) return rows;
    json_decref(rows);
    return 0;
}

int report_samples(json_t *o, const cug_sample_scores *s, const char (*class_names)[32]) {
    json_t *top = json_array(); /* from k = 1 */
    int bad = !top;
    for (int k = 1; k <= s->classes; k++) bad |= json_array_append_new(top, report_real(cug_top_k(s, k)));
    bad |= json_object_set_new(o, "top_k", top);
    bad |= json_object_set_new(o, "expected_calibration_error", report_real(cug_scores_calibration_error(s)));
    bad |= json_object_set_new(o, "mean_confidence", report_real(s->confidence_sum / (double)s->count));
    bad |= json_object_set_new(o, "calibration", calibration(s));
    bad |= json_object_set_new(o, "worst", worst(s, class_names));
    return bad ? -1 : 0;
}
