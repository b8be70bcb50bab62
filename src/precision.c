/* precision.c - the names of precisions, as options and messages say them. */
#include <cuglyph/exec.h>

const char *cug_precision_name(cug_precision p) {
    static const char *const names[] = {"fp32", "tf32", "bf16"};
    return p <= CUG_PREC_BF16 ? names[p] : NULL;
}
