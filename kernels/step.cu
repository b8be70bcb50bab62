// step.cu - what lets a captured graph be replayed unchanged: the step record is advanced, and a batch is gathered from
// a data set that lies in device memory, by kernels that read their place from there.
#include "common.cuh"

static __global__ void step_advance_kernel(cug_step *step, cug_cursor *cursor, const cug_step *table) {
    if (step->nonfinite) return;
    if (cursor->row >= cursor->rows) {
        step->nonfinite = 1;
        return;
    }
    cug_step next = table[cursor->row];
    next.nonfinite = 0;
    next.grad_norm = step->grad_norm;
    *step = next;
    cursor->row += 1;
    cursor->sample = cursor->next_sample;
    cursor->next_sample += next.valid;
}

extern "C" cudaError_t cug_cuda_step_advance(cug_step *step, cug_cursor *cursor, const cug_step *table,
                                             cudaStream_t stream) {
    return CUG_LAUNCH(step_advance_kernel, 1, 1, 0, stream, step, cursor, table);
}

static __global__ void __launch_bounds__(kBlock)
    gather_kernel(uint8_t *pixels, int32_t *labels, int32_t *ids, const uint8_t *all_pixels, const int32_t *all_labels,
                  const int32_t *order, const cug_cursor *cursor, cug_gather_shape s, int wide) {
    const size_t n = blockIdx.x, at = (size_t)cursor->sample + n, F = (size_t)s.F;
    int32_t i = at < s.order ? order[at] : -1;
    if (i < 0 || (uint64_t)i >= s.count) i = -1;
    if (threadIdx.x == 0) {
        ids[n] = i;
        labels[n] = i < 0 ? -1 : all_labels[i];
    }
    const uint8_t *from = all_pixels + (i < 0 ? 0 : (size_t)i * F);
    uint8_t *to = pixels + n * F;
    if (wide)
        for (size_t j = threadIdx.x; j < F / 16; j += kBlock)
            reinterpret_cast<uint4 *>(to)[j] =
                i < 0 ? make_uint4(0, 0, 0, 0) : reinterpret_cast<const uint4 *>(from)[j];
    else
        for (size_t j = threadIdx.x; j < F; j += kBlock) to[j] = i < 0 ? (uint8_t)0 : from[j];
}

extern "C" cudaError_t cug_cuda_gather(uint8_t *pixels, int32_t *labels, int32_t *ids, const uint8_t *all_pixels,
                                       const int32_t *all_labels, const int32_t *order, const cug_cursor *cursor,
                                       const cug_gather_shape *s, cudaStream_t stream) {
    return CUG_LAUNCH(gather_kernel, (unsigned)s->N, kBlock, 0, stream, pixels, labels, ids, all_pixels, all_labels,
                      order, cursor, *s, s->F % 16 == 0 && aligned16(pixels) && aligned16(all_pixels));
}

static __global__ void __launch_bounds__(kBlock)
    shift_kernel(uint8_t *out, const uint8_t *in, const int32_t *shifts, const cug_cursor *cursor, cug_shift_shape s) {
    const size_t n = blockIdx.x, at = (size_t)cursor->sample + n;
    const int both = at < s.order ? shifts[at] : 0, dy = both >> 16, dx = (int16_t)(both & 0xFFFF);
    const int row = s.W * s.C, F = s.H * row;
    in += n * (size_t)F;
    out += n * (size_t)F;
    for (int j = threadIdx.x; j < F; j += kBlock) {
        const int y = j / row - dy, x = j % row / s.C - dx; // where its pixel comes from
        const bool inside = y >= 0 && y < s.H && x >= 0 && x < s.W;
        out[j] = inside ? in[y * row + x * s.C + j % s.C] : (uint8_t)0;
    }
}

extern "C" cudaError_t cug_cuda_shift(uint8_t *out, const uint8_t *in, const int32_t *shifts, const cug_cursor *cursor,
                                      const cug_shift_shape *s, cudaStream_t stream) {
    return CUG_LAUNCH(shift_kernel, (unsigned)s->N, kBlock, 0, stream, out, in, shifts, cursor, *s);
}
