/* launch.h - every kernel launcher, as the C host side sees it.
 *
 * Raw device pointers: float is IEEE float32; labels, ids and predictions int32; pixels and argmax uint8. Outputs come
 * first, inputs are const, then the shape (formulas, ties, NaN and label rules: the op's own header in
 * include/cuglyph), scratch memory and the stream. Arguments are taken as checked (src/op_check.h); shapes stay under
 * 2^31 elements. Every launcher only queues work on `stream` and returns what the launch returned,
 * cudaErrorInvalidValue for what it cannot do; none allocates, copies or waits, so all may be captured in a CUDA graph.
 * Structs are read before the call returns.
 *
 * Determinism: no float atomics. A sum is cut into pieces by the shape alone, never by the device, and the pieces are
 * added in ascending order; the same inputs give the same bits on every run.
 *
 * Scratch: `workspace` is device memory, 256-byte aligned, of at least what the *_workspace function says; contents
 * undefined before and after. Ops whose table has no workspace() (bias, optimizer) need at most
 * CUG_CUDA_SCRATCH_BYTES: one such block a stream, owned by the device, is enough, as work on a stream is in order. */
#ifndef CUG_KERNELS_LAUNCH_H
#define CUG_KERNELS_LAUNCH_H

#include <cuda_runtime_api.h>
#include <cuglyph/activation.h>
#include <cuglyph/add.h>
#include <cuglyph/batch_norm.h>
#include <cuglyph/bias.h>
#include <cuglyph/concat.h>
#include <cuglyph/conv2d.h>
#include <cuglyph/conv_block.h>
#include <cuglyph/dropout.h>
#include <cuglyph/linear.h>
#include <cuglyph/metrics.h>
#include <cuglyph/normalize.h>
#include <cuglyph/optimizer.h>
#include <cuglyph/pool2d.h>
#include <cuglyph/softmax_xent.h>
#include <cuglyph/step.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CUG_CUDA_SCRATCH_BYTES ((size_t)1 << 20)

/* --- conv2d (conv2d.h) -----------------------------------------------------------------------------------------------
 * Tiled implicit GEMM: rows are output pixels (fwd), input pixels (dgrad) or filters (wgrad); a tile of the unrolled
 * operand is gathered into shared memory as needed and never stored. fwd with C <= 4 and K a multiple of 4 is a direct
 * kernel: filters in shared memory, 4 pixels x 4 filters a thread.
 * Order: 16 terms in (r,s,c) / (r,s,k) / (n,p,q) order make a piece, pieces are summed 16 at a time; where the grid
 * would be small the sum is also split over blocks and the splits added in ascending order in double.
 * Padding enters as a product with zero: an Inf or NaN weight then gives NaN where the reference skips the term.
 * precision, here and below: FP32 as above; TF32 and BF16 (sm_80 and later; elsewhere the kernel traps) round the
 * factors of every product, w, x and dy but not what db sums, as docs/NUMERICS.md says, and take no direct kernel. 16
 * (BF16: 32) terms make a piece, which tensor cores sum in an order of their own; pieces are added in ascending order.
 */
size_t cug_cuda_conv2d_fwd_workspace(const cug_conv2d_shape *s, cug_precision precision);
/* for dgrad and for wgrad, one after the other */
size_t cug_cuda_conv2d_bwd_workspace(const cug_conv2d_shape *s, cug_precision precision);

cudaError_t cug_cuda_conv2d_fwd(float *y, const float *x, const float *w, const float *b, const cug_conv2d_shape *s,
                                cug_precision precision, void *workspace, cudaStream_t stream);
/* dx alone. accumulate: CUG_ACC_DX. */
cudaError_t cug_cuda_conv2d_dgrad(float *dx, const float *dy, const float *w, const cug_conv2d_shape *s,
                                  cug_precision precision, unsigned accumulate, void *workspace, cudaStream_t stream);
/* dw and db, either may be NULL. accumulate: CUG_ACC_DW. */
cudaError_t cug_cuda_conv2d_wgrad(float *dw, float *db, const float *dy, const float *x, const cug_conv2d_shape *s,
                                  cug_precision precision, unsigned accumulate, void *workspace, cudaStream_t stream);

