/* mse.h - mean squared error against the one-hot (smoothed) target. Contract: cug_loss_ops (softmax_xent.h), with
 *   loss = mean_k (z[k] - t[k])^2;  dz[k] = 2 (z[k] - t[k]) / (N K). */
#ifndef CUGLYPH_MSE_H
#define CUGLYPH_MSE_H
#include <cuglyph/softmax_xent.h>
#endif
