/* report.c - an evaluation's tables as JSON. */
#include "train/report.h"
#include <math.h>

json_t *report_real(double v) { return isfinite(v) ? json_real(v) : json_null(); }

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
    bad |= json_object_set_new(o, "macro_precision", json_real(e->macro_precision));
    bad |= json_object_set_new(o, "macro_recall", json_real(e->macro_recall));
    bad |= json_object_set_new(o, "macro_f1", json_real(e->macro_f1));
    bad |= json_object_set_new(o, "classes", classes);
    bad |= json_object_set_new(o, "confusion", rows);
    return bad ? -1 : 0;
}
