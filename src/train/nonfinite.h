/* nonfinite.h - where a NaN or Inf first shows. */
#ifndef CUG_TRAIN_NONFINITE_H
#define CUG_TRAIN_NONFINITE_H

#include <cuglyph/plan.h>

/* Runs the plan's step again op by op on the batch still in place, looking at every output; always returns CUG_ENUMERIC
 * (or the error that kept it from looking), with a message naming the layer, the pass and the tensor. */
cug_status nonfinite_locate(const cug_backend *be, cug_plan *p, const cug_exec *ex);

#endif
