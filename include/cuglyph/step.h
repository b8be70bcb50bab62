/* step.h - how a run gets from one step to the next where the step record lies, so that nobody waits for the host and a
 * recorded graph is launched again with the same arguments. */
#ifndef CUGLYPH_STEP_H
#define CUGLYPH_STEP_H

#include <cuglyph/exec.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a run stands, in backend memory; written by the host before the first step of a stretch, then advanced. */
typedef struct cug_cursor {
    uint64_t row, rows;   /* of the step table: the next step's, and how many there are */
    uint64_t sample;      /* of the order array: the current step's first sample */
    uint64_t next_sample; /* the next step's first */
} cug_cursor;

typedef struct cug_gather_shape {
    int N;          /* samples of the batch */
    int F;          /* bytes of a sample */
    uint64_t count; /* samples of the data set */
    uint64_t order; /* entries of the order array */
} cug_gather_shape;

typedef struct cug_shift_shape {
    int N, H, W, C; /* samples of the batch, and their size */
    uint64_t order; /* entries of the array of shifts */
} cug_shift_shape;

/* dy and dx, -32768..32767 each, as one number. */
#define CUG_SHIFT_PACK(dy, dx) ((int32_t)((uint32_t)(dy) << 16 | ((uint32_t)(dx)&0xFFFFu)))

/* All pointers are backend memory, the shape excepted. */
typedef struct cug_step_ops {
    /* *step = table[cursor->row] but for nonfinite and grad_norm; then cursor->row += 1, sample = next_sample,
     * next_sample += step->valid. While step->nonfinite is set nothing changes, so that step->step stays the number of
     * the step that failed. Past the table nonfinite is raised: a step too many changes no weight. */
    cug_status (*advance)(cug_step *step, cug_cursor *cursor, const cug_step *table, const cug_exec *ex);
    /* For n < N, with i = order[cursor->sample + n]: ids[n] = i, labels[n] = all_labels[i],
     * pixels[n,:] = all_pixels[i,:]. An entry past the order array or the data set gives label -1 (a NaN loss), id -1
     * and zero pixels. */
    cug_status (*gather)(uint8_t *pixels, int32_t *labels, int32_t *ids, const uint8_t *all_pixels,
                         const int32_t *all_labels, const int32_t *order, const cug_cursor *cursor,
                         const cug_gather_shape *s, const cug_exec *ex);
    /* For n < N, with (dy, dx) = shifts[cursor->sample + n] (CUG_SHIFT_PACK): out[n,y,x,:] = in[n,y-dy,x-dx,:], 0 where
     * that lies outside the image; an entry past the array: not moved. No aliasing. */
    cug_status (*shift)(uint8_t *out, const uint8_t *in, const int32_t *shifts, const cug_cursor *cursor,
                        const cug_shift_shape *s, const cug_exec *ex);
} cug_step_ops;

#ifdef __cplusplus
}
#endif
#endif
