/* interop.h - samples from suites that were written elsewhere, as build/interop reads them (fixture.py says how they
 * are stored), and what runs them on every backend. */
#ifndef INTEROP_H
#define INTEROP_H

#include "../support/op_check.h"
#include <cuglyph/checkpoint.h>
#include <jansson.h>

/* One file, unpacked. */
typedef struct {
    cug_st_file st;
    const char *item; /* "gradients", "forward", "training" */
    int wide;         /* expected numbers were computed in float64 */
    json_t *samples, *not_applicable;
    double *narrow; /* the float32 numbers, widened */
    const double *real;
    const int32_t *whole;
    size_t counts[3]; /* of narrow, real, whole */
} fixture;

/* 0, or -1 with a line on `log`. */
int fixture_read(fixture *f, const char *path, FILE *log);
void fixture_free(fixture *f);

/* One call of a sample. */
typedef struct {
    const fixture *f;
    const json_t *json;
    const char *op, *name; /* the sample's name */
    int shape[16], n_shape;
    double slope;
} sample_call;

/* 0, or -1 when the description makes no sense. */
int sample_call_read(sample_call *c, const fixture *f, const json_t *json, const char *name);
/* An array of c's "in" or "want"; NULL when it has none of that name (or of the other type). *n may be NULL. */
const double *sample_reals(const sample_call *c, const char *part, const char *name, size_t *n);
const int32_t *sample_integers(const sample_call *c, const char *part, const char *name, size_t *n);

/* How many of a trajectory's or a run's steps to make: INTEROP_STEPS, where that is set and less. */
int steps_to_go(int steps);

/* Runs one call on ref and every side; failures are counted in the world. */
void run_sample_call(op_world *w, const sample_call *c);

int run_op(op_world *w, const sample_call *c); /* each returns 0 when the op is none of its own */
int run_training(op_world *w, const sample_call *c);
int run_whole(op_world *w, const sample_call *c);

#endif
