/* host_step.c - step records and batches gathered from a set in memory, for backends whose memory is the host's. */
#include "host_step.h"
#include <string.h>

static cug_status advance(cug_step *step, cug_cursor *cursor, const cug_step *table, const cug_exec *ex) {
    (void)ex;
    if (step->nonfinite) return CUG_OK;
    if (cursor->row >= cursor->rows) {
        step->nonfinite = 1;
        return CUG_OK;
    }
    double grad_norm = step->grad_norm;
    *step = table[cursor->row++];
    step->nonfinite = 0;
    step->grad_norm = grad_norm;
    cursor->sample = cursor->next_sample;
    cursor->next_sample += step->valid;
    return CUG_OK;
}

static cug_status gather(uint8_t *pixels, int32_t *labels, int32_t *ids, const uint8_t *all_pixels,
                         const int32_t *all_labels, const int32_t *order, const cug_cursor *cursor,
                         const cug_gather_shape *s, const cug_exec *ex) {
    (void)ex;
    size_t F = (size_t)s->F;
    for (size_t n = 0; n < (size_t)s->N; n++) {
        uint64_t at = cursor->sample + n;
        int32_t i = at < s->order ? order[at] : -1;
        int there = i >= 0 && (uint64_t)i < s->count;
        ids[n] = there ? i : -1;
        labels[n] = there ? all_labels[i] : -1;
        if (there)
            memcpy(pixels + n * F, all_pixels + (size_t)i * F, F);
        else
            memset(pixels + n * F, 0, F);
    }
    return CUG_OK;
}

const cug_step_ops cug_host_step = {.advance = advance, .gather = gather};
