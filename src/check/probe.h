/* probe.h - a model set up for checking: one plan on one backend with random parameters, inputs and labels. */
#ifndef CUG_CHECK_PROBE_H
#define CUG_CHECK_PROBE_H

#include <cuglyph/gradcheck.h>
#include <cuglyph/plan.h>

typedef struct probe {
    const cug_graph *g;
    const cug_backend *be;
    cug_device *dev;
    cug_exec ex;
    cug_plan *plan;
    cug_plan_buffers buf;
    size_t n_input; /* elements of the batch's input */
} probe;

/* The same seed gives the same float32 numbers on every backend. */
cug_status probe_open(probe *p, const cug_graph *g, const cug_backend *be, const cug_gradcheck_options *o,
                      unsigned plan_flags);
void probe_close(probe *p);

/* forward and loss; *loss is the batch's mean. */
cug_status probe_loss(probe *p, double *loss);
cug_status probe_backward(probe *p);

/* Backend memory to a fresh array of doubles, and back from doubles (rounded to the backend's type). */
cug_status probe_get(const probe *p, const cug_tensor *t, double **out);
cug_status probe_put(const probe *p, const cug_tensor *t, const double *in);

/* Rows for a table; *t grows. */
cug_status check_row_add(cug_check_table *t, const cug_check_row *row);

#endif
