/* host_step.h - the step table (step.h) that the ref and cpu backends share: copies, no arithmetic, one thread. */
#ifndef CUG_HOST_STEP_H
#define CUG_HOST_STEP_H

#include <cuglyph/step.h>

extern const cug_step_ops cug_host_step;

#endif