/* --- conv_block (conv_block.h) ---------------------------------------------------------------------------------------
 * fwd: the implicit GEMM of conv2d fwd, its rows ordered so that the four pixels of a 2x2 window are four rows of one
 * thread, which adds the bias, applies the activation, takes the maximum and stores only that. No workspace.
 * bwd: dy is spread over the convolution's output in workspace (winners only, times the activation's derivative),
 * then conv2d's dgrad and wgrad run on it.
 * saved: 2 bits a window and channel, four channels a byte: (N,P,Q,ceil(K/4)) bytes with pooling, none without. */
int cug_cuda_conv_block_supports(const cug_conv_block_shape *s); /* any act; pooling: 2x2 max, stride 2, no pads */
size_t cug_cuda_conv_block_saved_bytes(const cug_conv_block_shape *s);
size_t cug_cuda_conv_block_bwd_workspace(const cug_conv_block_shape *s, cug_precision precision);
cudaError_t cug_cuda_conv_block_fwd(float *y, void *saved, const float *x, const float *w, const float *b,
                                    const cug_conv_block_shape *s, cug_precision precision, cudaStream_t stream);
cudaError_t cug_cuda_conv_block_bwd(float *dx, float *dw, float *db, const float *dy, const float *y, const void *saved,
                                    const float *x, const float *w, const cug_conv_block_shape *s,
                                    cug_precision precision, unsigned accumulate, void *workspace, cudaStream_t stream);

/* --- linear (linear.h) -----------------------------------------------------------------------------------------------
 * Tiled GEMM; summation order as conv2d's, over i (fwd), o (dx), n (dw, db). bwd: dx, dw, db may each be NULL. */
size_t cug_cuda_linear_fwd_workspace(const cug_linear_shape *s, cug_precision precision);
size_t cug_cuda_linear_bwd_workspace(const cug_linear_shape *s, cug_precision precision);
cudaError_t cug_cuda_linear_fwd(float *y, const float *x, const float *w, const float *b, const cug_linear_shape *s,
                                cug_precision precision, void *workspace, cudaStream_t stream);
cudaError_t cug_cuda_linear_bwd(float *dx, float *dw, float *db, const float *dy, const float *x, const float *w,
                                const cug_linear_shape *s, cug_precision precision, unsigned accumulate,
                                void *workspace, cudaStream_t stream);

/* --- pool2d (pool2d.h) -----------------------------------------------------------------------------------------------
 * One thread an output element (fwd) or an input element (bwd: it looks up the windows that cover it, in (p,q) order).
 * argmax: NULL for avg, and where fwd's is not wanted. */
cudaError_t cug_cuda_pool2d_fwd(float *y, uint8_t *argmax, const float *x, const cug_pool2d_shape *s,
                                cudaStream_t stream);
cudaError_t cug_cuda_pool2d_bwd(float *dx, const float *dy, const uint8_t *argmax, const cug_pool2d_shape *s,
                                unsigned accumulate, cudaStream_t stream);

/* --- elementwise: activation, dropout, add, concat, normalize
 * --------------------------------------------------------- One thread four neighbouring elements (concat: one).
 * Aliasing as the op's header allows. */
cudaError_t cug_cuda_activation_fwd(float *y, const float *x, const cug_activation_shape *s, cudaStream_t stream);
cudaError_t cug_cuda_activation_bwd(float *dx, const float *dy, const float *of, const cug_activation_shape *s,
                                    unsigned accumulate, cudaStream_t stream);

/* ids (N), step: device memory. One Philox call for four features of a sample. */
cudaError_t cug_cuda_dropout_fwd(float *y, const float *x, const int32_t *ids, const cug_step *step,
                                 const cug_dropout_shape *s, cudaStream_t stream);
cudaError_t cug_cuda_dropout_bwd(float *dx, const float *dy, const int32_t *ids, const cug_step *step,
                                 const cug_dropout_shape *s, unsigned accumulate, cudaStream_t stream);

