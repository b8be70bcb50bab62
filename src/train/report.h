/* report.h - an evaluation as JSON: what logs, metrics.json and `eval --json` have in common. */
#ifndef CUG_TRAIN_REPORT_H
#define CUG_TRAIN_REPORT_H

#include <cuglyph/train.h>
#include <jansson.h>

#define REPORT_DIGITS JSON_REAL_PRECISION(15)

/* JSON has no NaN. */
json_t *report_real(double v);
/* Adds "classes" (name, support, precision, recall, f1), the averages ("macro_f1", ...) and "confusion" to o; 0, or -1
 * when out of memory. */
int report_scores(json_t *o, const cug_evaluation *e, const char (*class_names)[32]);
/* Adds "top_k" (place 0: k = 1), "expected_calibration_error", "mean_confidence", "calibration" (the bins) and "worst".
 */
int report_samples(json_t *o, const cug_sample_scores *s, const char (*class_names)[32]);

#endif