/* x: host array of s->inputs device pointers; one launch for every CUG_MAX_INPUTS of them. */
cudaError_t cug_cuda_add_fwd(float *y, const float *const *x, const cug_add_shape *s, cudaStream_t stream);
cudaError_t cug_cuda_add_bwd(float *dx, const float *dy, const cug_add_shape *s, unsigned accumulate,
                             cudaStream_t stream);

/* x: host array of s->inputs device pointers. bwd: the gradient of input j. */
cudaError_t cug_cuda_concat_fwd(float *y, const float *const *x, const cug_concat_shape *s, cudaStream_t stream);
cudaError_t cug_cuda_concat_bwd(float *dx, const float *dy, int j, const cug_concat_shape *s, unsigned accumulate,
                                cudaStream_t stream);

cudaError_t cug_cuda_normalize_fwd(float *y, const uint8_t *u, const cug_normalize_shape *s, cudaStream_t stream);

/* --- batch_norm (batch_norm.h) ---------------------------------------------------------------------------------------
 * Sums over up to 1,024 ranges of rows, each about a number near its own mean, joined in ascending order in double. */
size_t cug_cuda_batch_norm_workspace(const cug_batch_norm_shape *s);
cudaError_t cug_cuda_batch_norm_fwd_train(float *y, float *saved, const float *x, const float *gamma, const float *beta,
                                          const cug_batch_norm_shape *s, void *workspace, cudaStream_t stream);
cudaError_t cug_cuda_batch_norm_fwd_eval(float *y, const float *x, const float *gamma, const float *beta,
                                         const float *mean, const float *var, const cug_batch_norm_shape *s,
                                         cudaStream_t stream);
cudaError_t cug_cuda_batch_norm_bwd(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x,
                                    const float *gamma, const float *saved, const cug_batch_norm_shape *s,
                                    unsigned accumulate, void *workspace, cudaStream_t stream);
cudaError_t cug_cuda_batch_norm_bwd_eval(float *dx, const float *dy, const float *gamma, const float *var,
                                         const cug_batch_norm_shape *s, unsigned accumulate, cudaStream_t stream);
cudaError_t cug_cuda_batch_norm_track(float *running_mean, float *running_var, const float *saved, const cug_step *step,
                                      const cug_batch_norm_shape *s, cudaStream_t stream);

/* --- bias (bias.h) ---------------------------------------------------------------------------------------------------
 * bwd: dx NULL, dy itself (nothing is copied) or other memory; db NULL or (C). db sums columns: 32 columns a block in
 * x, at most 512 rows a block in y while that keeps the partial sums within CUG_CUDA_SCRATCH_BYTES; blocks' sums are
 * added in ascending order in double. workspace is used for db alone and may be NULL when bias_bwd_workspace says 0. */
size_t cug_cuda_bias_bwd_workspace(const cug_bias_shape *s);
cudaError_t cug_cuda_bias_fwd(float *y, const float *x, const float *b, const cug_bias_shape *s, cudaStream_t stream);
cudaError_t cug_cuda_bias_bwd(float *dx, float *db, const float *dy, const cug_bias_shape *s, unsigned accumulate,
                              void *workspace, cudaStream_t stream);

/* --- losses (softmax_xent.h) -----------------------------------------------------------------------------------------
 * One warp a sample; sums over classes by lane, then over lanes pairwise. dz and pred may be NULL, dz may be z. */
cudaError_t cug_cuda_softmax_xent_fwd_bwd(float *loss, float *dz, int32_t *pred, const float *z, const int32_t *labels,
                                          const cug_loss_shape *s, cudaStream_t stream);
cudaError_t cug_cuda_bce_logits_fwd_bwd(float *loss, float *dz, int32_t *pred, const float *z, const int32_t *labels,
                                        const cug_loss_shape *s, cudaStream_t stream);
cudaError_t cug_cuda_mse_fwd_bwd(float *loss, float *dz, int32_t *pred, const float *z, const int32_t *labels,
                                 const cug_loss_shape *s, cudaStream_t stream);

/* --- optimizer (optimizer.h) -----------------------------------------------------------------------------------------
 * `runs` is in host memory, as in the op's contract: it travels as a kernel argument, CUG_CUDA_RUNS_A_LAUNCH at a time,
 * so nobody uploads it and a captured graph keeps its own copy. Offsets and counts below 2^32 elements.
 * grad_norm: a fixed number of blocks sums squares in double, one block adds their sums pairwise, looks at the losses
 * and writes step->grad_norm and step->nonfinite. loss NULL or (N). workspace: CUG_CUDA_GRAD_NORM_WORKSPACE bytes.
 * update: one launch for up to CUG_CUDA_RUNS_A_LAUNCH runs; reads step->nonfinite, lr, bias corrections and grad_norm
 * on the device, so nothing waits for the host. m, v: NULL where the kind has no such state. Leaves out MUON's
 * matrices. muon: one such matrix (its run), which lies in w, m and g at the run's offset; products are linear's in
 * float32, the norm's parts a fixed number of blocks. 23 launches and the products' own second ones; with
 * step->nonfinite they leave w and m alone. workspace: muon_workspace bytes. */
#define CUG_CUDA_RUNS_A_LAUNCH 128
#define CUG_CUDA_GRAD_NORM_WORKSPACE ((size_t)256 * sizeof(double))
cudaError_t cug_cuda_grad_norm(cug_step *step, const float *g, const float *loss, int N, const cug_param_run *runs,
                               int n_runs, void *workspace, cudaStream_t stream);
cudaError_t cug_cuda_update(float *w, float *m, float *v, const float *g, const cug_opt_params *opt,
                            const cug_param_run *runs, int n_runs, const cug_step *step, cudaStream_t stream);
size_t cug_cuda_muon_workspace(const cug_param_run *run);
cudaError_t cug_cuda_muon(float *w, float *m, const float *g, const cug_opt_params *opt, const cug_param_run *run,
                          const cug_step *step, void *workspace, cudaStream_t stream);

/* --- metrics (metrics.h) ---------------------------------------------------------------------------------------------
 * One block. The losses are added in sample order in double by one thread; hits and the matrix (device memory, int64,
 * or NULL) are whole numbers, so their atomics do not depend on order. */
cudaError_t cug_cuda_metrics_add(cug_metrics *m, int64_t *confusion, const float *loss, const int32_t *pred,
                                 const int32_t *labels, const cug_metrics_shape *s, cudaStream_t stream);

/* --- steps and the resident loader (step.h) --------------------------------------------------------------------------
 * advance: one thread. gather: one block a sample; 16 bytes at a time where F is a multiple of 16. shift: one block
 * a sample, a byte at a time. */
cudaError_t cug_cuda_step_advance(cug_step *step, cug_cursor *cursor, const cug_step *table, cudaStream_t stream);
cudaError_t cug_cuda_gather(uint8_t *pixels, int32_t *labels, int32_t *ids, const uint8_t *all_pixels,
                            const int32_t *all_labels, const int32_t *order, const cug_cursor *cursor,
                            const cug_gather_shape *s, cudaStream_t stream);
cudaError_t cug_cuda_shift(uint8_t *out, const uint8_t *in, const int32_t *shifts, const cug_cursor *cursor,
                           const cug_shift_shape *s, cudaStream_t stream);

/* --- peaks (timing.h) ------------------------------------------------------------------------------------------------
 * `rounds` steps of 8 chains a thread, 256 threads a block; *flop: the floating-point operations queued. sink: 1 kB. */
cudaError_t cug_cuda_fma_peak(float *sink, int rounds, int blocks, double *flop, cudaStream_t stream);
/* The same on tensor cores, TF32 or BF16: `rounds` steps of 4 chains a warp. cudaErrorNotSupported: the kernels' door
 * has no tensor cores. */
cudaError_t cug_cuda_mma_peak(float *sink, int rounds, int blocks, cug_precision precision, double *flop,
                              cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
